"""A real supervisor on real files, with one agent in it and one person before it; each process makes its agent anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.platforms.agents.conformance.counterpart import Counterpart, Step
from tests.platforms.agents.conformance.workshop import Workshop
from tests.platforms.conformance.fake import FakeCounterpart
from tests.platforms.conformance.stand import Stand, echo

from greenroom import Policy
from greenroom.actors.model import DeliveryClass

CHAT = "1"
ANSWER_MAX = 10_000


def policy(**more: Any) -> Policy:
    """What the suite is run under: nothing is waited for that need not be."""
    return Policy(
        unclean_boots_max=1_000_000,
        attempts_max=1_000_000,
        drain_s=5.0,
        provider_max_s=0.0,
        answer_max=ANSWER_MAX,
        process_end_s=0.2,
        **more,
    )


class Stage(Stand):
    """See `Stand`."""

    def __init__(self, other: Counterpart, folder: Path, knobs: Policy) -> None:
        self.other = other
        self.workshop = Workshop()
        super().__init__(FakeCounterpart(DeliveryClass.EDIT_ANCHOR), folder, echo, knobs)

    def make_agent(self) -> Any:
        return self.other.agent(self.workshop)

    async def goes(self, *steps: Step) -> None:
        """A person asks for a piece of work that goes this way."""
        await self.says(self.other.will(*steps))

    async def says(self, text: str) -> None:
        await self.person.says(CHAT, text)

    async def until_shown(self, text: str) -> None:
        await self.until_visible(CHAT, text)

    async def until_concluded(self, text: str) -> None:
        """Wait until this is visible, and all is at rest. Fails if it is visible twice."""
        await self.until_shown(text)
        await self.until(self.rests)
        assert "\n".join(await self.texts(CHAT)).count(text) == 1

    async def until_true(self, condition: Callable[[], bool]) -> None:
        async def looked() -> bool:
            return condition()

        await self.until(looked)

    async def kill_and_start(self, *steps: Step) -> None:
        """The process is killed; from the next one on the other side goes this way, if any is named."""
        await self.kill()
        self.workshop.release()
        if steps:
            self.other.will(*steps)
        await self.start()

    async def is_quiet(self) -> bool:
        """Whether nothing goes on any more, and the person has been told so."""
        told = any("Stopped." in text for text in await self.texts(CHAT))
        return told and not self.workshop.at_work() and not await self.other.at_work()

    async def is_quiet_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.until(self.is_quiet)
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def staging(other: Counterpart, folder: Path, knobs: Policy | None = None) -> AsyncIterator[Stage]:
    """Keep a house while the block runs; whatever stands at its end is stopped in order."""
    stage = Stage(other, folder, knobs or policy())
    try:
        await stage.start()
        yield stage
    finally:
        await stage.stop()
