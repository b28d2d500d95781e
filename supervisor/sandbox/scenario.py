r"""A story told step by step: a person says, the process dies, time passes, and what is visible and stored is read.

The real house runs in it, in virtual time, on a simulated disk and chat server. Nothing sleeps and nothing is random
but through `seed`, so that a story has one end.

    with Scenario() as room:
        room.says("m1 once answer")            # to the scripted agent, see `agents.py`; or bring an agent of your own
        room.advance(0.7)                       # the tool has taken effect, its result is not stored yet
        room.crash()
        room.boot()
        room.rest()
        assert room.visible() == ["(m1.0 once in doubt) \n\nanswer <m1>"]
        assert room.effects("once") == 1
        assert room.broken() == []
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import apsw

from greenroom.actors.model import Attachment, Change, DeliveryClass, InterruptReason, SessionKey
from greenroom.platforms.fakes.platform import Fault as PlatformFault
from greenroom.storage.faulty_disk import Disk, Fault, FaultKind, Loss, Op
from greenroom.storage.sqlite import open_reader
from greenroom.supervisor.drain import Intent
from greenroom.supervisor.policy import Policy
from greenroom.supervisor.sandbox.agents import ScriptedAgent
from greenroom.supervisor.sandbox.faults import Accident, Accidents
from greenroom.supervisor.sandbox.invariants import AFTER_BOOT, AT_THE_END, Violation, check
from greenroom.supervisor.sandbox.life import PATH, Life
from greenroom.supervisor.sandbox.networks import Wire, make_network
from greenroom.supervisor.sandbox.simulator import migrated, quiet
from greenroom.supervisor.sandbox.world import World

if TYPE_CHECKING:
    from greenroom.actors.ports import Agent, Summarise
    from greenroom.platforms.fakes.chat_server import ChatMessage

T = TypeVar("T")

REST_S = 90_000.0
"""Virtual seconds in which a story must come to rest."""


class NeverRestsError(AssertionError):
    """The process was busy for a virtual day: it goes round in circles."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; its columns are attributes."""

    columns: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        """Read a column."""
        try:
            return self.columns[name]
        except KeyError:
            raise AttributeError(name) from None


class Scenario:
    """See the module. A `chat` is a number from 1, or a whole key; chats of all numbers exist on each platform.

    `platforms` gives the delivery class of each platform; they are called p1, p2, ... A new story has booted.
    """

    def __init__(
        self,
        agent: Agent | None = None,
        *,
        policy: Policy | None = None,
        platforms: Sequence[DeliveryClass] = (DeliveryClass.EDIT_ANCHOR,),
        chats: int = 3,
        text_max: int = 4096,
        buttons: bool = False,
        seed: int = 1,
        summarise: Summarise | None = None,
    ) -> None:
        networks = tuple(
            make_network(f"p{n}", each, chats, text_max=text_max, edit_min_s=0.0, buttons=buttons)
            for n, each in enumerate(platforms, 1)
        )
        self.world = World(networks, migrated().reboot(Loss.NOTHING, seed=seed), history=[])
        self.policy = policy or Policy()
        self.agent: Agent = agent or ScriptedAgent(self.world)
        self.accidents = Accidents()
        self.life: Life | None = None
        self.summarise = summarise
        self._seed = seed
        self._boots = 0
        self._stage = ExitStack()

    def __enter__(self) -> Self:
        """Boot."""
        for each in (quiet(), self.accidents.planted(), self.world.archive.planted(self.world)):
            self._stage.enter_context(each)
        try:
            self.boot()
        except BaseException:  # Invariant: a scenario that does not begin leaves nothing behind either.
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing behind."""
        try:
            if self.life is not None:
                self.life.end()
            self.world.disk.unmount()
        finally:
            self._stage.__exit__(kind, error, traceback)

    # -- people ----------------------------------------------------------------------------------------------------

    def chat(self, chat: int | SessionKey = 1) -> SessionKey:
        """The key of a chat."""
        return chat if isinstance(chat, SessionKey) else SessionKey("p1", "bot", f"chat{chat}")

    def says(
        self, text: str, chat: int | SessionKey = 1, *, id: str | None = None, attachments: Sequence[Attachment] = ()
    ) -> str:
        """A person writes; returns the update's id. The same id again is the same message, delivered again."""
        update_id = id or f"u{len(self.world.said) + 1}"
        self.world.say(self.chat(chat), update_id, text, tuple(attachments))
        return update_id

    def presses(self, message_id: str, text: str, chat: int | SessionKey = 1) -> str:
        """A person presses a button under a message of the bot, however old; returns the update's id."""
        update_id = f"u{len(self.world.said) + 1}"
        self.world.press(self.chat(chat), message_id, update_id, text)
        return update_id

    def edits(self, of: str, text: str, *, id: str | None = None) -> str:
        """A person changes what was said as the update `of`; returns the update's id."""
        update_id = id or f"e{len(self.world.said) + 1}"
        self.world.change(update_id, of, Change.EDIT, text)
        return update_id

    def deletes(self, of: str, *, id: str | None = None) -> str:
        """A person takes back what was said as the update `of`; returns the update's id."""
        update_id = id or f"d{len(self.world.said) + 1}"
        self.world.change(update_id, of, Change.DELETE)
        return update_id

    # -- the process -----------------------------------------------------------------------------------------------

    def boot(self, *, unreachable: Sequence[int] = ()) -> Life:
        """Start the process; the one before must have ended. `unreachable` platforms are down until `connects`."""
        if self.life is not None:
            msg = "the process lives; end it with crash() or drain() first"
            raise RuntimeError(msg)
        self._boots += 1
        seed = self._seed * 1_000 + self._boots
        self.life = Life(self.world, seed, self.agent, self.policy, summarise=self.summarise)
        for platform in unreachable:
            self.wire(platform).reachable = False
        return self.life

    def crash(self, loss: Loss = Loss.NOTHING) -> None:
        """Kill the process now (it may be dead already). `loss` other than NOTHING: the machine lost its power."""
        if self._living().lives():
            self.world.kill("crash")
        if loss is not Loss.NOTHING:
            self.world.power_fails()
        self._bury(loss)

    def drain(self, intent: Intent = Intent.RESTART, *, within_s: float = 120.0) -> bool:
        """Let the process end in order; True if it did within this time. It has ended either way."""
        life = self._living()
        life.intent = intent
        life.core.drain(intent)
        life.run(self.world.now + within_s, 1_000_000)
        drained = life.over == "drained"
        self._bury(Loss.NOTHING)
        return drained

    def order_drain(self, intent: Intent = Intent.RESTART) -> None:
        """Order the drain and go on; `crash` or `drain` afterwards ends the process."""
        self._living().intent = intent
        self._living().core.drain(intent)

    def stays_down(self, seconds: float) -> None:
        """Let time pass without a process."""
        self.world.began += seconds
        self.world.wall += seconds

    def given(self, sql: str, *bindings: Any) -> None:
        """Change rows while no process lives: a past that no story leads to, or that another version left."""
        if self.life is not None:
            msg = "the process lives; what it knows by heart would not change. End it with crash() or drain() first"
            raise RuntimeError(msg)
        db = apsw.Connection(PATH, vfs=self.world.disk.vfs_name)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute(sql, bindings)
        finally:
            db.close()

    def restart(self, loss: Loss = Loss.NOTHING, *, after_s: float = 1.0) -> None:
        """Kill the process and start it again."""
        self.crash(loss)
        self.stays_down(after_s)
        self.boot()

    # -- time ------------------------------------------------------------------------------------------------------

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and everything happen that happens in it."""
        self._living().run(self.world.now + seconds, 1_000_000)

    def steps(self, count: int) -> int:
        """Let so many single things happen; fewer are returned if the process came to rest or died."""
        return self._living().run(None, count)

    def rest(self) -> None:
        """Go on until the process has nothing to do and no timer is armed. Raises NeverRestsError."""
        life, ends_at = self._living(), self.world.now + REST_S
        while life.lives() and life.run(None, 1_000):
            if self.world.now > ends_at:
                raise NeverRestsError(f"busy for {REST_S:.0f} virtual seconds")

    def until(self, happened: Callable[[], object], *, within_s: float = REST_S) -> None:
        """Go on, step by step, until something is so. Raises NeverRestsError."""
        life, ends_at = self._living(), self.world.now + within_s
        while not happened():
            if not life.lives() or self.world.now > ends_at or not life.run(None, 1):
                raise NeverRestsError("it did not happen")

    def host_sleeps(self, seconds: float) -> None:
        """Suspend the whole machine: time goes on, nothing runs, and all timers are late afterwards."""
        self.world.sleeps.append((self._living().runtime.clock.now(), seconds))
        self.world.late.outlast(seconds)

    def jump_wall(self, seconds: float) -> None:
        """Set the wall clock forward or back."""
        self._living().runtime.jump_wall(seconds)

    # -- faults ----------------------------------------------------------------------------------------------------

    def wire(self, platform: int = 1) -> Wire:
        """This process's client of a platform; `faults`, `calls` and `choose` are its switches."""
        return self.world.wires[platform - 1]

    def platform_fails(self, *faults: PlatformFault | None, platform: int = 1) -> None:
        """Let the next calls to a platform fail like this, one each; None works."""
        self.wire(platform).faults.extend(faults)

    def disconnects(self, platform: int = 1) -> None:
        """Cut a platform off, as it notices itself."""
        door = self.wire(platform).door
        if door is not None:
            door.disconnected("the network is gone")

    def connects(self, platform: int = 1) -> None:
        """Join it again, or for the first time."""
        wire = self.wire(platform)
        if not wire.reachable:
            wire.reach()
        elif wire.door is not None:
            wire.door.connected()

    def disk_fails(self, kind: FaultKind, op: Op | None = None, *, nth: int = 1, times: int | None = 1) -> None:
        """Let disk operations fail from now on; `times=None` until `disk_heals`. CUT kills the process there.

        A lock is taken when the file is opened, and kept: BUSY is met by the next boot, or after an I/O error.
        """
        fault = Fault(kind, op, nth=nth, times=times)
        self.world.disk.inject(fault)
        if kind is FaultKind.SLOW:  # What happens during a commit is heard after it: promises know, as in a seed.
            self.world.planned[fault] = "disk: slow for a while"

    def disk_heals(self) -> None:
        """Take all faults of the disk away."""
        self.world.disk.heal()

    def accident(self, accident: Accident) -> None:
        """Let an actor raise at its next message."""
        self.accidents.plan(accident)

    # -- what is true ----------------------------------------------------------------------------------------------

    def visible(self, chat: int | SessionKey = 1) -> list[str]:
        """What the person reads of the bot, oldest first."""
        key = self.chat(chat)
        return self.world.network_of(key).server.texts(key)

    def messages(self, chat: int | SessionKey = 1) -> list[ChatMessage]:
        """The bot's messages with their whole history, oldest first."""
        key = self.chat(chat)
        return self.world.network_of(key).server.visible(key)

    def effects(self, policy: str, chat: int | SessionKey = 1) -> int:
        """How often tools of this policy took effect for a chat (scripted agent)."""
        key = str(self.chat(chat))
        return sum(count for (where, how, _), count in self.world.effects.items() if (where, how) == (key, policy))

    def transcript(self, chat: int | SessionKey = 1) -> list[Row]:
        """The rows of `messages`, oldest first."""
        return self.of_session("messages", chat, order="seq")

    def runs(self, chat: int | SessionKey = 1) -> list[Row]:
        """The rows of `runs`, oldest first."""
        return self.of_session("runs", chat)

    def decisions(self, chat: int | SessionKey = 1) -> list[str]:
        """The rules of all resume decisions, oldest first."""
        return [row.rule for row in self.of_session("decisions", chat)]

    def deliveries(self, chat: int | SessionKey = 1) -> list[Row]:
        """The rows of `deliveries`, oldest first."""
        return self.of_session("deliveries", chat)

    def inbox(self, chat: int | SessionKey = 1) -> list[Row]:
        """The rows of `inbox`, oldest first."""
        return self.of_session("inbox", chat)

    def of_session(self, table: str, chat: int | SessionKey = 1, *, order: str = "id") -> list[Row]:
        """All rows of a table that belong to a chat's session."""
        belongs = "session_id IN (SELECT id FROM sessions WHERE key = ?)"
        return self.rows(f"SELECT * FROM {table} WHERE {belongs} ORDER BY {order}", str(self.chat(chat)))  # noqa: S608

    def rows(self, sql: str, *bindings: Any) -> list[Row]:
        """Read from the store: through the living process, or from the disk that it left."""

        def read(db: apsw.Connection) -> list[Row]:
            cursor = db.execute(sql, bindings)
            found = cursor.fetchall()
            if not found:
                return []
            names = [column[0] for column in db.execute(sql, bindings).description]
            return [Row(dict(zip(names, row, strict=True))) for row in found]

        return self._look(read)

    def broken(self, *, at_rest: bool = True) -> list[Violation]:
        """The promises that are not kept. `at_rest`: also those that hold only when everything is done."""
        checks = AT_THE_END if at_rest else AFTER_BOOT
        seen = [Violation(*mistake.split(": ", 1)) for mistake in self.world.mistakes]
        return [*seen, *self._look(lambda db: check(checks, db, self.world))]

    def history(self) -> str:
        """Everything that happened, one line each: for the message of a failing test."""
        return "\n".join(str(each) for each in self.world.history or ())

    # -- inside ----------------------------------------------------------------------------------------------------

    def _look(self, fn: Callable[[apsw.Connection], T]) -> T:
        if self.life is not None and self.life.lives():
            answer = self.life.look(fn)
            if answer is not None:
                return answer
        with self.world.disk.reboot(Loss.NOTHING) as copy:
            return _read_copy(copy, fn)

    def _living(self) -> Life:
        if self.life is None:
            msg = "no process lives; start one with boot()"
            raise RuntimeError(msg)
        return self.life

    def _bury(self, loss: Loss) -> None:
        self._living().end(loss)
        self.life = None
        self.accidents.clear()


def _read_copy(copy: Disk, fn: Callable[[apsw.Connection], T]) -> T:
    db = open_reader(PATH, vfs=copy.vfs_name)
    try:
        return fn(db)
    finally:
        db.close()


__all__ = [
    "Accident",
    "Attachment",
    "DeliveryClass",
    "FaultKind",
    "Intent",
    "InterruptReason",
    "Loss",
    "NeverRestsError",
    "PlatformFault",
    "Policy",
    "Row",
    "Scenario",
    "SessionKey",
]
