"""The chat completions API: a conversation as messages, and a stream of its chunks read. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from greenroom.actors.mending import mend
from greenroom.platforms.agents.openai.dialect import REASONING_CONTENT, Thoughts
from greenroom.platforms.agents.openai.reply import Reply, Usage, bounded, count_in, fields_in, list_in, text_in
from greenroom.platforms.agents.talk import Call, Calls, Item, Result, Speaker, Words
from greenroom.platforms.agents.tools.tool import Tool

THOUGHTS = (REASONING_CONTENT, "reasoning")
"""Names under which servers stream what a model thinks: DeepSeek and vLLM, OpenRouter."""

DETAILS = "reasoning_details"
"""The parts in which OpenRouter gives thoughts: https://openrouter.ai/docs/use-cases/reasoning-tokens."""

KNOWN = frozenset({"index", "id", "type", "function"})
"""Fields of a call that all servers send. What else one sends it wants back, such as Gemini's `extra_content`."""

MORE_MAX = 20_000
"""Characters of JSON that the further fields of one call may have, to be sent back."""

DETAILS_MAX = 40_000
"""Characters of JSON that `reasoning_details` of one answer may have, to be sent back: without all, none are."""

TOLD_APART_BY = ("type", "index", "id")
"""Fields of a detail that are the same in all its pieces that have them."""

JOINED = ("text", "summary", "data")
"""Fields of a detail of which each piece has a part; of the others the last one counts."""


def write_messages(items: Sequence[Item], system: str, thoughts: Thoughts = Thoughts.NOWHERE) -> list[dict[str, Any]]:
    """Write a conversation as `messages`. A server that wants thoughts back with some calls wants them with all."""
    first = [{"role": "system", "content": system}] if system.strip() else []
    if thoughts is Thoughts.NOWHERE and any(map(_has_thoughts, items)):
        thoughts = Thoughts.WITH_CALLS
    return [*first, *(_empty_thoughts(item, thoughts) | _write(item) for item in items)]


def write_tools(tools: Mapping[str, Tool]) -> list[dict[str, Any]]:
    """Write what can be called, under the names that the API takes."""
    return [
        {
            "type": "function",
            "function": {"name": name, "description": tool.says, "parameters": dict(tool.parameters)},
        }
        for name, tool in tools.items()
    ]


def _has_thoughts(item: Item) -> bool:
    return isinstance(item, Calls) and item.reasoning is not None and item.reasoning[0] == REASONING_CONTENT


def _empty_thoughts(item: Item, thoughts: Thoughts) -> dict[str, Any]:
    """The field that a server wants even where there is nothing to be in it."""
    match item:
        case Calls():
            return {} if thoughts is Thoughts.NOWHERE else {REASONING_CONTENT: ""}
        case Words(Speaker.ASSISTANT):
            return {REASONING_CONTENT: ""} if thoughts is Thoughts.EVERYWHERE else {}
        case _:
            return {}


def _write(item: Item) -> dict[str, Any]:
    match item:
        case Words(speaker, text, ()):
            return {"role": speaker.value, "content": text}
        case Words(speaker, text, images):
            shown = [{"type": "image_url", "image_url": {"url": url}} for url in images]
            return {"role": speaker.value, "content": [*([{"type": "text", "text": text}] if text else ()), *shown]}
        case Calls(calls, text, reasoning, _, details):
            written: dict[str, Any] = {"role": "assistant", "content": text or None}
            if reasoning is not None:
                written[reasoning[0]] = reasoning[1]
            if details:
                written[DETAILS] = list(details)
            return written | {"tool_calls": [_write_call(call) for call in calls]}
        case Result(call, text):
            return {"role": "tool", "tool_call_id": call, "content": text}
        case _:
            assert_never(item)


def _write_call(call: Call) -> dict[str, Any]:
    return {**call.more, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.args}}


class ChatReader:
    """See `reply.Reader`."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._thoughts: dict[str, list[str]] = {}
        self._details: list[dict[str, Any]] = []
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
            if isinstance(thought := delta.get(name), str):
                self._thoughts.setdefault(name, []).append(thought)
        for detail in list_in(delta.get(DETAILS)):
            _join_detail(self._details, fields_in(detail))
        for call in list_in(delta.get("tool_calls")):
            self._take_call(fields_in(call))
        self._finish = text_in(choice.get("finish_reason")) or self._finish
        words = text_in(delta.get("content")) + text_in(delta.get("refusal"))
        self._text.append(words)
        return words

    def reply(self) -> Reply:
        """Put it together."""
        calls = tuple(call.whole(n) for n, call in enumerate(self._calls))
        details = tuple(bounded(self._details, DETAILS_MAX) or ())
        return Reply("".join(self._text), calls, self._finish, self._usage, self._all_thoughts(), details=details)

    def _all_thoughts(self) -> tuple[str, str] | None:
        """Give what was thought; under the first name also that it was nothing, which must go back, too."""
        whole = {name: mend("".join(parts), name) for name, parts in self._thoughts.items()}
        named = next((name for name, text in whole.items() if text), REASONING_CONTENT)
        return (named, whole[named]) if named in whole else None

    def _take_call(self, part: Mapping[str, Any]) -> None:
        """Add a piece to its call. Some servers number every call 0, and tell them apart by their ids only."""
        index, name_and_args = part.get("index"), fields_in(part.get("function"))
        own = next((call for call in reversed(self._calls) if index is None or call.index == index), None)
        id_ = text_in(part.get("id"))
        if own is None or (id_ and own.id and id_ != own.id):
            own = _Call(index, id_)
            self._calls.append(own)
        own.id = own.id or id_
        own.more |= {name: value for name, value in part.items() if name not in KNOWN and value is not None}
        own.name += text_in(name_and_args.get("name")) if not own.args else ""
        args = name_and_args.get("arguments")
        own.args += json.dumps(args) if isinstance(args, Mapping) else text_in(args)


class _Call:
    """A call whose pieces are still coming."""

    def __init__(self, index: object, id_: str) -> None:
        self.index, self.id, self.name, self.args = index, id_, "", ""
        self.more: dict[str, Any] = {}

    def whole(self, n: int) -> Call:
        more = bounded(self.more, MORE_MAX) or {}
        return Call(self.id or f"call_{n}", self.name, self.args or "{}", more=more)


def _join_detail(details: list[dict[str, Any]], part: Mapping[str, Any]) -> None:
    """Add a piece to its detail: the last one, unless its kind, place or id is another."""
    given = {name: value for name, value in part.items() if value is not None}
    own = details[-1] if details else None
    if own is None or any(given.get(name, own.get(name)) != own.get(name, given.get(name)) for name in TOLD_APART_BY):
        details.append(given)
        return
    joined = {name: text_in(own.get(name)) + text_in(given[name]) for name in JOINED if name in given}
    own |= given | joined
