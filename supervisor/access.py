"""Who may write: the host's policy, and chats that were let in by a code. Called from any thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace as with_knobs
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from greenroom.actors.pairing import ALPHABET, CODE_LENGTH, Pairing, chat_of, decide_offer, find_code, hash_code
from greenroom.actors.pairing_facts import ChatPaired, ChatUnpaired, CodeMissed, CodeOffered
from greenroom.actors.ports import BusyError, Outgoing, RefusedError
from greenroom.actors.store import Committed, RefusalKind, Refused
from greenroom.supervisor.admission import clean_author
from greenroom.supervisor.policy import Policy, Strangers

if TYPE_CHECKING:
    from random import Random

    from greenroom.actors.model import Inbound, SessionKey
    from greenroom.actors.runtime import Runtime
    from greenroom.actors.store import Store

logger = logging.getLogger("greenroom.access")

SALT_BYTES = 16

WELCOME = "You may write to me now."
WRONG_CODE = "no chat has this code: it is wrong, used, or over; whoever wants to be let in writes again, for another"
CLOSED = "the store is closed, or being opened again; try again"

Notice = Callable[[Outgoing], None]
Then = Callable[["SessionKey | Exception"], None]


def stranger_line(code: str, good_s: float) -> str:
    """Tell a stranger what to do, in one line.

    >>> stranger_line("ABCD-EFGH", 3600.0)
    'I do not know you yet. Ask whoever runs me to type, within 60 minutes: greenroom pair approve ABCD-EFGH'
    """
    minutes = max(1, round(good_s / 60))
    return (
        f"I do not know you yet. Ask whoever runs me to type, within {minutes} minutes: greenroom pair approve {code}"
    )


def make_code(chance: Random) -> str:
    """Draw a code, as it is shown. `chance` is to be one that nobody can predict."""
    code = "".join(chance.choice(ALPHABET) for _ in range(CODE_LENGTH))
    return f"{code[: CODE_LENGTH // 2]}-{code[CODE_LENGTH // 2 :]}"


class Access:
    """Knows all pairings of the store that is open; every change is on disk before it counts here."""

    def __init__(self, runtime: Runtime, policy: Policy, store: Callable[[], Store | None], notice: Notice) -> None:
        """`notice` shows a line in a chat, if it can; what is lost is not repeated. `store` is the one open now."""
        self._asked = policy
        self._clock, self._chance, self._store, self._notice = runtime.clock, runtime.random, store, notice
        self._lock = threading.Lock()
        self._pairings: dict[SessionKey, Pairing] = {}
        self.policy = policy if policy.allow is None else with_knobs(policy, allow=self.allows)
        """The host's policy, with those whom a code let in."""

    def admit(self, policy: Policy) -> None:
        """Let in whom this policy names, from now on; so with its `strangers` and `pairing_s`, and nothing else of it.

        What was taken from a chat that it does not name any more is still answered. Raises ValueError where this
        process began without a list, and so asks nobody who they are.
        """
        if self._asked.allow is None or policy.allow is None:
            msg = "who may write can be changed only where there is a list of them from the start: see Policy.allow"
            raise ValueError(msg)
        self._asked = with_knobs(
            self._asked, allow=policy.allow, strangers=policy.strangers, pairing_s=policy.pairing_s
        )

    def take_up(self, pairings: Iterable[Pairing]) -> None:
        """Know what is on disk, and nothing else: a store was opened."""
        with self._lock:
            self._pairings = {each.chat: each for each in pairings}

    def allows(self, key: SessionKey) -> bool:
        """Say whether a chat may write, and be written to without having asked."""
        if self._asked.allows(key):
            return True
        known = self._pairings.get(chat_of(key))
        return known is not None and known.approved_at is not None

    def meet(self, inbound: Inbound) -> None:
        """A stranger wrote: show the chat a code, if that is wanted, and not too often. Its words are not kept."""
        store = self._store()
        if store is None or self._asked.strangers is not Strangers.PAIR or inbound.change is not None:
            return
        code = make_code(self._chance)
        offered = self._offer(inbound, code)
        if offered is None:
            return
        line = stranger_line(code, self._asked.pairing_s)
        message = Outgoing(inbound.key, f"pairing.{offered.code_hash[:16]}", line, inbound.reply_to)
        store.write((CodeOffered(offered),), partial(self._offered, offered, message))

    def _offer(self, inbound: Inbound, code: str) -> Pairing | None:
        now, chat = self._clock.now(), chat_of(inbound.key)
        with self._lock:
            known = self._pairings.get(chat)
            if not decide_offer(known, self._count_waiting(chat, now), now):
                return None
            salt = self._chance.randbytes(SALT_BYTES).hex()
            until, hashed = now + self._asked.pairing_s, hash_code(code, salt)
            offered = Pairing(chat, now, until, salt, hashed, clean_author(inbound.author))
            # Good from now on for those who type; shown when it is on disk, and void in the next process if it is not.
            self._pairings[chat] = offered
            return offered

    def _count_waiting(self, chat: SessionKey, now: float) -> int:
        """Count the other chats of this account that have a code; codes that are over are forgotten."""
        over = [key for key, each in self._pairings.items() if each.approved_at is None and each.expires_at <= now]
        for key in over:
            if key != chat:
                del self._pairings[key]
        account = (chat.platform, chat.account)
        return sum(
            each.approved_at is None and key != chat and (key.platform, key.account) == account
            for key, each in self._pairings.items()
        )

    def _offered(self, offered: Pairing, message: Outgoing, answer: Committed | Refused) -> None:
        if isinstance(answer, Committed):
            logger.info("%s is a stranger and was shown a code; see `greenroom pair`", offered.chat)
            self._notice(message)

    def pairings(self) -> Sequence[Pairing]:
        """All that is known, in the order in which codes were offered."""
        with self._lock:
            return tuple(self._pairings.values())

    def approve(self, code: str, then: Then) -> None:
        """Let the chat in whose code this is. `then` hears which, or RefusedError, or BusyError (not now)."""
        store, now = self._store(), self._clock.now()
        if store is None:
            then(BusyError(CLOSED))
            return
        found = find_code(self.pairings(), code, now)
        if found is None:
            self._count_guess(store, now)
            then(RefusedError(WRONG_CODE))
            return
        store.write((ChatPaired(found.chat, found.code_hash, now),), partial(self._approved, found, now, then))

    def _count_guess(self, store: Store, now: float) -> None:
        with self._lock:
            missed = [replace(each, guesses=each.guesses + 1) for each in self._pairings.values() if each.is_good(now)]
            self._pairings |= {each.chat: each for each in missed}
        if missed:
            store.write([CodeMissed(each.chat, each.guesses) for each in missed], _ignore)

    def _approved(self, found: Pairing, now: float, then: Then, answer: Committed | Refused) -> None:
        if isinstance(answer, Refused):
            then(RefusedError(WRONG_CODE) if answer.kind is RefusalKind.CONFLICT else BusyError(answer.detail))
            return
        with self._lock:
            self._pairings[found.chat] = replace(found, salt="", code_hash="", approved_at=now)
        logger.warning("%s was let in by an operator", found.chat)
        then(found.chat)
        self._notice(Outgoing(found.chat, f"welcome.{found.code_hash[:16]}", WELCOME))

    def revoke(self, chat: SessionKey, then: Then) -> None:
        """Make a chat a stranger's again. What it said before stays; what it is owed is still sent."""
        store = self._store()
        if store is None:
            then(BusyError(CLOSED))
            return
        if chat_of(chat) not in self._pairings:
            then(RefusedError(f"{chat} was not let in by a code: see `greenroom pair`, and policy.allow"))
            return
        store.write((ChatUnpaired(chat_of(chat)),), partial(self._revoked, chat_of(chat), then))

    def _revoked(self, chat: SessionKey, then: Then, answer: Committed | Refused) -> None:
        if isinstance(answer, Refused):
            then(BusyError(answer.detail))
            return
        with self._lock:
            self._pairings.pop(chat, None)
        logger.warning("%s was shut out by an operator", chat)
        then(chat)


def _ignore(_: object) -> None:
    """Nothing depends on this answer."""
