"""Stories of sessions that are set aside, suspended and given back, in which bugs show themselves; see `stories.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenroom.actors.model import SessionId
from greenroom.supervisor.sandbox.scenario import Accident

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.scenario import Scenario

IDLE_S = 60.0
"""After so long an actor rests in those stories whose policy says so."""


def is_given_back(told: Scenario, _: int, *, words: str = "m1 nap answer", after_s: float = 5.0) -> None:
    """A session was set aside after attempts that got nowhere; its person writes on, and an operator gives it back."""
    told.says(words)
    told.advance(1)
    told.crash()
    told.given("UPDATE runs SET attempt = 9")
    life = told.boot()
    told.advance(after_s)
    told.says("m2 answer")
    told.advance(5)
    life.core.operations.release(SessionId(1), lambda _: None)


def is_corrected_while_it_is_given_back(told: Scenario, seed: int) -> None:
    """In that moment its person writes, and corrects it."""
    is_given_back(told, seed)
    told.edits(told.says("m3 answer"), "m3 pure answer")


def is_given_back_late(told: Scenario, seed: int) -> None:
    """It was set aside for longer than work is fresh."""
    is_given_back(told, seed, after_s=7_200.0)


def is_given_back_in_the_same_life(told: Scenario, _: int) -> None:
    """Its person suspends it in the middle of a run, and an operator gives it back while its actor lives."""
    told.says("m1 nap answer")
    told.advance(1)
    told.says("/suspend")
    told.advance(5)
    if told.life is not None:
        told.life.core.operations.release(SessionId(1), lambda _: None)
    told.advance(5)


def is_suspended_while_it_is_given_back(told: Scenario, seed: int) -> None:
    """A session is set aside; its person suspends it, and in that moment an operator gives it back. More is said."""
    told.says("m1 doze answer")
    told.advance(1)
    told.crash()
    told.given("UPDATE runs SET attempt = 9")
    life = told.boot()
    told.advance(5)
    told.says("/suspend")
    told.steps(seed % 12)
    life.core.operations.release(SessionId(1), lambda _: None)
    told.advance(3)
    told.says("m2 answer")
    told.advance(3)
    told.world.mistakes.extend(str(each) for each in told.broken(at_rest=False))


def is_suspended_twice(told: Scenario, _: int) -> None:
    """What was said before a question waits behind it, while its conversation is suspended twice."""
    told.says("m1 nap question answer")
    told.advance(0.5)
    told.says("/queue m2 answer")
    told.advance(3)
    for word in ("/suspend", "/resume", "/suspend"):
        told.says(word)
        told.advance(2 * IDLE_S)
    told.world.mistakes.extend(str(each) for each in told.broken(at_rest=False))


def goes_on_crashing(told: Scenario, _: int) -> None:
    """Work has an anchor, and its session crashes until it is set aside, and once more."""
    told.says("m1 say nap answer")
    told.advance(0.5)
    told.accident(Accident.SESSIONS_KEEP_FAILING)
    for number in range(8):
        told.says(f"/status {number}")
        told.advance(30)
    told.world.mistakes.extend(str(each) for each in told.broken(at_rest=False))


def is_given_up_when_its_platform_is_back(told: Scenario, _: int) -> None:
    """It was woken before, for what a process of its had to tell: that work is too old is decided a day later."""
    told.says("m7 process:forget doze answer")
    told.until(lambda: told.rows("SELECT 1 FROM processes WHERE state = 'ended'"))
    told.crash()
    told.boot(unreachable=[1])
    told.advance(1)
    told.jump_wall(86_400)
    told.connects()


def is_given_up_by_both(told: Scenario, _: int) -> None:
    """Its host sleeps while it starts: its work is too old afterwards, for the supervisor and for the session alike."""
    told.says("m1 doze answer")
    told.advance(1)
    told.says("m2 answer")
    told.advance(1)
    told.crash()
    told.boot(unreachable=[1])
    told.steps(9)
    told.host_sleeps(3_700)
    told.connects()
