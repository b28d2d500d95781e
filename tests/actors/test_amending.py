"""Edits and deletions: of what waits they count as if written so, of the rest the agent reads; none begins a run."""

from msgspec.structs import replace
from tests.actors.session_stage import G1, KEY, NOW, S, after, fresh, kinds, of, run, running, said

from greenroom.actors.acts import StartRun
from greenroom.actors.events import Answered, Arrived, RunEnded, Woke
from greenroom.actors.facts import InboundSettled, InboundTaken, MessageAppended, RunProgressed
from greenroom.actors.model import (
    Change,
    InboxId,
    MessageKind,
    Question,
    Role,
    Seq,
    StoredInbound,
    Tail,
    TailKind,
)
from greenroom.actors.rules import Rules
from greenroom.actors.session import Running
from greenroom.supervisor.sandbox import stories_aside
from greenroom.supervisor.sandbox.scenario import Policy, Scenario


def edit(number: int, target: int, text: str = "better") -> StoredInbound:
    return replace(said(number, text), reply_to=f"m{target}", change=Change.EDIT)


def delete(number: int, target: int) -> StoredInbound:
    return replace(said(number, ""), reply_to=f"m{target}", change=Change.DELETE)


def test_an_edit_of_what_waits_is_given_to_the_run_in_its_place_and_keeps_its_row_until_then() -> None:
    session, effects = after(running(), Arrived(said(2, "worse")), Arrived(edit(3, 2)), Arrived(edit(4, 2, "best")))
    assert effects.facts == ()
    assert [(each.text, each.edits) for each in session.waiting] == [("best", (3, 4))]
    _, effects = after(session, RunEnded(G1, Answered("hi")))
    (start,) = of(StartRun, effects)
    assert [message.text for message in start.new] == ["best"]
    assert [fact.inbox_id for fact in of(InboundTaken, effects)] == [2]
    assert [fact.inbox_id for fact in of(InboundSettled, effects)] == [3, 4]


def test_what_waited_while_nothing_lived_is_edited_and_withdrawn_before_a_run_begins() -> None:
    woken = fresh(waiting=(said(1), edit(2, 1), said(3, "gone"), delete(4, 3)), inbox_cursor=InboxId(4))
    _, effects = after(woken, Woke())
    (start,) = of(StartRun, effects)
    assert [message.text for message in start.new] == ["better"]
    assert {fact.inbox_id for fact in of(InboundSettled, effects)} == {2, 3, 4}
    nothing = fresh(waiting=(said(3, "gone"), delete(4, 3)), inbox_cursor=InboxId(4))
    session, effects = after(nothing, Woke())
    assert (of(StartRun, effects), session.waiting) == ([], ())
    assert [fact.inbox_id for fact in of(InboundSettled, effects)] == [3, 4]


def test_a_change_that_comes_too_late_is_told_in_the_transcript_and_begins_no_run() -> None:
    idle, _ = after(running(), RunEnded(G1, Answered("hi")))
    session, effects = after(idle, Arrived(edit(2, 1)))
    (row,) = of(MessageAppended, effects)
    assert (row.message.role, row.message.kind) == (Role.SYSTEM, MessageKind.CHANGED)
    assert "edited an earlier message (m1); it now reads: better" in row.message.text
    assert (of(StartRun, effects), session.tail.kind, session.tail.at) == ([], idle.tail.kind, idle.tail.at)
    assert of(InboundSettled, effects) == [InboundSettled(S, InboxId(2), G1)]
    _, effects = after(session, Arrived(delete(3, 1)))
    assert "deleted an earlier message (m1)" in of(MessageAppended, effects)[0].message.text


def test_while_a_run_is_open_the_row_is_no_sign_of_its_life() -> None:
    session, effects = after(running(), Arrived(edit(2, 1)), now=NOW)
    assert isinstance(session.phase, Running)
    _, effects = after(session, Arrived(delete(3, 1)), now=NOW + 50)
    (stamp,) = of(RunProgressed, effects)
    assert (stamp.at, stamp.tail.seq) == (session.phase.run.last_progress_at, session.tail.seq + 1)


def test_a_host_that_ignores_late_changes_keeps_them_only_with_what_came_in() -> None:
    _, effects = after(running(), Arrived(edit(2, 1)), rules=Rules(late_change="ignore"))
    assert kinds(effects) == ["InboundSettled"]


def test_a_change_answers_no_question() -> None:
    question = Question("q", "Which?", after=InboxId(1))
    asking = fresh(generation=G1, run=run(), tail=Tail(TailKind.ASKED, 900.0, Seq(2), Seq(1)), question=question)
    _, effects = after(asking, Arrived(edit(2, 1)))
    assert of(StartRun, effects) == []
    assert asking.key == KEY


def test_an_edit_survives_a_crash_with_its_message_and_neither_is_answered_twice() -> None:
    with Scenario(policy=Policy(attempts_max=9)) as room:
        room.says("m1 doze answer")
        room.advance(1)
        update = room.says("m2 fail")
        room.advance(1)
        first = room.edits(update, "m2 answer")
        room.advance(1)
        room.restart()
        room.edits(update, "m2 answer", id=first)
        room.rest()
        assert [row.text for row in room.transcript() if row.role == "user"] == ["m1 doze answer", "m2 answer"]
        assert "m2" in room.visible()[-1]
        assert [row.generation is not None for row in room.inbox()] == [True] * 3
        assert room.broken() == []


def test_a_deleted_message_is_never_answered() -> None:
    with Scenario() as room:
        room.says("m1 nap answer")
        room.advance(1)
        update = room.says("m2 answer")
        room.advance(0.5)
        room.deletes(update)
        room.rest()
        room.restart()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert room.broken() == []


def test_a_change_that_comes_from_another_chat_reaches_nothing_there() -> None:
    with Scenario() as room:
        room.says("m1 nap answer")
        room.advance(1)
        update = room.says("m2 answer")
        room.advance(0.5)
        elsewhere = room.chat(2)
        for number, change in enumerate(Change):
            server = room.world.network_of(elsewhere).server
            server.change(elsewhere, f"x{number}", update, change, "m3 answer")
        room.rest()
        assert [row.text for row in room.transcript() if row.role == "user"] == ["m1 nap answer", "m2 answer"]
        assert "<m2>" in room.visible()[-1]
        assert [row.change for row in room.inbox(2)] == [change.value for change in Change]
        assert room.visible(2) == []


def test_an_edit_waits_with_its_message_while_it_is_decided_about_the_session() -> None:
    with Scenario(seed=1) as room:
        stories_aside.is_corrected_while_it_is_given_back(room, 1)
        room.rest()
        assert room.broken() == []
        assert "<m3>" in room.visible()[-1]
