"""A message that kills whoever handles it: set aside after its attempts, alone, and given back when somebody says so."""

from __future__ import annotations

from tests.scenarios.stage import rules

from greenroom.actors.model import SessionId
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

PATIENT = Policy(unclean_boots_max=100)


def live_until_it_is_set_aside(room: Scenario) -> None:
    """The process dies of the message, as often as it may be attempted, and comes up again."""
    room.says("m1 kill answer")
    for _ in range(3):
        room.advance(10)
        room.crash()
        room.stays_down(1)
        room.boot()
    room.advance(10)


def test_a_message_that_kills_its_process_is_set_aside_alone_and_its_chat_is_told_once() -> None:
    with Scenario(policy=PATIENT) as room:
        live_until_it_is_set_aside(room)
        assert rules(room) == ["RESUME", "RESUME", "ATTEMPTS_EXHAUSTED"]
        assert room.life is not None
        assert room.life.lives()
        room.says("m2 answer", 2)
        for _ in range(2):
            room.says("m3 answer")
            room.rest()
        assert room.visible(2) == ["answer <m2>"]
        told = [text for text in room.visible() if "set aside" in text or "set this conversation aside" in text]
        assert len(told) == 2  # Once what became of the message, and once that what was said since waits, too.
        assert room.rows("SELECT quarantine_reason FROM sessions WHERE quarantined_at IS NOT NULL")[0].quarantine_reason
        assert room.broken() == []


def test_what_was_set_aside_and_is_released_is_attempted_anew_and_answered() -> None:
    with Scenario(policy=PATIENT) as room:
        live_until_it_is_set_aside(room)
        room.says("m2 answer")
        room.rest()
        assert room.life is not None
        room.life.core.operations.release(SessionId(1), lambda _: None)
        room.advance(10)
        room.restart()  # It killed once more, and then no more.
        room.rest()
        assert "set this conversation aside" in room.visible()[0]  # In the anchor of the request ...
        assert room.visible()[-1] == "answer <m1> <m2>"  # ... and below all that was said meanwhile.
        assert "..." not in room.visible()
        assert rules(room)[-2:] == ["RESUME", "RESUME"]
        assert room.broken() == []


def test_a_run_that_failed_is_no_poison_and_what_is_written_again_is_answered() -> None:
    with Scenario(policy=PATIENT) as room:
        for _ in range(5):
            room.says("m1 fail")
            room.rest()
        room.says("m2 answer")
        room.rest()
        assert room.visible()[-1] == "answer <m2>"
        assert {run.failed_by for run in room.runs()} == {"crashed", None}
        assert room.broken() == []
