"""What is to be made true about strangers' chats: facts, as those in `facts.py`."""

from __future__ import annotations

from msgspec import Struct

from greenroom.actors.pairing import Pairing
from greenroom.actors.session_key import SessionKey


class CodeOffered(Struct, frozen=True):
    """A chat is about to be shown a code, in place of any it had. Codes of its account that are over are forgotten."""

    pairing: Pairing


class CodeMissed(Struct, frozen=True):
    """A wrong code was typed while this chat had one: the how-manieth."""

    chat: SessionKey
    guesses: int


class ChatPaired(Struct, frozen=True):
    """A chat was let in by its code, which is used up by that. Refused where the code is over."""

    chat: SessionKey
    code_hash: str
    at: float


class ChatUnpaired(Struct, frozen=True):
    """A chat that was let in, or that has a code, is a stranger's again."""

    chat: SessionKey


PairingFact = CodeOffered | CodeMissed | ChatPaired | ChatUnpaired
