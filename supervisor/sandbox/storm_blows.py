"""What is done to the daemon in a storm: each blow leaves one daemon that serves."""

from __future__ import annotations

import asyncio
import random

from greenroom.supervisor.sandbox.storm_daemon import Daemon
from greenroom.supervisor.sandbox.storm_processes import living_processes, outliving
from greenroom.supervisor.sandbox.storm_servers import Server
from greenroom.supervisor.sandbox.storm_tally import Tally

FROZEN_S = 1.0
BOOT_S = 0.8
"""So long at most a daemon lives that is killed while it starts."""

SECOND_S = 30.0
"""How long a second daemon may take to refuse."""


class Blows:
    """Strikes one daemon, and the chat server if there is one. Raises NotReadyError if it does not come up again."""

    def __init__(self, daemon: Daemon, server: Server | None, tally: Tally, rng: random.Random) -> None:
        """`rng` says which blow falls, and when in it."""
        self._daemon, self._server, self._tally, self._rng = daemon, server, tally, rng
        self._blows = {self._kill: 16, self._kill_in_boot: 4, self._freeze: 2, self._drain: 2}
        if server is not None:
            self._blows[self._kill_server] = 8

    async def strike(self) -> None:
        """Do something bad to it, and return when it serves again."""
        (blow,) = self._rng.choices(tuple(self._blows), tuple(self._blows.values()))
        await blow()
        self._tally.boots = self._daemon.boots

    async def _kill(self) -> None:
        began = _now()
        await self._daemon.kill()
        self._tally.kills += 1
        await self._start_again(began)

    async def _kill_in_boot(self) -> None:
        await self._daemon.kill()
        await self._daemon.launch()
        await asyncio.sleep(self._rng.random() * BOOT_S)
        began = _now()
        await self._daemon.kill()
        self._tally.kills += 2
        self._tally.kills_in_boot += 1
        await self._start_again(began)

    async def _start_again(self, began: float) -> None:
        """Start it; what its agents left running is ended then."""
        left = living_processes(self._daemon.folder)
        await self._daemon.start()
        self._tally.recovered(_now() - began)
        self._tally.orphans += len(left)
        if alive := await outliving(self._daemon.folder, left):
            self._tally.violations.append(f"{len(alive)} processes outlive the start after their daemon's death")

    async def _freeze(self) -> None:
        """Freeze it, and start a second one on the same file: that one must refuse, and name the holder."""
        self._daemon.freeze()
        self._tally.freezes += 1
        try:
            code, said = await self._daemon.run("up", timeout_s=SECOND_S)
        except TimeoutError:
            code, said = 0, "it served"
        await asyncio.sleep(self._rng.random() * FROZEN_S)
        self._daemon.thaw()
        if code == 1 and f"pid {self._daemon.pid}," in said:
            self._tally.second_daemons_refused += 1
        else:
            self._tally.violations.append(f"a second daemon on the same file was not refused: exit {code}, {said}")

    async def _drain(self) -> None:
        self._tally.drains += 1
        self._tally.violations += await end_in_order(self._daemon)
        await self._daemon.start()

    async def _kill_server(self) -> None:
        if self._server is not None:
            await self._server.kill()
            self._tally.server_kills += 1
            await asyncio.sleep(self._rng.random() * FROZEN_S)
            await self._server.start()


async def end_in_order(daemon: Daemon) -> list[str]:
    """SIGTERM: it ends with 0, and so do all processes that its agents started."""
    wrong = []
    if (code := await daemon.stop()) != 0:
        wrong.append(f"after SIGTERM it ended with {code}: {daemon.said[-5:]}")
    if alive := living_processes(daemon.folder):
        wrong.append(f"{len(alive)} processes outlive an orderly end")
    return wrong


def _now() -> float:
    return asyncio.get_running_loop().time()
