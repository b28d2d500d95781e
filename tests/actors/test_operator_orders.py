"""What whoever runs the service orders: told in every phase, once, and as nobody's answer."""

from __future__ import annotations

import pytest
from tests.actors.test_commanding import PATIENT, replies, story, told

from greenroom.actors.commands import Command
from greenroom.supervisor.sandbox.operators import order
from greenroom.supervisor.sandbox.scenario import Policy, Scenario

NOTE = "[automatic note, not from the user] Whoever runs this service told the user in this chat: "


def ordered(room: Scenario, command: Command, name: str = "x1", seconds: float = 1.0) -> str | None:
    """Give an order; why it was refused."""
    order(room.world, room.chat(), command, name)
    if room.life is not None:
        room.advance(seconds)
    return next((row.refusal for row in room.inbox() if row.update_id == f"operator.{name}"), None)


def test_what_is_sent_is_read_once_by_the_person_and_by_the_agent_and_answers_nothing() -> None:
    room, agent = story()
    with room:
        told(room, "hang")
        assert ordered(room, Command.SEND) is None
        ordered(room, Command.SEND)
        assert room.visible() == ["Let me see", "x1 from whoever runs this"]
        assert (room.runs()[-1].open, room.runs()[-1].attempt) == (1, 1)
        note = room.transcript()[-1]
        assert (note.role, note.kind, note.text) == ("system", "operator", f"{NOTE}x1 from whoever runs this")
        room.restart()
        room.rest()
        assert len(agent.heard) == 2
        assert [row.ending for row in room.runs()] == ["interrupted", "answered"]
        assert replies(room) == ["x1 from whoever runs this"]
        assert room.broken() == []


@pytest.mark.parametrize("before", ["hello", "ask"])
def test_what_is_sent_leaves_an_idle_chat_idle_and_a_question_open(before: str) -> None:
    room, _ = story()
    with room:
        told(room, before)
        runs = len(room.runs())
        ordered(room, Command.SEND)
        room.restart()
        room.advance(5)
        assert len(room.runs()) == runs
        assert room.visible()[-1] == "x1 from whoever runs this"
        if before == "ask":
            told(room, "this one")
            assert room.visible()[-1] == "you said this one"
        room.rest()
        assert room.broken() == []


def test_a_suspension_by_an_operator_is_told_and_lifted_by_either() -> None:
    room, agent = story()
    with room:
        told(room, "hang")
        assert ordered(room, Command.SUSPEND) is None
        assert replies(room)[-1].startswith("Suspended; what was running is interrupted")
        assert ordered(room, Command.SUSPEND, "x2") == "This conversation is suspended already; /resume lifts that."
        room.restart()
        room.advance(5)
        assert room.decisions() == ["SUSPENDED"]
        assert ordered(room, Command.RETRY, "x3") == "This conversation is suspended; /resume lifts that."
        assert ordered(room, Command.RESUME, "x4") is None
        room.rest()
        assert agent.notes[-1] is not None
        assert "this conversation was suspended, and goes on now" in agent.notes[-1]
        assert replies(room)[1:] == ["Going on."]
        assert room.broken() == []


def test_why_an_order_came_to_nothing_is_for_who_gave_it_alone() -> None:
    room, _ = story()
    with room:
        told(room, "ask")
        shown = room.visible()
        assert ordered(room, Command.RESUME) == "The agent waits for your answer: Which?"
        assert ordered(room, Command.RETRY, "x2") == "Something is running; wait for it, or /stop it first."
        assert room.visible() == shown
        told(room, "that")
        assert ordered(room, Command.RESUME, "x3") == "There is nothing to resume; /retry runs your last request again."
        assert room.broken() == []


def test_the_last_request_runs_again_also_for_an_operator_and_once_for_one_order() -> None:
    room, agent = story()
    with room:
        told(room, "hello")
        assert ordered(room, Command.RETRY) is None
        ordered(room, Command.RETRY)
        room.restart()
        room.rest()
        assert agent.heard == ["hello", "hello"]
        assert room.visible() == ["re hello", "Running your last request again.", "re hello"]
        assert room.broken() == []


def test_what_is_ordered_while_nothing_runs_is_carried_out_by_the_next_start_before_anything_is_resumed() -> None:
    room, agent = story()
    with room:
        told(room, "hang")
        room.crash()
        ordered(room, Command.SUSPEND)
        ordered(room, Command.SEND, "x2")
        room.boot()
        room.rest()
        assert len(agent.heard) == 1
        assert replies(room)[-1] == "x2 from whoever runs this"
        assert room.of_session("runs")[-1].interrupted_by == "suspended"
        assert room.broken() == []


def test_a_session_that_is_set_aside_takes_orders_and_says_so_to_who_waits_for_them() -> None:
    room, _ = story(Policy(attempts_max=1, unclean_boots_max=99))
    with room:
        told(room, "hang")
        room.crash()
        room.given("UPDATE runs SET attempt = 9")
        room.boot()
        room.advance(5)
        assert room.decisions()[-1] == "ATTEMPTS_SPENT" or room.runs()[-1].open == 1
        assert (
            ordered(room, Command.RETRY)
            == "This conversation is set aside until whoever runs this service releases it."
        )
        assert ordered(room, Command.SEND, "x2") is None
        assert room.visible()[-1] == "x2 from whoever runs this"


def test_a_chat_in_which_nobody_wrote_has_no_session_to_order_anything_of() -> None:
    room, _ = story(PATIENT)
    with room:
        order(room.world, room.chat(2), Command.SEND, "x1")
        room.advance(1)
        assert room.world.taken == set()
        assert room.rows("SELECT count(*) AS n FROM sessions")[0].n == 0
