"""One run: the model is asked, what it calls is done, and it is asked again until it concludes.

All that counts is in the transcript and the ledgers: an attempt that was interrupted leaves there what it called, and
the next one begins with that. Words of an answer that broke off are taken back before it is asked for again; what is
left when that helps nothing is no answer, but a text cut short.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from greenroom.actors.model import Message, Role
from greenroom.actors.ports import BudgetExceededError, Conclusion, ProviderError, Turn
from greenroom.actors.window import estimate_tokens
from greenroom.platforms.agents.openai.calls import ASK, calls_of, is_sound, make_calls
from greenroom.platforms.agents.openai.failures import ModelRefusedError, TooLongError, UnreachableError
from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.openai.reply import BrokenStreamError, Reply
from greenroom.platforms.agents.openai.settings import OpenAISettings
from greenroom.platforms.agents.talk import IMAGE_TOKENS, ITEM_TOKENS, Item, shorten, tokens_of
from greenroom.platforms.agents.tools.tool import Tool

logger = logging.getLogger("greenroom.openai")

STREAMS_MAX = 3
"""So often one model is asked for one answer, if its stream breaks off."""

AGAIN_S = 0.25
"""Before an answer that broke off is asked for again; doubled for each next time."""

SHORTER_MAX = 3
"""So often a conversation is halved that the model says is too long."""

UNSOUND_MAX = 5
"""Answers in a row that call nothing that could be called; then the model has lost its way."""

THINKING_S = 60.0
"""After so long without words, of a stream that goes on, it is said that the model is thinking."""

RESULT_PART = 8
"""One result takes no more than one in so many tokens of the window when a conversation is recalled."""

BROKE_OFF, LOST = "it broke off", "it called what cannot be called"
"""How an answer ended that is none."""

MILLION = 1_000_000

Read = Callable[[Turn, Sequence[Message], Sequence[Message]], Awaitable[tuple[Item, ...]]]
"""Makes a conversation of rows that come after others."""


class Work:
    """See the module."""

    def __init__(
        self, turn: Turn, settings: OpenAISettings, provider: Provider, tools: Mapping[str, Tool], read: Read
    ) -> None:
        """Nothing is read yet."""
        self._turn, self._settings, self._provider, self._tools, self._read = turn, settings, provider, tools, read
        self._models = (settings.model, *settings.fallbacks)
        self._rows: Sequence[Message] = ()
        self._said = 0  # characters of the answer that is coming in
        self._spoke_at = asyncio.get_running_loop().time()
        self._spoke = False  # something was said before that, and the user was not asked since

    async def go_on(self, window: int | None) -> Conclusion:
        """Work until the model concludes. `window`: tokens of a conversation; None: the host's window of rows.

        Raises ProviderError, ModelRefusedError, BudgetExceededError.
        """
        items = await self._recall(window)
        unsound = 0
        while True:
            if window is not None:
                items = shorten(items, window)
            items, reply = await self._ask_and_fit(items)
            if not reply.wants_calls:
                return Conclusion("", reply.finish)
            unsound = 0 if any(is_sound(call, self._tools) for call in reply.calls) else unsound + 1
            if unsound == UNSOUND_MAX:
                return Conclusion("", LOST)
            self._spoke = (self._spoke or self._said > 0) and not self._asks_user(reply)
            self._said = 0
            results = await make_calls(self._turn, reply, self._tools, self._provider.server)
            items = (*items, calls_of(reply), *results, *await self._take_steering())

    async def _recall(self, window: int | None) -> tuple[Item, ...]:
        count = partial(count_row, result_max=window // RESULT_PART if window is not None else None)
        self._rows = await self._turn.messages(tokens=window, count=count)
        return await self._read(self._turn, self._rows, ())

    async def _take_steering(self) -> tuple[Item, ...]:
        """Take what people said meanwhile."""
        said = await self._turn.steered()
        before, self._rows = self._rows, (*self._rows, *said)
        return await self._read(self._turn, said, before)

    async def _ask_and_fit(self, items: tuple[Item, ...]) -> tuple[tuple[Item, ...], Reply]:
        """Ask; what the model says is too long is halved: its results, or else how far the model can look back."""
        for _ in range(SHORTER_MAX):
            try:
                return items, await self._ask(items)
            except TooLongError as error:
                half = _size(items) // 2
                logger.info("the model says that the conversation is too long (%s); it is given half", error)
                items = shorten(items, half)
                if _size(items) > half:
                    items = shorten(await self._recall(half), half)
        return items, await self._ask(items)

    async def _ask(self, items: Sequence[Item]) -> Reply:
        """Get an answer from the first model that gives one; of an answer that broke off for good, what there is."""
        failures: list[Exception] = []
        for model in self._models:
            for nth in range(STREAMS_MAX):
                await self._take_back()
                await asyncio.sleep(AGAIN_S * 2**nth if nth else 0)
                try:
                    return await self._stream(model, items)
                except BrokenStreamError as error:
                    logger.info("an answer of %s broke off: %s", model, error)
                    failures.append(UnreachableError("the model's answer broke off"))
                except (UnreachableError, ModelRefusedError) as error:
                    await self._take_back()
                    failures.append(error)
                    break
        if self._said:
            return Reply(finish=BROKE_OFF)
        raise _worst(failures)

    async def _stream(self, model: str, items: Sequence[Item]) -> Reply:
        """Ask once, and say what comes while it comes. Raises what `Provider.stream` does."""
        reader = self._provider.reader()
        broken: Exception = BrokenStreamError("it ended without a finish")
        try:
            async with aclosing(self._provider.stream(model, items, self._tools)) as pieces:
                async for piece in pieces:
                    await self._say(reader.take(piece))
                    await self._show_life()
        except (BrokenStreamError, UnreachableError, ModelRefusedError) as error:
            broken = error
        reply = reader.reply()
        if not isinstance(broken, BrokenStreamError) and reply == Reply():
            raise broken  # Nothing came, and nothing was spent.
        await self._account(items, reply)
        if reply.finish is None:
            raise broken
        return reply

    async def _say(self, words: str) -> None:
        """Stream words: those of one answer apart from those of the one before."""
        if not self._said:
            words = words.lstrip()
            words = f"\n\n{words}" if words and self._spoke else words
        if words:
            self._said += len(words)
            self._spoke_at = asyncio.get_running_loop().time()
            await self._turn.say(words)

    async def _show_life(self) -> None:
        """Say that a model is thinking that streams no words: its silence is none."""
        now = asyncio.get_running_loop().time()
        if now - self._spoke_at >= THINKING_S:
            self._spoke_at = now
            await self._turn.progress("thinking")

    async def _take_back(self) -> None:
        said, self._said = self._said, 0
        if said:
            await self._turn.unsay(said)

    async def _account(self, items: Sequence[Item], reply: Reply) -> None:
        """Report what an answer cost, also one that broke off. An answer that is there needs no budget any more."""
        read = reply.usage.read if reply.usage is not None else _size(items)
        cost = (read * self._settings.price_in + reply.written * self._settings.price_out) / MILLION
        try:
            await self._turn.spent(calls=1, tokens=read + reply.written, cost=cost)
        except BudgetExceededError:
            if reply.finish is None or reply.wants_calls:
                raise

    def _asks_user(self, reply: Reply) -> bool:
        """Whether these calls put a question to the user: with it goes what was said."""
        tools = [self._tools[call.name] for call in reply.calls if call.name in self._tools]
        return any(tool is ASK or tool.approve for tool in tools)


def count_row(row: Message, result_max: int | None = None) -> int:
    """Estimate what a row costs of a context window: a result no more than it is cut to, so that it is not lost."""
    images = sum(each.media_type.startswith("image/") for each in row.attachments)
    tokens = estimate_tokens(row) + ITEM_TOKENS + IMAGE_TOKENS * images
    return min(tokens, result_max) if row.role is Role.TOOL and result_max is not None else tokens


def _size(items: Sequence[Item]) -> int:
    return sum(map(tokens_of, items))


def _worst(failures: Sequence[Exception]) -> Exception:
    """Say why there is no answer: what may be over later counts before what will not."""
    unreachable = [failure for failure in failures if isinstance(failure, UnreachableError)]
    if unreachable:
        waits = [each.after_s for each in unreachable if each.after_s is not None]
        return ProviderError(str(unreachable[0]), min(waits, default=None))
    too_long = next((failure for failure in failures if isinstance(failure, TooLongError)), None)
    return too_long or failures[-1]
