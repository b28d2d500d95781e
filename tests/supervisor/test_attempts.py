"""What counts as an attempt at a piece of work, told as stories: only an end that the work may be to blame for."""

from __future__ import annotations

import asyncio

import pytest

from greenroom.actors.model import InterruptReason
from greenroom.actors.ports import Turn
from greenroom.supervisor.sandbox.scenario import Accident, Policy, Scenario


class Worker:
    """Says a word and works on until it is let through; it remembers which attempt it was."""

    def __init__(self, *, silent: bool = False) -> None:
        self.open = False
        self.attempts: list[int] = []
        self.silent = silent

    async def __call__(self, turn: Turn) -> str:
        if turn.session.chat == "chat1":
            self.attempts.append(turn.attempt)
        if not self.silent:
            await turn.say("word ")
        while not self.open:  # noqa: ASYNC110 - an event would belong to the loop of one life
            await asyncio.sleep(1)
        return "done"


def test_three_falls_of_the_house_count_against_nobody() -> None:
    worker = Worker()
    with Scenario(worker, chats=2) as room:
        room.says("work", 1)
        room.advance(2)
        for number in range(4):
            room.accident(Accident.TREE_RAISES)
            room.says("quick", 2, id=f"other{number}")
            room.advance(60)
        worker.open = True
        room.rest()
        assert room.visible(1) == ["word \n\ndone"]
        assert room.decisions(1).count("RESUME") == 4
        reasons = {row.reason for row in room.rows("SELECT inputs ->> 'reason' AS reason FROM decisions")}
        assert reasons == {InterruptReason.ACTOR_CRASHED.value}
        endings = [row.ending for row in room.rows("SELECT ending FROM boots ORDER BY epoch")]
        assert endings[-5:] == [*["fell"] * 4, None]
        assert set(worker.attempts) == {1}


def test_a_run_that_says_something_survives_any_number_of_orderly_restarts() -> None:
    worker = Worker()
    with Scenario(worker) as room:
        room.says("work")
        room.advance(2)
        for _ in range(5):
            assert room.drain()
            room.boot()
            room.advance(5)
        worker.open = True
        room.rest()
        assert room.visible() == ["word \n\ndone"]
        assert room.decisions().count("RESUME") == 5
        assert set(worker.attempts) == {1}


def test_a_run_that_gets_nowhere_does_not() -> None:
    worker = Worker(silent=True)
    with Scenario(worker) as room:
        room.says("work")
        room.advance(2)
        for _ in range(3):
            assert room.drain()
            room.boot()
            room.advance(5)
        assert worker.attempts == [1, 2, 3]
        assert room.decisions()[-1] == "ATTEMPTS_EXHAUSTED"


def test_a_killed_process_counts_against_all_that_ran_in_it() -> None:
    worker = Worker()
    with Scenario(worker) as room:
        room.says("work")
        room.advance(2)
        for _ in range(3):
            room.restart(after_s=400)
            room.advance(5)
        assert worker.attempts == [1, 2, 3]
        assert room.decisions()[-1] == "ATTEMPTS_EXHAUSTED"


def test_restarts_of_an_actor_are_kept_on_disk_until_a_run_comes_to_its_end() -> None:
    with Scenario(policy=Policy(restarts_max=3)) as room:
        for n in range(1, 6):  # More often than the limit in one window, but each time it gets somewhere.
            room.accident(Accident.SESSION_RAISES)
            room.says(f"m{n} nap answer")
            room.advance(2)
            (spent,) = room.rows("SELECT restart_budget FROM sessions")
            assert "an accident in a session" in spent.restart_budget
            room.rest()
            (fresh,) = room.rows("SELECT restart_budget FROM sessions")
            assert fresh.restart_budget is None
        assert [text for text in room.visible() if "<m5>" in text] == ["answer <m5>"]


@pytest.mark.parametrize("word", ["more", "/resume"])
@pytest.mark.parametrize(
    "accident, cause, attempt",
    [
        (Accident.SESSION_RAISES, "the part of the service that ran you failed and was started again", 2),
        (Accident.STORAGE_RAISES, "the part of the service that ran you failed and was started again", 1),
        (None, "the service ended without warning and was started again", 2),
    ],
    ids=["its actor", "its house", "its process"],
)
def test_who_goes_on_by_a_users_word_hears_the_reason_that_a_boot_would_read(
    accident: Accident | None, cause: str, attempt: int, word: str
) -> None:
    heard: list[tuple[str | None, int]] = []

    async def agent(turn: Turn) -> str:
        heard.append((turn.recovery_note, turn.attempt))
        if len(heard) == 1:
            await asyncio.Event().wait()
        return "done"

    with Scenario(agent, policy=Policy(auto_resume=frozenset())) as room:
        room.says("begin")
        room.until(lambda: heard)
        if accident is None:
            room.restart()
        else:
            room.accident(accident)
            room.says("/status")
        room.rest()
        assert room.decisions() == ["REASON_NOT_ALLOWED"]
        room.says(word)
        room.rest()
        note, tried = heard[1]
        assert f"was interrupted: {cause}." in str(note)
        assert (tried, room.visible()[-1]) == (attempt, "done")
