"""A fact in a few words for people, and the rows that it makes or changes. Never what anybody said. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from greenroom.actors import facts as f
from greenroom.actors.pairing_facts import ChatPaired, ChatUnpaired, CodeMissed, CodeOffered

if TYPE_CHECKING:
    from greenroom.actors.facts import Fact


def say(fact: Fact) -> str:
    """A fact in words.

    >>> from greenroom.actors.model import SessionId
    >>> say(f.SessionSuspended(SessionId(1), 0.0))
    'session suspended'
    """
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(fact).__name__).lower()
    match fact:
        case f.InboundStored(inbound):
            return f"{words}: {inbound.update_id}"
        case f.MessageAppended(message=message):
            return f"{words}: {message.role.value}"
        case f.RunOpened(run=run):
            return f"{words}: {run.cause.value}"
        case f.RunClosed(ending=ending):
            return f"{words}: {ending.value}"
        case f.RunMarked(reason=reason):
            return f"{words}: {reason.value}"
        case f.DeliveryMoved(delivery):
            return f"{words}: {delivery.state.value}"
        case f.DecisionStored(rule=rule):
            return f"{words}: {rule}"
        case _:
            return words


def rows_of(fact: Fact) -> Iterator[str]:  # noqa: C901, PLR0912 - one case for each table
    """The rows that a fact makes or changes: the table, and what names the row in it."""
    match fact:
        case f.InboundStored(inbound):
            yield f"inbox {inbound.update_id}"
        case f.InboundTaken(inbox_id=inbox_id):
            yield f"inbox #{inbox_id}"
        case f.RunOpened(session_id, run):
            yield f"runs {session_id}.{run.generation}"
        case (
            f.RunProgressed(session_id, generation)
            | f.RunMarked(session_id, generation)
            | f.RunClosed(session_id, generation)
            | f.RunSpent(session_id, generation)
        ):
            yield f"runs {session_id}.{generation}"
        case f.MessageAppended(session_id, message=message):
            yield f"messages {session_id}.{message.seq}"
        case f.ToolStarted(call=call):
            yield f"tool_calls {call.name}"
        case f.ToolEnded(key=key) | f.DoubtTold(key=key):
            yield f"tool_calls {key.rpartition('.tool.')[2][:8]}"
        case f.QuestionAsked(session_id, work=work):
            yield f"questions {session_id}.{work}"
        case f.QuestionAnswered(session_id):
            yield f"questions {session_id}"
        case (
            f.DeliveryOpened(delivery=delivery)
            | f.DeliveryMoved(delivery)
            | f.DeliveryRevived(delivery)
            | f.DeliveryDropped(delivery)
        ):
            yield f"deliveries {delivery.key}"
        case f.DeliveryFilled(key):
            yield f"deliveries {key}"
        case f.DecisionStored(session_id, generation=generation):
            yield f"decisions {session_id}.{generation}"
        case f.InboundRefused():
            yield "refusals"
        case CodeOffered() | CodeMissed() | ChatPaired() | ChatUnpaired():
            yield "pairings"
        case f.SessionsForgotten(ids=ids):
            yield from (f"sessions {session_id}" for session_id in ids)
        case f.RowsForgotten(table):
            yield table
        case _:
            yield f"sessions {fact.session_id}"
