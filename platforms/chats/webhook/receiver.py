"""The program that answers are posted to: a thin client, which signs, and makes errors of ours of what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import httpx
import msgspec
from pydantic import SecretStr

from greenroom.actors.ports import NotSentError, Outgoing
from greenroom.platforms.chats.webhook.codec import judge_reply, to_answer
from greenroom.platforms.chats.webhook.signing import sign

POST_S = 20.0
"""How long a receiver may take to answer; less than the outbox waits for us."""

REST_S = 2.0
REST_BYTES_MAX = 65_536
"""How long, and how much, is listened to behind a reply's head: the status alone counts."""


class Receiver:
    """Belongs to the loop on which it is entered."""

    def __init__(self, url: str, secret: SecretStr, now: Callable[[], float]) -> None:
        """`url` may hold what nobody is to see: no error of ours repeats it."""
        self._url, self._secret, self._now = url, secret, now
        self._client = httpx.AsyncClient(timeout=POST_S, follow_redirects=False)

    async def post(self, message: Outgoing) -> None:
        """Post an answer under its key. Raises as `Platform.send` does."""
        body = msgspec.json.encode(to_answer(message))
        headers = sign(self._secret.get_secret_value(), message.key, self._now(), body)
        headers |= {"content-type": "application/json", "idempotency-key": message.key}
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as reply:
                await _hear_rest(reply)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise NotSentError(f"the receiver cannot be reached: {type(error).__name__}") from None
        except httpx.HTTPError as error:
            raise ConnectionError(f"the receiver did not answer: {type(error).__name__}") from None
        judge_reply(reply.status_code, reply.headers.get("retry-after"))

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


async def _hear_rest(reply: httpx.Response) -> None:
    """Take what is short off the wire, so that the connection serves again; of all else nothing is kept or awaited."""
    heard = 0
    with suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout(REST_S):
            async for chunk in reply.aiter_raw():
                heard += len(chunk)
                if heard > REST_BYTES_MAX:
                    return
