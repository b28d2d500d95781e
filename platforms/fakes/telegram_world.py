"""One bot's account as Telegram keeps it: chats, messages, updates that wait. No wire, no clock, no chance in here.

The rules are those of the Bot API as far as they concern a bot that talks: what is refused, and in which words, is
copied from the real one. What depends on the time (`heed_pace`) is told it. Its values can be written as JSON, so that
a server that is killed goes on where it was.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from msgspec import Struct

from greenroom.platforms.fakes.telegram_markup import BadMarkupError, parse_markdown_v2, read_entities, utf16

TEXT_MAX = 4096
BATCH_MAX = 100
BUTTON_MAX_BYTES = 64
SUPERGROUPS = -1_000_000_000_000
"""Their ids are below."""

GROUP_CALLS_MAX = 20
"""Posts and edits of a bot in one group that Telegram takes within `GROUP_CALLS_S`."""

GROUP_CALLS_S = 60.0

BEGAN_AT = 1_700_000_000
"""The date of the first message; each later one is a second younger."""

_SPOKEN = re.compile(r"(?P<command>(?<!\S)/\w+(?:@\w+)?)|(?P<mention>@\w+)")


class ApiError(Exception):
    """What the Bot API answers instead of a result."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


def bad(words: str) -> ApiError:
    """The usual refusal."""
    return ApiError(400, f"Bad Request: {words}")


class Said(Struct, kw_only=True):
    """A message in a chat, of a person or of the bot."""

    id: int
    chat: int
    text: str
    user: int  # who said it
    name: str = ""
    thread: int | None = None
    reply_to: int | None = None
    entities: list[dict[str, Any]] = []
    keyboard: list[list[dict[str, Any]]] = []
    file: str | None = None
    media_type: str = ""
    album: str | None = None
    date: int = 0
    deleted: bool = False
    edits: int = 0  # that changed it


class File(Struct):
    """A file that a person sent."""

    name: str
    media_type: str
    content: bytes


class Account(Struct, kw_only=True):
    """A bot. Chats are numbered as Telegram does: persons above zero, groups below, forums far below."""

    token: str
    id: int
    username: str
    messages: list[Said] = []
    updates: dict[int, dict[str, Any]] = {}  # that are not confirmed, oldest first
    next_update: int = 1000
    files: dict[str, File] = {}
    blocked: list[int] = []  # chats that the bot may not write to
    migrated: dict[int, int] = {}
    webhook: str = ""
    secret: str = ""
    typed: dict[int, int] = {}  # how often it was shown typing, by chat
    pressed: list[str] = []  # presses that were answered
    told: dict[int, dict[str, Any]] = {}  # the updates about what persons wrote, by message
    known: dict[str, int] = {}  # what persons said under a name of their own
    refuses_entities: bool = False
    """As if every entity were one that Telegram cannot parse."""
    paced: dict[int, list[float]] = {}  # when the newest posts and edits were made, by group

    # The bot's side

    def get_updates(self, offset: int, limit: int) -> list[dict[str, Any]]:
        """Confirm all before `offset`, for good, and list what waits."""
        self.updates = {number: update for number, update in self.updates.items() if number >= offset}
        return list(self.updates.values())[: min(limit, BATCH_MAX)]

    def send_message(self, params: dict[str, Any]) -> dict[str, Any]:
        """Post."""
        chat = self._open_chat(params)
        text, entities = self._read_text(params)
        reply = _read_json(params.get("reply_parameters")) or {}
        reply_to = reply.get("message_id")
        if reply_to is not None and self._find(chat, reply_to) is None:
            if not reply.get("allow_sending_without_reply"):
                raise bad("message to be replied not found")
            reply_to = None
        thread = params.get("message_thread_id")
        said = Said(
            id=len(self.messages) + 1,
            chat=chat,
            text=text,
            user=self.id,
            thread=None if thread is None else int(thread),
            reply_to=reply_to,
            entities=entities,
            keyboard=_read_keyboard(params),
            date=BEGAN_AT + len(self.messages),
        )
        self.messages.append(said)
        return self.show(said)

    def edit_message_text(self, params: dict[str, Any]) -> dict[str, Any]:
        """Change one of the bot's messages."""
        chat = self._open_chat(params)
        said = self._find(chat, int(params.get("message_id", 0)))
        if said is None:
            raise bad("message to edit not found")
        if said.user != self.id:
            raise bad("message can't be edited")
        text, entities = self._read_text(params)
        keyboard = _read_keyboard(params)
        if (text, entities, keyboard) == (said.text, said.entities, said.keyboard):
            raise bad(
                "message is not modified: specified new message content and reply markup are exactly the same as a "
                "current content and reply markup of the message"
            )
        said.text, said.entities, said.keyboard = text, entities, keyboard
        said.edits += 1
        return self.show(said)

    def heed_pace(self, params: dict[str, Any], now: float) -> None:
        """Refuse one post or edit too many in a group: they are counted together (tdlib/td#2592)."""
        chat = int(params.get("chat_id", 0))
        if chat >= 0:
            return
        lately = [at for at in self.paced.get(chat, ()) if at > now - GROUP_CALLS_S]
        if len(lately) >= GROUP_CALLS_MAX:
            wait_s = math.ceil(lately[0] + GROUP_CALLS_S - now)
            raise ApiError(429, f"Too Many Requests: retry after {wait_s}", retry_after=wait_s)
        self.paced[chat] = [*lately, now]

    def send_chat_action(self, params: dict[str, Any]) -> bool:
        """Show the bot typing."""
        chat = self._open_chat(params)
        self.typed[chat] = self.typed.get(chat, 0) + 1
        return True

    def answer_callback_query(self, params: dict[str, Any]) -> bool:
        """Let a pressed button rest."""
        self.pressed.append(str(params.get("callback_query_id")))
        return True

    def get_file(self, params: dict[str, Any]) -> dict[str, Any]:
        """Say where a file can be fetched."""
        file = self.files.get(str(params.get("file_id")))
        if file is None:
            raise bad("invalid file_id")
        known = params["file_id"]
        return {
            "file_id": known,
            "file_unique_id": known,
            "file_size": len(file.content),
            "file_path": f"files/{known}",
        }

    def _open_chat(self, params: dict[str, Any]) -> int:
        try:
            chat = int(params["chat_id"])
        except (KeyError, ValueError):
            raise bad("chat_id is empty") from None
        if chat in self.migrated:
            raise ApiError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.migrated[chat],
            )
        if chat in self.blocked:
            why = "bot was blocked by the user" if chat > 0 else "bot was kicked from the group chat"
            raise ApiError(403, f"Forbidden: {why}")
        if not any(said.chat == chat for said in self.messages):
            raise bad("chat not found")
        return chat

    def _read_text(self, params: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        text, mode = str(params.get("text", "")), params.get("parse_mode")
        try:
            if mode == "MarkdownV2":
                text, entities = parse_markdown_v2(text)
            elif mode:
                raise bad(f"unsupported parse_mode {mode}: the fake knows MarkdownV2 and entities")
            else:
                entities = read_entities(params.get("entities"))
        except BadMarkupError as wrong:
            raise bad(str(wrong)) from None
        if entities and self.refuses_entities:
            raise bad("can't parse entities: the fake was told to refuse them")
        if not text.strip():
            raise bad("message text is empty")
        if utf16(text.strip()) > TEXT_MAX:
            raise bad("message is too long" if "message_id" not in params else "MESSAGE_TOO_LONG")
        return text.strip(), entities

    def _find(self, chat: int, message_id: int) -> Said | None:
        said = self.messages[message_id - 1] if 0 < message_id <= len(self.messages) else None
        return said if said is not None and said.chat == chat and not said.deleted else None

    # The persons' side

    def say(  # noqa: PLR0913 - a message has many sides
        self,
        chat: int,
        text: str,
        *,
        user: int = 7,
        name: str = "Ann",
        thread: int | None = None,
        reply_to: int | None = None,
        file: str | None = None,
        album: str | None = None,
        known_as: str | None = None,
    ) -> int:
        """A person writes; returns the message's id. `file` is one that was put into `files`, `album` its group.

        Twice under one name (`known_as`) it is one message, told again: a person whose connection broke tries again.
        """
        if known_as is not None and known_as in self.known:
            self.repeat(self.known[known_as])
            return self.known[known_as]
        said = Said(
            id=len(self.messages) + 1,
            chat=chat,
            text=text,
            user=user,
            name=name,
            thread=thread,
            reply_to=reply_to,
            entities=_spoken(text),
            file=file,
            album=album,
            date=BEGAN_AT + len(self.messages),
        )
        self.messages.append(said)
        number = self.tell({"message": self.show(said)})
        self.told[said.id] = self.updates[number]
        if known_as is not None:
            self.known[known_as] = said.id
        return said.id

    def repeat(self, message_id: int) -> None:
        """Tell of a message again, as if what the bot confirmed had been lost; a later offset confirms it again."""
        update = self.told[message_id]
        self.updates = dict(sorted({**self.updates, update["update_id"]: update}.items()))

    def edit(self, message_id: int, text: str) -> None:
        """A person changes a message."""
        said = self.messages[message_id - 1]
        said.text, said.entities = text, _spoken(text)
        self.tell({"edited_message": {**self.show(said), "edit_date": said.date + 1}})

    def press(self, message_id: int, text: str, *, user: int = 7, name: str = "Ann") -> None:
        """A person presses a button under a message of the bot. Raises ValueError where there is no such button."""
        said = self.messages[message_id - 1]
        button = next((each for row in said.keyboard for each in row if each["text"] == text), None)
        if button is None:
            raise ValueError(f"message {message_id} has no button {text!r}")
        who = {"id": user, "is_bot": False, "first_name": name}
        press = {"id": f"press-{self.next_update}", "from": who, "chat_instance": "1", "data": button["callback_data"]}
        self.tell({"callback_query": {**press, "message": self.show(said)}})

    def migrate(self, chat: int, to: int) -> None:
        """A group becomes a supergroup, with a new id; what was said in it stays behind."""
        self.migrated[chat] = to
        for where, what in ((chat, {"migrate_to_chat_id": to}), (to, {"migrate_from_chat_id": chat})):
            said = Said(id=len(self.messages) + 1, chat=where, text="", user=7, name="Ann", date=BEGAN_AT)
            self.messages.append(said)
            self.tell({"message": {**self.show(said), **what}})

    def tell(self, what: dict[str, Any]) -> int:
        """Let an update wait for the bot."""
        number, self.next_update = self.next_update, self.next_update + 1
        self.updates[number] = {"update_id": number, **what}
        return number

    def visible(self, chat: int) -> list[Said]:
        """The bot's messages in a chat, oldest first."""
        return [said for said in self.messages if said.chat == chat and said.user == self.id and not said.deleted]

    # As JSON of the Bot API

    def show(self, said: Said) -> dict[str, Any]:
        """A message as bots are told of it."""
        shown: dict[str, Any] = {
            "message_id": said.id,
            "date": said.date,
            "chat": _show_chat(said.chat, said.name),
            "from": self.me() if said.user == self.id else _show_user(said),
        }
        words = ("caption", "caption_entities") if said.file is not None else ("text", "entities")
        if said.text:
            shown[words[0]] = said.text
        if said.entities:
            shown[words[1]] = said.entities
        if said.album is not None:
            shown["media_group_id"] = said.album
        if said.thread is not None:
            shown |= {"message_thread_id": said.thread, "is_topic_message": True}
        if said.keyboard:
            shown["reply_markup"] = {"inline_keyboard": said.keyboard}
        if said.reply_to is not None and (before := self._find(said.chat, said.reply_to)) is not None:
            shown["reply_to_message"] = {**self.show(before), "reply_to_message": None}
        if said.file is not None:
            file = self.files[said.file]
            shown["document"] = {
                "file_id": said.file,
                "file_unique_id": said.file,
                "file_name": file.name,
                "mime_type": file.media_type,
                "file_size": len(file.content),
            }
        return shown

    def me(self) -> dict[str, Any]:
        """The bot itself."""
        return {"id": self.id, "is_bot": True, "first_name": self.username, "username": self.username}


def _show_chat(chat: int, name: str) -> dict[str, Any]:
    if chat > 0:
        return {"id": chat, "type": "private", "first_name": name or "Ann"}
    kind = "supergroup" if chat < SUPERGROUPS else "group"
    return {"id": chat, "type": kind, "title": f"group {-chat}", "is_forum": kind == "supergroup"}


def _show_user(said: Said) -> dict[str, Any]:
    return {"id": said.user, "is_bot": False, "first_name": said.name or "Ann"}


def _spoken(text: str) -> list[dict[str, Any]]:
    """What Telegram marks in a person's words."""
    return [
        {
            "type": "bot_command" if found["command"] else "mention",
            "offset": utf16(text[: found.start()]),
            "length": utf16(found[0]),
        }
        for found in _SPOKEN.finditer(text)
    ]


def _read_json(given: Any) -> Any:
    return json.loads(given) if isinstance(given, str) and given else given


def _read_keyboard(params: dict[str, Any]) -> list[list[dict[str, Any]]]:
    rows: list[list[dict[str, Any]]] = (_read_json(params.get("reply_markup")) or {}).get("inline_keyboard", [])
    for row in rows:
        for button in row:
            if len(str(button.get("callback_data", "")).encode()) > BUTTON_MAX_BYTES:
                raise bad("BUTTON_DATA_INVALID")
    return rows
