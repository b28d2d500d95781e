"""Whether this process can store and answer messages now, and if not, why: for /readyz, and for the watchdog."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from greenroom.storage.trouble import Trouble

PULSE_S = 5.0
"""How long the actors may take to answer before they count as stuck."""

STUCK = f"the actors have not answered for {PULSE_S:g} s"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found. `stuck`: a restart may mend it.

    A disk that refuses is waited for here, and would be by the next process: that is wrong, and nothing is stuck.
    """

    wrong: str | None
    stuck: bool


class Readiness:
    """Remembers what the disk says, and feels the actors' pulse when asked. Used from any thread."""

    def __init__(self) -> None:
        """Begin before anything can be served."""
        self._trouble: Trouble | None = None
        self._pulse: Callable[[], Awaitable[None]] | None = None
        self._why_not: str | None = "starting"
        self.last: bool | None = None
        """Whether it was ready when somebody looked last; None: nobody has."""

    def begin(self, pulse: Callable[[], Awaitable[None]]) -> None:
        """From now on there is a pulse to be felt: `pulse` returns when the actors have answered."""
        self._pulse, self._why_not = pulse, None

    def end(self) -> None:
        """No more messages are taken."""
        self._why_not = "stopping"

    def hear_trouble(self, trouble: Trouble | None) -> None:
        """The disk began to refuse, or, with None, takes writes again."""
        self._trouble = trouble

    async def problem(self) -> str | None:
        """Say what keeps messages from being stored and answered; None when nothing does."""
        trouble = self._trouble
        problem = trouble.text if trouble is not None else self._why_not or await self._feel()
        self.last = problem is None
        return problem

    async def look(self) -> Look:
        """Say what is wrong, also while it ends, when it takes no messages and still has a pulse."""
        felt, trouble = await self._feel(), self._trouble
        wrong = felt if trouble is None else trouble.text
        self.last = wrong is None and self._why_not is None
        return Look(wrong, stuck=felt == STUCK or (felt is not None and trouble is None))

    async def _feel(self) -> str | None:
        if self._pulse is None:
            return "starting"
        try:
            await asyncio.wait_for(self._pulse(), PULSE_S)
        except TimeoutError:
            return STUCK
        except Exception as error:  # Invariant: whatever keeps the actors from answering is the answer.
            return f"{type(error).__name__}: {error}"
        return None
