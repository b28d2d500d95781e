"""What an agent is told: the blocks of a prompt, made of a turn, of its log, and of what befell it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from acp import schema
from msgspec import Struct

from greenroom.actors.model import Attachment, Message, MessageKind, Role
from greenroom.actors.naming import with_names

PAST_MAX = 20_000
"""Characters of what was said before that an agent without memory of it is told: the end of it."""

SAID_TO_ALL = frozenset({MessageKind.OPERATOR, MessageKind.CHANGED})
"""Rows of the log that an agent must be told of, since they reach nobody by its own session."""

UNKNOWN_TO_IT = frozenset({MessageKind.RECOVERY_NOTE, MessageKind.PROCESS})
"""Rows that are told apart from the past."""

PAST = "[What was said in this chat before; you have no other memory of it:]"
NOTE = "[Note: {}]"
AGAIN = "You were given the following before. It was not answered, or is to be answered anew."
NOTHING = "[Nothing was said.]"

Block = (
    schema.TextContentBlock
    | schema.ImageContentBlock
    | schema.AudioContentBlock
    | schema.ResourceContentBlock
    | schema.EmbeddedResourceContentBlock
)


class Occasion(Struct, frozen=True):
    """What a prompt is made of."""

    new: Sequence[Message]
    news: Sequence[Message]
    note: str | None  # on what befell the attempt before


def compose(occasion: Occasion, past: Sequence[Message], *, remembers: bool, upto: int, again: bool) -> list[Block]:
    """The blocks of a prompt. Of the `past` an agent that remembers is told what reached the log since row `upto`.

    `again` says that it was given the same before. Whoever speaks is named where several people did, ever.
    """
    new = {message.key for message in occasion.new}
    before = [row for row in past if row.key not in new and row.kind not in UNKNOWN_TO_IT]
    if remembers:
        texts = [NOTE.format(row.text) for row in before if row.seq > upto and row.kind in SAID_TO_ALL]
    else:
        texts = [f"{PAST}\n{told}"] if (told := tell_past(before)) else []
    if (note := occasion.note or (AGAIN if again and remembers else None)) is not None:
        texts.append(NOTE.format(note))
    texts += [row.text for row in occasion.news]
    texts += [row.text for row in with_names((*before, *occasion.new)) if row.key in new]
    blocks: list[Block] = [text_block(text) for text in texts if text.strip()]
    blocks += [link_block(each) for message in occasion.new for each in message.attachments]
    return blocks or [text_block(NOTHING)]


def text_block(text: str) -> schema.TextContentBlock:
    """Words."""
    return schema.TextContentBlock(type="text", text=text)


def link_block(attachment: Attachment) -> schema.ResourceContentBlock:
    """Something that came with a message, as a reference that the agent may follow."""
    where = attachment.where
    return schema.ResourceContentBlock(
        type="resource_link",
        uri=where if "://" in where else Path(where).absolute().as_uri(),
        name=attachment.name or where.rstrip("/").rpartition("/")[2] or where,
        mime_type=attachment.media_type,
        size=attachment.size,
    )


def tell_past(rows: Sequence[Message]) -> str:
    """The end of a conversation, in words, with the names of several people."""
    lines = [f"{_who(row)}: {row.text}" for row in with_names(rows) if row.role is not Role.TOOL and row.text.strip()]
    return "\n".join(lines)[-PAST_MAX:]


def _who(row: Message) -> str:
    return {Role.USER: "user", Role.ASSISTANT: "you"}.get(row.role, "note")
