"""The platform of docs/platforms.md, in which chats are folders, as a counterpart: a person who writes files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.platforms.conformance.counterpart import ANN, Ability, Attached, Counterpart, Lacks, Visible
from tests.tidy.source import ROOT

from greenroom.actors.ports import History, Platform
from greenroom.platforms.chats.addressing import SessionsPer

EXAMPLE = ROOT / "examples" / "folder_platform.py"

_DISK = "a folder refuses nobody"
FOLDER_LACKS: Lacks = {
    Ability.OWN: "what it writes lies in another folder",
    Ability.CLASS: _DISK,
    Ability.RATE: _DISK,
    Ability.REFUSED: _DISK,
    Ability.RECONNECT: "there is no connection",
    Ability.REPLY: "files come in order",
    Ability.THREADS: "each chat is one conversation",
    Ability.EDITS: "what was taken is gone",
    Ability.DELETIONS: "what was taken is gone",
    Ability.ATTACHMENTS: "text only",
    Ability.BUTTONS: "text only",
    Ability.TYPING: "words stream as they come",
    **dict.fromkeys((Ability.GROUPS, Ability.REPLIES, Ability.COMMANDS, Ability.PERSONS), "a chat is one person's"),
}


class FolderCounterpart(Counterpart):
    """See `Counterpart`."""

    sessions_per = SessionsPer.CHAT

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)
        self._said: dict[str, tuple[Path, str]] = {}

    def platform(self, history: History) -> Platform:
        example: Any = load_example()
        made: Platform = example.make(example.FolderSettings(path=self._folder, look_s=0.01), self._folder)
        return made

    async def says(
        self, chat: str, text: str, *, author: str = ANN, thread: str | None = None, attached: Attached | None = None
    ) -> str:
        message_id = f"{next(self._numbers):04}"
        self._said[message_id] = (self._folder / chat / "in" / f"{message_id}.txt", text)
        await self.redeliver(message_id)
        return message_id

    async def redeliver(self, message_id: str) -> None:
        file, text = self._said[message_id]
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".new")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.rename(file)

    async def visible(self, chat: str) -> list[Visible]:
        files = sorted((self._folder / chat / "out").glob("*.txt"), key=_written_first)
        return [Visible(file.stem, file.read_text(encoding="utf-8")) for file in files]


def load_example() -> ModuleType:
    """Import the example as whoever installs it does."""
    if "folder_platform" not in sys.modules:
        spec = importlib.util.spec_from_file_location("folder_platform", EXAMPLE)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["folder_platform"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["folder_platform"]


def _written_first(file: Path) -> tuple[int, str]:
    return file.stat().st_mtime_ns, file.stem


@asynccontextmanager
async def folder(path: Path) -> AsyncIterator[Counterpart]:
    """Open a folder of chats."""
    yield FolderCounterpart(path)
