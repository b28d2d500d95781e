"""Who is meant in a group, and which conversation a message belongs to: the same answers for every platform. Pure."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

from msgspec import Struct

from greenroom.actors.session_key import KEY_PART_MAX, SessionKey

MARK = "~"
"""In a key's thread part: what follows is a user. The platform's own ids are escaped, so that none holds it.

So a pattern that ends in `~42` names one person: nobody else has a thread or a name that ends so.
"""

DIGEST = f"{MARK}sha256-"
"""Begins the digest of a user whose id is too long for a key."""

DIGITS = 32
"""Hexadecimal digits of such a digest."""

_ESCAPES = {"=": "=3D", MARK: "=7E"}


class Listening(StrEnum):
    """To what an agent listens in a group; where it is alone with a person it always listens."""

    ADDRESSED = "addressed"  # a mention, a reply to it, a command
    ALL = "all"  # whatever is said


class SessionsPer(StrEnum):
    """How a group is divided into conversations. Threads are always apart."""

    CHAT = "chat"  # one for all who are in it
    USER = "user"  # one for each person


class Spoken(Struct, frozen=True, kw_only=True):
    """How a message speaks to our account, as its codec found it.

    A command that names another bot is no `command`, and words that quote us are no `mentions_me`.
    """

    direct: bool = False  # nobody else is in the chat
    mentions_me: bool = False
    replies_to_me: bool = False
    command: bool = False


class Where(Struct, frozen=True):
    """Where a conversation takes place, in the platform's own ids. `user` is set where each has a conversation."""

    chat: str
    thread: str | None = None
    user: str | None = None  # None as well for an id so long that the key holds but a digest of it


def is_addressed(spoken: Spoken, listening: Listening) -> bool:
    """Say whether a message is for the agent. What is not is never taken to the door.

    >>> is_addressed(Spoken(), Listening.ADDRESSED), is_addressed(Spoken(mentions_me=True), Listening.ADDRESSED)
    (False, True)
    """
    if listening is Listening.ALL:
        return True
    return spoken.direct or spoken.mentions_me or spoken.replies_to_me or spoken.command


def place(
    *,
    platform: str,
    account: str,
    chat: str,
    thread: str | None = None,
    user: str | None = None,
    per: SessionsPer = SessionsPer.CHAT,
    direct: bool = False,
) -> SessionKey:
    """Name the conversation that a message belongs to. Raises InvalidKeyError for ids that fit into no key.

    With `per` USER each user of a group has one; not where `direct`, for there is only one user, and not where the
    platform does not say who it was (a channel's own post).

    >>> str(place(platform="telegram", account="me", chat="-100", thread="7"))
    'telegram:me:-100:7'
    >>> str(place(platform="telegram", account="me", chat="-100", thread="7", user="42", per=SessionsPer.USER))
    'telegram:me:-100:7~42'
    >>> str(place(platform="telegram", account="me", chat="42", user="42", per=SessionsPer.USER, direct=True))
    'telegram:me:42'
    """
    part = "" if thread is None else _escape(thread)
    if per is SessionsPer.USER and user is not None and not direct:
        part += _mark(user, room=KEY_PART_MAX - len(part))
    return SessionKey(platform, account, chat, part or None)


def where(key: SessionKey) -> Where:
    """Find the way back from the key alone, for sending.

    >>> where(SessionKey.parse("telegram:me:-100:7~42"))
    Where(chat='-100', thread='7', user='42')
    >>> where(SessionKey.parse("slack:me:C1"))
    Where(chat='C1', thread=None, user=None)
    """
    thread, marked, user = (key.thread or "").partition(MARK)
    known = marked and not f"{MARK}{user}".startswith(DIGEST)
    return Where(key.chat, _unescape(thread) or None, _unescape(user) if known else None)


def _escape(part: str) -> str:
    return "".join(_ESCAPES.get(char, char) for char in part)


def _unescape(part: str) -> str:
    for char, escape in reversed(_ESCAPES.items()):
        part = part.replace(escape, char)
    return part


def _mark(user: str, *, room: int) -> str:
    whole = f"{MARK}{_escape(user)}"
    if len(whole) <= room and not whole.startswith(DIGEST):
        return whole
    return DIGEST + sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
