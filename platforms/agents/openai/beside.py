"""What a server wants back with calls in every later request: kept beside them in the transcript. Pure.

- DeepSeek: the thoughts that led to calls, `reasoning_content` (https://api-docs.deepseek.com/guides/thinking_mode).
- Gemini: `extra_content` of a call, with its signature (https://ai.google.dev/gemini-api/docs/thought-signatures).
- OpenRouter: `reasoning_details`, which may name calls by their ids
  (https://openrouter.ai/docs/use-cases/reasoning-tokens).

No other server is given it: each refuses what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.mending import mend
from greenroom.actors.output import keep_ends
from greenroom.actors.toolbox import BESIDE_MAX
from greenroom.platforms.agents.openai.dialect import REASONING_CONTENT
from greenroom.platforms.agents.openai.reply import Reply
from greenroom.platforms.agents.talk import Call, Calls, Item, Result

THOUGHTS_MAX = 30_000
"""Characters of thoughts that are kept in the transcript; of longer ones the beginning and the end."""


class Beside(Struct, frozen=True, omit_defaults=True):
    """What is kept with one call. What belongs to the whole message is with one of its calls."""

    server: str
    thoughts: str | None = None
    details: tuple[dict[str, Any], ...] = ()
    id: str = ""  # only if the details may name it
    more: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(Beside)


def write_beside(reply: Reply, server: str, is_kept: Callable[[Call], bool]) -> tuple[str, ...]:
    """Write what is kept with each call of an answer; "" for nothing. `is_kept`: whether a call gets a row."""
    written: list[str] = []
    thoughts = _thoughts(reply)
    details = tuple(dict(part) for part in reply.details)
    for call in reply.calls:
        beside = Beside(server, id=call.id if reply.details else "", more=dict(call.more))
        if is_kept(call):
            beside = replace(beside, thoughts=thoughts, details=details)
            thoughts, details = None, ()
        written.append(_write(beside))
    return tuple(written)


def restore(items: Sequence[Item], server: str) -> tuple[Item, ...]:
    """Give the calls of a transcript back what this server gave with them."""
    ids: dict[str, str] = {}
    taken: set[str] = set()
    restored: list[Item] = []
    for item in items:
        match item:
            case Calls(calls):
                found = [_read(call.beside, server) for call in calls]
                for call, beside in zip(calls, found, strict=True):
                    ids[call.id] = beside.id if beside.id and beside.id not in taken else call.id
                    taken.add(ids[call.id])
                restored.append(_restored(item, found, ids))
            case Result(id_):
                restored.append(replace(item, id=ids.get(id_, id_)))
            case _:
                restored.append(item)
    return tuple(restored)


def _restored(item: Calls, found: Sequence[Beside], ids: Mapping[str, str]) -> Calls:
    calls = tuple(
        replace(call, id=ids[call.id], beside="", more=beside.more)
        for call, beside in zip(item.calls, found, strict=True)
    )
    thoughts = next((beside.thoughts for beside in found if beside.thoughts is not None), None)
    details = tuple(part for beside in found for part in beside.details)
    return Calls(calls, item.text, None if thoughts is None else (REASONING_CONTENT, thoughts), details=details)


def _thoughts(reply: Reply) -> str | None:
    if reply.reasoning is None or reply.reasoning[0] != REASONING_CONTENT:
        return None
    return mend(keep_ends(reply.reasoning[1], THOUGHTS_MAX), "thoughts")


def _write(beside: Beside) -> str:
    """Write it if there is anything, and as much as a row takes: too much of it is as good as none."""
    nothing = Beside(beside.server)
    empty = None if beside.thoughts is None else ""
    for part in (beside, replace(beside, thoughts=empty), replace(nothing, thoughts=empty)):
        if part != nothing:
            text = msgspec.json.encode(part).decode()
            if len(text) <= BESIDE_MAX:
                return text
    return ""


def _read(text: str, server: str) -> Beside:
    """Read what was written; nothing of what another server gave, or another agent wrote."""
    try:
        beside = _decoder.decode(text) if text else Beside("")
    except (msgspec.DecodeError, RecursionError):
        return Beside("")
    return beside if beside.server == server else Beside("")
