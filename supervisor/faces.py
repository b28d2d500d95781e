"""What both faces of a room have in common: the chat that is meant, and an answer that may be the reason why not."""

from __future__ import annotations

from typing import TypeVar

from greenroom.actors.model import SessionKey

T = TypeVar("T")


def key_of(chat: str | SessionKey) -> SessionKey:
    """Read the key of a chat. Raises InvalidKeyError."""
    return chat if isinstance(chat, SessionKey) else SessionKey.parse(chat)


def or_raise(answer: T | Exception) -> T:
    """Give what was done; raise the reason why it was not."""
    if isinstance(answer, Exception):
        raise answer
    return answer
