"""The agent as greenroom calls it: a run is a prompt in the session that the child keeps for this chat."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TypeVar

from acp import RequestError
from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.model import Message, Role, SessionKey
from greenroom.actors.ports import Conclusion, ProviderError, Turn
from greenroom.platforms.agents.acp.host import Host
from greenroom.platforms.agents.acp.live import Live, SessionTooSlowError
from greenroom.platforms.agents.acp.prompting import Conversation, Prompting
from greenroom.platforms.agents.acp.prompts import Occasion, compose, text_block
from greenroom.platforms.agents.acp.remembering import Kept, keepsake
from greenroom.platforms.agents.acp.settings import AcpSettings

logger = logging.getLogger("greenroom.agent.acp")

T = TypeVar("T")

SESSIONS_MAX = 1_000
"""Chats whose sessions are known without looking into a file, or without one."""

SIGN_IN = -32_000
OURS = frozenset({-32_600, -32_601, -32_602})
"""Codes of errors that say that we asked for what the agent does not do: it would say so again."""


class SignInNeededError(Exception):
    """The agent wants somebody to sign in; `auth_method` names how, or it is done once by hand in the agent's HOME."""


class BrokenAgentError(Exception):
    """What the agent sends is not the protocol, or too long: it would send that again."""


class _Known(Struct):
    """The session of a chat in a life of the child."""

    live: Live
    kept: Kept
    conversation: Conversation


class AcpAgent:
    """See `actors.ports.Agent`. Used on one loop."""

    def __init__(self, settings: AcpSettings, folder: Path) -> None:
        """`folder` is this agent's own; it is made when something is kept in it."""
        self._settings, self._folder = settings, folder
        self._host = Host(settings, folder)
        self._known: OrderedDict[SessionKey, _Known] = OrderedDict()

    async def __call__(self, turn: Turn) -> Conclusion:
        """Prompt, and conclude as the agent does. What it streamed was said meanwhile."""
        rows = await turn.messages()
        live = await self._live_for(turn.session)
        known, remembers = await self._session(turn, live, rows)
        told = max((row for row in (*rows, *turn.new) if row.role is Role.USER), key=lambda row: row.seq, default=None)
        again = told is not None and told.key == known.kept.row_key
        occasion = Occasion(turn.new, turn.news, turn.recovery_note)
        blocks = compose(occasion, rows, remembers=remembers, upto=known.kept.told_upto, again=again)
        if told is not None:
            known.kept = await self._keep(turn, live, replace(known.kept, row_key=told.key))
        prompting = Prompting(turn, live, known.conversation, self._settings)
        while True:
            finish = await self._heeding(live, prompting.prompt(blocks))
            self._host.worked()
            if told is not None:
                known.kept = replace(known.kept, told_upto=told.seq)
            if not prompting.words:
                return Conclusion("", finish)
            blocks = [text_block(prompting.words.pop(0))]

    async def close(self) -> None:
        """End the child."""
        await self._host.close()

    async def _live_for(self, session: SessionKey) -> Live:
        """The child, with no prompt of this chat under way in it any more."""
        while True:
            live = await self._host.live()
            known = self._known.get(session)
            if known is None or known.live is not live:
                return live
            await live.settled(known.kept.acp_id)
            if live.alive:
                return live

    async def _session(self, turn: Turn, live: Live, rows: Sequence[Message]) -> tuple[_Known, bool]:
        """The agent's session for this conversation, and whether it knows what was said in it."""
        known = self._known.get(turn.session)
        if known is not None and known.live is live and known.kept.belongs_to(rows):
            self._known.move_to_end(turn.session)
            return known, True
        kept = await turn.in_thread(self._read, turn.session) if live.resumes else None
        if kept is not None and not kept.belongs_to(rows):
            kept = None
        cwd = str(self._settings.workplace(self._folder))
        acp_id = await self._heeding(live, live.open(cwd, kept.acp_id if kept is not None else None))
        remembers = kept is not None and kept.acp_id == acp_id
        if kept is None or not remembers:
            kept = Kept(acp_id, "", 0)
        known = _Known(live, kept, Conversation(acp_id, cost=None if remembers else 0.0))
        self._known[turn.session] = known
        self._known.move_to_end(turn.session)
        while len(self._known) > SESSIONS_MAX:
            self._known.popitem(last=False)
        return known, remembers

    async def _heeding(self, live: Live, doing: Awaitable[T]) -> T:
        """Do something with the child; what goes wrong with it is told as what it is for this run."""
        try:
            return await doing
        except RequestError as error:
            logger.warning("the agent reports an error (%d): %s %s", error.code, error, error.data or "")
            if error.code == SIGN_IN:
                raise SignInNeededError(str(error)) from error
            if error.code in OURS:
                raise
            raise ProviderError("it reports an internal error") from error
        except ConnectionError as error:
            live.discard("the connection to it is broken")
            if live.wire.broken is not None and live.wire.blames_one:
                raise BrokenAgentError(live.wire.broken.value) from error
            raise ProviderError("its program has ended") from error
        except SessionTooSlowError as error:
            raise ProviderError("its program does not begin a session") from error

    async def _keep(self, turn: Turn, live: Live, kept: Kept) -> Kept:
        """Note whose session it is before it is prompted; what it was told is known again with the next prompt."""
        if live.resumes:
            await turn.in_thread(self._write, turn.session, kept)
        return kept

    def _read(self, session: SessionKey) -> Kept | None:
        try:
            return keepsake(self._folder, session).read()
        except OSError as error:
            logger.warning("%s: which of the agent's sessions is its own cannot be read: %s", session, error)
            return None

    def _write(self, session: SessionKey, kept: Kept) -> None:
        try:
            keepsake(self._folder, session).write(kept)
        except OSError as error:
            logger.warning("%s: which of the agent's sessions is its own cannot be noted: %s", session, error)
