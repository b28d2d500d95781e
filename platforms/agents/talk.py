"""A conversation as a model is given it, in the words of no API: who said what, what was called, what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.output import keep_ends
from greenroom.actors.window import CHARS_A_TOKEN

IMAGE_TOKENS = 1_000
"""What an image costs of a context window, about."""

ITEM_TOKENS = 8
"""What each item costs besides its words."""

LEFT_OUT = "[left out: the conversation is too long for the model; call the tool again if this is needed]"

CUT_CHARS_MIN = 400
"""No result is cut shorter than this."""


class Speaker(StrEnum):
    """Whose words they are. Notes of the house are told as a user's: many servers take no other after the first."""

    USER = "user"
    ASSISTANT = "assistant"


class Words(Struct, frozen=True):
    """What somebody said, with the addresses of images."""

    speaker: Speaker
    text: str
    images: tuple[str, ...] = ()


class Call(Struct, frozen=True):
    """A call as the model wrote it: `args` may be no JSON. `id` joins it to its result.

    `beside` is what the transcript keeps with it for a model; `more`, the fields that a chat server gave it besides.
    """

    id: str
    name: str
    args: str
    beside: str = ""
    more: Mapping[str, Any] = {}


class Calls(Struct, frozen=True):
    """What the model called at once, after some words or none.

    `reasoning` is the field by which a chat server names its thoughts, and they; `details` are `reasoning_details`, the
    parts in which OpenRouter gives them; `kept` are the items of the responses API as they came. All are wanted back
    while the calls are worked on, and some in every later request.
    """

    calls: tuple[Call, ...]
    text: str = ""
    reasoning: tuple[str, str] | None = None
    kept: tuple[Mapping[str, Any], ...] = ()
    details: tuple[Mapping[str, Any], ...] = ()


class Result(Struct, frozen=True):
    """What came of a call."""

    id: str
    text: str


Item = Words | Calls | Result


def tokens_of(item: Item) -> int:
    """Estimate what an item costs of a context window."""
    match item:
        case Words(_, text, images):
            return ITEM_TOKENS + len(text) // CHARS_A_TOKEN + IMAGE_TOKENS * len(images)
        case Calls(calls, text, reasoning, _, details):
            thoughts = (len(reasoning[1]) if reasoning is not None else 0) + (len(str(details)) if details else 0)
            written = sum(len(call.name) + len(call.args) + (len(str(call.more)) if call.more else 0) for call in calls)
            return ITEM_TOKENS + (len(text) + thoughts + written) // CHARS_A_TOKEN
        case Result(_, text):
            return ITEM_TOKENS + len(text) // CHARS_A_TOKEN


def shorten(items: Sequence[Item], tokens: int) -> tuple[Item, ...]:
    """Make a conversation fit: old results are left out, then the last ones cut. Nobody's words are.

    No call loses its result, which no server would take.
    """
    over = sum(map(tokens_of, items)) - tokens
    last = max((n for n, item in enumerate(items) if isinstance(item, Calls)), default=0)
    short: list[Item] = []
    for n, item in enumerate(items):
        if over > 0 and isinstance(item, Result) and n < last and len(item.text) > len(LEFT_OUT):
            shorter = replace(item, text=LEFT_OUT)
            over -= tokens_of(item) - tokens_of(shorter)
            short.append(shorter)
        else:
            short.append(item)
    return _cut_results(short, over) if over > 0 else tuple(short)


def _cut_results(items: Sequence[Item], over: int) -> tuple[Item, ...]:
    """Take from each long result its share of what is too much."""
    lengths = sum(len(item.text) for item in items if isinstance(item, Result))
    share = min(1.0, over * CHARS_A_TOKEN / lengths) if lengths else 0.0
    return tuple(_cut(item, share) if isinstance(item, Result) else item for item in items)


def _cut(result: Result, share: float) -> Result:
    most = max(CUT_CHARS_MIN, int(len(result.text) * (1 - share)) - CUT_CHARS_MIN // 4)
    if len(result.text) <= most:
        return result
    return replace(result, text=keep_ends(result.text, most))
