"""How what was written becomes an inbound that waits: here an order is told from a message, and nowhere else."""

from __future__ import annotations

from greenroom.actors.commands import Command, Words, read_text
from greenroom.actors.model import Attachment, Change, InboxId, StoredInbound


def read_order(text: str, attachments: tuple[Attachment, ...], answers: str | None) -> Command | Words:
    """Tell an order from a message. What carries something is a message, and so is a button that was pressed."""
    if answers is not None:
        return Words(text)
    found = read_text(text)
    return Words(text) if attachments and isinstance(found, Command) else found


def stored_inbound(  # noqa: PLR0913 - a row of the inbox has this many columns
    number: InboxId,
    text: str,
    author: str | None,
    at: float,
    reply_to: str | None,
    attachments: tuple[Attachment, ...],
    answers: str | None,
    change: Change | None,
    *,
    ordered: Command | None,
) -> StoredInbound:
    """Make it of the row's columns. What changes another message is no order, whatever it says."""
    if ordered is not None:
        return StoredInbound(number, text, author, at, command=ordered, by_operator=True)
    if change is not None:
        return StoredInbound(number, text, author, at, reply_to, attachments, answers, change)
    found = read_order(text, attachments, answers)
    if isinstance(found, Command):
        return StoredInbound(number, text, author, at, reply_to, command=found)
    return StoredInbound(number, found.text, author, at, reply_to, attachments, answers, busy=found.busy)
