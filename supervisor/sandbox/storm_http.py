"""People of a storm at a chat server with HTTP, which may be dead at any moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import httpx

AGAIN_S = 0.1
ASK_S = 5.0


async def ask(address: str, do: str, **what: Any) -> Any:
    """Ask until the server answers: a person tries again."""
    async with httpx.AsyncClient(timeout=ASK_S) as client:
        while True:
            with suppress(httpx.HTTPError):
                answer = await client.post(f"{address}/persons/{do}", json=what)
                return answer.raise_for_status().json()
            await asyncio.sleep(AGAIN_S)
