"""`greenroom up`: one life of the daemon, from the configuration to an exit code.

The main thread only waits: for signals, for the supervisor's failure, for the drain. Sessions, storage and platforms
live on the supervisor's own threads, so that a hung agent never keeps this thread from hearing the second signal.
"""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from greenroom.actors.ports import Summarise
from greenroom.actors.store import GroupCommitted, OwnerNow
from greenroom.storage.lock import Held, read_holder
from greenroom.storage.trouble import Trouble
from greenroom.supervisor.daemon.boot_report import describe_connections, describe_recovery, is_settled
from greenroom.supervisor.daemon.composing import load_agent, load_summariser, make_metrics, make_web
from greenroom.supervisor.daemon.config import Config
from greenroom.supervisor.daemon.control import taking_orders
from greenroom.supervisor.daemon.exporting import make_exported
from greenroom.supervisor.daemon.finding import Backlog, read_backlog, read_found
from greenroom.supervisor.daemon.logs import set_up_logs
from greenroom.supervisor.daemon.obeying import obey
from greenroom.supervisor.daemon.offering import make_platforms, read_platforms
from greenroom.supervisor.daemon.orders import Orders
from greenroom.supervisor.daemon.readiness import Readiness
from greenroom.supervisor.daemon.reloading import Reloader
from greenroom.supervisor.daemon.sd_notify import Notifier
from greenroom.supervisor.daemon.secrets_of import find_secrets
from greenroom.supervisor.daemon.shelf import Wanted
from greenroom.supervisor.daemon.viewing import make_view
from greenroom.supervisor.daemon.vigil import describe_standing, keep_vigil
from greenroom.supervisor.daemon.waiting import describe_waiting
from greenroom.supervisor.drain import forced_end_s
from greenroom.supervisor.feed import Feed
from greenroom.supervisor.history import StoreHistory
from greenroom.supervisor.recovery import Decided
from greenroom.supervisor.supervisor import AsyncRoom, Supervisor
from greenroom.supervisor.version import VERSION

DONE, FAILED = 0, 1

DECIDE_S = 30.0
"""How long the report waits for the decisions about interrupted work; serving does not wait for it."""

CONNECT_S = 3.0
"""How long it waits for platforms to connect, since work that waits for them is decided then."""

OWNER_LOOK_S = 5.0
"""How soon an idle process notices that another one has taken over; a busy one notices at once."""

LOOK_S = 0.1
SAY_EVERY_S = 5.0
HURRY_S = 5.0
"""After a second signal the process ends within this, whatever is stuck. That is safe: all acknowledged is on disk."""

STARTING = "starting"

Minds = tuple[Callable[..., Any], Summarise | None]
"""The host's own functions: the agent, and what summarises for it."""

logger = logging.getLogger("greenroom.daemon")


def say(text: str) -> None:
    """Tell the operator on stdout; one who has closed it is told nothing, and the daemon lives on."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(f"greenroom: {text}\n")
        sys.stdout.flush()


def serve(config: Config, *, named: Path | None = None) -> int:
    """Serve until told to stop, and return the exit code. `named` is the file that SIGHUP reads again.

    Raises ConfigError, Held, CannotOpen, ListenError before anything is served.
    """
    set_up_logs(config.log, secrets=[found.secret for found in find_secrets(config)])
    faulthandler.enable()
    if holder := read_holder(config.database):
        raise Held(config.database, holder)
    wanted, minds = read_platforms(config), (load_agent(config), load_summariser(config))
    return asyncio.run(_Life(config, minds, wanted, named).live())


class _Life:
    """What one life of the daemon holds together. Everything here runs on the main thread's loop."""

    def __init__(self, config: Config, minds: Minds, wanted: list[Wanted], named: Path | None) -> None:
        self._config = config
        self._loop: asyncio.AbstractEventLoop | None = None
        self._began = asyncio.Event()
        self._orders = Orders()
        self._reloader = Reloader(config, named)
        self._feed, self._metrics, self._exported = Feed(), make_metrics(config), make_exported()
        agent, summarise = minds
        self._supervisor = Supervisor(
            config.database,
            agent=agent,
            policy=config.policy,
            summarise=summarise,
            on_began=self._hear_began,
            on_trouble=self._hear_trouble,
            on_committed=self._hear_committed,
        )
        self._readiness = Readiness()
        self._notifier = Notifier()
        self._doing = STARTING  # in words, for the service manager
        self._room: AsyncRoom | None = None
        history = StoreHistory(lambda: self._supervisor.store)
        self._platforms = make_platforms(wanted, config.database.parent, history)
        self._promises = [each.settings.promise for each in wanted]
        self._web = make_web(config, history, self._readiness.problem)
        self._view = make_view(config, self._feed, self._readiness.problem, self._metrics)

    async def live(self) -> int:
        self._loop = asyncio.get_running_loop()
        backlog = read_backlog(self._config.database)
        address = None if self._web is None else self._web.bind()
        try:
            view = None if self._view is None else self._view.bind()
            with self._orders.taken(on_reload=self._reload, on_dump=self._dump):
                hurrying = asyncio.create_task(self._hurry_if_told())  # Also what opens may be stuck.
                async with self._viewing(), self._supervisor as room:
                    self._room = room
                    vigil = asyncio.create_task(
                        keep_vigil(self._readiness, self._notifier, partial(self._stands, room))
                    )
                    carry_out = partial(obey, room, self._orders, ready=self._readiness.problem, feed=self._feed)
                    async with taking_orders(self._config.database, carry_out):
                        if self._view is not None:
                            self._view.opened(room, carry_out)
                        code = await self._serve(room, address, view, backlog)
                    self._supervisor.intent = self._orders.intent
                    began = time.monotonic()
                    telling = asyncio.create_task(self._tell_waiting())
                for task in (hurrying, telling, vigil):
                    task.cancel()
        finally:
            if self._exported is not None:
                await asyncio.to_thread(self._exported.close)
            for server in (self._web, self._view):
                if server is not None:
                    server.close()
        if self._orders.hurry.is_set():
            return FAILED
        if code == DONE:
            say(f"stopped after {time.monotonic() - began:.1f} s; nothing is lost, the next start goes on from here")
        return code

    def _viewing(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Serve the live view, if there is one: it shows the opening and the drain, too."""
        return contextlib.nullcontext() if self._view is None else self._view.serving()

    async def _serve(self, room: AsyncRoom, address: str | None, view: str | None, backlog: Backlog) -> int:
        """Attach, report, and wait for the end; the drain follows when the caller leaves the room."""
        for platform, promise in zip(self._platforms, self._promises, strict=True):
            room.attach(platform, promise=promise)
        if self._web is not None:
            room.attach(self._web)
        self._supervisor.serve_at(address)
        gc.freeze()
        self._readiness.begin(room.pulse)
        if self._metrics is not None:
            self._metrics.watch(room, self._config.database, ready=lambda: self._readiness.last)
        say(f"{VERSION}, pid {os.getpid()}, database {self._config.database}")
        for line in await self._report(room, backlog):
            say(line)
        if view is not None and self._view is not None:
            say(f"the live view is at {view}{self._view.where_token_is}")
        self._doing = f"serving at {address}" if address else "serving; the web chat is switched off"
        say(self._doing)
        self._notifier.ready(self._stands(room))
        stop = asyncio.create_task(self._orders.stop.wait())
        failure = asyncio.create_task(room.failure())
        owning = asyncio.create_task(self._keep_owning())
        await asyncio.wait({stop, failure, owning}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        owning.cancel()
        self._end_of_serving()
        # The C thread of faulthandler ends the process even if no Python runs any more.
        faulthandler.dump_traceback_later(self._end_s, exit=True, file=sys.stderr)
        if failure.done():
            self._doing = f"cannot go on: {failure.result()}"
            say(self._doing)
            self._notifier.tell(status=self._doing)
            return FAILED
        failure.cancel()
        say(f"stopping: running work gets {self._config.policy.drain_s:g} s to finish; again to end at once")
        return DONE

    def _end_of_serving(self) -> None:
        self._readiness.end()
        self._doing = "stopping: running work may finish"
        self._notifier.stopping(self._end_s, self._doing)

    @property
    def _end_s(self) -> float:
        """Within how long it ends, whatever is stuck."""
        return forced_end_s(self._config.policy)

    def _stands(self, room: AsyncRoom) -> str:
        return describe_standing(self._doing, room.connections())

    async def _report(self, room: AsyncRoom, backlog: Backlog) -> list[str]:
        """Say what was recovered, once it is decided: platforms that connect at once are waited for."""
        store = self._supervisor.store
        assert store is not None  # noqa: S101 - this is called inside the room
        decided_or_told = [asyncio.ensure_future(each.wait()) for each in (self._began, self._orders.stop)]
        await asyncio.wait(decided_or_told, timeout=DECIDE_S, return_when=asyncio.FIRST_COMPLETED)
        for each in decided_or_told:
            each.cancel()
        give_up_at = time.monotonic() + CONNECT_S
        while True:
            found = await asyncio.to_thread(read_found, self._config.database, store.epoch, store.boots, backlog)
            connections = room.connections()
            given_up = self._orders.stop.is_set() or time.monotonic() >= give_up_at
            if given_up or is_settled(found, connections):
                named = {each.name for each in self._platforms}  # The web chat says itself where it is served.
                mine = [each for each in connections if each.platform in named]
                return [*describe_recovery(found), *describe_connections(mine)]
            await asyncio.sleep(LOOK_S)

    async def _keep_owning(self) -> None:
        """Ask now and then whose the store is: overtaken while it was frozen, an idle process would else never know.

        The answer is heard by the store itself, which tells the supervisor.
        """
        while True:
            if (store := self._supervisor.store) is not None:
                store.read(OwnerNow(), _ignore)
            await asyncio.sleep(OWNER_LOOK_S)

    def _hear_began(self, _decided: tuple[Decided, ...]) -> None:
        """Called on an inner thread, again whenever the store was opened anew."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # The loop is closed: there is nobody to tell.
                self._loop.call_soon_threadsafe(self._began.set)

    async def _tell_waiting(self) -> None:
        """While the drain lasts, say what it waits for."""
        began = time.monotonic()
        while True:
            await asyncio.sleep(SAY_EVERY_S)
            what = await asyncio.to_thread(describe_waiting, self._config.database)
            self._doing = f"stopping: {what}"
            say(f"{what} ({time.monotonic() - began:.0f} s of {self._config.policy.drain_s:g} s)")

    async def _hurry_if_told(self) -> None:
        """A second signal: let go of what runs, and end within HURRY_S."""
        await self._orders.hurry.wait()
        say(f"told again: ending at once, exit code {FAILED}; what runs is marked and goes on at the next start")
        self._supervisor.hurry()
        await asyncio.sleep(HURRY_S)
        os._exit(FAILED)

    def _hear_committed(self, group: GroupCommitted) -> None:
        """Called on the storage thread."""
        self._feed.hear(group)
        for follower in (self._metrics, self._exported):
            if follower is not None:
                follower.hear(group)
        if self._view is not None:
            self._view.hear(group)

    def _hear_trouble(self, trouble: Trouble | None) -> None:
        """Called on a storage thread."""
        if trouble is None:
            logger.warning("the disk takes writes again; everything that waited is being stored")
        else:
            logger.error(trouble.text)
        self._readiness.hear_trouble(trouble)
        if self._web is not None:
            self._web.announce(None if trouble is None else f"cannot save right now: {trouble.brief}")

    def _reload(self) -> None:
        if self._room is None:
            say("the configuration is being read; ask again when greenroom serves")
            return
        started = self._doing != STARTING
        if started:
            self._notifier.reloading()
        for line in self._reloader.reload(self._room.admit):
            say(line)
        if started:
            self._notifier.ready(self._doing)

    def _dump(self) -> None:
        """The threads' stacks are on stderr already; say what the sessions do."""
        say(f"dump: {describe_waiting(self._config.database)}; the stacks of all threads are on stderr")


def _ignore(_: object) -> None:
    """Whoever has to know is told by the store."""
