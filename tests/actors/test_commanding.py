"""Orders, told in every phase: what becomes true, what is replied, and that it is so after a crash as well."""

import asyncio
from contextlib import suppress

import pytest

from greenroom.actors.lines import OVER_LINE
from greenroom.actors.model import DeliveryClass
from greenroom.actors.ports import Turn
from greenroom.actors.replies import HELP
from greenroom.supervisor.sandbox.networks import EDITABLE
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

PATIENT = Policy(unclean_boots_max=99, attempts_max=99)
ORDERS = ("/help", "/status", "/stop", "/new", "/retry", "/resume", "/suspend", "/approve", "/deny", "/explain")


class Agent:
    """Does what a message says: hangs, asks, wants an approval, fails, or answers."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.notes: list[str | None] = []

    async def __call__(self, turn: Turn) -> str:
        self.heard.append(turn.text)
        self.notes.append(turn.recovery_note)
        if turn.text.startswith("hang") and turn.attempt == 1 and turn.recovery_note is None:
            await turn.say("Let me see")
            await asyncio.Event().wait()
        if "ask" in turn.text:
            return f"you said {await turn.ask_user('Which?')}"
        if "approve" in turn.text:
            return f"you said {await turn.ask_user('Really?', choices=('yes', 'no'))}"
        if "fail" in turn.text:
            raise RuntimeError(turn.text)
        return f"re {turn.text or 'it'}"


def story(policy: Policy = PATIENT) -> tuple[Scenario, Agent]:
    agent = Agent()
    return Scenario(agent, policy=policy), agent


def replies(room: Scenario) -> list[str]:
    return [row.text for row in room.deliveries() if row.key.startswith("command.")]


def told(room: Scenario, text: str, seconds: float = 1.0) -> None:
    room.says(text)
    room.advance(seconds)


def test_stop_ends_the_run_for_good_and_what_waits_comes_next() -> None:
    room, agent = story()
    with room:
        told(room, "hang")
        told(room, "one more")
        told(room, "/stop")
        assert replies(room) == ["Stopped. One message that waits is next."]
        assert room.visible() == ["Let me see\n\n(Stopped.)", replies(room)[0], "re one more"]
        assert [(row.ending, row.open) for row in room.runs()] == [("stopped", 0), ("answered", 0)]
        assert [row.kind for row in room.transcript()][:3] == ["text", "text", "stopped"]
        room.restart()
        room.rest()
        assert agent.heard == ["hang", "one more"]
        assert room.broken() == []


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("order", ["/stop", "/new"])
def test_who_ends_the_work_ends_its_question_also_after_a_restart(order: str, restarted: bool) -> None:
    agent = Agent()
    with Scenario(agent, policy=PATIENT, buttons=True) as room:
        told(room, "approve")
        (asked,) = room.messages()
        if restarted:
            room.restart()
        told(room, order)
        assert [(row.answer, row.lapsed) for row in room.of_session("questions")] == [(None, "ended")]
        assert [row.kind for row in room.transcript()] == ["text", "question", "lapsed", "stopped"]
        room.presses(asked.id, "yes")
        room.advance(1)
        assert room.visible()[-1] == OVER_LINE
        assert [row.ending for row in room.runs()] == ["stopped"]
        told(room, "hello")
        room.rest()
        assert agent.heard == ["approve", "hello"]
        assert room.visible()[-1] == "re hello"
        assert room.broken() == []


@pytest.mark.parametrize("platform", list(DeliveryClass))
def test_the_reply_to_an_order_overtakes_the_open_anchor_of_what_runs(platform: DeliveryClass) -> None:
    """Also one that was ordered while the platform was away: the anchor keeps its place, and gets its answer there."""

    async def agent(turn: Turn) -> str:
        await turn.say("Let me see")
        await asyncio.sleep(600)
        return "It is 42."

    anchors = platform in EDITABLE
    with Scenario(agent, platforms=[platform]) as room:
        told(room, "count")
        assert len(room.visible()) == anchors
        told(room, "/status")
        assert room.visible()[-1].startswith("Running for ")
        room.disconnects()
        told(room, "/help")
        room.connects()
        room.advance(5)
        assert room.visible()[-1] == HELP
        assert [row.ending for row in room.runs()] == [None]
        room.rest()
        assert room.visible()[0 if anchors else 2] == "Let me see\n\nIt is 42."
        assert room.broken() == []


def test_what_waits_behind_a_question_is_not_taken_for_its_end_when_a_new_conversation_begins() -> None:
    """Found by seed 660000041: the message that waited was a row before the question had lapsed, which it never did."""

    async def agent(turn: Turn) -> str:
        await asyncio.sleep(2)
        return await turn.ask_user("Which?")

    with Scenario(agent) as room:
        told(room, "paint")
        told(room, "and the door", 3.0)
        told(room, "/new")
        room.rest()
        assert [row.lapsed for row in room.of_session("questions")] == ["ended"]
        assert room.broken() == []


@pytest.mark.parametrize("ends", ["answers", "fails"])
def test_an_agent_that_ends_before_its_question_is_answered_leaves_none_open(ends: str) -> None:
    async def agent(turn: Turn) -> str:
        with suppress(TimeoutError):
            await asyncio.wait_for(turn.ask_user("Which?"), 5)
        if ends == "fails":
            raise RuntimeError(ends)
        return "without you, then"

    with Scenario(agent) as room:
        room.says("paint")
        room.rest()
        assert [row.lapsed for row in room.of_session("questions")] == ["ended"]
        assert room.broken() == []


def test_stop_ends_what_was_interrupted_without_a_process() -> None:
    room, agent = story(Policy(auto_resume=frozenset(), unclean_boots_max=99))
    with room:
        told(room, "hang")
        room.restart()
        room.rest()
        told(room, "/stop")
        room.restart()
        room.rest()
        assert agent.heard == ["hang"]
        assert room.runs()[-1].ending == "stopped"
        assert room.transcript()[-1].kind == "stopped"
        told(room, "/stop")
        assert replies(room) == ["Stopped.", "Nothing is running."]
        assert room.broken() == []


def test_a_stop_that_was_written_while_nothing_lived_counts_against_what_came_before_it() -> None:
    room, agent = story()
    with room:
        told(room, "hello")
        room.crash()
        room.says("one")
        room.says("/stop")
        room.says("two")
        room.boot()
        room.rest()
        assert agent.heard == ["hello", "two"]
        assert replies(room) == ["Stopped. One message that had not begun is dropped. One message that waits is next."]
        assert room.broken() == []


def test_a_stop_in_a_drain_is_carried_out_and_the_drain_goes_on() -> None:
    room, _ = story()
    with room:
        told(room, "hang")
        room.order_drain()
        room.says("/stop")
        room.advance(5)
        assert room.runs()[-1].ending == "stopped"
        room.crash()
        room.boot()
        room.rest()
        assert len(room.runs()) == 1
        assert room.broken() == []


def test_new_concludes_everything_and_what_comes_behind_it_is_the_new_sessions() -> None:
    room, agent = story()
    with room:
        told(room, "hang")
        room.says("older")
        room.says("/new")
        room.says("newer")
        room.rest()
        first, second = room.rows("SELECT * FROM sessions ORDER BY id")
        assert [row.session_id for row in room.inbox()] == [first.id] * 3 + [second.id]
        assert room.rows("SELECT session_id FROM routes")[0].session_id == second.id
        assert "One message that waited stays unanswered in the old one." in replies(room)[0]
        assert [(row.role, row.text) for row in room.transcript() if row.session_id == first.id][1:] == [
            ("user", "older"),
            ("assistant", "Let me see"),
            ("system", "Stopped."),
        ]
        assert agent.heard == ["hang", "newer"]
        assert room.visible() == ["Let me see\n\n(Stopped.)", replies(room)[0], "re newer"]
        room.restart()
        room.rest()
        assert agent.heard == ["hang", "newer"]
        assert room.broken() == []


@pytest.mark.parametrize("steps", range(1, 60, 2))
def test_an_order_is_carried_out_once_wherever_the_process_dies(steps: int) -> None:
    room, _ = story()
    with room:
        told(room, "hang")
        room.says("/new")
        room.says("behind it")
        room.steps(steps)
        room.restart()
        room.rest()
        assert len(room.rows("SELECT * FROM sessions")) == 2
        assert len(replies(room)) == 1
        assert room.visible()[-1] == "re behind it"
        assert room.broken() == []


def test_every_order_is_answered_once_in_every_phase_and_however_often_it_comes() -> None:
    for opening in ("hello", "hang", "ask", "approve"):
        for order in ORDERS:
            room, _ = story()
            with room:
                told(room, opening)
                update = room.says(order)
                room.advance(1)
                room.says(order, id=update)
                room.advance(1)
                room.restart()
                room.says(order, id=update)
                room.advance(1)
                row = room.inbox()[-1]
                assert row.generation is not None
                assert len(replies(room)) == (0 if row.seq else 1), (opening, order)
                assert room.broken(at_rest=False) == []


def test_a_suspended_session_begins_nothing_says_so_once_and_goes_on_when_it_is_told_to() -> None:
    room, agent = story()
    with room:
        told(room, "hang")
        told(room, "/suspend")
        told(room, "one")
        told(room, "two")
        room.restart()
        room.rest()
        told(room, "three")
        assert agent.heard == ["hang"]
        assert sum("is suspended. Your message is kept" in text for text in room.visible()) == 1
        assert room.decisions()[-1] == "SUSPENDED"
        told(room, "/resume")
        room.rest()
        assert agent.heard[1:] == ["hang\none\ntwo\nthree"]
        assert "this conversation was suspended" in str(agent.notes[-1])
        assert [row.attempt for row in room.runs()] == [1, 1]
        assert room.broken() == []


def test_resume_goes_on_with_what_the_policy_left_alone_and_says_when_there_is_nothing() -> None:
    room, agent = story(Policy(auto_resume=frozenset(), unclean_boots_max=99))
    with room:
        told(room, "/resume")
        assert "/retry" in replies(room)[0]
        told(room, "hang")
        room.restart()
        room.rest()
        assert len(agent.heard) == 1
        told(room, "/resume")
        room.rest()
        assert room.runs()[-1].cause == "command"
        assert room.visible()[1:] == ["re hang", "Going on."]
        assert room.broken() == []


@pytest.mark.parametrize("how", ["fail", "stop", "answer"])
def test_retry_runs_the_last_request_again_however_it_ended(how: str) -> None:
    room, agent = story()
    with room:
        told(room, "/retry")
        told(room, {"fail": "fail", "stop": "hang", "answer": "hello"}[how])
        if how == "stop":
            told(room, "/stop")
        told(room, "/retry")
        assert replies(room)[0] == "There is no request to run again."
        assert replies(room)[-1] == "Running your last request again."
        assert agent.heard == [agent.heard[0]] * 2
        assert [row.key.split(".")[0] for row in room.transcript() if row.role == "user"] == ["user", "retry"]


def test_status_and_explain_say_what_is_known() -> None:
    room, _ = story(Policy(auto_resume=frozenset(), unclean_boots_max=99))
    with room:
        told(room, "/explain")
        told(room, "hang", 61.0)
        told(room, "/status")
        room.restart()
        room.rest()
        told(room, "/status")
        told(room, "/explain")
        nothing, running, interrupted, why = replies(room)
        assert nothing == "No interruption of this conversation was ever decided about."
        assert running == "Running for 1 min, attempt 1."
        assert "not resumed, since the policy does not resume after this kind of interruption" in why
        assert "the service ended without warning" in why
        assert interrupted.startswith("Interrupted after one attempt; /resume goes on with it.")


@pytest.mark.parametrize("order, word", [("/approve", "yes"), ("/deny", "no")])
@pytest.mark.parametrize("dies", [False, True])
def test_an_approval_is_given_by_order(order: str, word: str, dies: bool) -> None:
    room, _ = story()
    with room:
        told(room, order)
        assert replies(room) == ["Nothing waits for your approval."]
        told(room, "approve")
        if dies:
            room.restart()
        told(room, order)
        room.rest()
        assert room.visible()[-1] == f"you said {word}"
        assert room.broken() == []


def test_an_order_does_not_cost_interrupted_work_its_resume() -> None:
    room, agent = story()
    with room:
        told(room, "hang")
        room.crash()
        room.says("/status")
        room.boot()
        room.rest()
        assert len(agent.heard) == 2
        assert room.decisions()[-1] == "RESUME"
        assert "re hang" in room.visible()
        assert len(replies(room)) == 1
        assert room.broken() == []
