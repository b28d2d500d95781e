"""One life of the agent's process: what it can do, which prompts are under way in it, and its end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from acp import PROTOCOL_VERSION, RequestError, schema
from acp.core import ClientSideConnection

from greenroom.platforms.agents.acp.exchange import CANCELLED, Exchange, Request
from greenroom.platforms.agents.acp.prompts import Block
from greenroom.platforms.agents.acp.settings import AcpSettings
from greenroom.platforms.agents.acp.wire import ChildWire
from greenroom.platforms.processes.child import ChildProgram

logger = logging.getLogger("greenroom.agent.acp")

CANCEL_S = 0.6
"""How long a run that is cancelled waits for the agent to end its prompt."""

TOLD_S = 0.2
"""How long it may take to tell it so."""


class NotThisProtocolError(Exception):
    """The agent speaks another version of the protocol."""


class SessionTooSlowError(Exception):
    """The agent did not open a session in time; it was ended."""


class _Client:
    """What the agent may ask of us: to show what it does, and for permission. No files, no terminals."""

    def __init__(self, exchanges: dict[str, Exchange]) -> None:
        self._exchanges = exchanges

    async def session_update(self, session_id: str, update: Any, **_: Any) -> None:
        exchange = self._exchanges.get(session_id)
        if exchange is not None:  # Else it is the past of a session that is loaded, or of a prompt that is over.
            exchange.hear(update)

    async def request_permission(
        self, session_id: str, tool_call: schema.ToolCallUpdate, options: list[schema.PermissionOption], **_: Any
    ) -> schema.RequestPermissionResponse:
        exchange = self._exchanges.get(session_id)
        return CANCELLED if exchange is None else await exchange.put(Request(tool_call, options))


class Live:
    """A child that was started, and the connection to it. Used on one loop."""

    def __init__(self, child: ChildProgram, settings: AcpSettings) -> None:
        """Listen to it; it was not greeted yet."""
        self._child, self._settings = child, settings
        self._exchanges: dict[str, Exchange] = {}
        self._prompts: dict[str, asyncio.Task[schema.PromptResponse]] = {}
        self._unruly: set[asyncio.Task[None]] = set()
        self._closing = False
        self.wire = ChildWire(child, lambda: self.at_work)
        self.connection = ClientSideConnection(_Client(self._exchanges), self.wire)  # type: ignore[arg-type]  # partly
        self.can = schema.AgentCapabilities()
        self._watch = asyncio.create_task(self._bury(), name="the end of the acp agent")

    @property
    def alive(self) -> bool:
        """Whether it can be told anything."""
        return not (self._closing or self.wire.over.is_set() or self._child.ended)

    @property
    def at_work(self) -> int:
        """Prompts that are under way for somebody."""
        return len(self._exchanges)

    async def greet(self) -> None:
        """Learn what it can do, and sign in where that is wanted. Raises what the connection raises."""
        hello = await self.connection.initialize(
            protocol_version=PROTOCOL_VERSION,
            client_capabilities=schema.ClientCapabilities(),
            client_info=schema.Implementation(name="greenroom", version="1"),
        )
        if hello.protocol_version != PROTOCOL_VERSION:
            msg = f"it speaks version {hello.protocol_version} of the protocol, and not {PROTOCOL_VERSION}"
            raise NotThisProtocolError(msg)
        self.can = hello.agent_capabilities or self.can
        if self._settings.auth_method:
            await self.connection.authenticate(method_id=self._settings.auth_method)

    @property
    def resumes(self) -> bool:
        """Whether a session of an earlier life can be gone on with."""
        return self._can_resume or bool(self.can.load_session)

    async def open(self, cwd: str, known: str | None) -> str:
        """Go on with a session, or begin one: its id. Raises what the connection raises, and SessionTooSlowError."""
        try:
            async with asyncio.timeout(self._settings.session_s):
                goes_on = known is not None and self.resumes and await self._go_on(cwd, known)
                session_id = known if known is not None and goes_on else await self._begin(cwd)
                await self._choose_mode(session_id)
                return session_id
        except TimeoutError as error:
            self.discard("it did not open a session in time")
            raise SessionTooSlowError from error

    async def _begin(self, cwd: str) -> str:
        return (await self.connection.new_session(cwd=cwd, mcp_servers=[])).session_id

    async def _choose_mode(self, session_id: str) -> None:
        """Choose it also where a session goes on: agents begin that in their own (zed-industries/codex-acp, 172)."""
        if self._settings.mode:
            await self.connection.set_session_mode(session_id=session_id, mode_id=self._settings.mode)

    async def _go_on(self, cwd: str, session_id: str) -> bool:
        """False: the agent does not know that session any more."""
        again = self.connection.resume_session if self._can_resume else self.connection.load_session
        try:
            await again(cwd=cwd, session_id=session_id, mcp_servers=[])
        except RequestError as error:
            logger.info("the agent does not go on with session %s: %s", session_id, error)
            return False
        return True

    @property
    def _can_resume(self) -> bool:
        return self.can.session_capabilities is not None and self.can.session_capabilities.resume is not None

    async def settled(self, session_id: str) -> None:
        """Wait until a prompt that was called off has its answer: one session answers one prompt at a time."""
        before = self._prompts.get(session_id)
        if before is not None:
            await asyncio.wait((before,))

    def prompt(self, session_id: str, blocks: list[Block], exchange: Exchange) -> asyncio.Task[schema.PromptResponse]:
        """Prompt; what comes of it the exchange hears, None at the end."""

        def end(task: asyncio.Task[schema.PromptResponse]) -> None:
            self._prompts.pop(session_id, None)
            exchange.hear(None)
            if not task.cancelled():
                task.exception()  # Somebody may have called it off: then nobody asks.

        self._exchanges[session_id] = exchange
        prompting = asyncio.create_task(self.connection.prompt(session_id=session_id, prompt=blocks))
        self._prompts[session_id] = prompting
        prompting.add_done_callback(end)
        return prompting

    async def leave(self, session_id: str) -> None:
        """Hear no more of a prompt; one that is under way is called off, and who does not obey is ended."""
        exchange = self._exchanges.pop(session_id, None)
        prompting = self._prompts.get(session_id)
        try:
            if prompting is not None:
                await self._tell_off(session_id)
                if exchange is not None:
                    exchange.close()
                await asyncio.wait((prompting,), timeout=CANCEL_S)
        finally:
            if exchange is not None:
                exchange.close()
            if prompting is not None and not prompting.done():
                self._insist(prompting)

    async def _tell_off(self, session_id: str) -> None:
        try:
            async with asyncio.timeout(TOLD_S):
                await self.connection.cancel(session_id=session_id)
        except (TimeoutError, ConnectionError):
            logger.warning("the agent cannot be told to cancel")

    def _insist(self, prompting: asyncio.Task[schema.PromptResponse]) -> None:
        if not self.at_work:  # Nobody else is harmed.
            self.discard("it did not end a prompt that was cancelled")
            return
        task = asyncio.create_task(self._end_unless(prompting), name="waiting for the acp agent to obey")
        self._unruly.add(task)
        task.add_done_callback(self._unruly.discard)

    async def _end_unless(self, prompting: asyncio.Task[schema.PromptResponse]) -> None:
        await asyncio.wait((prompting,), timeout=self._settings.obey_s)
        if not prompting.done():
            self.discard("it did not end a prompt that was cancelled")

    def discard(self, why: str) -> None:
        """End it now, with its group. Harmless when it has ended."""
        if not self._child.ended:
            logger.warning("the agent is ended: %s", why)
        self._child.kill()

    async def close(self) -> None:
        """End it in order. If this is cancelled, it is ended now."""
        self._closing = True
        await self._child.end()
        await asyncio.shield(self._watch)

    async def _bury(self) -> None:
        over = asyncio.create_task(self.wire.over.wait())
        ended = asyncio.create_task(self._child.wait())
        try:
            await asyncio.wait((over, ended), return_when=asyncio.FIRST_COMPLETED)
            if self.wire.broken is not None:
                logger.warning("the agent is ended: %s", self.wire.broken)
                await self._child.end()
            code = await ended
            await over  # What it said last is heard first.
        finally:
            over.cancel()
            ended.cancel()
        if not self._closing:
            said = self._child.last_words
            logger.warning("the agent has ended (%d)%s", code, f"; it said last: {said[-500:]}" if said else "")
        await self.connection.close()
        await self._child.end()
