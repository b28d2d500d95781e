"""Stories in which the bugs of the field show themselves. Each is told on a room that has booted, with its seed.

Nobody tells how they end: whoever tries one lets all come to rest and looks at every promise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from greenroom.actors.facts import MessageAppended
from greenroom.actors.model import Epoch, Generation, Message, Role, Seq, SessionId
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.storage.faulty_disk import FaultKind, Loss
from greenroom.supervisor.sandbox.faults import Accident

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.scenario import Scenario

DAY_S = 86_400.0

Story = Callable[["Scenario", int], None]


def is_still_checked(told: Scenario) -> None:
    """What is broken at this moment counts, also if it will have been mended at the end."""
    told.world.mistakes.extend(str(each) for each in told.broken(at_rest=False))


# -- the process dies --------------------------------------------------------------------------------------------------


def dies_at_work(told: Scenario, _: int) -> None:
    """The process is killed in the middle of a run, twice, and looked at after each boot."""
    told.says("m1 nap answer")
    for _ in range(2):
        told.advance(1)
        told.restart()
    told.advance(1)
    is_still_checked(told)


def finds_the_provider_down(told: Scenario, _: int) -> None:
    """What the agent needs cannot be reached, more often than an attempt may fail."""
    told.says("m1 outage answer")
    told.advance(1_000)


def dies_with_a_queue(told: Scenario, _: int) -> None:
    """A message waits for the run before it when the process is killed."""
    told.says("m1 nap answer")
    told.advance(1)
    told.says("m2 answer")
    told.advance(1)
    told.restart()


def writes_while_it_goes_to_rest(told: Scenario, seed: int) -> None:
    """What is asked for about a session is told, its actor goes to rest, and at any step of that its person writes."""
    told.says("/explain")
    told.steps(20 + seed % 20)
    told.says("m1 answer")


def dies_while_its_answer_is_written(told: Scenario, _: int) -> None:
    """The disk reports errors when a session concludes, and its actor dies before they are over."""
    told.says("m1 nap answer")
    told.advance(2)
    told.disk_fails(FaultKind.IO_ERROR, times=None)
    told.advance(2)
    told.accident(Accident.SESSION_RAISES)
    life = told.life or told.boot()
    life.core.ask_timers(SessionId(1), lambda _: None)  # A message that is about nothing.
    told.advance(0.1)
    told.disk_heals()


def dies_at_an_operation(told: Scenario, seed: int) -> None:
    """Each operation of the disk from the 30th on is a point where the power fails, one a seed."""
    told.disk_fails(FaultKind.CUT, nth=seed + 30)
    told.says("m1 answer")
    told.rest()
    told.restart(Loss.UNSYNCED)


def loses_power_at_rest(told: Scenario, _: int) -> None:
    """All is answered, and then the power fails."""
    told.says("m1 answer")
    told.rest()
    told.restart(Loss.UNSYNCED)


def dies_while_the_disk_refuses(told: Scenario, _: int) -> None:
    """The disk is full when the answer is to be written, and the process is killed before there is room."""
    told.says("m1 nap answer")
    told.advance(2)
    told.disk_fails(FaultKind.FULL, "write", times=None)
    told.advance(5)
    told.restart()
    told.advance(0.1)
    is_still_checked(told)


def writes_to_a_full_disk(told: Scenario, _: int) -> None:
    """A person writes while the disk is full, and the process is killed before there is room."""
    told.disk_fails(FaultKind.FULL, "write", times=None)
    told.says("m1 answer")
    told.advance(5)
    told.restart()


def dies_in_a_tool(policy: str) -> Story:
    """The process is killed when a tool has taken effect, and before its result is stored."""

    def tell(told: Scenario, _: int) -> None:
        told.says(f"m1 {policy} answer")
        told.until(lambda: told.effects(policy))
        told.restart()

    return tell


def dies_after_a_tool(policy: str) -> Story:
    """The process is killed when a tool's result is stored, and the run is not over."""

    def tell(told: Scenario, _: int) -> None:
        told.says(f"m1 {policy} doze answer")
        told.advance(20)
        told.restart()

    return tell


def dies_with_an_anchor(told: Scenario, _: int) -> None:
    """Words are visible already when the process is killed."""
    told.says("m1 say nap answer")
    told.advance(2)
    told.restart()


def kills_its_process(told: Scenario, _: int) -> None:
    """A message that ends the process whenever it is worked at."""
    told.says("m1 kill answer")
    for _ in range(4):
        told.rest()
        told.crash()
        told.stays_down(1_000)
        told.boot()


def dies_while_it_waits_for_its_place(told: Scenario, _: int) -> None:
    """Two go on one after the other; who waits writes, and dies with that run just before the place is free."""
    for chat in (1, 2):
        told.says(f"m{chat} doze answer", chat)
        told.advance(1)
    told.crash()
    told.boot()
    told.advance(99.9)
    opened = len(told.runs())
    told.says("m3 answer", 1)
    told.until(lambda: len(told.runs()) > opened)
    told.accident(Accident.SESSION_RAISES)
    told.advance(5)


def an_actor_dies(told: Scenario, seed: int) -> None:
    """A session raises while it concludes: at each of its messages, one a seed."""
    told.says("m1 nap answer")
    told.advance(1)
    told.steps(seed)
    told.accident(Accident.SESSION_RAISES)
    told.advance(20)


def keeps_restarting(told: Scenario, _: int) -> None:
    """An agent that hangs, and a process that is killed every five minutes."""
    told.says("m1 hang")
    told.advance(5)
    for _ in range(6):
        told.restart(after_s=300)
        told.advance(5)


def old_and_restarted(told: Scenario, _: int) -> None:
    """What was interrupted is too old when the process starts, twice."""
    told.says("m1 nap answer")
    told.advance(1)
    for _ in range(2):
        told.restart(after_s=1_000)
        told.rest()


def old_and_woken(told: Scenario, _: int) -> None:
    """The process is down for hours."""
    told.says("m1 hang")
    told.advance(5)
    told.restart(after_s=7_000)


def three_at_once(told: Scenario, _: int) -> None:
    """Three chats are interrupted together."""
    for chat in (1, 2, 3):
        told.says(f"m{chat} nap answer", chat)
    told.advance(1)
    told.restart()
    told.advance(1)
    is_still_checked(told)


def answered_and_left_open(told: Scenario, _: int) -> None:
    """Another version left the run open behind its answer."""
    told.says("m1 answer")
    told.rest()
    told.crash()
    told.given(
        "UPDATE runs SET open = 1, ending = NULL, closed_at = NULL, tail_kind = 'FINAL', answered_upto = user_seq,"
        " tail_seq = (SELECT max(seq) FROM messages)"
    )
    told.boot()


# -- persons -----------------------------------------------------------------------------------------------------------


def says_it_again_after_a_restart(told: Scenario, _: int) -> None:
    """A platform gives an update to the next process again."""
    update = told.says("m1 answer")
    told.rest()
    told.restart()
    told.says("m1 answer", id=update)


def writes_when_it_rests(told: Scenario, seed: int) -> None:
    """A person writes at the moment at which the session is put away, one moment a seed."""
    told.says("m1 answer")
    told.steps(15 + seed % 20)
    told.says("m2 answer")


def writes_during_a_long_run(told: Scenario, _: int) -> None:
    """A second message comes while an agent works that does not heed that it is stopped."""
    told.says("m1 stubborn")
    told.advance(10)
    told.says("m2 answer")


def is_answered_late(told: Scenario, _: int) -> None:
    """A run is given up, its agent answers all the same, and the next run works already."""
    told.says("m1 doze stubborn")
    told.advance(10)
    told.says("m2 nap answer")


def is_given_up(told: Scenario, _: int) -> None:
    """An agent gives no sign of life, and does not heed that it is stopped."""
    told.says("m1 stubborn")


def waits_while_asked(told: Scenario, _: int) -> None:
    """A message waits from before a question; the question's answer comes after it."""
    told.says("m1 nap question answer")
    told.advance(1)
    told.says("m2 answer")
    told.advance(20)
    told.says("r3")


def asked_and_restarted(told: Scenario, _: int) -> None:
    """The process is killed while a question waits for its person."""
    told.says("m1 question answer")
    told.advance(5)
    told.restart()
    told.advance(5)
    told.says("r2")


def answered_and_restarted(told: Scenario, _: int) -> None:
    """The process is killed after a question was answered, and before the run is over."""
    told.says("m1 question nap answer")
    told.advance(5)
    told.says("r2")
    told.advance(1)
    told.restart()
    told.advance(10)
    told.says("r3")


def leaves_a_question(told: Scenario, _: int) -> None:
    """A person takes a while to answer."""
    told.says("m1 question answer")
    told.advance(100)
    told.says("r2")


def works_long_after_a_question(told: Scenario, _: int) -> None:
    """A run goes on for long when its question was answered."""
    told.says("m1 question doze answer")
    told.advance(10)
    told.says("r2")


def writes_much(told: Scenario, _: int) -> None:
    """A person and an agent who have much to say to each other."""
    for number in range(1, 41):
        told.says(f"m{number} pure keyed answer")
        told.rest()


def writes_much_and_loses_power(told: Scenario, _: int) -> None:
    """The same, and the power fails."""
    writes_much(told, 0)
    told.restart(Loss.UNSYNCED)


# -- platforms ---------------------------------------------------------------------------------------------------------


def a_call_fails(fault: PlatformFault) -> Story:
    """The first call to the platform fails like this."""

    def tell(told: Scenario, _: int) -> None:
        told.platform_fails(fault)
        told.says("m1 answer")

    return tell


def is_blocked(told: Scenario, _: int) -> None:
    """A person has blocked the bot."""
    chat = told.chat()
    told.world.network_of(chat).server.block(chat)
    told.says("m1 answer")


def two_answers_over_a_clock_jump(told: Scenario, _: int) -> None:
    """Two answers wait for their platform, and between them the wall clock was set back."""
    told.advance(1)
    told.disconnects()
    told.says("m1 answer")
    told.advance(5)
    told.jump_wall(-DAY_S)
    told.says("m2 answer")
    told.advance(5)
    told.crash()


# -- the store ---------------------------------------------------------------------------------------------------------


def a_conflict_beside_a_message(told: Scenario, _: int) -> None:
    """A request that contradicts what is stored waits in the same group as a person's message."""
    told.says("m1 answer")
    told.rest()
    store = told.life.core.store if told.life is not None else None
    assert store is not None  # noqa: S101 - it has just booted
    row = Message(Seq(1), Generation(1), "user.1", Role.USER, "other words", 0.0)
    store.write((MessageAppended(SessionId(1), store.epoch, row),), lambda _: None)
    told.says("m2 answer", chat=2)


def an_older_owner_writes(told: Scenario, _: int) -> None:
    """Who owned the store before the process was started anew has a row to write."""
    told.says("m1 answer")
    told.rest()
    told.restart()
    told.rest()
    store = told.life.core.store if told.life is not None else None
    assert store is not None  # noqa: S101 - it has just booted
    row = Message(Seq(9_999), Generation(1), "late", Role.ASSISTANT, "late words", 0.0, finish="stop")
    store.write((MessageAppended(SessionId(1), Epoch(store.epoch - 1), row),), lambda _: None)


def another_takes_over_while_words_stream(told: Scenario, _: int) -> None:
    """The process sleeps while its agent works, another one takes the store, and the first one wakes up."""
    told.says("m1 say doze answer")
    told.advance(5)
    assert told.life is not None  # noqa: S101 - it has just booted
    told.life.be_taken_over()
    told.advance(30)
    told.crash()


def another_takes_over(told: Scenario, _: int) -> None:
    """The process sleeps, another one takes the store, and the first one wakes up and has an answer to write."""
    told.says("m1 nap answer")
    told.advance(1)
    assert told.life is not None  # noqa: S101 - it has just booted
    told.life.be_taken_over()
    told.advance(10)
    told.crash()


def another_takes_over_at_any_moment(told: Scenario, seed: int) -> None:
    """The process sleeps before its next step, whichever that is."""
    told.says("m1 say nap answer")
    told.steps(seed)
    assert told.life is not None  # noqa: S101 - it has just booted
    told.life.be_taken_over()
    told.advance(10)
    told.crash()
