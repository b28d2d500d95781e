"""What stands in a room's timeline, read once and without trust: anybody can send any JSON there. Pure.

What cannot be read, and what is nothing to us (reactions, notices of other bots, state), is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct, field

T = TypeVar("T")

RoomId = Annotated[str, Meta(pattern=r"^!\S{1,254}$")]
MediaType = Annotated[str, Meta(pattern=r"^[\w.+-]{1,100}/[\w.+-]{1,100}$")]

KEY_FIELD = "io.greenroom.key"
"""The field of our own messages that holds the delivery's key: by it we know them when no server does any more."""

MESSAGE = "m.room.message"
TYPES = (MESSAGE, "m.room.encrypted", "m.room.redaction", "m.room.member", "m.room.tombstone")
"""The kinds of events that are asked for."""


class File(Struct, frozen=True):
    """A file that was sent. It is kept on a server under `url` (mxc://)."""

    url: str
    name: str | None = None
    media_type: str = "application/octet-stream"
    size: int | None = None


class Said(Struct, frozen=True):
    """A person's message."""

    event_id: str
    sender: str
    at: float  # UTC epoch seconds, as the sender's server says
    text: str
    thread: str | None = None  # the event that began it
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()
    file: File | None = None


class Edited(Struct, frozen=True):
    """A person's message is to say something else."""

    event_id: str
    sender: str
    target: str
    text: str
    mentions: tuple[str, ...] = ()
    file: File | None = None


class Removed(Struct, frozen=True):
    """A message is gone, by its author or somebody with power."""

    event_id: str
    sender: str
    target: str


class Sealed(Struct, frozen=True):
    """An encrypted message."""

    event_id: str


class Echo(Struct, frozen=True):
    """A message of our own account. `key` is the delivery's; None for an edit, or what another client wrote."""

    event_id: str
    key: str | None = None


class Member(Struct, frozen=True):
    """Somebody came, went, or changed the name. `arrives`: was invited, or joined without."""

    user: str
    arrives: bool


class Moved(Struct, frozen=True):
    """The room is over, and goes on as another."""

    sender: str
    to: str


Heard = Said | Edited | Removed | Sealed | Echo | Member | Moved


class _Reply(Struct):
    event_id: str


class _Relation(Struct):
    rel_type: str | None = None
    event_id: str | None = None
    is_falling_back: bool = False
    in_reply_to: _Reply | None = field(name="m.in_reply_to", default=None)


class _Mentions(Struct):
    user_ids: list[str] = []


class _About(Struct):
    mimetype: MediaType = "application/octet-stream"
    size: int | None = None


class _Grave(Struct):
    replacement_room: RoomId


class _Before(Struct):
    room_id: str


class _Birth(Struct):
    predecessor: _Before | None = None


class _Event(Struct):
    event_id: str
    type: str
    sender: str
    content: dict[str, Any] = {}
    origin_server_ts: int = 0
    state_key: str | None = None
    redacts: str | None = None
    unsigned: dict[str, Any] = {}


_PERSONS = {"m.text", "m.emote"}
_FILES = {"m.image", "m.file", "m.audio", "m.video"}


def read_event(raw: Mapping[str, Any], me: str) -> Heard | None:
    """Read one event; `me` is our user id."""
    event = _part(raw, _Event, None)
    if event is None:
        return None
    match event.type:
        case "m.room.member" if event.state_key is not None:
            return Member(event.state_key, _arrives(event))
        case "m.room.redaction":
            target = event.redacts or _part(event.content.get("redacts"), str, None)
            return Removed(event.event_id, event.sender, target) if target else None
        case "m.room.encrypted":
            return Sealed(event.event_id) if event.sender != me else None
        case "m.room.tombstone" if event.state_key == "" and event.sender != me:
            grave = _part(event.content, _Grave, None)
            return None if grave is None else Moved(event.sender, grave.replacement_room)
        case _ if event.state_key is not None:
            return None  # A state of the room, whatever its type says: it is no message, and edits none.
        case _ if event.type == MESSAGE and event.sender == me:
            return Echo(event.event_id, _part(event.content.get(KEY_FIELD), str, None))
        case _ if event.type == MESSAGE:
            return _read_message(event)
        case _:
            return None


def is_removed(raw: Mapping[str, Any]) -> bool:
    """Whether an event, as its server has it now, was redacted."""
    return "redacted_because" in _part(raw.get("unsigned"), dict[str, Any], {})


def predecessor_of(created: object) -> str | None:
    """Read from the content of `m.room.create` which room goes on as this one."""
    before = (_part(created, _Birth, None) or _Birth()).predecessor
    return None if before is None else before.room_id


def sender_of(raw: Mapping[str, Any]) -> str:
    """Who sent it."""
    return str(raw.get("sender"))


def _arrives(event: _Event) -> bool:
    """A join after an invitation is no beginning: what was said since the invitation was said to us, too."""
    membership = _part(event.content.get("membership"), str, "")
    before = _part(_part(event.unsigned.get("prev_content"), dict[str, Any], {}).get("membership"), str, "")
    return membership == "invite" or (membership == "join" and before not in {"invite", "join"})


def _read_message(event: _Event) -> Said | Edited | None:
    relation = _part(event.content.get("m.relates_to"), _Relation, None) or _Relation()
    if relation.rel_type == "m.replace":
        new = _part(event.content.get("m.new_content"), dict[str, Any], {})
        text, file = _words_and_file(new)
        if relation.event_id is None or text is None:
            return None
        mentions = _mentioned(new) or _mentioned(event.content)
        return Edited(event.event_id, event.sender, relation.event_id, without_quote(text), mentions, file)
    text, file = _words_and_file(event.content)
    if text is None:
        return None
    thread = relation.event_id if relation.rel_type == "m.thread" else None
    replies = relation.in_reply_to is not None and not (thread and relation.is_falling_back)
    return Said(
        event.event_id,
        event.sender,
        event.origin_server_ts / 1000,
        without_quote(text) if relation.in_reply_to is not None else text,
        thread,
        relation.in_reply_to.event_id if replies and relation.in_reply_to is not None else None,
        _mentioned(event.content),
        file,
    )


def _mentioned(content: dict[str, Any]) -> tuple[str, ...]:
    return tuple((_part(content.get("m.mentions"), _Mentions, None) or _Mentions()).user_ids)


def _words_and_file(content: dict[str, Any]) -> tuple[str | None, File | None]:
    """Read what was written, and the file. A file's name stands where words do; both are there if they differ."""
    kind, body = _part(content.get("msgtype"), str, ""), _part(content.get("body"), str, "")
    if kind in _PERSONS:
        return (f"* {body}" if kind == "m.emote" else body), None
    url = _part(content.get("url"), str, None)
    if kind not in _FILES or url is None:
        return None, None
    name = _part(content.get("filename"), str, None)
    about = _part(content.get("info"), _About, None) or _About()
    words = body if name is not None and body != name else ""
    return words, File(url, name or body or None, about.mimetype, about.size)


def without_quote(body: str) -> str:
    r"""Drop what older clients put before a reply: the words that it replies to.

    >>> without_quote("> <@ann:example.org> yes?\n> really?\n\nno")
    'no'
    """
    if not body.startswith(("> <@", "> * <@")):
        return body
    lines = body.split("\n")
    quoted = next((n for n, line in enumerate(lines) if not line.startswith(">")), len(lines))
    return "\n".join(lines[quoted:]).removeprefix("\n") or body


def _part(value: object, kind: type[T], otherwise: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, UnicodeError):  # UnicodeError: half a character stands where a name belongs.
        return otherwise
