"""What can go wrong in a simulated life, drawn from a seed: accidents while it lives, and how it ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import Any
from zlib import crc32

from greenroom.actors.delivery_actor import DeliveryActor
from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.runtime import MailboxFull
from greenroom.actors.session_actor import SessionActor
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.platforms.fakes.platform import Seen
from greenroom.storage.faulty_disk import Fault, FaultKind, Loss, Op
from greenroom.storage.storage_actor import StorageActor
from greenroom.storage.store import SqliteStore
from greenroom.supervisor.platform_actor import PlatformActor
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.parts import Parts, split_dice
from greenroom.supervisor.tree_actor import TreeActor


class Accident(StrEnum):
    """Something that goes wrong while the process lives."""

    DISK_ERROR = "disk: one I/O error"
    DISK_ERRORS = "disk: I/O errors for a while"
    DISK_FULL = "disk: full for a while"
    DISK_BUSY = "disk: held by another for a while"
    DISK_READ_ONLY = "disk: read-only for a while"
    DISK_SLOW = "disk: slow for a while"
    MAILBOX_FULL = "store: too much waits at its door"
    SESSION_RAISES = "actor: a session raises"
    SESSION_EXITS = "actor: a session calls sys.exit"
    SESSION_NOT_STARTED = "actor: a session fails in on_start"
    SESSIONS_KEEP_FAILING = "actor: sessions raise seven times"
    OUTBOX_RAISES = "actor: an outbox raises"
    TREE_RAISES = "actor: the tree raises"
    STORAGE_RAISES = "actor: the storage raises"
    FINISH_RAISES = "actor: the storage raises when it is asked to finish"
    RECEIVER_RAISES = "actor: a receiver raises"
    TIMER_RAISES = "timer: one raises"
    DISCONNECT = "platform: disconnects for a while"
    RECEIVER_BREAKS = "platform: what receives breaks off"
    CLOCK_BACK = "clock: a day back"
    CLOCK_FORWARD = "clock: a day forward"
    SLEEP = "host: asleep for an hour"
    MESSAGE_REMOVED = "chat: somebody removes a message"
    BLOCKED = "chat: the person blocks the bot"
    RELEASE = "operator: releases what is set aside"
    ZOMBIE = "zombie: an older owner writes"
    TAKE_OVER = "zombie: another process takes over"


class Ending(StrEnum):
    """How a life ends."""

    KILL = "end: killed"
    POWER_CUT = "end: power cut at a disk operation"
    POWER_FAILURE = "end: power failure between operations"
    DRAIN = "end: drained"
    HURRIED = "end: drained, then hurried"
    KILLED_IN_DRAIN = "end: killed while draining"


@dataclass(frozen=True, slots=True)
class Mix:
    """What a seed is made of. Probabilities unless the name says otherwise."""

    lives_max: int = 7  # lives with faults
    chats_max: int = 3
    messages_max: int = 6
    platform_fault: tuple[float, ...] = (0.0, 0.1, 0.5)  # of a call; one is drawn for each seed
    accidents_max: int = 2
    duplicate: float = 0.25
    settle_s: float = 90_000.0  # virtual seconds in which everything owed must be done, by a clock that nobody set back


DEFAULT_MIX = Mix()

HEALS_AFTER_S = (0.05, 1.0, 20.0)
DAY_S = 86_400.0
KEPT_DAYS = (0.0, 0.0, 0.01)
"""How long a host keeps a kind of rows: mostly for ever, else so short that a world sees them go."""

WAIVED = 0.2
"""How many accounts do not promise what they could."""

WHOLE = 1_000
"""Where a message may have so many characters, none of a world's texts is cut."""

DOWN_S = (0.0, 0.5, 2.0, 30.0, 400.0, 4_000.0)
"""How long no process lives after a life; sometimes it is a day."""

PLATFORM_FAULTS = tuple(fault for fault in PlatformFault if fault not in {PlatformFault.REFUSED, PlatformFault.GONE})
DISK_FAULTS: dict[Accident, tuple[FaultKind, Op | None, int | None]] = {
    Accident.DISK_ERROR: (FaultKind.IO_ERROR, None, 1),
    Accident.DISK_ERRORS: (FaultKind.IO_ERROR, None, None),
    Accident.DISK_FULL: (FaultKind.FULL, "write", None),
    Accident.DISK_BUSY: (FaultKind.BUSY, "lock", None),
    Accident.DISK_READ_ONLY: (FaultKind.READ_ONLY, "write", None),
    Accident.DISK_SLOW: (FaultKind.SLOW, "sync", None),
}
SLOW_S = (0.05, 2.0, 20.0)
VICTIMS: dict[Accident, tuple[type[Any], str, int, BaseException]] = {
    Accident.SESSION_RAISES: (SessionActor, "on_receive", 1, RuntimeError("an accident in a session")),
    Accident.SESSION_EXITS: (SessionActor, "on_receive", 1, SystemExit(1)),
    Accident.SESSION_NOT_STARTED: (SessionActor, "on_start", 1, RuntimeError("an accident at the start")),
    Accident.SESSIONS_KEEP_FAILING: (SessionActor, "on_receive", 7, RuntimeError("accidents in sessions")),
    Accident.OUTBOX_RAISES: (DeliveryActor, "on_receive", 1, RuntimeError("an accident in an outbox")),
    Accident.TREE_RAISES: (TreeActor, "on_receive", 1, RuntimeError("an accident in the tree")),
    Accident.MAILBOX_FULL: (SqliteStore, "accept", 5, MailboxFull("an accident at the door")),
    Accident.FINISH_RAISES: (StorageActor, "_finish", 1, RuntimeError("an accident at the end")),
    Accident.STORAGE_RAISES: (StorageActor, "on_receive_many", 1, RuntimeError("an accident in the storage")),
    Accident.RECEIVER_RAISES: (PlatformActor, "on_receive", 1, RuntimeError("an accident in a receiver")),
}


def draw_waiver(rng: random.Random, text_max: int, parts: Parts, name: str) -> int | None:
    """The life from which on its host wants an account to promise no more than "at least once"; mostly none.

    A host does not change its mind where a text may be under way in parts: they would be cut elsewhere.
    """
    waives, life = rng.random() < WAIVED, rng.choice((1, 1, 2, 3))
    if not waives or (life > 1 and text_max < WHOLE):
        return None
    return life if parts.happens(f"{name}.waived") else None


def draw_disk_fault(rng: random.Random, accident: Accident) -> Fault:
    """The fault of the disk that an accident means. Locks are taken when a file is opened, and kept."""
    kind, op, times = DISK_FAULTS[accident]
    nth, slow_s = rng.randint(1, 12), rng.choice(SLOW_S)
    return Fault(kind, op, nth=1 if op == "lock" else nth, times=times, slow_s=slow_s)


@dataclass(frozen=True, slots=True)
class LifePlan:
    """How one life with faults goes, as far as it is known before. `accidents` happen at their step, each with dice."""

    ending: Ending
    cut_at: int | None  # the disk operation at which the power is cut
    accidents: dict[int, tuple[Accident, random.Random]]
    steps: int
    loss: Loss
    down_s: float  # until the next life


def draw_life(rng: random.Random, mix: Mix, parts: Parts, name: str) -> LifePlan:
    """Draw a life. What is left out of it changes nothing else that is drawn."""
    ending, cut_at = rng.choice(ENDINGS), int(2 ** rng.uniform(2, 9))
    drawn = rng.choices(list(Accident), k=rng.randint(0, mix.accidents_max))
    accidents = {int(2 ** rng.uniform(3, 9)): (accident, split_dice(rng)) for accident in drawn}
    steps, loss = int(2 ** rng.uniform(2, 10)), draw_loss(rng)
    down_s = rng.choice(DOWN_S) if rng.random() < 0.9 else DAY_S
    if ending is not Ending.KILL and not parts.happens(f"{name}.end"):
        ending = Ending.KILL
    return LifePlan(
        ending,
        cut_at if ending is Ending.POWER_CUT else None,
        {step: it for step, it in sorted(accidents.items()) if parts.happens(f"{name}.step{step}")},
        steps,
        loss if ending in {Ending.POWER_CUT, Ending.POWER_FAILURE} else Loss.NOTHING,
        down_s if down_s and parts.happens(f"{name}.down") else 0.0,
    )


def draw_loss(rng: random.Random) -> Loss:
    """What the disk keeps when the power fails. A kill loses nothing: the kernel has it."""
    return rng.choice((Loss.UNSYNCED, Loss.RANDOM, Loss.RANDOM, Loss.NOTHING))


def platform_faults(rng: random.Random, chance: float, parts: Parts) -> Callable[[Seen], PlatformFault | None]:
    """How each call fails, drawn when it is made. Most seeds have no refusals, which lose messages for good.

    Each chat has dice of its own: the calls of one change nothing in another.
    """
    refuses = rng.random() < 0.3
    seed = rng.getrandbits(64)
    chats: dict[SessionKey, tuple[random.Random, Iterator[int]]] = {}

    def choose(seen: Seen) -> PlatformFault | None:
        chat = chats.get(seen.session)
        if chat is None:
            chat = chats[seen.session] = random.Random(seed ^ crc32(str(seen.session).encode())), count(1)
        dice, calls = chat
        number = next(calls)
        if dice.random() >= chance:
            return None
        fault = PlatformFault.REFUSED if refuses and dice.random() < 0.05 else dice.choice(PLATFORM_FAULTS)
        return fault if parts.happens(f"{seen.session}.call{number}") else None

    return choose


class Accidents:
    """Makes the next calls of a method raise. Planted from outside, by replacing the method, for a while."""

    def __init__(self) -> None:
        """Nothing is planned."""
        self.struck: Callable[[str], None] = _nobody  # Told of each when it happens.
        self._due: dict[tuple[type[Any], str], list[tuple[str, BaseException]]] = {}
        self._whole: dict[tuple[type[Any], str], Callable[..., Any]] = {}

    def plan(self, accident: Accident) -> None:
        """Let it happen at the next occasion."""
        actor, method, times, error = VICTIMS[accident]
        self._due.setdefault((actor, method), []).extend([(accident.value, error)] * times)
        if (actor, method) not in self._whole:
            self._whole[actor, method] = real = actor.__dict__[method]
            setattr(actor, method, self._raising(actor, method, real))

    def clear(self) -> None:
        """Let nothing happen any more."""
        self._due.clear()
        for (actor, method), real in self._whole.items():
            setattr(actor, method, real)
        self._whole.clear()

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Whatever is planted is taken back in the end."""
        try:
            yield
        finally:
            self.clear()

    def _raising(self, actor: type[Any], method: str, real: Callable[..., Any]) -> Callable[..., Any]:
        due, place, accidents = self._due, (actor, method), self

        def perhaps(self: Any, *args: Any) -> Any:
            if due and (errors := due.get(place)):
                kind, error = errors.pop()
                accidents.struck(kind)
                raise error
            return real(self, *args)

        return perhaps


def draw_policy(rng: random.Random) -> Policy:
    """The host's knobs: mostly patient, with every limit near enough to be met."""
    return Policy(
        silent_max_s=rng.choice((120.0, 120.0, 900.0)),
        notice_first_s=20.0,
        notice_every_s=30.0,
        idle_s=rng.choice((0.0, 5.0, 60.0)),
        fresh_s=rng.choice((3600.0, 3600.0, 60.0, 0.0)),
        unclean_boots_max=rng.choice((3, 100, 100)),
        attempts_max=rng.choice((3, 3, 10)),
        drain_s=rng.choice((0.0, 5.0, 30.0)),
        resume_concurrency=rng.choice((1, 8)),
        inbox_batch_max=rng.choice((1, 100)),
        chat_burst=rng.choice((30, 30, 1)),
        burst=rng.choice((10_000, 3)),
        rate_per_s=2.0,
        shared_mailbox_max=rng.choice((1_000_000, 1)),
        placeholder_after_s=rng.choice((1.0, 0.0)),
        transcript_window=rng.choice((1_000, 1_000, 4)),
        summary_every=2,
        reset=rng.choice(("none", "none", "idle", "daily")),
        reset_after_s=rng.choice((60.0, 400.0, 80_000.0)),
        zone="UTC",
        tool_calls_max=rng.choice((500, 8)),
        repeats_max=rng.choice((20, 3)),
        model_calls_max=rng.choice((0, 0, 2)),
        typing_every_s=rng.choice((0.0, 45.0)),
        late_change=rng.choice(("tell", "tell", "ignore")),
        busy=rng.choice(("queue", "queue", "interrupt", "steer")),
        allow=("*:chat*",),
        strangers="pair",
        pairing_s=120.0,
        keep_decisions_days=rng.choice(KEPT_DAYS),
        keep_boots_days=rng.choice(KEPT_DAYS),
        keep_inbox_days=rng.choice(KEPT_DAYS),
        keep_deliveries_days=rng.choice(KEPT_DAYS),
        keep_questions_days=rng.choice(KEPT_DAYS),
        keep_processes_days=rng.choice(KEPT_DAYS),
        keep_sessions_days=rng.choice(KEPT_DAYS),
    )


def _nobody(_: str) -> None:
    """Nobody wants to know."""


CLASSES = tuple(DeliveryClass)
ENDINGS = (*Ending, Ending.KILL, Ending.POWER_CUT, Ending.POWER_FAILURE)
"""Drawn from; those that lose most come most."""
