"""What crosses the web chat's wire, as pure functions: requests in, event frames out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import Shown
from greenroom.platforms.chats.legible import clean
from greenroom.platforms.chats.web.board import News, Notice

TEXT_MAX_BYTES = 64 * 1024
"""Longest message a person may send, in UTF-8."""

BODY_MAX_BYTES = 6 * TEXT_MAX_BYTES + 1024
"""Longest request body: JSON may write one byte as six (`\\u0041`)."""

RETRY_MS = 1000
"""How long a browser waits before it opens a lost stream again, unless its page knows better."""

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class BadMessageError(ValueError):
    """A request that can never be taken as it is. The message says why and what to send instead."""


class TooLargeError(BadMessageError):
    """More than a chat message may hold."""


@dataclass(frozen=True, slots=True)
class Said:
    """A person's message. `id` is made by the client and stays the same when the message is sent again.

    `answers` says that a button was pressed: the `choices.question` of the row that it stands under.
    """

    id: str
    text: str
    answers: str | None = None


def parse_said(body: bytes) -> Said:
    r"""Read `{"id": ..., "text": ...}`. Raises BadMessageError.

    Line ends become newlines; other control characters but the tab are dropped.

    >>> parse_said(b'{"id": "1", "text": "a\\r\\nb\\u0000c"}')
    Said(id='1', text='a\nbc', answers=None)
    """
    if len(body) > BODY_MAX_BYTES:
        raise TooLargeError(f"the request is larger than {BODY_MAX_BYTES} bytes")
    try:
        said = msgspec.json.decode(body, type=Said)
    except msgspec.ValidationError as wrong:
        raise BadMessageError(f'{wrong}; send {{"id": "...", "text": "..."}}') from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as wrong:
        raise BadMessageError(f"the request is not JSON in UTF-8: {wrong}") from None
    if not _ID.fullmatch(said.id):
        raise BadMessageError("id: use 1 to 64 of the characters A-Z a-z 0-9 . _ : - (a UUID fits)")
    if said.answers is not None and not _ID.fullmatch(said.answers):
        raise BadMessageError("answers: use the choices.question of the row whose button was pressed, or leave it out")
    text = clean(said.text)
    if not text.strip():
        raise BadMessageError("text: there is nothing to read in it; write something")
    if len(text.encode()) > TEXT_MAX_BYTES:
        raise TooLargeError(f"text: longer than {TEXT_MAX_BYTES} bytes; split it or send a link")
    return Said(said.id, text, said.answers)


def update_id(chat: str, client_id: str) -> str:
    """Name a person's message among all chats: two chats may use the same id. A client id holds no slash."""
    return f"{chat}/{client_id}"


def as_seen(session: SessionKey, row: Shown) -> Shown:
    """Give a row of the history the id by which the chat's page knows it."""
    return replace(row, id=row.id.removeprefix(f"{session.chat}/")) if row.mine else row


def overlay(rows: Sequence[Shown], live: Mapping[str, str]) -> tuple[Shown, ...]:
    """Show words that are streaming now in place of what is stored of a message that may still change."""
    return tuple(
        replace(row, text=live[row.id]) if not row.mine and not row.final and row.id in live else row for row in rows
    )


def snapshot_frame(rows: Sequence[Shown], notice: Notice) -> bytes:
    """Write all that is visible in a chat, oldest first, and what all should know; a page shows nothing else."""
    seen = {"messages": rows, "notice": notice.text}
    return b"retry: %d\nevent: snapshot\ndata: %b\n\n" % (RETRY_MS, msgspec.json.encode(seen))


def upsert_frame(row: Shown) -> bytes:
    """Write one message, new or changed."""
    return b"event: upsert\ndata: %b\n\n" % msgspec.json.encode(row)


def news_frame(news: News) -> bytes:
    """Write whatever is new."""
    if isinstance(news, Notice):
        return b"event: notice\ndata: %b\n\n" % msgspec.json.encode(news)
    return upsert_frame(news)


BEAT_FRAME = b"event: beat\ndata: 1\n\n"
"""Sent when there is nothing to say: both ends notice a dead connection."""
