"""A chat server in memory: the truth of what a person sees. It outlives the process that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import RLock

from greenroom.actors.model import Attachment, Change, Inbound, SessionKey
from greenroom.actors.ports import Choices, Outgoing, SendRefusedError, TargetGoneError


@dataclass(slots=True)
class ChatMessage:
    """One message of the bot. `texts` is its whole history, the newest last; `id` never changes."""

    id: str
    chat: SessionKey
    key: str
    texts: list[str] = field(default_factory=list)
    reply_to: str | None = None
    deleted: bool = False
    choices: Choices | None = None  # the buttons under it; they can be pressed as long as it is there

    @property
    def text(self) -> str:
        """What a person reads now."""
        return self.texts[-1]


class FakeChatServer:
    """Chats with the bot's messages, in order, and the persons' updates that the bot has not acknowledged.

    Every method may be called from any thread. `native_keys` makes a second post under one key answer with the first.
    """

    def __init__(self, *, native_keys: bool = False) -> None:
        self.native_keys = native_keys
        self.posts = 0
        """How many posts took effect, removed ones included."""
        self.edits = 0
        """How many edits took effect, also those that changed nothing."""
        self.refused: set[Hashable] = set()
        """The calls that were refused for ever, also when they come late."""
        self._mutex = RLock()
        self._messages: dict[str, ChatMessage] = {}
        self._chats: dict[SessionKey, list[ChatMessage]] = {}
        self._keys: dict[tuple[SessionKey, str], ChatMessage] = {}  # the newest of each
        self._updates: dict[tuple[str, str, str], Inbound] = {}
        self._expired: set[str] = set()
        self._bells: list[Callable[[], object]] = []
        self._blocked: set[SessionKey] = set()

    # The bot's side

    def post(self, message: Outgoing) -> str:
        """Show a new message; returns its id. Raises SendRefusedError in a chat that blocked the bot."""
        with self._mutex:
            self._refuse_if_blocked(message.session)
            if self.native_keys and (known := self._keys.get((message.session, message.key))) is not None:
                return known.id
            self.posts += 1
            id = f"m{self.posts}"  # noqa: A001 - the field's own word
            made = ChatMessage(
                id, message.session, message.key, [message.text], message.reply_to, choices=message.choices
            )
            self._messages[id] = self._keys[message.session, message.key] = made
            self._chats.setdefault(message.session, []).append(made)
            return id

    def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """Change a message, and the buttons under it. Raises TargetGoneError for one that was removed, or never was."""
        with self._mutex:
            self._refuse_if_blocked(session)
            message = self._messages.get(message_id)
            if message is None or message.deleted or message.chat != session:
                raise TargetGoneError(f"message {message_id} is not in {session}")
            self.edits += 1
            message.choices = choices
            if message.text != text:
                message.texts.append(text)

    def find(self, session: SessionKey, key: str) -> str | None:
        """Search a chat by the key that its messages carry; removed ones are not found."""
        with self._mutex:
            found = self._keys.get((session, key))
            return None if found is None or found.deleted else found.id

    def unacknowledged(self) -> list[Inbound]:
        """What persons said and the bot has not acknowledged, oldest first. It comes again until it is."""
        with self._mutex:
            return list(self._updates.values())

    def acknowledge(self, inbound: Inbound) -> None:
        """Never give this update again."""
        with self._mutex:
            self._updates.pop((inbound.key.platform, inbound.key.account, inbound.update_id), None)

    def expire(self, update_id: str) -> None:
        """Give an update up, as platforms do after some hours: it does not come again, acknowledged or not."""
        with self._mutex:
            self._expired.add(update_id)
            for name in [name for name in self._updates if name[-1] == update_id]:
                del self._updates[name]

    def on_update(self, bell: Callable[[], object]) -> Callable[[], None]:
        """Ring whenever a person says something; returns what ends that."""
        with self._mutex:
            self._bells.append(bell)
        return lambda: self._end_bell(bell)

    def _end_bell(self, bell: Callable[[], object]) -> None:
        with self._mutex, suppress(ValueError):  # The server may have hung up first.
            self._bells.remove(bell)

    # The persons' side

    def say(
        self,
        session: SessionKey,
        update_id: str,
        text: str,
        author: str | None = None,
        attachments: tuple[Attachment, ...] = (),
    ) -> None:
        """A person writes. An update id is unique in the account; twice the same is one update, delivered again."""
        self._take_in(Inbound(session, update_id, text, author, reply_to=update_id, attachments=attachments))

    def press(self, message_id: str, update_id: str, text: str) -> None:
        """A person presses a button under a message, however old. Raises ValueError where there is no such button."""
        message = self.message(message_id)
        if message.choices is None or text not in message.choices.texts:
            raise ValueError(f"message {message_id} has no button {text!r}")
        self._take_in(Inbound(message.chat, update_id, text, reply_to=update_id, answers=message.choices.question))

    def _take_in(self, inbound: Inbound) -> None:
        with self._mutex:
            if inbound.update_id in self._expired:
                return
            self._updates[inbound.key.platform, inbound.key.account, inbound.update_id] = inbound
            bells = tuple(self._bells)
        for bell in bells:
            bell()

    def change(
        self,
        session: SessionKey,
        update_id: str,
        of: str,
        change: Change,
        text: str = "",
        attachments: tuple[Attachment, ...] = (),
    ) -> None:
        """A person edits or deletes what was said as the update `of`."""
        self._take_in(Inbound(session, update_id, text, None, reply_to=of, attachments=attachments, change=change))

    def visible(self, session: SessionKey) -> list[ChatMessage]:
        """What a person sees of the bot, oldest first."""
        with self._mutex:
            return [each for each in self._chats.get(session, ()) if not each.deleted]

    def removed(self, session: SessionKey) -> list[ChatMessage]:
        """What somebody removed of it, oldest first."""
        with self._mutex:
            return [each for each in self._chats.get(session, ()) if each.deleted]

    def texts(self, session: SessionKey) -> list[str]:
        """What a person reads of the bot, oldest first."""
        return [each.text for each in self.visible(session)]

    def message(self, message_id: str) -> ChatMessage:
        """One message of the bot, removed or not. Raises KeyError for one that never was."""
        with self._mutex:
            return self._messages[message_id]

    def hang_up(self) -> None:
        """The process at the other end is gone: nobody hears the bell any more."""
        with self._mutex:
            self._bells.clear()

    def delete(self, message_id: str) -> None:
        """Somebody removes a message of the bot."""
        with self._mutex:
            self._messages[message_id].deleted = True

    def block(self, session: SessionKey) -> None:
        """A person blocks the bot."""
        with self._mutex:
            self._blocked.add(session)

    def _refuse_if_blocked(self, session: SessionKey) -> None:
        if session in self._blocked:
            raise SendRefusedError("the bot was blocked by the user")
