"""Slack's Events API: what happens in a `FakeSlack` is posted to an address of the app, signed, until it says 200."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Self
from urllib.parse import urlencode

import aiohttp

from greenroom.platforms.fakes.slack import FakeSlack
from greenroom.platforms.fakes.slack_envelopes import Envelope, Envelopes

OK = 200


def sign(secret: str, body: bytes, timestamp: str) -> str:
    """Write the signature that Slack sends with a body."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


class SlackPoster:
    """Takes over what `slack` has to tell. `answers` has the status of every answer, in order."""

    def __init__(
        self, slack: FakeSlack, address: str, secret: str, *, ack_s: float = 3.0, now: Callable[[], float] = time.time
    ) -> None:
        """`address` is the app's, path included."""
        self.envelopes = Envelopes(ack_s=ack_s)
        self.answers: list[int] = []
        self.address, self._secret, self._now = address, secret, now
        self._posting: asyncio.Task[None] | None = None
        slack.emit = self.envelopes.add

    async def __aenter__(self) -> Self:
        self._posting = asyncio.create_task(self._post_all())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._posting is not None:
            self._posting.cancel()
            await asyncio.gather(self._posting, return_exceptions=True)

    async def _post_all(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.envelopes.ack_s)) as session:
            while True:
                envelope = await self.envelopes.next(lambda: True)
                status = await self._post(session, envelope)
                self.answers.append(status)
                if status == OK:
                    self.envelopes.acknowledge(envelope.id)

    async def _post(self, session: aiohttp.ClientSession, envelope: Envelope) -> int:
        written, media_type = json.dumps(envelope.payload), "application/json"
        if envelope.kind != "events_api":
            fields = {"payload": written} if envelope.kind == "interactive" else envelope.payload
            written, media_type = urlencode(fields), "application/x-www-form-urlencoded"
        body, timestamp = written.encode(), str(int(self._now()))
        headers = {
            "Content-Type": media_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": sign(self._secret, body, timestamp),
        }
        if envelope.attempts > 1:
            headers |= {"X-Slack-Retry-Num": str(envelope.attempts - 1), "X-Slack-Retry-Reason": "http_error"}
        try:
            async with session.post(self.address, data=body, headers=headers) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0
