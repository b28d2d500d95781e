"""What an agent reports while it works, as words of its answer and remarks on its progress. Pure."""

from __future__ import annotations

from typing import Any

from acp import schema
from msgspec import Struct

from greenroom.actors.lines import shorten

REMARK_MAX = 200
"""Characters of one remark."""

TITLES_MAX = 1_000
"""Tool calls of one prompt whose titles are remembered."""

THINKING = "thinking"
PARAGRAPH = "\n\n"

HEARD = frozenset(
    {"agent_message_chunk", "agent_thought_chunk", "tool_call", "tool_call_update", "plan", "usage_update"}
)
"""The kinds of updates that say something here; others, also of a later protocol, need not be understood."""


class Said(Struct, frozen=True):
    """Words of the answer."""

    text: str


class Remark(Struct, frozen=True):
    """What it is doing."""

    text: str


class Spent(Struct, frozen=True):
    """What its session has cost so far."""

    cost: float


Deed = Said | Remark | Spent


class Narrator:
    """Follows one prompt. What is said before and after a tool's call are paragraphs of their own."""

    def __init__(self) -> None:
        """Nothing was heard yet."""
        self._titles: dict[str, str] = {}
        self._message: str | None = None
        self._spoke = False
        self._paused = False

    def title(self, call_id: str) -> str:
        """What a tool's call was called when it was last heard of; empty when it was not."""
        return self._titles.get(call_id, "")

    def pause(self) -> None:
        """A question stands between what was said and what will be."""
        self._spoke = False

    def hear(self, update: Any) -> Deed | None:
        """Say what an update means for whoever waits for the answer; None: nothing."""
        match update:
            case schema.AgentMessageChunk(content=content, message_id=message_id):
                return self._hear_words(show_content(content), message_id)
            case schema.AgentThoughtChunk():
                return Remark(THINKING)
            case schema.ToolCallStart() | schema.ToolCallProgress():
                return self._hear_call(update)
            case schema.AgentPlanUpdate(entries=entries):
                return _read_plan(entries)
            case schema.UsageUpdate(cost=schema.Cost(amount=amount)):
                return Spent(amount)
            case _:
                return None

    def _hear_words(self, text: str, message_id: str | None) -> Said | None:
        if not text:
            return None
        another = message_id != self._message and None not in (message_id, self._message)
        begins = self._spoke and (self._paused or another) and not text.startswith("\n")
        self._spoke, self._paused = True, False
        self._message = message_id or self._message
        return Said(PARAGRAPH + text if begins else text)

    def _hear_call(self, call: schema.ToolCallStart | schema.ToolCallProgress) -> Remark | None:
        if call.title and (call.tool_call_id in self._titles or len(self._titles) < TITLES_MAX):
            self._titles[call.tool_call_id] = one_line(call.title)
        self._paused = True
        title = self.title(call.tool_call_id)
        if not title or call.status == "completed":
            return None
        return Remark(f"{title}: failed" if call.status == "failed" else title)


def show_content(content: Any) -> str:
    """The words of a block of content; for what has none, what it is."""
    match content:
        case schema.TextContentBlock(text=text):
            return text
        case schema.ResourceContentBlock(name=name, uri=uri):
            return f"[{one_line(name)}]({uri})"
        case schema.EmbeddedResourceContentBlock(resource=schema.TextResourceContents(text=text)):
            return text
        case schema.ImageContentBlock(mime_type=what) | schema.AudioContentBlock(mime_type=what):
            return f"({what})"
        case _:
            return ""


def one_line(text: str) -> str:
    """What an agent calls something, as one line of decent length."""
    return shorten(" ".join(text.split()), REMARK_MAX)


def _read_plan(entries: list[schema.PlanEntry]) -> Remark | None:
    """How far a plan is, and what is next in it."""
    done = sum(entry.status == "completed" for entry in entries)
    left = [entry for entry in entries if entry.status != "completed"]
    if not left:
        return None
    now = next((entry for entry in left if entry.status == "in_progress"), left[0])
    return Remark(f"{done + 1} of {len(entries)}: {one_line(now.content)}")
