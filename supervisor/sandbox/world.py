"""The world outside of the process: people, platforms, what tools did, the disk, the time. It outlives every crash."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from greenroom.actors.commands import Command, read_text
from greenroom.actors.model import Attachment, Change, Receipt, SessionId, SessionKey
from greenroom.actors.simulation import WALL
from greenroom.platforms.fakes.machine import FakeMachine
from greenroom.platforms.fakes.platform import Fault, Seen
from greenroom.storage.faulty_disk import Disk
from greenroom.storage.faulty_disk import Fault as DiskFault
from greenroom.supervisor.sandbox.archive import Archive
from greenroom.supervisor.sandbox.happening import PEOPLE, PROCESS, Happening, Kind
from greenroom.supervisor.sandbox.latecomers import Latecomers
from greenroom.supervisor.sandbox.looked_after import Look, LookedAfter
from greenroom.supervisor.sandbox.networks import Network, Wire
from greenroom.supervisor.sandbox.troubles import Troubles

if TYPE_CHECKING:
    from greenroom.actors.simulation import SimRuntime
    from greenroom.supervisor.access import Access
    from greenroom.supervisor.erasing import Erasing
    from greenroom.supervisor.letters import Letters
    from greenroom.supervisor.policy import Policy

T = TypeVar("T")

OrderDoor = Callable[[SessionKey, Command, Callable[[Receipt | Exception], None], str, str], None]


REFUSALS_MAX = 2
"""How often a call is made that is refused for ever: as a placeholder, and once more when there are words."""

LATE_S = 1.0
"""What is under way at the moment from which something must not be is no broken promise yet."""

STRANGER_S = 600.0
"""How long a stranger's process runs."""


@dataclass(slots=True, eq=False)
class Stranger:
    """Somebody whom the host's policy does not allow."""

    chat: SessionKey
    codes: dict[str, float] = field(default_factory=dict)  # that the chat was shown -> the wall clock then; in order
    typed: set[str] = field(default_factory=set)  # of these: since it was outside, whatever became of it
    spent: set[str] = field(default_factory=set)  # of these: by which it was let in
    is_in: bool = False  # the operator was told so
    revoked: bool | None = None  # since it was in: False, ordered; True, done

    @property
    def ever_in(self) -> bool:
        """Whether it may have been inside."""
        return bool(self.typed or self.spent)


@dataclass(slots=True)
class World:
    """What is true outside. `mistakes` are broken promises that were seen when they happened."""

    networks: tuple[Network, ...]
    disk: Disk
    choose: Callable[[Seen], Fault | None] = lambda _: None
    late: Latecomers = field(default_factory=Latecomers)
    wall: float = WALL
    began: float = 0.0  # when, in the world's own seconds, the living process began
    inherited: frozenset[str | None] = frozenset()  # the marks of what ran already when the living process began
    runtime: SimRuntime | None = None
    said: dict[str, tuple[SessionKey, str]] = field(default_factory=dict)  # update id -> chat, text; in order
    ordered: dict[str, tuple[SessionKey, str]] = field(default_factory=dict)  # by an operator: update id -> chat, text
    taken: set[str] = field(default_factory=set)  # of these, what an operator was told is written down
    knocks: set[str] = field(default_factory=set)  # what strangers said: acknowledged, and kept nowhere
    strangers: list[Stranger] = field(default_factory=list)
    doorkeeper: Access | None = None  # of the living process
    order: OrderDoor | None = None  # where the living process takes an operator's orders
    letters: Letters | None = None  # of the living process
    erasing: Erasing | None = None  # of the living process
    look: Look | None = None  # at what the living process has stored
    mail: LookedAfter = field(default_factory=LookedAfter)
    archive: Archive = field(default_factory=Archive)
    attached: dict[str, tuple[Attachment, ...]] = field(default_factory=dict)  # what came with each update
    replied: set[tuple[str, str]] = field(default_factory=set)  # bot messages that a person answered
    effects: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # (chat, policy, step) -> how often
    keys: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)  # the idempotency keys seen for these
    granted: Counter[str] = field(default_factory=Counter)  # chat -> how often its person allowed a repetition
    retries: Counter[str] = field(default_factory=Counter)  # chat -> how often its person wanted a request run again
    outages: Counter[str] = field(default_factory=Counter)  # message -> how often it found the provider down
    kills: Counter[str] = field(default_factory=Counter)  # message -> how often it ended the process
    written: dict[str, dict[str, None]] = field(default_factory=dict)  # chat -> keys of rows that were confirmed
    done: set[tuple[str, str, str]] = field(default_factory=set)  # effects whose result was stored
    moved: dict[str, float] = field(default_factory=dict)  # chat -> when its agent last did something
    begun: dict[str, float] = field(default_factory=dict)  # chat -> when its agent began, asked, was answered
    resting: dict[str, float] = field(default_factory=dict)  # chat -> since when no agent works there
    drained_at: float | None = None  # since when the living process is told to end
    troubles: Troubles = field(default_factory=Troubles)
    overtaken_at: float | None = None  # since when the living process is no longer the owner
    planned: dict[DiskFault, str] = field(default_factory=dict)  # faults of the disk that have not struck yet
    lives: int = 0  # so many processes were started
    runs: int = 0
    crashes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    history: list[Happening] | None = None
    sessions: dict[SessionId, SessionKey] = field(default_factory=dict)  # as the store gave them out, for the history
    calm: bool = False  # no fault happens any more
    policy: Policy | None = None  # what the host asked of the process
    consumed: set[tuple[str, str, str]] = field(default_factory=set)  # chat, process, command: seen to by its agent
    sleeps: list[tuple[float, float]] = field(default_factory=list)  # of the host: since when by its wall, for how long
    added: set[tuple[str, str]] = field(default_factory=set)  # chat, words: said after an answer that was written
    machine: FakeMachine = field(init=False)  # on which background processes run

    def __post_init__(self) -> None:
        """Build the machine: its time is the world's."""
        self.machine = FakeMachine(lambda: self.now)

    @property
    def now(self) -> float:
        """Seconds since the world began."""
        return self.began + (self.runtime.now if self.runtime is not None else 0.0)

    @property
    def wall_now(self) -> float:
        """The wall clock, as the living process reads it."""
        return self.wall if self.runtime is None else self.runtime.clock.now()

    def note(self, source: str, what: str, target: str = "", *, row: str = "", kind: Kind = Kind.STEP) -> None:
        """Remember a happening, if a replay wants to know."""
        if self.history is not None:
            self.history.append(Happening(self.now, source, what, target, row, kind))

    def fault(self, kind: str, what: str = "") -> None:
        """Count a fault that was done to the process."""
        self.faults[kind] += 1
        self.note(PROCESS, f"{kind} {what}".strip(), kind=Kind.FAULT)

    def hear_disk(self, fault: DiskFault) -> None:
        """Count a planned fault of the disk when it strikes first."""
        kind = self.planned.pop(fault, None)
        if kind is not None:
            self.fault(kind)

    def break_promise(self, invariant: str, detail: str) -> None:
        """Remember that a promise was seen broken."""
        self.mistakes.append(f"{invariant}: {detail}")
        self.note(PROCESS, f"{invariant}: {detail}", kind=Kind.BROKEN)

    def network_of(self, chat: SessionKey) -> Network:
        """The account that a chat belongs to."""
        return next(network for network in self.networks if network.name == chat.platform)

    def say(self, chat: SessionKey, update_id: str, text: str, attachments: tuple[Attachment, ...] = ()) -> None:
        """A person writes; the same id again is the same message, delivered again."""
        order = None if update_id in self.said else read_text(text)
        self.granted[str(chat)] += order is Command.APPROVE
        self.retries[str(chat)] += order is Command.RETRY
        self.said.setdefault(update_id, (chat, text))
        self.attached.setdefault(update_id, attachments)
        self.moved.pop(str(chat), None)  # Whatever begins now is new.
        self.note(PEOPLE, f"{chat.chat} {update_id}: {text}", chat.platform)
        self.network_of(chat).server.say(chat, update_id, text, attachments=attachments)

    def press(self, chat: SessionKey, message_id: str, update_id: str, text: str) -> None:
        """A person presses a button under a message of the bot."""
        self.said.setdefault(update_id, (chat, text))
        self.attached.setdefault(update_id, ())
        self.moved.pop(str(chat), None)
        self.note(PEOPLE, f"{chat.chat} {update_id}: presses {text!r} under {message_id}", chat.platform)
        self.network_of(chat).server.press(message_id, update_id, text)

    def change(self, update_id: str, of: str, change: Change, text: str = "") -> None:
        """A person edits or deletes what was said before."""
        chat, attachments = self.said[of][0], self.attached[of] if change is Change.EDIT else ()
        self.said.setdefault(update_id, (chat, text))
        self.attached.setdefault(update_id, attachments)
        self.note(PEOPLE, f"{chat.chat} {update_id}: {change.value} of {of}: {text}", chat.platform)
        self.network_of(chat).server.change(chat, update_id, of, change, text, attachments)

    def make_wires(self) -> list[Wire]:
        """The platform clients of a new process."""
        for network in self.networks if self.history is not None else ():
            network.server.shown = self._note_shown
        self.wires = [
            Wire(each.server, each.delivery, name=each.name, traits=each.traits, choose=self._choose)
            for each in self.networks
        ]
        refusals: Counter[Seen] = Counter()
        for wire in self.wires:
            wire.on_typing = self._hear_typing
            wire.later = lambda effect: self.late.add(self.now, effect)
            wire.refused = partial(self._hear_refusal, refusals)
        return self.wires

    def begin_life(self, runtime: SimRuntime) -> None:
        """A process starts: what was watched of the one before is over."""
        self.lives += 1
        self.runtime = runtime
        self.late.begin_life(runtime, self.now)
        self.inherited = frozenset(each.mark for each in self.machine.living())
        self.begun.clear()
        self.resting.clear()
        self.drained_at = self.overtaken_at = None

    def is_late(self, since: float | None) -> bool:
        """Whether something must not be any more that must not be since then.

        While the disk does not work, what happened during a commit is heard after it.
        """
        return since is not None and self.now - since > LATE_S and not self.was("disk")

    def was(self, *kinds: str) -> bool:
        """Whether a fault of these kinds was done."""
        return any(kind.startswith(kinds) for kind in self.faults)

    def _hear_refusal(self, refusals: Counter[Seen], seen: Seen) -> None:
        refusals[seen] += 1
        again = self.mail.resent[str(seen.session)]
        if refusals[seen] > REFUSALS_MAX + again and not self.was("actor", "disk", "zombie"):
            self.break_promise("a_refusal_is_believed", f"{seen.name} to {seen.session}, {refusals[seen]} times")

    def _hear_typing(self, session: SessionKey) -> None:
        if self.overtaken_at is not None:
            self.break_promise("an_overtaken_process_is_silent", f"typing in {session}")
        if self.is_late(self.resting.get(str(session))):
            self.break_promise("nobody_types_without_work", f"{session} is shown that somebody is typing")
        self.note(str(session), "types", session.platform)

    def _note_shown(self, chat: SessionKey, message_id: str, text: str) -> None:
        self.note(chat.platform, f"{chat.chat} reads {message_id}: {text!r}", PEOPLE)

    def _choose(self, seen: Seen) -> Fault | None:
        if self.overtaken_at is not None:
            self.break_promise("an_overtaken_process_is_silent", f"{seen.name} to {seen.session}")
        self.troubles.look_at(seen, self.now, self.break_promise)
        if self.is_late(self._given_up(seen)):
            self.break_promise("what_was_given_up_is_not_sent", f"{seen.name} to {seen.session}: {seen.text!r}")
        fault = None if self.calm else self.choose(seen)
        if self.history is not None:
            what = f"{seen.name} {seen.message_id or seen.key or ''} {seen.text!r}"
            self.note(str(seen.session), what + (f" !! {fault.name}" if fault else ""), seen.session.platform)
        if fault is not None:
            self.faults[f"platform: {fault.name.lower()}"] += 1
        return fault

    def _given_up(self, seen: Seen) -> float | None:
        """Since when the delivery is given up that this call is for."""
        key = seen.key
        if key is None and seen.message_id is not None:
            key = self.network_of(seen.session).server.message(seen.message_id).key
        return None if key is None else self.mail.given_up(key)

    def power_fails(self) -> None:
        """The whole machine stops, with all that ran beside the process."""
        self.machine.power_fails()

    def look_for_processes(self) -> None:
        """The process has ended in order: nothing that it started may run on."""
        for each in self.machine.living():
            if each.mark is not None and each.mark not in self.inherited:
                self.break_promise("an_orderly_end_leaves_no_process", each.mark)

    def note_survivors(self) -> None:
        """The process is dead; what it had started may run on, and strangers get the numbers of what does not."""
        if any(each.mark is not None for each in self.machine.living()):
            self.fault("process: what it started outlives it")
        self.machine.settle_strangers(STRANGER_S)

    def kill(self, why: str) -> None:
        """End the process at once, from wherever this is called."""
        if self.runtime is not None:
            self.faults[why] += 1
            self.note(PROCESS, why, kind=Kind.CRASH)
            self.crashes += 1
            self.runtime.crash()
