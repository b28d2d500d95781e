"""One run with the agent: what it says is said, what it asks is asked, and when the run is called off, so is it."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from typing import assert_never

from msgspec import Struct

from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import QuestionTimedOutError, QuestionUndeliveredError, Turn
from greenroom.platforms.agents.acp.exchange import Exchange, Request
from greenroom.platforms.agents.acp.live import Live
from greenroom.platforms.agents.acp.narrator import Deed, Narrator, Remark, Said, Spent
from greenroom.platforms.agents.acp.permits import ONCE, Permit, Verdict, judge, pick_allowed, read_permit
from greenroom.platforms.agents.acp.prompts import Block
from greenroom.platforms.agents.acp.settings import AcpSettings

SAME_REMARK_S = 5.0
"""The same remark is not made again within this time: an agent may think in a thousand pieces."""


class Conversation(Struct):
    """One of the agent's sessions, in one life of its child."""

    acp_id: str
    cost: float | None  # what it has cost in all; None: it had cost something before, and did not say yet how much


class Prompting:
    """One run's."""

    def __init__(self, turn: Turn, live: Live, conversation: Conversation, settings: AcpSettings) -> None:
        """Nothing is prompted yet."""
        self._turn, self._live, self._settings = turn, live, settings
        self._conversation = conversation
        self._narrator = Narrator()
        self._id = uuid.uuid4().hex
        self._used: Counter[str] = Counter()
        self._remark: tuple[str, float] = ("", 0.0)
        self.words: list[str] = []
        """What was answered to requests and is none of their choices: for the agent to read, when it has ended."""

    async def prompt(self, blocks: list[Block]) -> str:
        """Prompt once; how it stopped. Raises what the connection raises, and what the turn does."""
        exchange, acp_id = Exchange(), self._conversation.acp_id
        asking: set[asyncio.Task[None]] = set()
        prompting = self._live.prompt(acp_id, blocks, exchange)
        try:
            while (heard := await exchange.next()) is not None:
                if isinstance(heard, Request):
                    asking.add(task := asyncio.create_task(self._permit(heard, exchange), name="a permission"))
                    task.add_done_callback(asking.discard)
                else:
                    await self._tell(self._narrator.hear(heard))
        finally:
            for task in tuple(asking):
                task.cancel()
            await self._live.leave(acp_id)
        response = prompting.result()
        usage = response.usage
        await self._turn.spent(calls=1, tokens=usage.total_tokens if usage is not None else 0)
        return response.stop_reason

    async def _tell(self, deed: Deed | None) -> None:
        match deed:
            case None:
                pass
            case Said(text):
                await self._turn.say(text)
            case Remark(text):
                await self._make_remark(text)
            case Spent(cost):
                before = self._conversation.cost
                self._conversation.cost = cost if before is None else max(before, cost)
                if before is not None and cost > before:
                    await self._turn.spent(cost=cost - before)
            case _:
                assert_never(deed)

    async def _make_remark(self, text: str) -> None:
        said, at = self._remark
        now = asyncio.get_running_loop().time()
        if text != said or now - at >= SAME_REMARK_S:
            self._remark = (text, now)
            await self._turn.progress(text)

    async def _permit(self, request: Request, exchange: Exchange) -> None:
        """Have a request answered. A time-out, and a question that reaches nobody, cancel it."""
        permit = read_permit(request.call, request.options, self._narrator.title(request.call.tool_call_id))
        try:
            verdict = await self._judged(permit)
            if verdict.words:
                self.words.append(verdict.words)
            if verdict.option is not None:
                request.choose(verdict.option.id)
        except (QuestionTimedOutError, QuestionUndeliveredError):
            pass  # Silence is no yes.
        except Exception as error:  # Invariant: whatever asking raises, it ends the run that asks.
            exchange.hear(error)
        finally:
            request.cancel()

    async def _judged(self, permit: Permit) -> Verdict:
        if self._settings.auto_approve and (option := pick_allowed(permit)):
            return Verdict(option)
        if not permit.options:
            return Verdict(None)
        while True:
            self._narrator.pause()
            answer = await self._turn.ask_user(permit.prompt, permit.choices, self._settings.question_timeout_s)
            verdict = judge(permit, answer)
            if verdict.option is None or verdict.option.kind != ONCE or await self._is_unused(permit):
                return verdict

    async def _is_unused(self, permit: Permit) -> bool:
        """Whether a yes is this run's to use. One that an interrupted run has used already allows nothing again.

        That is known by the ledger: its result is that of the first run which came here.
        """
        number = self._used[permit.prompt]
        self._used[permit.prompt] += 1
        args = {"asked": permit.prompt, "number": number}
        return bool(await self._turn.tool("permission", args, policy=ToolPolicy.PURE, fn=self._use) == self._id)

    def _use(self, asked: str, number: int) -> str:  # noqa: ARG002 - they name the call in the ledger
        return self._id
