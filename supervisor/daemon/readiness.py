"""Whether this process can store and answer messages now, and if not, why: what /readyz says."""

import asyncio
from collections.abc import Awaitable, Callable

from greenroom.storage.trouble import Trouble

PULSE_S = 5.0
"""How long the actors may take to answer before they count as stuck."""


class Readiness:
    """Remembers what the disk says, and feels the actors' pulse when asked. Used from any thread."""

    def __init__(self) -> None:
        """Begin before anything can be served."""
        self._trouble: Trouble | None = None
        self._pulse: Callable[[], Awaitable[None]] | None = None
        self._why_not = "starting"

    def begin(self, pulse: Callable[[], Awaitable[None]]) -> None:
        """From now on there is a pulse to be felt: `pulse` returns when the actors have answered."""
        self._pulse = pulse

    def end(self) -> None:
        """No more messages are taken."""
        self._pulse, self._why_not = None, "stopping"

    def hear_trouble(self, trouble: Trouble | None) -> None:
        """The disk began to refuse, or, with None, takes writes again."""
        self._trouble = trouble

    async def problem(self) -> str | None:
        """Say what keeps messages from being stored and answered; None when nothing does."""
        trouble, pulse = self._trouble, self._pulse
        if trouble is not None:
            return trouble.text
        if pulse is None:
            return self._why_not
        try:
            await asyncio.wait_for(pulse(), PULSE_S)
        except TimeoutError:
            return f"the actors have not answered for {PULSE_S:g} s"
        except Exception as error:  # Invariant: whatever keeps the actors from answering is the answer.
            return f"{type(error).__name__}: {error}"
        return None
