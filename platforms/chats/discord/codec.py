"""What crosses Discord's wire, as pure functions: messages and presses in, request bodies out."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import discord
from msgspec import Struct

from greenroom.actors.commands import Words, read_text
from greenroom.actors.model import Attachment, Change, Inbound, SessionKey
from greenroom.actors.ports import Choices, Outgoing
from greenroom.platforms.chats.addressing import Listening, SessionsPer, Spoken, is_addressed, place
from greenroom.platforms.chats.numbered import number_choices

PLATFORM = "discord"

TEXT_MAX = 2000
"""Characters of a message."""

NONCE_MARK = "g"
"""Begins a nonce of ours."""

LABEL_MAX = 80
"""Characters on a button."""

BUTTONS_MAX = 25
"""Buttons under a message: five rows of five."""

ROW_MAX = 5

CUSTOM_ID_MAX = 100
"""Characters that a button may carry with it."""

EMBED_MAX = 4096
"""Characters of an embed's text."""

NO_PINGS: dict[str, Any] = {"parse": ["users"], "replied_user": True}
"""Whom a message of ours may notify: people that it names; no role and not everyone, whatever a model was told."""

WRITTEN = (discord.MessageType.default, discord.MessageType.reply)
"""Messages that somebody wrote; the others tell of joins, pins and the like."""

_MENTION = re.compile(r"<@[!&]?(\d+)>")


class Account(Struct, frozen=True):
    """Who we are, and to what we listen."""

    name: str  # the second part of session keys
    user_id: int
    listening: Listening = Listening.ADDRESSED
    per: SessionsPer = SessionsPer.CHAT
    bots: bool = False
    backfill_s: float = 86_400.0  # how far back what was missed is read


class Spot(Struct, frozen=True):
    """Where something was said. A thread is a channel of its own, which has a parent."""

    channel: int
    parent: int | None = None
    direct: bool = False
    my_role: int | None = None  # the role of our integration there: people mention it as if it were us

    def key(self, account: Account, user_id: int) -> SessionKey:
        """Name the conversation."""
        return place(
            platform=PLATFORM,
            account=account.name,
            chat=str(self.channel if self.parent is None else self.parent),
            thread=None if self.parent is None else str(self.channel),
            user=str(user_id),
            per=account.per,
            direct=self.direct,
        )


def is_heard(message: discord.Message, account: Account) -> bool:
    """Whether somebody else wrote it, of those we listen to at all."""
    if message.author.id == account.user_id or message.type not in WRITTEN:
        return False
    return account.bots or not message.author.bot


def read_message(message: discord.Message, spot: Spot, account: Account) -> Inbound | None:
    """Read what was said to us; None if it is not for us."""
    if not is_heard(message, account):
        return None
    text = _text(message, spot, account)
    spoken = Spoken(
        direct=spot.direct,
        mentions_me=_mentions_me(message, spot, account),
        replies_to_me=_replies_to(message) == account.user_id,
        command=read_text(text) != Words(text),
    )
    if not is_addressed(spoken, account.listening):
        return None
    return Inbound(
        spot.key(account, message.author.id),
        str(message.id),
        text,
        author=message.author.display_name,
        sent_at=message.created_at.timestamp(),
        reply_to=str(message.id),
        attachments=tuple(map(_attachment, _files(message))),
    )


def read_edit(message: discord.Message, spot: Spot, account: Account) -> Inbound | None:
    """Read how a message that was taken reads now; None if its words are the same (a preview was added)."""
    if message.edited_at is None or not is_heard(message, account):
        return None
    return Inbound(
        spot.key(account, message.author.id),
        f"{message.id}-{round(message.edited_at.timestamp() * 1000)}",
        _text(message, spot, account),
        author=message.author.display_name,
        sent_at=message.edited_at.timestamp(),
        reply_to=str(message.id),
        attachments=tuple(map(_attachment, _files(message))),
        change=Change.EDIT,
    )


def read_deletion(key: SessionKey, message_id: int) -> Inbound:
    """Read that a message that was taken is gone."""
    return Inbound(key, f"{message_id}-deleted", "", reply_to=str(message_id), change=Change.DELETE)


def read_press(
    interaction_id: int, custom_id: str, key: SessionKey, author: str, message: discord.Message | None
) -> Inbound | None:
    """Read which button of ours was pressed; None if it is none of ours."""
    mark, _, rest = custom_id.partition(":")
    number, _, question = rest.partition(":")
    if mark != NONCE_MARK or not number.isdecimal() or not question or message is None:
        return None
    text = next((label for known, label in _labels(message) if known == custom_id), None)
    return None if text is None else Inbound(key, f"press-{interaction_id}", text, author, answers=question)


def _labels(message: discord.Message) -> list[tuple[str | None, str]]:
    rows = (row for row in message.components if isinstance(row, discord.ActionRow))
    buttons = (each for row in rows for each in row.children if isinstance(each, discord.Button))
    return [(button.custom_id, button.label or "") for button in buttons]


def _mentions_me(message: discord.Message, spot: Spot, account: Account) -> bool:
    if spot.my_role is not None and spot.my_role in message.raw_role_mentions:
        return True
    return account.user_id in message.raw_mentions or any(user.id == account.user_id for user in message.mentions)


def _replies_to(message: discord.Message) -> int | None:
    resolved = message.reference.resolved if message.reference is not None else None
    return resolved.author.id if isinstance(resolved, discord.Message) else None


def _text(message: discord.Message, spot: Spot, account: Account) -> str:
    """Read the words: people are named, and our own name before the words is left out."""
    names = {user.id: f"@{user.display_name}" for user in message.mentions}
    own = {account.user_id, spot.my_role}
    parts = [message.content, *(each.content for each in message.message_snapshots)]
    text = "\n".join(part for part in parts if part).strip()
    while (found := _MENTION.match(text)) and int(found[1]) in own:
        text = text[found.end() :].lstrip(" ,:\n")
    return _MENTION.sub(lambda found: names.get(int(found[1]), found[0]), text).rstrip()


def _files(message: discord.Message) -> Sequence[discord.Attachment]:
    return [*message.attachments, *(each for part in message.message_snapshots for each in part.attachments)]


def _attachment(file: discord.Attachment) -> Attachment:
    media_type = (file.content_type or "application/octet-stream").partition(";")[0]
    return Attachment(file.url, media_type, file.size, file.filename)


def nonce_of(key: str) -> str:
    """Name a message to Discord: 25 characters, by which it knows one that it was given before.

    The first nine name the store, so that another greenroom with the same bot is noticed.

    >>> nonce_of("6f1c-2.1.answer-0"), len(nonce_of("6f1c-2.1.answer-0"))
    ('g4Ei-jUIqK9icQ-4SvnjgWh-Z', 25)
    """
    store = key.partition("-")[0]
    return NONCE_MARK + _digest(store, 6) + _digest(key, 12)


def store_of(nonce: str) -> str:
    """Read which store a nonce of ours comes from."""
    return nonce[:9]


def _digest(text: str, size: int) -> str:
    return urlsafe_b64encode(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()).decode()


def write_message(message: Outgoing) -> dict[str, Any]:
    """Write the body of a new message. A reply to what was deleted becomes a message like any other."""
    body = {**write_edit(message.text, message.choices), "nonce": nonce_of(message.key), "enforce_nonce": True}
    if message.reply_to is not None:
        body["message_reference"] = {"message_id": message.reply_to, "fail_if_not_exists": False}
    return body


def write_edit(text: str, choices: Choices | None) -> dict[str, Any]:
    """Write what a message is to be from now on."""
    body: dict[str, Any] = {"content": text, "allowed_mentions": NO_PINGS, "components": [], "embeds": []}
    if choices is None:
        return body
    if _fit(choices):
        body["components"] = _rows(choices)
    else:  # They are listed, and typed.
        body["embeds"] = [{"description": number_choices("", choices).strip("\n")[:EMBED_MAX]}]
    return body


def _fit(choices: Choices) -> bool:
    longest = max(map(len, choices.texts), default=0)
    carried = len(f"{NONCE_MARK}:{len(choices.texts)}:{choices.question}")
    distinct = len(set(choices.texts)) == len(choices.texts)
    shown = all(text.strip() for text in choices.texts)
    return (
        len(choices.texts) <= BUTTONS_MAX and longest <= LABEL_MAX and carried <= CUSTOM_ID_MAX and distinct and shown
    )


def _rows(choices: Choices) -> list[dict[str, Any]]:
    buttons = [
        {"type": 2, "style": 2, "label": text, "custom_id": f"{NONCE_MARK}:{number}:{choices.question}"}
        for number, text in enumerate(choices.texts)
    ]
    return [{"type": 1, "components": buttons[at : at + ROW_MAX]} for at in range(0, len(buttons), ROW_MAX)]
