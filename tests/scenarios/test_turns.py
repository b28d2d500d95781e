"""Turns, notices, generations and background processes: S100 to S137."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.scenarios.stage import HOUR_S, causes, interrupt, said, shown

from greenroom import Supervisor
from greenroom.actors.ports import ToolInDoubtError, Turn
from greenroom.storage.lock import Held
from greenroom.supervisor.sandbox.invariants import PLACEHOLDER
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

WORKING = "Still working"
CHATTY = Policy(notice_first_s=60.0, notice_every_s=180.0)


def notices(room: Scenario, message: int) -> list[str]:
    """The notices that one message showed while it was not finished."""
    messages = room.messages()
    return [text for text in messages[message].texts if WORKING in text] if message < len(messages) else []


def test_s100_a_follow_up_has_its_own_clock_and_the_outer_run_is_silent() -> None:
    """S100."""
    with Scenario(policy=CHATTY) as room:
        room.says("m1 doze answer")
        room.advance(70)
        room.says("m2 doze answer")
        room.rest()
        assert notices(room, 0) == ["(Still working, 1 min)"]
        assert notices(room, 1) == ["(Still working, 1 min)"]
        assert room.visible() == ["answer <m1>", "answer <m2>"]


def test_s101_after_a_restart_was_announced_nothing_says_that_work_goes_on() -> None:
    """S101."""
    with Scenario(policy=Policy(notice_first_s=60.0, drain_s=200.0)) as room:
        room.says("m1 doze answer")
        room.advance(50)
        assert room.drain(within_s=300)
        assert not any(WORKING in text for text in shown(room))
        assert room.visible() == ["answer <m1>"]


def test_s103_a_long_run_of_tools_alone_shows_that_it_lives() -> None:
    """S103."""

    async def agent(turn: Turn) -> str:
        for n in range(10):
            await turn.tool("dig", {"n": n}, policy="pure", fn=dig)
        return "done"

    async def dig(n: int) -> int:
        await asyncio.sleep(100)
        return n

    with Scenario(agent, policy=CHATTY) as room:
        room.says("Dig")
        room.advance(999)
        elapsed = [60, 240, 420, 600, 780, 960]
        assert notices(room, 0) == [f"(Still working, {seconds // 60} min)" for seconds in elapsed]
        room.rest()
        assert room.visible() == ["done"]


def test_s104_a_host_that_slept_says_it_once() -> None:
    """S104."""
    with Scenario(policy=Policy(notice_first_s=60.0, notice_every_s=180.0, silent_max_s=0.0)) as room:
        room.says("m1 hang")
        room.advance(10)
        room.host_sleeps(HOUR_S)
        room.advance(170)
        assert len(notices(room, 0)) == 1


def test_s108_a_match_of_the_turn_that_is_ending_is_dropped() -> None:
    """S108."""
    assert _spawn("for n in 1 2 3; do echo READY; done", watch=["READY"], runs=1).notes == []


def test_s109_a_match_of_an_older_generation_is_dropped() -> None:
    """S109. A newer run is at work when it comes: that one must not take it for its own."""
    assert _spawn("sleep 5; echo READY", watch=["READY"], stays_s=4, follow_ups=2, runs=2).notes == []


def test_s110_a_match_reaches_its_own_session_while_another_moves_on() -> None:
    """S110."""
    told = _spawn("sleep 5; echo READY", watch=["READY"], stays_s=30, follow_ups=2, elsewhere=True, runs=2)
    assert told.notes == ["said: READY"]


def test_s111_a_match_carries_the_generation_of_its_run() -> None:
    """S111. That run is the third: a match without its generation, or with another one, is not heard."""
    told = _spawn("echo READY", watch=["READY"], before=2, stays_s=30, runs=4)
    assert told.generations == [3]
    assert told.notes == ["said: READY"]


@pytest.mark.parametrize("command", ["sleep 60", "true"])
def test_s112_a_process_that_the_agent_killed_completes_nothing(command: str) -> None:
    """S112. Also one that was dead already."""
    assert _spawn(command, notify=True, consume="kill", runs=1).notes == []


def test_s113_what_was_waited_for_or_read_completes_nothing_more() -> None:
    """S113."""
    for consume, runs in (("wait", 1), ("log", 1), ("poll", 2)):
        _spawn("sleep 5", notify=True, consume=consume, runs=runs)


def test_s114_a_poll_that_showed_the_exit_makes_no_extra_turn() -> None:
    """S114."""
    _spawn("true", notify=True, consume="poll", stays_s=10, runs=1)


def test_s116_a_completion_during_the_launching_turn_comes_after_it() -> None:
    """S116. Its person sees a short receipt at once."""
    told = _spawn("true", notify=True, stays_s=10, runs=2)
    assert told.seen == ["(Finished in the background: true, exit code 0)", "done", "told"]
    assert len(told.notes) == 1


def test_s117_a_noisy_process_is_heard_a_little() -> None:
    """S117."""
    told = _spawn("for n in $(seq 100); do echo READY; done", watch=["READY"], stays_s=30, runs=2)
    assert told.notes == ["said (the first of 100 such lines): READY"]


def test_s117_after_three_floods_a_process_is_not_heard_until_it_ends() -> None:
    """S117. Of five floods three are heard, as one; then the end is told, which nobody had asked for."""
    floods = "; ".join(["for n in $(seq 100); do echo READY; done; sleep 3"] * 5)
    flood, end = _spawn(floods, watch=["READY"], stays_s=60, runs=2).notes
    assert flood == "said (the first of 300 such lines): READY"
    assert end.startswith("is over: exit code 0.")


def test_s118_a_completion_while_the_session_is_busy_interrupts_nothing() -> None:
    """S118. It comes while a later run works, says nothing there, and has its own run after that."""
    told = _spawn("sleep 40", notify=True, follow_ups=1, stays_s=30, runs=3)
    assert told.seen == ["done", "done", "told"]
    assert len(told.notes) == 1


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a background process."""

    notes: list[str]  # what the agent was told of it
    seen: list[str]  # all that was to be read in the chat, without placeholders
    generations: list[int]  # of the runs that started processes, as those are stamped


def _spawn(
    command: str,
    *,
    watch: Sequence[str] = (),
    notify: bool = False,
    consume: str = "",
    stays_s: float = 0.0,
    before: int = 0,
    follow_ups: int = 0,
    elsewhere: bool = False,
    runs: int,
) -> Told:
    """Let an agent start a process, after some runs `before` that, and count the runs; none of them is cut short."""

    async def agent(turn: Turn) -> str:
        if turn.news:
            return "told"
        if turn.text == "start":
            process = await turn.spawn(command, notify_on_complete=notify, watch_patterns=watch)
            if consume:
                await getattr(process, consume)()
        await asyncio.sleep(stays_s)
        return "done"

    with Scenario(agent) as room:
        for n in range(before):
            room.says(f"earlier {n}")
            room.rest()
        room.says("start")
        room.advance(1)
        for n in range(follow_ups):
            room.says(f"follow-up {n}", 2 if elsewhere else 1)
            room.advance(0.1)
        room.rest()
        assert [run.ending for run in room.runs()] == ["answered"] * runs
        assert room.broken() == []
        notes = [row.text.split(") ", 1)[1] for row in room.transcript() if row.kind == "process"]
        seen = [text for text in shown(room) if text != PLACEHOLDER]
        return Told(notes, seen, [row.generation for row in room.of_session("processes")])


def test_s122_two_chats_bound_to_one_session_wait_for_each_other() -> None:
    """S122."""
    with Scenario() as room:
        room.says("m1 answer", 1)
        room.rest()
        room.crash()
        room.given("INSERT INTO routes (key, session_id) VALUES (?, 1)", str(room.chat(2)))
        room.boot()
        room.says("m2 nap answer", 1)
        room.advance(1)
        room.says("m3 answer", 2)
        room.rest()
        assert [row.text for row in room.transcript(1)] == [
            *("m1 answer", "answer <m1>", "m2 nap answer", "answer <m2>", "m3 answer", "answer <m3>"),
        ]
        assert len(room.rows("SELECT * FROM sessions")) == 1


def test_s124_a_second_process_on_the_same_home_refuses(tmp_path: Path) -> None:
    """S124."""
    path = tmp_path / "bot.db"
    with Supervisor(path, agent=lambda _: "yes") as room:
        with pytest.raises(Held), Supervisor(path, agent=lambda _: "no"):
            pass
        receipt = room.accept(chat="host:me:1", id="u1", text="Who?", timeout_s=20)
        assert room.answer(receipt, timeout_s=20) == "yes"


@pytest.mark.parametrize("command", ["/status", "/stop", "/new"])
def test_s126_commands_are_answered_while_a_model_call_hangs(command: str) -> None:
    """S126."""
    with Scenario() as room:
        room.says("m1 hang")
        room.advance(5)
        before = len(shown(room))
        room.says(command)
        room.advance(5)
        assert len(shown(room)) > before


def test_s127_retries_without_end_come_to_one() -> None:
    """S127."""

    async def agent(turn: Turn) -> str:
        while True:
            await turn.progress("the provider is busy, trying again")
            await asyncio.sleep(60)

    with Scenario(agent, policy=Policy(run_max_s=1200.0)) as room:
        room.says("Do it")
        room.advance(1320)
        assert not room.runs()[-1].open
        assert "20 min" in room.visible()[-1]


def test_s129_a_message_during_a_long_job_does_not_end_it() -> None:
    """S129. Nothing is acknowledged that is not true: in `queue` the message silently waits, on disk."""
    with Scenario() as room:
        room.says("m1 doze answer")
        room.advance(10)
        room.says("m2 answer")
        room.advance(10)
        assert [row.generation for row in room.inbox()] == [1, None]
        assert len(room.visible()) == 1
        room.rest()
        assert room.visible() == ["answer <m1>", "answer <m2>"]
        assert causes(room) == ["inbound"] * 2


@pytest.mark.parametrize("reply, effects", [("yes", 2), ("no", 1)])
def test_s131_an_approval_that_is_pending_at_a_restart_can_still_be_given(reply: str, effects: int) -> None:
    """S131."""
    with Scenario() as room:
        room.says("m1 ask answer")
        room.until(lambda: room.effects("ask"))
        room.restart()
        room.rest()
        assert "Run it again?" in room.visible()[-1]
        room.restart()
        room.rest()
        room.says(reply)
        room.rest()
        assert room.effects("ask") == effects
        assert "<m1>" in room.visible()[-1]


def test_s132_what_the_user_says_while_a_question_waits_is_its_answer() -> None:
    """S132."""

    async def agent(turn: Turn) -> str:
        colour = await turn.ask_user("Which colour?", ["red", "blue"])
        return f"{colour} it is"

    with Scenario(agent) as room:
        room.says("Paint it")
        room.rest()
        room.says("blue")
        room.rest()
        assert room.visible()[-1] == "blue it is"
        assert causes(room) == ["inbound"]


@pytest.mark.parametrize("asked_s, policy_s", [(None, 0.0), (0.0, 60.0)], ids=["by the policy", "by the agent"])
def test_s133_a_question_without_a_time_out_waits_without_end(asked_s: float | None, policy_s: float) -> None:
    """S133. 0 is said by whoever asks, or by the policy for who says nothing; a restart changes nothing."""

    async def agent(turn: Turn) -> str:
        return f"{await turn.ask_user('Which?', timeout_s=asked_s)} it is"

    with Scenario(agent, policy=Policy(question_timeout_s=policy_s)) as room:
        room.says("Paint it")
        room.advance(40 * 24 * HOUR_S)
        room.restart()
        room.advance(40 * 24 * HOUR_S)
        assert room.runs()[-1].open
        assert room.visible() == ["Which?"]
        room.says("blue")
        room.rest()
        assert room.visible()[-1] == "blue it is"


def test_s134_what_comes_while_the_session_is_held_waits_and_is_never_dropped() -> None:
    """S134. Nothing compacts a session from outside: whatever holds it is its run, and inbound waits on disk."""
    with Scenario(policy=Policy(silent_max_s=0.0)) as room:
        room.says("m1 " + "doze " * 8 + "answer")
        for n in range(2, 6):
            room.advance(150)
            room.says(f"m{n} answer")
        room.rest()
        assert room.visible()[0] == "answer <m1>"
        assert room.visible()[1].endswith("answer <m2> <m3> <m4> <m5>")
        assert len(said(room)) == 5


def test_s137_of_a_batch_cut_off_in_the_middle_nothing_is_run_again_unasked() -> None:
    """S137."""
    effects: list[str] = []

    async def act(name: str) -> str:
        effects.append(name)
        await asyncio.sleep(1)
        return name

    async def agent(turn: Turn) -> str:
        outcomes: list[str] = []
        for name in "ABC":
            try:
                outcomes.append(await turn.tool("act", {"name": name}, policy="once", fn=act))
            except ToolInDoubtError:
                return f"done {outcomes}, in doubt {name}"
        return "all done"

    with Scenario(agent) as room:
        interrupt(room, "Do A, B and C", after_s=1.5)
        assert effects == ["A", "B"]
        room.boot()
        room.rest()
        assert effects == ["A", "B"]
        assert room.visible() == ["done ['A'], in doubt B"]
        assert [row.result for row in room.of_session("tool_calls")] == ['"A"', None]
