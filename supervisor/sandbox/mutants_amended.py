"""Bugs of the field, planted in what becomes of edits and deletions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from greenroom.actors import amending, session
from greenroom.actors.events import Arrived
from greenroom.actors.facts import InboundSettled
from greenroom.supervisor.sandbox import stories_aside
from greenroom.supervisor.sandbox.mutant import Mutant, story
from greenroom.supervisor.sandbox.swap import Swap
from greenroom.supervisor.tree_actor import TreeActor

if TYPE_CHECKING:
    from greenroom.actors.draft import Draft
    from greenroom.actors.model import SessionId, SessionKey, StoredInbound
    from greenroom.supervisor.sandbox.scenario import Scenario


def _does_nothing(_: Any) -> Any:
    return lambda *_args: None


def _keeps_the_words(_: Any) -> Any:
    """The edit is settled, and what waits stays as it was."""
    return lambda draft, _inbound, change: draft.write(InboundSettled(draft.id, change.id, draft.generation))


def _takes_changes_for_messages(_: Any) -> Any:
    def settle(draft: Draft, _rules: object) -> None:
        draft.waiting = tuple(_plain(each) for each in draft.waiting)

    return settle


def _plain(inbound: StoredInbound) -> StoredInbound:
    return type(inbound)(inbound.id, inbound.text, inbound.author, inbound.at, inbound.reply_to, inbound.attachments)


def _tells_changes_at_once(real: Any) -> Any:
    def pass_on(self: TreeActor, session_id: SessionId, key: SessionKey, event: Any) -> None:
        if isinstance(event, Arrived) and event.inbound.change is not None:
            self._tell_living(session_id, event)
        else:
            real(self, session_id, key, event)

    return pass_on


def _edits_what_waits(room: Scenario, _seed: int) -> None:
    room.says("m1 nap answer")
    room.advance(1)
    room.edits(room.says("m2 answer"), "m2 pure answer")


def _deletes_what_waits(room: Scenario, _seed: int) -> None:
    room.says("m1 nap answer")
    room.advance(1)
    room.deletes(room.says("m2 answer"))


MUTANTS = (
    Mutant(
        "an edit is a message",
        "what a person edits is answered again, as if it had been written twice",
        (Swap(session, "settle_changes", _takes_changes_for_messages),),
        frozenset({"no_message_is_answered_twice", "nothing_escapes", "a_change_begins_no_run", "a_change_counts"}),
    ),
    Mutant(
        "an edit is forgotten",
        "what waits is edited by its writer, and the run is given the words of before",
        (Swap(amending, "_replace", _keeps_the_words),),
        frozenset({"a_change_counts"}),
        story(_edits_what_waits),
    ),
    Mutant(
        "a deleted message is answered",
        "what waits is deleted by its writer, and a run is given it all the same",
        (Swap(amending, "_withdraw", _keeps_the_words),),
        frozenset({"a_change_counts"}),
        story(_deletes_what_waits),
    ),
    Mutant(
        "an edit overtakes its message",
        "while it is decided about a session its messages wait; an edit is told at once, and its message taken for old",
        (Swap(TreeActor, "_pass_on", _tells_changes_at_once),),
        frozenset({"what_is_stored_is_answered"}),
        story(stories_aside.is_corrected_while_it_is_given_back),
    ),
    Mutant(
        "a late change is not told",
        "a message that a run has is edited, and its agent never hears of it",
        (Swap(amending, "_tell_late", lambda _: lambda draft, change, _rules: _keeps(draft, change)),),
        frozenset({"a_change_counts"}),
    ),
)


def _keeps(draft: Draft, change: StoredInbound) -> None:
    draft.write(InboundSettled(draft.id, change.id, draft.generation))
