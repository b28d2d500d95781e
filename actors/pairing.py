"""How a stranger's chat is let in: it is shown a code, and whoever runs greenroom types that code. Pure.

Only a salted hash of the code is kept. It is good for a while, for one use, and for few wrong guesses.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256

from msgspec import Struct

from greenroom.actors.session_key import SessionKey

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Nothing that is taken for something else: no I and 1, no O and 0."""

CODE_LENGTH = 8
"""Forty bits."""

GUESSES_MAX = 5
"""Wrong codes that may be typed while a code is good; then it is not any more."""

OFFER_AGAIN_S = 600.0
"""How long a chat is shown no other code, however often it writes."""

WAITING_MAX = 10
"""Chats of one account that have a code at the same time; those that come then get none."""


class Pairing(Struct, frozen=True):
    """A chat, with all its threads, that was let in (`approved_at`), or that has a code to be let in by."""

    chat: SessionKey
    offered_at: float  # UTC epoch seconds
    expires_at: float
    salt: str = ""  # hexadecimal; empty once it was let in
    code_hash: str = ""
    author: str | None = None  # who wrote when the code was made
    guesses: int = 0
    approved_at: float | None = None

    def is_good(self, now: float) -> bool:
        """Whether its code still lets it in. A clock that was set back makes no old code good again."""
        waits = self.approved_at is None and self.guesses < GUESSES_MAX
        return waits and self.offered_at <= now < self.expires_at


def chat_of(key: SessionKey) -> SessionKey:
    """Say which chat a conversation belongs to: what is let in is a chat, and not one of its threads."""
    return key if key.thread is None else SessionKey(key.platform, key.account, key.chat)


def hash_code(code: str, salt: str) -> str:
    """Hash a code as it is kept, however it was typed.

    >>> hash_code("abcd-efgh", "00") == hash_code(" ABCDEFGH ", "00")
    True
    """
    plain = "".join(char for char in code.upper() if char.isalnum())
    return sha256(bytes.fromhex(salt) + plain.encode("utf-8", "surrogatepass")).hexdigest()


def find_code(pairings: Iterable[Pairing], code: str, now: float) -> Pairing | None:
    """Find the chat whose code this is, in a time that tells nothing about any of them."""
    found: Pairing | None = None
    for each in pairings:
        if each.is_good(now) and hmac.compare_digest(hash_code(code, each.salt), each.code_hash):
            found = each
    return found


def decide_offer(known: Pairing | None, waiting: int, now: float) -> bool:
    """Decide whether a stranger's chat is shown a code. `waiting` counts the other chats of its account that have one.

    >>> decide_offer(None, 0, 9.0), decide_offer(None, WAITING_MAX, 9.0)
    (True, False)
    """
    if known is not None and (known.approved_at is not None or 0 <= now - known.offered_at < OFFER_AGAIN_S):
        return False
    return waiting < WAITING_MAX
