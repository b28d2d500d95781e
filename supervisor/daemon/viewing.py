"""The live view as the daemon serves it: on a port of its own, on the daemon's own loop, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from greenroom.actors.atomic import replace_file
from greenroom.platforms.chats.secret import FileSecret
from greenroom.supervisor.daemon.config import Config
from greenroom.supervisor.daemon.config_judge import is_local
from greenroom.supervisor.daemon.config_problems import ConfigError, Spot, install
from greenroom.supervisor.view.hour import Hour
from greenroom.supervisor.view.lately import Lately

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from greenroom.actors.model import SessionId
    from greenroom.actors.outbox_words import OutboxStatus
    from greenroom.actors.runtime import Depth
    from greenroom.actors.store import GroupCommitted
    from greenroom.platforms.chats.web.server import ListeningPort
    from greenroom.supervisor.connections import Connection
    from greenroom.supervisor.feed import Feed
    from greenroom.supervisor.metrics import Metrics
    from greenroom.supervisor.view.desk import Desk, Viewed

logger = logging.getLogger("greenroom.daemon")

CREDENTIAL = "view-token"
"""The credential of systemd (`LoadCredential=view-token:/path`) that is taken for the token."""

NOT_NOW = "greenroom is starting, or ends; try again"

Obey = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]


class LiveView:
    """Serves from `serving` on; what it can show and do of the room it can from `opened` on."""

    def __init__(
        self, config: Config, feed: Feed, ready: Callable[[], Awaitable[str | None]], metrics: Metrics | None = None
    ) -> None:
        """Prepare; nothing is opened before `bind`. Raises ConfigError where its libraries are not installed."""
        self._config, self._feed, self._ready, self._metrics = config, feed, ready, metrics
        self._room: Viewed | None = None
        self._obey: Obey | None = None
        self._hour = Hour()
        self._lately = Lately()
        self._port: ListeningPort = _port(config)
        self._token = SecretStr("")
        self.where_token_is = ""
        """The end of the line that says where the view is: the token's file, where one is made."""

    def bind(self) -> str:
        """Open the socket, and find or make the token; returns the address. Raises ListenError, ConfigError."""
        self._port.bind()
        try:
            self._token = self._find_token()
        except (OSError, ValueError) as error:
            self.close()
            spot = Spot(self._config.origin("view", "enabled"), "view.token")
            raise ConfigError([spot.say(f"none can be read or kept: {error}; write token = 'env:VARIABLE'")]) from error
        return f"{self._port.url}/"

    def close(self) -> None:
        """Close the socket of a `bind` that no `serving` followed. Harmless when repeated."""
        self._port.close()

    def opened(self, room: Viewed, obey: Obey) -> None:
        """There is a room from now on."""
        self._room, self._obey = room, obey

    def hear(self, group: GroupCommitted) -> None:
        """Take in what a commit made true. Called on the storage thread."""
        self._hour.hear(group)
        self._lately.hear(group)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve within this block."""
        from greenroom.platforms.chats.web.server import serving  # noqa: PLC0415 - an extra
        from greenroom.supervisor.view.app import make_app  # noqa: PLC0415

        loop, one_thread = asyncio.get_running_loop(), ThreadPoolExecutor(1, thread_name_prefix="greenroom-view")

        async def aside(work: Callable[[], Any]) -> Any:
            return await loop.run_in_executor(one_thread, work)

        desk = self._make_desk(aside)
        try:
            async with serving(make_app(desk, self._further(aside)), self._port.take()):
                yield
        finally:
            await desk.reading.close()
            one_thread.shutdown(wait=False)

    def _further(self, aside: Callable[[Callable[[], Any]], Awaitable[Any]]) -> list[BaseRoute]:
        """What is not for people."""
        from greenroom.supervisor.metrics import CONTENT_TYPE  # noqa: PLC0415 - an extra
        from greenroom.supervisor.view.metering import metrics_route  # noqa: PLC0415 - the same

        return [] if self._metrics is None else [metrics_route(partial(aside, self._metrics.text), CONTENT_TYPE)]

    def _make_desk(self, aside: Callable[[Callable[[], Any]], Awaitable[Any]]) -> Desk:
        from greenroom.platforms.chats.web.guard import AllowedHosts  # noqa: PLC0415 - an extra
        from greenroom.supervisor.view.desk import Desk  # noqa: PLC0415
        from greenroom.supervisor.view.reading import Reading  # noqa: PLC0415
        from greenroom.supervisor.view.sign_ins import SignIns  # noqa: PLC0415

        view, database = self._config.view, self._config.database
        return Desk(
            database=database,
            text_max=self._config.policy.text_max,
            sign_ins=SignIns(self._token, now=time.monotonic, draw=lambda: secrets.token_urlsafe(32)),
            hosts=AllowedHosts(view.host, view.hosts),
            feed=self._feed,
            reading=Reading(database, self._feed, aside, time.monotonic),
            now=time.time,
            draw=secrets.token_hex,
            hour=self._hour,
            lately=self._lately,
            connections=self._say_connections,
            outboxes=partial(aside, self._say_outboxes),
            timers=self._say_timers,
            depths=self._say_depths,
            ready=self._ready,
            obey=self._order,
        )

    def _say_connections(self) -> tuple[Connection, ...]:
        return () if self._room is None else tuple(self._room.connections())

    def _say_outboxes(self) -> Mapping[str, OutboxStatus]:
        return {} if self._room is None else self._room.outboxes()

    async def _say_timers(self, session_id: SessionId) -> Mapping[str, float]:
        try:
            return {} if self._room is None else await self._room.timers(session_id)
        except TimeoutError:
            return {}

    def _say_depths(self) -> Mapping[str, Depth]:
        return {} if self._room is None else self._room.depths()

    async def _order(self, order: dict[str, Any]) -> Mapping[str, Any]:
        return {"problem": NOT_NOW} if self._obey is None else await self._obey(order)

    def _find_token(self) -> SecretStr:
        """The token that opens the view: configured, given by systemd, or kept beside the database."""
        if self._config.view.token is not None:
            return self._config.view.token
        if (given := os.environ.get("CREDENTIALS_DIRECTORY")) and (Path(given) / CREDENTIAL).exists():
            return FileSecret(Path(given) / CREDENTIAL)
        path = token_path(self._config.database)
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, f"{secrets.token_urlsafe(32)}\n".encode())
        self.where_token_is = f"; its token is in {path}"
        return FileSecret(path)


def token_path(database: Path) -> Path:
    """Where a token is kept that nobody configured."""
    resolved = database.resolve()
    return resolved.with_name(resolved.name + ".view-token")


def make_view(
    config: Config, feed: Feed, ready: Callable[[], Awaitable[str | None]], metrics: Metrics | None = None
) -> LiveView | None:
    """Make the live view, if it is switched on. Raises ConfigError where its libraries are not installed."""
    if not config.view.enabled:
        return None
    if not is_local(config.view.host):
        logger.warning(
            "the live view listens on %s, where its token can be read on the way: a proxy that speaks TLS hides it",
            config.view.host,
        )
    return LiveView(config, feed, ready, metrics)


def _port(config: Config) -> ListeningPort:
    try:
        import jinja2  # noqa: F401, PLC0415 - an extra

        from greenroom.platforms.chats.web.server import ListeningPort  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        spot = Spot(config.origin("view", "enabled"), "view.enabled")
        problem = f"the live view needs {error.name}; {install('web')}; or write enabled = false"
        raise ConfigError([spot.say(problem)]) from error
    return ListeningPort(config.view.host, config.view.port)
