"""The chat completions API: a conversation as messages, and a stream of its chunks read. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from greenroom.platforms.agents.openai.reply import Reply, Usage, count_in, fields_in, list_in, text_in
from greenroom.platforms.agents.talk import Call, Calls, Item, Result, Words
from greenroom.platforms.agents.tools.tool import Tool

THOUGHTS = ("reasoning_content", "reasoning")
"""Names under which servers stream what a model thinks: DeepSeek and vLLM, OpenRouter."""


def write_messages(items: Sequence[Item], system: str) -> list[dict[str, Any]]:
    """Write a conversation as `messages`."""
    first = [{"role": "system", "content": system}] if system.strip() else []
    return [*first, *map(_write, items)]


def write_tools(tools: Mapping[str, Tool]) -> list[dict[str, Any]]:
    """Write what can be called, under the names that the API takes."""
    return [
        {
            "type": "function",
            "function": {"name": name, "description": tool.says, "parameters": dict(tool.parameters)},
        }
        for name, tool in tools.items()
    ]


def _write(item: Item) -> dict[str, Any]:
    match item:
        case Words(speaker, text, ()):
            return {"role": speaker.value, "content": text}
        case Words(speaker, text, images):
            shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
            return {"role": speaker.value, "content": [*([{"type": "text", "text": text}] if text else ()), *shown]}
        case Calls(calls, text, reasoning):
            written: dict[str, Any] = {"role": "assistant", "content": text or None}
            if reasoning is not None:
                written[reasoning[0]] = reasoning[1]
            return written | {"tool_calls": [_write_call(call) for call in calls]}
        case Result(call, text):
            return {"role": "tool", "tool_call_id": call, "content": text}
        case _:
            assert_never(item)


def _write_call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.args}}


class ChatReader:
    """See `reply.Reader`."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thoughts: dict[str, list[str]] = {}
        self._calls: list[_Call] = []
        self._finish: str | None = None
        self._usage: Usage | None = None

    def take(self, piece: Mapping[str, Any]) -> str:
        """Take a chunk."""
        usage = fields_in(piece.get("usage"))
        if usage:
            self._usage = Usage(count_in(usage.get("prompt_tokens")), count_in(usage.get("completion_tokens")))
        choice = fields_in(next(iter(list_in(piece.get("choices"))), None))
        delta = fields_in(choice.get("delta"))
        for name in THOUGHTS:
            if thought := text_in(delta.get(name)):
                self._thoughts.setdefault(name, []).append(thought)
        for call in list_in(delta.get("tool_calls")):
            self._take_call(fields_in(call))
        self._finish = text_in(choice.get("finish_reason")) or self._finish
        words = text_in(delta.get("content")) + text_in(delta.get("refusal"))
        self._text.append(words)
        return words

    def reply(self) -> Reply:
        """Put it together."""
        thoughts = next(((name, "".join(parts)) for name, parts in self._thoughts.items()), None)
        calls = tuple(call.whole(n) for n, call in enumerate(self._calls))
        return Reply("".join(self._text), calls, self._finish, self._usage, thoughts)

    def _take_call(self, part: Mapping[str, Any]) -> None:
        """Add a piece to its call. Some servers number every call 0, and tell them apart by their ids only."""
        index, name_and_args = part.get("index"), fields_in(part.get("function"))
        own = next((call for call in reversed(self._calls) if index is None or call.index == index), None)
        id_ = text_in(part.get("id"))
        if own is None or (id_ and own.id and id_ != own.id):
            own = _Call(index, id_)
            self._calls.append(own)
        own.id = own.id or id_
        own.name += text_in(name_and_args.get("name")) if not own.args else ""
        args = name_and_args.get("arguments")
        own.args += json.dumps(args) if isinstance(args, Mapping) else text_in(args)


class _Call:
    """A call whose pieces are still coming."""

    def __init__(self, index: object, id_: str) -> None:
        self.index, self.id, self.name, self.args = index, id_, "", ""

    def whole(self, n: int) -> Call:
        return Call(self.id or f"call_{n}", self.name, self.args or "{}")
