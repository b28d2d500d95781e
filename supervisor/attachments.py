"""The platforms served: each with its receiver, which outlives the store, and its outbox, which stands on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, assert_never

from pykka import ActorDeadError, Timeout

from greenroom.actors.acts import Deliver, OpenAnchor, Showing, ShowText, ShowTyping
from greenroom.actors.delivery_actor import DeliveryActor
from greenroom.actors.entry import DeliveryPolicy, rule_of
from greenroom.actors.lines import trouble_line
from greenroom.actors.outbox_words import (
    Dropped,
    Filled,
    Forgotten,
    LiveText,
    NoticeWanted,
    Opened,
    PlatformDown,
    PlatformUp,
    ReadStatus,
    Reread,
    Revived,
    TroubleOver,
    TroubleTold,
    TypingWanted,
    WhenFlushed,
)
from greenroom.actors.ports import Outgoing
from greenroom.actors.runtime import MailboxFull
from greenroom.supervisor.connections import Connection, turned
from greenroom.supervisor.platform_actor import PlatformActor

if TYPE_CHECKING:
    from greenroom.actors.model import Delivery, SessionKey
    from greenroom.actors.outbox_words import OutboxStatus
    from greenroom.actors.ports import Platform
    from greenroom.actors.ref import Ref
    from greenroom.actors.runtime import Runtime
    from greenroom.actors.store import Store
    from greenroom.supervisor.platform_door import PlatformDoor
    from greenroom.supervisor.policy import Policy
    from greenroom.supervisor.recovery import Account

ANSWER_S = 1.0
"""How long an actor is waited for that is asked how it stands."""

logger = logging.getLogger("greenroom.platform")

TROUBLE = "trouble"
"""Begins the keys of notices that say that the disk refuses."""

MISSED = (
    "nothing is attached for %s:%s: what is answered there is kept until something is, and what a crash interrupts"
    ' waits for it, too; a host that carries its messages itself writes room.attach(HostedChat("%s", "%s"))'
)

REOPEN_S = 1.0
"""How long a dead outbox or receiver waits before it is opened again."""


@dataclass(slots=True)
class Attachment:
    """A platform account, and who works for it."""

    platform: Platform
    door: PlatformDoor
    hung_up: Callable[[BaseException | None], bool]
    connection: Connection
    policy: DeliveryPolicy
    types: bool = False  # it can show that somebody is typing
    receiver: Ref[PlatformActor] | None = None
    outbox: Ref[DeliveryActor] | None = None
    told: set[SessionKey] = field(default_factory=set)  # chats that know of the trouble that lasts
    flushing: bool = False
    flushed: bool = False

    def tell(self, message: object) -> None:
        """Tell the outbox. One that is gone is being replaced and reads the rows; a full one loses only live words."""
        if self.outbox is not None:
            try:
                self.outbox.tell(message)
            except (ActorDeadError, MailboxFull):
                return


@dataclass(frozen=True, slots=True)
class Trouble:
    """The disk refuses, and what chats are told of it."""

    key: str
    line: str


class Attachments:
    """All platforms, by account. Called from any thread."""

    def __init__(self, runtime: Runtime, policy: Policy, report_dead: Callable[[Delivery], None]) -> None:
        """Begin with none. `report_dead` is told of what a platform will never take."""
        self._runtime = runtime
        self._policy = policy
        self._report_dead = report_dead
        self._lock = threading.Lock()
        self._all: dict[Account, Attachment] = {}
        self._store: Store | None = None
        self._trouble: Trouble | None = None
        self._numbers = count(1)
        self._missed = False

    def attach(
        self,
        platform: Platform,
        door: PlatformDoor,
        hung_up: Callable[[BaseException | None], bool],
        policy: DeliveryPolicy,
    ) -> None:
        """Serve a platform from now on. Raises ValueError for a second one of the same name and account."""
        account = (platform.name, platform.account)
        with self._lock:
            if account in self._all:
                msg = f"platform {platform.name}:{platform.account} is attached already; give one another account"
                raise ValueError(msg)
            rule = rule_of(platform.traits, policy)
            connection = Connection(*account, since=self._runtime.clock.now(), delivery=rule)
            attachment = Attachment(platform, door, hung_up, connection, policy, types=platform.traits.typing)
            self._all[account] = attachment
            self._open(attachment)
        self._receive(attachment)

    def build(self, store: Store) -> None:
        """Open every outbox on this store."""
        with self._lock:
            self._store = store
            for attachment in self._all.values():
                self._open(attachment)

    def fall(self) -> None:
        """Kill the outboxes: their store is gone. The rows are the outbox."""
        with self._lock:
            self._store = None
            for attachment in self._all.values():
                if attachment.outbox is not None:
                    attachment.outbox.kill()
                    attachment.outbox = None

    def reopen(self, urn: str) -> None:
        """Open the outbox or the receiver again whose actor died."""
        with self._lock:
            for attachment in self._all.values():
                if attachment.outbox is not None and attachment.outbox.actor_urn == urn:
                    self._open(attachment)
                if attachment.receiver is not None and attachment.receiver.actor_urn == urn:
                    self._receive(attachment)

    def stop_receiving(self) -> None:
        """Take in nothing more; what is owed still goes out."""
        for attachment in tuple(self._all.values()):
            if attachment.receiver is not None:
                attachment.receiver.stop(block=False)

    def turn(self, account: Account, why_not: str | None) -> bool:
        """Remember and tell that a platform can be reached, or why not. True where it was the other way before."""
        attachment = self._all[account]
        with self._lock:  # An outbox that is being opened hears what is true first, and what changed after that.
            before = attachment.connection
            attachment.connection = turned(before, why_not, self._runtime.clock.now())
            attachment.tell(PlatformUp() if why_not is None else PlatformDown())
        return attachment.connection.connected is not before.connected

    def connected(self) -> tuple[Account, ...]:
        """List the accounts that can be reached."""
        return tuple((each.platform, each.account) for each in self.connections() if each.connected)

    def connections(self) -> tuple[Connection, ...]:
        """Say of each account how it stands."""
        return tuple(attachment.connection for attachment in tuple(self._all.values()))

    def outboxes(self) -> dict[str, OutboxStatus]:
        """Ask each account's outbox how it stands, by the account's name. One that does not answer soon is left out."""
        told: dict[str, OutboxStatus] = {}
        for attachment in tuple(self._all.values()):
            if attachment.outbox is not None:
                with suppress(ActorDeadError, MailboxFull, Timeout):
                    told[attachment.connection.name] = attachment.outbox.ask(ReadStatus(), timeout=ANSWER_S)
        return told

    def _bury(self, delivery: Delivery) -> None:
        logger.warning("%s of %s cannot be delivered; see `greenroom dead list`", delivery.key, delivery.session)
        self._report_dead(delivery)

    def deliver(self, session: SessionKey, act: Showing) -> None:
        """Hand an act to the outbox of the session's account. Where there is none, the row waits for one."""
        attachment = self._all.get((session.platform, session.account))
        if attachment is None:
            self._miss(session)
            return
        match act:
            case OpenAnchor(delivery):
                attachment.tell(Opened(delivery))
            case Deliver(delivery):
                attachment.tell(Filled(delivery))
            case ShowText(key, text):
                attachment.tell(LiveText(session, key, text))
            case ShowTyping():
                attachment.tell(TypingWanted(session))
            case _:
                assert_never(act)

    def _miss(self, session: SessionKey) -> None:
        """Tell a host once that nobody shows what is answered there: it has forgotten something, or does so later."""
        if not self._missed:
            self._missed = True
            logger.warning(MISSED, session.platform, session.account, session.platform, session.account)

    def shows_typing(self, session: SessionKey) -> bool:
        """Whether the session's platform can show that somebody is typing."""
        attachment = self._all.get((session.platform, session.account))
        return attachment is not None and attachment.types

    def show_notice(self, message: Outgoing) -> None:
        """Show a line that no row stands for, if that can be done now."""
        attachment = self._all.get((message.session.platform, message.session.account))
        if attachment is not None:
            attachment.tell(NoticeWanted(message))

    def hear_trouble(self, words: str | None) -> None:
        """The disk refuses; None: it takes writes again. Those who wait for words are told, once while it lasts."""
        with self._lock:  # What is said of a trouble comes before the word that it is over, or not at all.
            before, self._trouble = self._trouble, None
            if words is not None:
                now, number = self._runtime.clock.now(), next(self._numbers)
                key = f"{TROUBLE}.{now:.3f}.{number}" if before is None else before.key
                self._trouble = Trouble(key, trouble_line(words))
            for attachment in self._all.values():
                if before is not None:
                    attachment.tell(TroubleOver(before.key, before.line))
                if words is None:
                    attachment.told.clear()
                self._tell_trouble(attachment, None)

    def tell_trouble(self, session: SessionKey) -> None:
        """Somebody writes here: say that nothing can be saved, if that is so."""
        with self._lock:
            attachment = self._all.get((session.platform, session.account))
            if attachment is not None:
                self._tell_trouble(attachment, session)

    def _tell_trouble(self, attachment: Attachment, session: SessionKey | None) -> None:
        if (trouble := self._trouble) is not None and not attachment.platform.traits.announces:
            attachment.tell(TroubleTold(trouble.line, session, partial(self._post_trouble, attachment, trouble)))

    def _post_trouble(self, attachment: Attachment, trouble: Trouble, session: SessionKey) -> None:
        """Nothing stands there that could say it. It may be over meanwhile."""
        with self._lock:
            lasts = self._trouble is not None and self._trouble.key == trouble.key
            if lasts and session not in attachment.told:
                attachment.told.add(session)
                attachment.tell(NoticeWanted(Outgoing(session, trouble.key, trouble.line)))

    def revise(self, change: Revived | Dropped | Forgotten) -> None:
        """Tell the outbox what whoever runs the service ordered of what it shows; that is on disk."""
        attachment = self._all.get((change.session.platform, change.session.account))
        if attachment is not None:
            attachment.tell(change)

    def take_up(self, session: SessionKey) -> None:
        """Let the outbox read what is owed: somebody wrote rows for it."""
        attachment = self._all.get((session.platform, session.account))
        if attachment is not None:
            attachment.tell(Reread())

    def count_owed(self) -> int:
        """Count the outboxes that can send and have not said yet that all is sent; asks each once."""
        owed = 0
        for attachment in tuple(self._all.values()):
            if attachment.outbox is None or not attachment.connection.connected:
                continue
            if not attachment.flushing:
                attachment.flushing = True
                attachment.tell(WhenFlushed(partial(setattr, attachment, "flushed", True)))
            owed += not attachment.flushed
        return owed

    def _receive(self, attachment: Attachment) -> None:
        attachment.receiver = self._runtime.start(
            PlatformActor, attachment.platform, attachment.door, self._policy, attachment.hung_up
        )

    def _open(self, attachment: Attachment) -> None:
        if self._store is None:
            return
        attachment.flushing = attachment.flushed = False  # What the one before was asked, it will not tell.
        attachment.outbox = self._runtime.start(
            DeliveryActor,
            self._store,
            attachment.platform,
            policy=attachment.policy,
            report_dead=self._bury,
            mailbox_max=self._policy.shared_mailbox_max,
        )
        attachment.tell(PlatformUp() if attachment.connection.connected else PlatformDown())
