"""A room with a scripted agent of the Agent Client Protocol in it, and what can be seen of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.platforms.agents.conformance.acp import AcpCounterpart
from tests.platforms.agents.conformance.stage import Stage, policy

from greenroom.actors.births import is_alive, read_birth

PATIENT = replace(policy(), provider_max_s=60.0, provider_backoff_s=0.1)
"""What could not be reached is tried again."""


def counterpart(folder: Path, ability: str = "load", **settings: Any) -> AcpCounterpart:
    (folder / "acp" / "beside").mkdir(parents=True)
    other = AcpCounterpart(folder / "acp", ability)
    other.settings = settings
    return other


async def until_sent(stage: Stage, other: AcpCounterpart, method: str, count: int = 1) -> None:
    await stage.until_true(lambda: len(other.messages(method)) >= count)


async def until_asked(stage: Stage) -> None:
    async def asked() -> bool:
        return stage.count("SELECT count(*) FROM questions WHERE answer IS NULL AND lapsed IS NULL") > 0

    await stage.until(asked)


def answered(other: AcpCounterpart) -> list[str]:
    """What its requests were answered with."""
    outcomes = [each["result"]["outcome"] for each in other.messages() if "method" not in each and "result" in each]
    return [str(outcome.get("optionId", outcome["outcome"])) for outcome in outcomes]


def pids(other: AcpCounterpart) -> list[int]:
    """Its processes, oldest first."""
    return list(dict.fromkeys(each["pid"] for each in other.messages()))


def alive(pid: int) -> bool:
    return is_alive(pid, read_birth(pid))
