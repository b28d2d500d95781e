"""An agent that follows a model behind OpenAI's API; what is the same in all its runs. `work.py` is one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from greenroom.actors.model import Message
from greenroom.actors.ports import Conclusion, Turn
from greenroom.actors.window import CHARS_A_TOKEN
from greenroom.platforms.agents.openai.beside import restore
from greenroom.platforms.agents.openai.calls import ASK, name_tools
from greenroom.platforms.agents.openai.pictures import addresses_of
from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.openai.settings import OpenAISettings
from greenroom.platforms.agents.openai.work import Work
from greenroom.platforms.agents.recalled import read_rows
from greenroom.platforms.agents.talk import Item
from greenroom.platforms.agents.tools.tool import Tool, Toolset

ANSWER_PART = 4
"""Of the context window, one in so many tokens is left for the answer, unless it is set how long that may be."""


class OpenAIAgent:
    """See the module. Used on one loop, by as many runs as there are at once."""

    def __init__(
        self, settings: OpenAISettings, folder: Path, tools: Toolset, provider: Provider | None = None
    ) -> None:
        """Nothing is connected yet."""
        self._settings = settings
        self._folder = folder
        self._tools = tools
        self._provider = provider or Provider(settings)

    async def __call__(self, turn: Turn) -> Conclusion:
        """Work until the model concludes."""
        tools = await self._offer()
        return await Work(turn, self._settings, self._provider, tools, self._read).go_on(self._window())

    async def close(self) -> None:
        """Hang up."""
        await self._provider.close()

    async def _offer(self) -> Mapping[str, Tool]:
        offered = await self._tools.offer()
        return name_tools((*offered, *((ASK,) if self._settings.ask_user else ())))

    async def _read(self, turn: Turn, rows: Sequence[Message], before: Sequence[Message]) -> tuple[Item, ...]:
        """Make a conversation of rows that come after others."""
        settings = self._settings
        found = await addresses_of(turn, rows, self._folder, settings.image_bytes_max) if settings.images else {}
        return restore(read_rows(rows, found, before=before), self._provider.server)

    def _window(self) -> int | None:
        """Tokens that the rows of a transcript may have. None: as many rows as the host's window."""
        context = self._settings.context_tokens
        if context is None:
            return None
        answer = self._settings.answer_tokens or context // ANSWER_PART
        return max(1, context - answer - len(self._settings.system) // CHARS_A_TOKEN)
