"""What crosses a webhook's wire, as pure functions: requests in, answers out, and what a receiver's status means."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from greenroom.actors.model import Attachment, Change, Inbound, SessionKey
from greenroom.actors.ports import (
    Choices,
    NotSentError,
    Outgoing,
    RetryLaterError,
    SendRefusedError,
    Shown,
)
from greenroom.platforms.chats.addressing import place, where
from greenroom.platforms.chats.legible import clean
from greenroom.platforms.chats.web.codec import BadMessageError

T = TypeVar("T")

NAME = "webhook"

WAIT_S_MAX = 60.0
"""How long a request for answers may wait for one."""

RETRY_S = 30.0
"""When to come again to a receiver that says that it has no time, and not when."""

_Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$", description="1 to 64 of A-Z a-z 0-9 . _ : -")]
_Chat = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._@+-]{1,64}$", description="1 to 64 of A-Z a-z 0-9 . _ @ + -")]
_Url = Annotated[str, Meta(pattern=r"^https?://[!-~]+$", max_length=2048)]
_MediaType = Annotated[str, Meta(pattern=r"^[!-~]{1,255}$")]


class File(Struct, frozen=True, forbid_unknown_fields=True):
    """A file that comes with a message. It is not fetched here; the agent is given the address."""

    url: _Url
    media_type: _MediaType = "application/octet-stream"
    size: Annotated[float, Meta(ge=0, le=2**53, multiple_of=1)] | None = None  # In JSON 1.0 is whole, too.
    name: Annotated[str, Meta(max_length=255)] | None = None


class Changed(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a message that was said before: `of` is its webhook-id."""

    kind: Literal["edit", "delete"]
    of: _Id


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """A message of a person. The header webhook-id names it; the same id again is the same message.

    `answers` is the `choices.question` of what a button was pressed under. With a `change` it is no message of its own.
    """

    chat: _Chat
    text: Annotated[str, Meta(max_length=100_000)] = ""
    thread: _Chat | None = None
    author: Annotated[str, Meta(max_length=255)] | None = None
    attachments: Annotated[list[File], Meta(max_length=20)] = []
    answers: _Id | None = None
    change: Changed | None = None


class Taken(Struct, frozen=True):
    """The message is on disk. `repeated`: it had been there before."""

    id: str
    repeated: bool


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """A request for the answers of a chat after the one that was seen last; it may wait for one to come."""

    chat: _Chat
    thread: _Chat | None = None
    after: Annotated[str, Meta(max_length=255)] | None = None
    wait_s: Annotated[float, Meta(ge=0, le=WAIT_S_MAX)] = 0.0


class Answer(Struct, frozen=True):
    """A message of the agent. What has the same id is the same message."""

    id: str
    chat: str
    thread: str | None
    text: str
    choices: Choices | None = None
    reply_to: str | None = None


class Answers(Struct, frozen=True):
    """The answers of a chat, oldest first."""

    answers: list[Answer]


class Problem(Struct, frozen=True):
    """Why a request was not taken."""

    error: str


def parse_said(body: bytes) -> Said:
    """Read a message. Raises BadMessageError."""
    return _decode(body, Said)


def parse_asked(body: bytes) -> Asked:
    """Read a request for answers. Raises BadMessageError."""
    return _decode(body, Asked)


def to_inbound(account: str, said: Said, said_id: str) -> Inbound:
    """Make an inbound of a message. Two chats may use the same id."""
    files = tuple(
        Attachment(each.url, each.media_type, None if each.size is None else int(each.size), each.name)
        for each in said.attachments
    )
    return Inbound(
        session_of(account, said.chat, said.thread),
        f"{said.chat}/{said.thread or ''}/{said_id}",
        clean(said.text),
        author=said.author,
        reply_to=said_id if said.change is None else said.change.of,
        attachments=files,
        answers=said.answers,
        change=None if said.change is None else Change(said.change.kind),
    )


def session_of(account: str, chat: str, thread: str | None) -> SessionKey:
    """Name a conversation."""
    return place(platform=NAME, account=account, chat=chat, thread=thread)


def to_answer(message: Outgoing) -> Answer:
    """Make an answer of what is to be sent."""
    at = where(message.session)
    return Answer(message.key, at.chat, at.thread, message.text, message.choices, message.reply_to)


def shown_answers(session: SessionKey, rows: list[Shown], after: str | None) -> list[Answer]:
    """Choose what is new to who has seen all up to `after`; all for who has seen nothing that is known."""
    at = where(session)
    answers = [Answer(row.id, at.chat, at.thread, row.text, row.choices) for row in rows if not row.mine and row.final]
    seen = [number for number, answer in enumerate(answers, 1) if answer.id == after]
    return answers[seen[-1] :] if seen else answers


def judge_reply(status: int, retry_after: str | None) -> None:
    """Say what a receiver's reply means: nothing if it took the answer. Raises as `Platform.send` does."""
    match status:
        case _ if 200 <= status < 300:  # noqa: PLR2004 - as HTTP has it
            return
        case 429:
            raise RetryLaterError(_seconds(retry_after), f"the receiver says {status}")
        case 503:
            if retry_after is not None:
                raise RetryLaterError(_seconds(retry_after), f"the receiver says {status}")
            raise NotSentError(f"the receiver says {status}")
        case 408 | 425:
            raise NotSentError(f"the receiver says {status}")
        case _ if 400 <= status < 500:  # noqa: PLR2004 - as HTTP has it
            raise SendRefusedError(f"the receiver says {status}")
        case _:
            raise ConnectionError(f"the receiver says {status}: nobody knows whether it took the answer")


def _seconds(retry_after: str | None) -> float:
    return float(retry_after) if retry_after is not None and retry_after.isdecimal() else RETRY_S


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as wrong:
        raise BadMessageError(str(wrong)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as wrong:
        raise BadMessageError(f"the request is not JSON in UTF-8: {wrong}") from None
