import pytest

from greenroom.actors.calls import (
    REASON_MAX,
    Doubtful,
    Forbidden,
    Gone,
    Outcome,
    Postponed,
    Unsent,
    Worked,
    read_outcome,
)
from greenroom.actors.ports import NotSentError, RetryLaterError, SendRefusedError, TargetGoneError


@pytest.mark.parametrize(
    "error, outcome",
    [
        (None, Worked("m1")),
        (SendRefusedError("blocked"), Forbidden("SendRefusedError: blocked")),
        (RetryLaterError(7.0), Postponed(7.0)),
        (NotSentError("503"), Unsent("NotSentError: 503")),
        (TargetGoneError("m1"), Gone("TargetGoneError: m1")),
        (TimeoutError(), Doubtful("TimeoutError", raised=False)),
        (KeyError("text"), Doubtful("KeyError: 'text'", raised=True)),
        (SystemExit(1), Doubtful("SystemExit: 1", raised=True)),
    ],
)
def test_each_ending_of_a_call_has_one_outcome(error: BaseException | None, outcome: Outcome) -> None:
    assert read_outcome(error, "m1") == outcome


def test_a_platforms_complaint_is_kept_within_a_limit() -> None:
    outcome = read_outcome(SendRefusedError("x" * 10_000), None)

    assert isinstance(outcome, Forbidden)
    assert len(outcome.reason) == REASON_MAX
