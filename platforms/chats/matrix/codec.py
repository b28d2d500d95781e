"""What crosses the wire: what people say becomes inbound, what is to be said becomes the content of events. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.commands import Command, read_text
from greenroom.actors.model import Attachment, Change, Inbound, SessionKey
from greenroom.actors.ports import Outgoing
from greenroom.platforms.chats.addressing import Spoken, where
from greenroom.platforms.chats.legible import clean
from greenroom.platforms.chats.matrix.events import KEY_FIELD, Edited, Removed, Said
from greenroom.platforms.chats.matrix.markup import as_html

TEXT_MAX = 7_000
"""Characters of a message. An event has at most 65,536 bytes, an edit holds its text twice, a character has up to 4."""

CONTENT_MAX_BYTES = 60_000
"""Of an event's content; one that would have more goes without its formatted copy."""

_ORDER_MARK = "!"
"""Stands for the slash of an order, which some clients keep for themselves."""


class Room(Struct, frozen=True):
    """Who is in a room, by name. `direct`: nobody but one person and us."""

    names: Mapping[str, str | None]

    @property
    def direct(self) -> bool:
        return len(self.names) <= 2  # noqa: PLR2004 - a person and us


def name_of(user: str, room: Room) -> str:
    """Name an author: as the room knows him, with his id where another has the same name."""
    name = room.names.get(user)
    if not name:
        return user
    alone = Counter(room.names.values())[name] == 1
    return name if alone else f"{name} ({user})"


def addressed(said: Said, me: str, room: Room) -> tuple[Spoken, Said]:
    """Find out whether a message speaks to us, and what it says then: without our name, and orders with a slash."""
    calls = _calls(me, room)
    called = calls.match(said.text)
    text = said.text[called.end() :] if called is not None else said.text
    mentions = me in said.mentions or me in said.text or called is not None
    if text.startswith(_ORDER_MARK) and isinstance(read_text(f"/{text[1:]}"), Command):
        text = f"/{text[1:]}"
    spoken = Spoken(direct=room.direct, mentions_me=mentions, command=isinstance(read_text(text), Command))
    return spoken, replace(said, text=text)


def edited(edit: Edited, me: str, room: Room) -> Edited:
    """Find out what an edit says: as if the message had been written so."""
    _, said = addressed(Said(edit.target, edit.sender, 0.0, edit.text), me, room)
    return replace(edit, text=said.text)


def _calls(me: str, room: Room) -> re.Pattern[str]:
    """Match our name at the beginning of a message: `@name`, or `name` with a colon or comma behind it."""
    ours = {me, me[1:].partition(":")[0], room.names.get(me) or me}
    names = "|".join(re.escape(name) for name in sorted(ours, key=len, reverse=True))
    return re.compile(rf"\s*(?:@?(?:{names})\s*[:,]|@(?:{names})|{re.escape(me)})\s+(?=\S)", re.IGNORECASE)


def said_inbound(said: Said, key: SessionKey, room: Room, attached: tuple[Attachment, ...] = ()) -> Inbound:
    """Make the inbound of a message."""
    return Inbound(
        key,
        said.event_id,
        said.text,
        name_of(said.sender, room),
        sent_at=said.at,
        reply_to=said.event_id,
        attachments=attached,
    )


def edited_inbound(edit: Edited, key: SessionKey, room: Room, attached: tuple[Attachment, ...] = ()) -> Inbound:
    """Make the inbound of an edit."""
    return Inbound(
        key,
        edit.event_id,
        edit.text,
        name_of(edit.sender, room),
        reply_to=edit.target,
        attachments=attached,
        change=Change.EDIT,
    )


def removed_inbound(removed: Removed, key: SessionKey, room: Room) -> Inbound:
    """Make the inbound of a removal."""
    author = name_of(removed.sender, room)
    return Inbound(key, removed.event_id, "", author, reply_to=removed.target, change=Change.DELETE)


def transaction_of(key: str) -> str:
    """Name the request by its delivery: repeated from the same device, it has its effect once."""
    return f"greenroom-{blake2b(key.encode(errors='surrogatepass'), digest_size=16).hexdigest()}"


def post_content(message: Outgoing) -> dict[str, Any]:
    """Write a new message. It is text and no notice: of a notice nobody's phone tells."""
    content = {**_text(message.text), KEY_FIELD: message.key}
    relation: dict[str, Any] = {}
    thread = where(message.session).thread
    if thread is not None:
        relation = {"rel_type": "m.thread", "event_id": thread, "is_falling_back": message.reply_to is None}
    if thread is not None or message.reply_to is not None:
        relation["m.in_reply_to"] = {"event_id": message.reply_to or thread}
        content["m.relates_to"] = relation
    return _fitting(content)


def edit_content(message_id: str, text: str) -> dict[str, Any]:
    """Write what makes a message say something else. Who cannot show edits sees the words after a star."""
    new = _text(text)
    return {
        "msgtype": "m.text",
        "body": f"* {new['body']}",
        "m.mentions": {},
        "m.new_content": _fitting(new, beside=len(new["body"].encode())),
        "m.relates_to": {"rel_type": "m.replace", "event_id": message_id},
    }


def plain_content(text: str) -> dict[str, Any]:
    """Write a line of our own."""
    return {"msgtype": "m.notice", "body": text, "m.mentions": {}}


def _text(text: str) -> dict[str, Any]:
    """Lay out a text. It mentions nobody, whatever names it has."""
    body = clean(text)
    content = {"msgtype": "m.text", "body": body, "m.mentions": {}}
    html = as_html(body)
    return content if html is None else content | {"format": "org.matrix.custom.html", "formatted_body": html}


def _fitting(content: dict[str, Any], beside: int = 0) -> dict[str, Any]:
    if len(msgspec.json.encode(content)) + beside <= CONTENT_MAX_BYTES:
        return content
    return {name: value for name, value in content.items() if name not in {"format", "formatted_body"}}
