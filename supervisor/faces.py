"""What both faces of a room have in common: the chat that is meant, and an answer that may be the reason why not."""

from __future__ import annotations

from typing import TypeVar

from greenroom.actors.model import SessionKey
from greenroom.actors.session_key import InvalidKeyError

T = TypeVar("T")


def key_of(chat: object) -> SessionKey:
    """Read the key of a chat, a text or a key; hosts hand over what they like. Raises InvalidKeyError."""
    if isinstance(chat, SessionKey):
        return chat
    if isinstance(chat, str):
        return SessionKey.parse(chat)
    msg = f"session key: write platform:account:chat as text, or a SessionKey, not {type(chat).__name__}"
    raise InvalidKeyError(msg)


def or_raise(answer: T | Exception) -> T:
    """Give what was done; raise the reason why it was not."""
    if isinstance(answer, Exception):
        raise answer
    return answer
