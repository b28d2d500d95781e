"""The responses API: a conversation as input items, and a stream of its events read. Pure.

Nothing is stored at the provider: what the model thought comes encrypted, and is sent back with the calls it led to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from greenroom.platforms.agents.openai.reply import (
    LENGTH,
    STOP,
    Reply,
    Usage,
    count_in,
    fields_in,
    list_in,
    text_in,
)
from greenroom.platforms.agents.talk import Call, Calls, Item, Result, Speaker, Words
from greenroom.platforms.agents.tools.tool import Tool

WORDS = ("response.output_text.delta", "response.refusal.delta")
ENDS = ("response.completed", "response.incomplete")
FAILURES = ("response.failed", "error")

WHY_CUT = {"max_output_tokens": LENGTH}
"""Reasons for an incomplete answer that the chat API calls otherwise."""


def write_input(items: Sequence[Item]) -> list[Mapping[str, Any]]:
    """Write a conversation as `input`."""
    return [part for item in items for part in _write(item)]


def write_tools(tools: Mapping[str, Tool]) -> list[dict[str, Any]]:
    """Write what can be called, under the names that the API takes."""
    return [
        {
            "type": "function",
            "name": name,
            "description": tool.says,
            "parameters": dict(tool.parameters),
            "strict": False,
        }
        for name, tool in tools.items()
    ]


def _write(item: Item) -> Sequence[Mapping[str, Any]]:
    match item:
        case Words(Speaker.ASSISTANT, text):
            return [{"role": "assistant", "content": text}]
        case Words(speaker, text, images):
            shown = [{"type": "input_image", "image_url": url, "detail": "auto"} for url in images]
            words = [{"type": "input_text", "text": text}] if text else []
            return [{"role": speaker.value, "content": [*words, *shown]}]
        case Calls(_, _, _, kept) if kept:
            return kept
        case Calls(calls, text):
            words = [{"role": "assistant", "content": text}] if text.strip() else []
            return [*words, *map(_write_call, calls)]
        case Result(call, text):
            return [{"type": "function_call_output", "call_id": call, "output": text}]
        case _:
            assert_never(item)


def _write_call(call: Call) -> Mapping[str, Any]:
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.args}


def error_in(piece: Mapping[str, Any]) -> Mapping[str, Any]:
    """The error object of an event that ends a stream without an answer; of others nothing."""
    if piece.get("type") not in FAILURES:
        return {}
    return fields_in(fields_in(piece.get("response")).get("error")) or piece


class ResponsesReader:
    """See `reply.Reader`."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._items: list[Mapping[str, Any]] = []
        self._finish: str | None = None
        self._usage: Usage | None = None

    def take(self, piece: Mapping[str, Any]) -> str:
        """Take an event. What is of no use here is passed over."""
        kind = text_in(piece.get("type"))
        if kind in WORDS:
            words = text_in(piece.get("delta"))
            self._text.append(words)
            return words
        if kind == "response.output_item.done":
            self._items.append(fields_in(piece.get("item")))
        elif kind in ENDS:
            return self._end(fields_in(piece.get("response")))
        return ""

    def reply(self) -> Reply:
        """Put it together."""
        calls = tuple(_read_call(item, n) for n, item in enumerate(self._items) if item.get("type") == "function_call")
        kept = tuple(_back(item) for item in self._items if _is_wanted_back(item))
        return Reply("".join(self._text), calls, self._finish, self._usage, kept=kept)

    def _end(self, response: Mapping[str, Any]) -> str:
        """Take the last event. A server that told of nothing before has all in it."""
        status = text_in(response.get("status"))
        cut = text_in(fields_in(response.get("incomplete_details")).get("reason"))
        self._finish = STOP if status == "completed" else WHY_CUT.get(cut, cut) or status or None
        usage = fields_in(response.get("usage"))
        if usage:
            self._usage = Usage(count_in(usage.get("input_tokens")), count_in(usage.get("output_tokens")))
        self._items = self._items or [fields_in(item) for item in list_in(response.get("output"))]
        if any(self._text):
            return ""
        words = "".join(text_in(part.get("text")) for item in self._items for part in _parts(item))
        self._text.append(words)
        return words


def _parts(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [fields_in(part) for part in list_in(item.get("content"))] if item.get("type") == "message" else []


def _read_call(item: Mapping[str, Any], n: int) -> Call:
    id_ = text_in(item.get("call_id")) or text_in(item.get("id")) or f"call_{n}"
    return Call(id_, text_in(item.get("name")), text_in(item.get("arguments")) or "{}")


def _is_wanted_back(item: Mapping[str, Any]) -> bool:
    """Thoughts without their content are known to a server only that stores them, which ours is told not to."""
    kind = item.get("type")
    if kind == "reasoning":
        return bool(item.get("encrypted_content") or item.get("content"))
    return kind in ("message", "function_call")


def _back(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave out what says nothing, and the ids by which a server that stores things would look them up."""
    dropped = ("status", "id") if item.get("type") != "reasoning" else ("status",)
    return {name: value for name, value in item.items() if value is not None and name not in dropped}
