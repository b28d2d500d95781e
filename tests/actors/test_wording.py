"""What agent and person are told about an interruption."""

from __future__ import annotations

import time
from datetime import UTC, timedelta, timezone
from itertools import product

import pytest

from greenroom.actors.model import InterruptReason, TailKind, ToolCall, ToolPolicy
from greenroom.actors.wording import (
    ARGS_MAX,
    CALLS_MAX,
    expired_line,
    quarantine_line,
    recovery_note,
    unfinished_line,
    user_notice,
)

NOW = 1_800_000_000.0  # 2027-01-15 08:00 UTC
RESTART = ToolCall("k1", "shell", '{"command":"docker restart me"}', ToolPolicy.ONCE)


def test_s029_s046_the_agent_is_told_to_go_on_and_not_to_ask_what_next() -> None:
    for reason, tail in product(InterruptReason, TailKind):
        note = recovery_note(reason, tail=tail)
        assert note.startswith("[automatic note, not from the user]")
        assert note.endswith("Go on with the work and conclude it. Do not greet, do not ask what to do next.")


def test_each_reason_is_told_in_its_own_words() -> None:
    notes = {recovery_note(reason, tail=TailKind.USER) for reason in [*InterruptReason, "moon_phase"]}
    assert len(notes) == len(InterruptReason) + 1
    assert "moon_phase" not in "".join(notes)


def test_s043_an_effect_in_doubt_is_named_and_not_to_be_called_again() -> None:
    note = recovery_note(InterruptReason.RESTART_INTERRUPTED, tail=TailKind.TOOL_CALLS, in_doubt=[RESTART])
    assert 'may or may not have taken effect: shell({"command":"docker restart me"}). Do not call it again' in note


def test_s137_what_is_done_is_not_to_be_repeated() -> None:
    done = ToolCall("k0", "fetch", '{"city":"Oslo"}', ToolPolicy.PURE)
    note = recovery_note(InterruptReason.ACTOR_CRASHED, tail=TailKind.TOOL_RESULTS, done=[done], in_doubt=[RESTART])
    assert 'Already done and stored, do not repeat: fetch({"city":"Oslo"}).' in note


def test_a_note_stays_short_however_much_was_done() -> None:
    calls = [ToolCall(f"k{n}", "t", "x" * 10_000, ToolPolicy.ONCE) for n in range(1000)]
    note = recovery_note(InterruptReason.ACTOR_CRASHED, tail=TailKind.USER, done=calls, in_doubt=calls)
    assert f"and {1000 - CALLS_MAX} more" in note
    assert len(note) < 2 * CALLS_MAX * (ARGS_MAX + 10) + 1000


def test_arguments_with_braces_are_only_words() -> None:
    call = ToolCall("k", "t", '{"a":"{} {0} %s"}', ToolPolicy.ONCE)
    assert 't({"a":"{} {0} %s"})' in recovery_note("x", tail=TailKind.USER, in_doubt=[call])


def test_s057_the_person_is_told_why_it_goes_on() -> None:
    assert user_notice(InterruptReason.RESTART_TIMEOUT) == "I was restarted; I am going on with your request."
    assert "went wrong" in user_notice("actor_crashed")


def test_times_are_shown_where_the_person_lives() -> None:
    assert (
        expired_line(NOW - 3600, now=NOW, zone=UTC)
        == "Your request of 07:00 UTC was interrupted; /retry runs it again."
    )
    oslo = timezone(timedelta(hours=1))
    assert "of 08:00 UTC+01:00 was" in expired_line(NOW - 3600, now=NOW, zone=oslo)


def test_a_host_that_names_no_zone_has_its_own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Oslo")
    time.tzset()
    try:
        assert "of 08:00 CET was" in expired_line(NOW - 3600, now=NOW, zone=None)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_another_day_is_named() -> None:
    assert "of 2027-01-14 07:00 UTC was" in unfinished_line(NOW - 25 * 3600, now=NOW, zone=UTC)
    auckland = timezone(timedelta(hours=13))
    assert "of 2027-01-15 20:00 UTC+13:00 was" in quarantine_line(3, NOW - 3600, now=NOW + 5 * 3600, zone=auckland)


@pytest.mark.parametrize("at", [None, 0.0, -1.0, float("nan"), float("inf"), NOW + 1e9])
def test_a_time_nobody_knows_is_left_out(at: float | None) -> None:
    line = "Your request was interrupted; /retry runs it again."
    assert expired_line(at, now=NOW, zone=UTC) == expired_line(NOW, now=float("nan"), zone=None) == line
