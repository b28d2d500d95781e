"""What crosses Telegram's wire, as pure functions: updates in, bodies of messages out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from msgspec import Struct
from msgspec.structs import replace
from telegram import (
    CallbackQuery,
    Chat,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
    MessageEntity,
    Update,
    User,
)
from telegram.constants import ChatType

from greenroom.actors.model import Attachment, Change, Inbound, SessionKey
from greenroom.actors.ports import Choices
from greenroom.platforms.chats.addressing import Listening, SessionsPer, Spoken, is_addressed, place
from greenroom.platforms.chats.telegram.markup import Mark, Marked, read_markdown
from greenroom.platforms.chats.telegram.things import words_for

P = ParamSpec("P")
T = TypeVar("T")

NAME = "telegram"
TEXT_MAX = 4096
"""UTF-16 code units of a message."""

DATA_MAX_BYTES = 64
"""Of what a button carries."""

GROUPS_BEGIN = "-"
"""How the ids of chats with several persons begin: they are below zero."""

ANEW_WITHIN_S = 86_400.0
"""An edit that comes later never makes a message of what was none for us."""

WANTED = ("message", "edited_message", "callback_query")
"""Kinds of updates that are asked for."""


class Me(Struct, frozen=True):
    """Who the bot is."""

    id: int
    username: str


class Rules(Struct, frozen=True):
    """What the settings say of reading and writing."""

    account: str
    listening: Listening = Listening.ADDRESSED
    per: SessionsPer = SessionsPer.CHAT
    markdown: bool = True


class File(Struct, frozen=True):
    """A file that came with a message, still at Telegram."""

    id: str
    unique_id: str
    media_type: str
    name: str | None = None
    size: int | None = None


class Told(Struct, frozen=True):
    """What an update tells. `press` is the id of a button's press, which waits to be answered.

    A message is known by its chat and number, and so is the message that an edit makes of it if it was none for us
    before; an edit by its update.
    """

    inbound: Inbound
    files: tuple[File, ...] = ()
    press: str | None = None
    album: str | None = None  # it is an item of
    anew: Inbound | None = None  # of an edit that is not much later than its message: as if it was written so at first


class UnreadableError(ValueError):
    """An update is not what Telegram's documentation says. It will be no better when it comes again."""


def _or_unreadable(read: Callable[P, T]) -> Callable[P, T]:
    """The library puts whatever came into its objects, so that anything may be missing in them, or be anything."""

    @wraps(read)
    def reading(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except Exception as wrong:  # Invariant: an update that nobody can read keeps no other from being read.
            raise UnreadableError(f"{type(wrong).__name__}: {wrong}") from wrong

    return reading


@_or_unreadable
def moved(update: Update) -> tuple[int, int] | None:
    """Read whether a group got a new id: the old one and the new one. Raises UnreadableError."""
    message = update.message
    if message is None:
        return None
    if message.migrate_from_chat_id is not None:
        return message.migrate_from_chat_id, message.chat.id
    return None if message.migrate_to_chat_id is None else (message.chat.id, message.migrate_to_chat_id)


@_or_unreadable
def read_update(update: Update, me: Me, rules: Rules, named: Callable[[int], str]) -> Told | None:
    """Read an update; None: it is not for us. `named` says by which id a chat's conversation is named.

    Raises UnreadableError.
    """
    if update.callback_query is not None:
        return _read_press(update.update_id, update.callback_query, rules, named)
    message = update.message or update.edited_message
    if message is None or (message.from_user is not None and message.from_user.id == me.id):
        return None
    if not is_addressed(_spoken(message, me), rules.listening):
        return None
    text, files = _words(message, me) or words_for(message), _files(message)
    if not text.strip() and not files:
        return None  # A sticker, a service message: there is nothing to read in it.
    inbound = Inbound(
        _key(message, message.from_user, rules, named),
        f"{message.chat.id}/{message.message_id}",
        text,
        _author(message),
        message.date.timestamp(),
        reply_to=str(message.message_id),
    )
    album = None if message.media_group_id is None else str(message.media_group_id)
    if update.message is not None:
        return Told(inbound, files, album=album)
    edit = replace(inbound, update_id=str(update.update_id), change=Change.EDIT)
    return Told(edit, files, album=album, anew=inbound if _makes_anew(message) else None)


def _makes_anew(edited: Message) -> bool:
    if edited.media_group_id is not None:  # It may be in a message that is known by another item.
        return False
    return edited.edit_date is not None and (edited.edit_date - edited.date).total_seconds() <= ANEW_WITHIN_S


def _read_press(update_id: int, press: CallbackQuery, rules: Rules, named: Callable[[int], str]) -> Told | None:
    message = press.message
    if not isinstance(message, Message) or message.reply_markup is None:
        return None  # Too old: Telegram does not say any more what the button was.
    buttons = [button for row in message.reply_markup.inline_keyboard for button in row]
    pressed = next((button for button in buttons if button.callback_data == press.data), None)
    question = question_of(str(press.data))
    if pressed is None or question is None:
        return None
    key = _key(message, press.from_user, rules, named)
    inbound = Inbound(key, str(update_id), pressed.text, press.from_user.full_name, answers=question)
    return Told(inbound, press=press.id)


def _key(message: Message, user: User | None, rules: Rules, named: Callable[[int], str]) -> SessionKey:
    thread = message.message_thread_id if message.is_topic_message else None
    return place(
        platform=NAME,
        account=rules.account,
        chat=named(message.chat.id),
        thread=None if thread is None else str(thread),
        user=None if user is None else str(user.id),
        per=rules.per,
        direct=message.chat.type == ChatType.PRIVATE,
    )


def _author(message: Message) -> str | None:
    if message.sender_chat is not None:  # A channel, or an administrator who stays unnamed.
        return message.sender_chat.title or message.sender_chat.username
    return None if message.from_user is None else message.from_user.full_name


def _spoken(message: Message, me: Me) -> Spoken:
    entities = message.parse_entities() or message.parse_caption_entities()
    before = message.reply_to_message
    to_us = before is not None and before.from_user is not None and before.from_user.id == me.id
    return Spoken(
        direct=message.chat.type == ChatType.PRIVATE,
        mentions_me=any(_mentions(entity, words, me) for entity, words in entities.items()),
        replies_to_me=to_us and before is not None and before.forum_topic_created is None,
        command=any(_commands(entity, words, me) for entity, words in entities.items()),
    )


def _mentions(entity: MessageEntity, words: str, me: Me) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return entity.user is not None and entity.user.id == me.id
    return entity.type == MessageEntity.MENTION and words.lower() == f"@{me.username}".lower()


def _commands(entity: MessageEntity, words: str, me: Me) -> bool:
    """A command at the beginning that names no other bot."""
    if entity.type != MessageEntity.BOT_COMMAND or entity.offset != 0:
        return False
    _, _, whose = words.partition("@")
    return not whose or whose.lower() == me.username.lower()


def _words(message: Message, me: Me) -> str:
    """The text, without our own name in front of it or behind a command."""
    text = (message.text or message.caption or "").lstrip()
    ours = f"@{me.username}".lower()
    first = "".join(text.split(maxsplit=1)[:1])  # A line may end behind our name as well.
    rest = text.removeprefix(first)
    if first.lower() == ours or first.lower() in {f"{ours},", f"{ours}:"}:
        return rest.lstrip()
    if first.startswith("/") and first.lower().endswith(ours):
        return first[: -len(ours)] + rest
    return text


def _files(message: Message) -> tuple[File, ...]:
    if message.photo:
        best = message.photo[-1]
        return (File(best.file_id, best.file_unique_id, "image/jpeg", size=best.file_size),)
    each: Any = (
        message.document or message.voice or message.audio or message.video or message.video_note or message.animation
    )
    if each is None:
        return ()
    usual = "audio/ogg" if message.voice else "video/mp4" if message.video_note else "application/octet-stream"
    media_type = getattr(each, "mime_type", None) or usual
    return (File(each.file_id, each.file_unique_id, media_type, getattr(each, "file_name", None), each.file_size),)


def together(items: Sequence[Told]) -> Told:
    """Make one of all items of an album: the first one, with the words and files of all."""
    first = items[0]
    text = "\n".join(each.inbound.text for each in items if each.inbound.text)
    files = tuple(file for each in items for file in each.files)
    return replace(first, inbound=replace(first.inbound, text=text), files=files)


def edit_of(items: Sequence[Told], edited: Told) -> Told:
    """Make of an edited item the edit of its whole album."""
    whole = together(items)
    text, reply_to = whole.inbound.text, whole.inbound.reply_to
    return replace(whole, inbound=replace(edited.inbound, text=text, reply_to=reply_to))


def same_message(one: Told, other: Told) -> bool:
    """Say whether both are of one message."""
    return (one.inbound.key.chat, one.inbound.reply_to) == (other.inbound.key.chat, other.inbound.reply_to)


def says_same(one: Told, other: Told) -> bool:
    """Say whether two have the same words and files. The id by which a file is fetched may change."""
    mine, theirs = ([file.unique_id for file in each.files] for each in (one, other))
    return one.inbound.text == other.inbound.text and mine == theirs


def with_files(inbound: Inbound, attachments: Sequence[Attachment], remarks: Sequence[str]) -> Inbound:
    """Put to an inbound what was fetched, and words on what could not be."""
    text = "\n".join((inbound.text, *remarks)) if inbound.text else "\n".join(remarks)
    return replace(inbound, text=text, attachments=tuple(attachments))


# What is sent


def layout(text: str, rules: Rules) -> Marked:
    """What Telegram is to show. It cuts blanks off both ends itself, and marks count from what is left."""
    return read_markdown(text) if rules.markdown else Marked(text.strip())


def entities_of(marks: Sequence[Mark]) -> list[MessageEntity]:
    """Write marks as the library has them."""
    return [MessageEntity(each.kind, each.offset, each.length, url=each.url, language=each.language) for each in marks]


def keyboard(choices: Choices | None) -> InlineKeyboardMarkup | None:
    """One button a line: choices are sentences more often than words."""
    if choices is None:
        return None
    return InlineKeyboardMarkup(
        [
            [InlineKeyboardButton(text, callback_data=f"{number}:{choices.question}"[:DATA_MAX_BYTES])]
            for number, text in enumerate(choices.texts)
        ]
    )


def question_of(data: str) -> str | None:
    """Read which question a button is under."""
    number, colon, question = data.partition(":")
    return question if colon and number.isdigit() and question else None


def is_group(chat: Chat | str) -> bool:
    """Whether several persons are in a chat."""
    return str(chat.id if isinstance(chat, Chat) else chat).startswith(GROUPS_BEGIN)
