"""Whether a dead actor is started again, and when: exponential back-off with jitter, and a budget. Pure.

The same budget serves a session (exhausted: quarantine) and the root (exhausted: the process ends with the reason).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

from greenroom.actors.times import read_time
from greenroom.supervisor.policy import Policy

WHY_MAX = 500
"""Characters of the last failure that a budget remembers."""

_DOUBLINGS_MAX = 60  # Beyond it 2**n is no float any more; the longest back-off was reached long before.


@dataclass(frozen=True, slots=True)
class Budget:
    """The restarts of one actor since it last made progress, oldest first. Kept on disk with its owner."""

    restarts: tuple[float, ...] = ()  # UTC epoch seconds
    last_failure: str = ""

    def spent(self, failure: str, *, now: float, policy: Policy) -> Self:
        """Count one more restart; forgets what no decision can read any more."""
        recent = (*_within(self.restarts, now, policy.restarts_window_s), now)
        return type(self)(recent[-policy.restarts_max :], failure[:WHY_MAX])

    def to_json(self) -> str:
        """Write the budget as `from_json` reads it."""
        return json.dumps({"restarts": list(self.restarts), "last_failure": self.last_failure})

    @classmethod
    def from_json(cls, text: str | None, *, now: float) -> Self:
        """Read a budget; what is not one reads as unspent, so that a damaged row stops no session."""
        try:
            read = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return cls()
        restarts = read.get("restarts", []) if isinstance(read, dict) else []
        failure = read.get("last_failure", "") if isinstance(read, dict) else ""
        times = [read_time(at, now=now) for at in restarts] if isinstance(restarts, list) else []
        kept = tuple(sorted(at for at in times if at is not None))
        return cls(kept, failure[:WHY_MAX] if isinstance(failure, str) else "")


FRESH = Budget()
"""An actor that made progress starts with this again."""


@dataclass(frozen=True, slots=True)
class RestartAfter:
    """Start it again after so many seconds; `budget` is what is to be remembered."""

    delay_s: float
    budget: Budget


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start it again; `why` is for the operator."""

    why: str


def decide_restart(
    budget: Budget, failure: str, *, now: float, policy: Policy, random_unit: float
) -> RestartAfter | GiveUp:
    """Decide what follows a death. `random_unit` in [0, 1) spreads those who died together.

    The delay doubles with each restart within the window and lies between half and all of that, never above the
    policy's longest. A clock that was set back counts old restarts as recent: rather too careful than a storm.
    """
    count = len(_within(budget.restarts, now, policy.restarts_window_s))
    if count >= policy.restarts_max:
        return GiveUp(
            f"{count} restarts in {policy.restarts_window_s:g} s without progress, the limit is "
            f"{policy.restarts_max} (policy.restarts_max); the last failure: {failure[:WHY_MAX] or 'unknown'}"
        )
    full_s = min(policy.restart_backoff_max_s, policy.restart_backoff_s * 2 ** min(count, _DOUBLINGS_MAX))
    return RestartAfter(full_s * (0.5 + random_unit / 2), budget.spent(failure, now=now, policy=policy))


def _within(restarts: tuple[float, ...], now: float, window_s: float) -> tuple[float, ...]:
    return tuple(at for at in restarts if now - at <= window_s)
