"""The lines that greenroom and a program say to each other: docs/agent-protocol.md as types. Pure.

Each line is one JSON object whose `type` says what it is. A program's own are read strictly: a field that is misspelt
would otherwise be one that is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from msgspec import DecodeError, Meta, Raw, Struct
from msgspec.json import Decoder, Encoder

from greenroom.actors.model import Attachment, Message, MessageKind, Role, ToolPolicy

LINE_MAX = 1024 * 1024
"""Bytes of one line that a program says."""

ID_MAX = 200
"""Characters by which a program names what it asks for."""

SHOWN_MAX = 200
"""Characters of a line that cannot be read that are repeated."""

Id = Annotated[str, Meta(max_length=ID_MAX)]
Amount = Annotated[int, Meta(ge=0)]
Number = Annotated[float, Meta(ge=0)]


class GarbageError(ValueError):
    """A program said what is no line of the protocol. The message says what is wrong with it."""


# -- what greenroom says -----------------------------------------------------------------------------------------------


class Called(Struct, frozen=True):
    """A call of the transcript: what another agent's model is to be given back with it is nothing to a program."""

    key: str
    name: str
    args: str
    policy: ToolPolicy


class Row(Struct, frozen=True, omit_defaults=True):
    """One row of the transcript, as a program is given it."""

    role: Role
    text: str
    at: float  # UTC epoch seconds
    kind: MessageKind = MessageKind.TEXT
    author: str | None = None
    attachments: tuple[Attachment, ...] = ()
    tool_calls: tuple[Called, ...] = ()
    tool_key: str | None = None  # the call that this is the result of


class Offered(Struct, frozen=True):
    """A tool of greenroom's that the program may ask for."""

    name: str
    says: str
    parameters: Mapping[str, Any]


class TurnLine(Struct, frozen=True, tag="turn"):
    """The first line: what is to be answered. `text` comes right after the type, for programs that cut it out."""

    text: str
    session: str
    attempt: int
    recovery_note: str | None
    new: Sequence[Row]
    news: Sequence[Row]
    transcript: Sequence[Row]
    tools: Sequence[Offered]


class ResultLine(Struct, frozen=True, tag="result"):
    """What a tool of greenroom's answered."""

    id: str
    text: str
    failed: bool


class DoLine(Struct, frozen=True, tag="do"):
    """The effect is on disk as begun: do it now, under this idempotency key if it takes one, and report."""

    id: str
    key: str


class DoneLine(Struct, frozen=True, tag="done"):
    """The effect was done before: this is what was reported then."""

    id: str
    result: Raw


class InDoubtLine(Struct, frozen=True, tag="in_doubt"):
    """The effect may have been done before, or not. Do not do it."""

    id: str
    text: str


class UndoneLine(Struct, frozen=True, tag="undone"):
    """The effect failed before, or cannot be called so. Do not do it."""

    id: str
    text: str


class ReplyLine(Struct, frozen=True, tag="reply"):
    """What the user answered."""

    id: str
    text: str


class UnansweredLine(Struct, frozen=True, tag="unanswered"):
    """There will be no answer, and why."""

    id: str
    text: str


ToProgram = TurnLine | ResultLine | DoLine | DoneLine | InDoubtLine | UndoneLine | ReplyLine | UnansweredLine


# -- what a program says -----------------------------------------------------------------------------------------------


class Say(Struct, frozen=True, tag="say", forbid_unknown_fields=True):
    """Stream words: part of the answer."""

    text: str


class Progress(Struct, frozen=True, tag="progress", forbid_unknown_fields=True):
    """Say what is going on; no part of the answer."""

    text: str


class CallTool(Struct, frozen=True, tag="tool", forbid_unknown_fields=True):
    """Call one of the tools that were offered."""

    name: str
    args: dict[str, Any] = {}
    id: Id = ""


class Effect(Struct, frozen=True, tag="effect", forbid_unknown_fields=True):
    """Ask whether to do something that the program itself can do."""

    name: str
    args: dict[str, Any] = {}
    policy: ToolPolicy = ToolPolicy.ONCE
    id: Id = ""


class Did(Struct, frozen=True, tag="did", forbid_unknown_fields=True):
    """Report that an effect was done, and what came of it."""

    result: Any = None
    id: Id = ""


class Failed(Struct, frozen=True, tag="failed", forbid_unknown_fields=True):
    """Report that an effect surely did not take place."""

    text: str
    id: Id = ""


class Ask(Struct, frozen=True, tag="ask", forbid_unknown_fields=True):
    """Ask the user; without `timeout_s` for as long as the host's policy says."""

    prompt: str
    choices: tuple[str, ...] = ()
    timeout_s: Number | None = None
    id: Id = ""


class Spent(Struct, frozen=True, tag="spent", forbid_unknown_fields=True):
    """Report what was spent since the last report."""

    calls: Amount = 0
    tokens: Amount = 0
    cost: Number = 0.0


class Answer(Struct, frozen=True, tag="answer", forbid_unknown_fields=True):
    """Conclude: what was said, and then `text`, is the answer. A `finish` that is none of those cuts it short."""

    text: str = ""
    finish: str | None = "stop"


class Error(Struct, frozen=True, tag="error", forbid_unknown_fields=True):
    """Give up for now: what the program needs cannot be reached, and the same work is tried again later."""

    text: str
    retry_after_s: Number | None = None


FromProgram = Say | Progress | CallTool | Effect | Did | Failed | Ask | Spent | Answer | Error

_read: Decoder[FromProgram] = Decoder(FromProgram)
_write = Encoder()


def read_line(line: bytes) -> FromProgram:
    """Read what a program said. Raises GarbageError.

    >>> read_line(b'{"type": "say", "text": "hello"}')
    Say(text='hello')
    """
    try:
        return _read.decode(line)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        shown = line[:SHOWN_MAX].decode(errors="replace").strip()
        msg = f"no line of the agent protocol ({error}): {shown!r}; what is not for greenroom belongs on stderr"
        raise GarbageError(msg) from None


def write_line(said: ToProgram) -> bytes:
    r"""Write what a program is told.

    >>> write_line(ReplyLine("1", "yes"))
    b'{"type":"reply","id":"1","text":"yes"}\n'
    """
    return _write.encode(said) + b"\n"


def write_json(value: Any) -> Raw:
    """Keep a stored result as the JSON that it is."""
    return Raw(_write.encode(value))


def rows(messages: Iterable[Message]) -> list[Row]:
    """Give a program of the transcript what is of use to it."""
    return [Row(m.role, m.text, m.at, m.kind, m.author, m.attachments, _calls(m), m.tool_key) for m in messages]


def _calls(message: Message) -> tuple[Called, ...]:
    return tuple(Called(call.key, call.name, call.args, call.policy) for call in message.tool_calls)
