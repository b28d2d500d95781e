"""Matrix: rooms, threads and edits, on mautrix's client."""

from __future__ import annotations

from pathlib import Path

from greenroom.platforms.chats.matrix.chat import MatrixChat
from greenroom.platforms.chats.matrix.settings import MatrixSettings

__all__ = ["MatrixChat", "MatrixSettings", "make"]


def make(settings: MatrixSettings, folder: Path) -> MatrixChat:
    """Make the platform of one account; `folder` is the database's."""
    return MatrixChat(settings, folder)
