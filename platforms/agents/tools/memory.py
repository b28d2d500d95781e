"""Search over what was said in a chat, also in its earlier conversations. No other chat is ever searched."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from msgspec import Meta

from greenroom.actors.model import Message, Role, ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.settings import ToolSettings
from greenroom.platforms.agents.tools.typed import Args, Kit, typed_tool

FOUND_MAX = 50
SHOWN_MAX = 2_000
"""Characters of one message that are shown."""


class MemorySettings(ToolSettings):
    """A search over all that was ever said in the chat: `[tools.memory]`."""


class SearchArgs(Args, frozen=True):
    """What is looked for."""

    words: Annotated[str, Meta(min_length=1, max_length=1_000, description="All of them must occur in the message.")]
    most: Annotated[int, Meta(ge=1, le=FOUND_MAX, description="So many messages at most.")] = 10


async def search_memory(turn: Turn, args: SearchArgs) -> str:
    """Search all that you and the user have ever said in this chat, also long ago. Tells the newest messages first."""
    found = await turn.recall(args.words, args.most)
    return "\n\n".join(map(_show, found)) or "Nothing was said with all of these words in it."


def make(settings: MemorySettings) -> Kit:
    """Offer the search."""
    return Kit(typed_tool(search_memory, SearchArgs, ToolPolicy.PURE, approve=settings.approve))


def _show(row: Message) -> str:
    who = (row.author or "the user") if row.role is Role.USER else "you"
    more = "" if len(row.text) <= SHOWN_MAX else f" [... {len(row.text) - SHOWN_MAX:,} characters more]"
    return f"{datetime.fromtimestamp(row.at, UTC):%Y-%m-%d %H:%M} UTC, {who}: {row.text[:SHOWN_MAX]}{more}"
