"""Which messages an attempt has to answer: all that no answer covers, but for replies to questions. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from greenroom.actors.keys import inbox_id_of
from greenroom.actors.model import Message, Question


def leave_out_replies(unanswered: Sequence[Message], questions: Sequence[Question]) -> tuple[Message, ...]:
    """Leave out what answered a question of the same work: the agent gets it where it asks, in every attempt."""
    arrivals = sorted(unanswered, key=lambda message: inbox_id_of(message.key))
    replies: set[str] = set()
    for question in questions:
        if question.answer is not None:
            after = (message.key for message in arrivals if inbox_id_of(message.key) > question.after)
            replies.update(key for key in [next(after, None)] if key is not None)
    return tuple(message for message in unanswered if message.key not in replies)
