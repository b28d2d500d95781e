"""A Telegram of one's own: the Bot API over HTTP on loopback, for whoever writes bots.

    async with fake_telegram(Account(token="1:abc", id=1, username="my_bot")) as telegram:
        ...  # let the bot use telegram.url in place of https://api.telegram.org
        telegram.do("say", chat=7, text="hello")
        telegram.account().visible(7)

It confirms updates by the offset that is asked for and gives all others again, lets a second poller end the first one's
request (409), posts to a webhook with its secret token until that is answered with success, and refuses what Telegram
refuses (see `telegram_world`). `fail` makes calls go wrong; `cut` breaks every request that waits for updates. With a
file it remembers through SIGKILL: `python -m greenroom.platforms.fakes.telegram PORT FILE TOKEN USERNAME`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from greenroom.actors.atomic import replace_file
from greenroom.platforms.chats.web.server import listen, serving
from greenroom.platforms.fakes.platform import Fault
from greenroom.platforms.fakes.telegram_world import Account, ApiError, bad

RETRY_AFTER_S = 1
AGAIN_S = 0.1
"""How soon a webhook that failed is posted to again. Telegram waits longer."""

SECRET = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header
TWO_POLLERS = (
    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"  # as Telegram
)
WEBHOOK_SET = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)
PERSONS = frozenset({"say", "repeat", "edit", "press", "visible", "migrate"})
"""What may be done from outside the process, at /persons/DEED."""


class Cut(Response):
    """An answer that breaks off: the connection is closed in the middle of it."""

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Promise more than is sent."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


class FakeTelegram:
    """Serves any number of bots. Belongs to the loop that serves it."""

    def __init__(self, *accounts: Account, file: Path | None = None, now: Callable[[], float] = time.time) -> None:
        """With a `file` go on where it says, if it is there; its accounts are the ones then.

        `now`: UTC epoch seconds, by which it is counted how much a bot says in a group.
        """
        self.url = ""
        self._file, self._now = file, now
        self._accounts = {each.token: each for each in accounts}
        if file is not None and file.exists():
            kept = msgspec.json.decode(file.read_bytes(), type=list[Account])
            self._accounts |= {each.token: each for each in kept}
        self._faults: list[tuple[str, str, Fault]] = []
        self._polls: dict[str, asyncio.Event] = {}
        """By token, the request that waits for updates; set: it is to end, another one came."""
        self._bells = {token: asyncio.Event() for token in self._accounts}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        """Every call but getUpdates: its method and parameters."""
        self.app = Starlette(
            routes=[
                Route("/bot{token}/{method}", self._serve_call, methods=["GET", "POST"]),
                Route("/file/bot{token}/files/{name}", self._serve_file),
                Route("/persons/{deed}", self._serve_person, methods=["POST"]),
            ],
            exception_handlers={ClientDisconnect: _nobody_hears},
        )

    def account(self, token: str | None = None) -> Account:
        """A bot's account; without a token the first one's."""
        return self._accounts[token] if token is not None else next(iter(self._accounts.values()))

    def do(self, deed: str, /, *, token: str | None = None, **what: Any) -> Any:
        """A person does something: the method of `Account` that is called so."""
        account = self.account(token)
        result = getattr(account, deed)(**what)
        self._keep()
        self._bells[account.token].set()
        return result

    def fail(self, method: str, fault: Fault, *, token: str | None = None) -> None:
        """Let the next call of a method fail."""
        self._faults.append((self.account(token).token, method.lower(), fault))

    def waiting(self, token: str) -> bool:
        """Whether a request of this bot waits for updates."""
        return token in self._polls

    def cut(self) -> None:
        """Break every request that waits for updates."""
        for token in self._polls:
            self._faults.append((token, "getupdates", Fault.BREAKS_AFTER))
            self._bells[token].set()

    # The wire

    async def _serve_call(self, request: Request) -> Response:
        token, method = request.path_params["token"], request.path_params["method"].lower()
        account = self._accounts.get(token)
        if account is None:
            known = token.partition(":")[1]
            return _refusal(ApiError(401, "Unauthorized") if known else ApiError(404, "Not Found"))
        params = await _read(request)
        if method != "getupdates":
            self.calls.append((method, params))
        fault = self._take_fault(token, method)
        try:
            await _fail_before(fault)
            if method == "getupdates":
                result = await self._get_updates(account, params, request)
                fault = fault or self._take_fault(token, method)
            else:
                result = self._perform(account, method, params)
        except ApiError as error:
            return _refusal(error)
        except ConnectionResetError:
            return Cut()
        if fault is Fault.BREAKS_AFTER:
            return Cut()
        if fault is Fault.HANGS_AFTER:
            await asyncio.Event().wait()
        return JSONResponse({"ok": True, "result": result})

    def _take_fault(self, token: str, method: str) -> Fault | None:
        for planned in self._faults:
            if planned[:2] == (token, method):
                self._faults.remove(planned)
                return planned[2]
        return None

    def _perform(self, account: Account, method: str, params: dict[str, Any]) -> Any:
        calls: Mapping[str, Callable[[], Any]] = {
            "getme": account.me,
            "sendmessage": lambda: account.send_message(params),
            "editmessagetext": lambda: account.edit_message_text(params),
            "sendchataction": lambda: account.send_chat_action(params),
            "getfile": lambda: account.get_file(params),
            "answercallbackquery": lambda: account.answer_callback_query(params),
            "setwebhook": lambda: self._set_webhook(account, params.get("url", ""), params.get("secret_token", "")),
            "deletewebhook": lambda: self._set_webhook(account, "", ""),
            "getwebhookinfo": lambda: {
                "url": account.webhook,
                "has_custom_certificate": False,
                "pending_update_count": len(account.updates),
            },
        }
        if method not in calls:
            raise ApiError(404, "Not Found: method not found")
        if method in {"sendmessage", "editmessagetext"}:
            account.heed_pace(params, self._now())
        result = calls[method]()
        self._keep()
        return result

    async def _get_updates(self, account: Account, params: dict[str, Any], request: Request) -> list[dict[str, Any]]:
        if account.webhook:
            raise ApiError(409, WEBHOOK_SET)
        if (other := self._polls.get(account.token)) is not None:
            other.set()
        ended = self._polls[account.token] = asyncio.Event()
        gone = asyncio.create_task(_hung_up(request))
        try:
            offset, limit, before = int(params.get("offset", 0)), int(params.get("limit", 100)), len(account.updates)
            updates = account.get_updates(offset, limit)
            if len(account.updates) < before:
                self._keep()
            if not updates:
                await self._until_rung(account, int(params.get("timeout", 0)), ended, gone)
                updates = account.get_updates(offset, limit)
            if ended.is_set():
                raise ApiError(409, TWO_POLLERS)
            return updates
        finally:
            gone.cancel()
            if self._polls.get(account.token) is ended:
                del self._polls[account.token]

    async def _until_rung(
        self, account: Account, timeout_s: int, ended: asyncio.Event, gone: asyncio.Task[None]
    ) -> None:
        """Wait for an update, a second poller, a cut, or the end of the time or of the other side."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not ended.is_set() and not gone.done() and not account.updates:
                    bell = self._bells[account.token]
                    bell.clear()
                    rung, over = asyncio.create_task(bell.wait()), asyncio.create_task(ended.wait())
                    try:
                        await asyncio.wait({rung, over, gone}, return_when=asyncio.FIRST_COMPLETED)
                    finally:
                        rung.cancel()
                        over.cancel()
                    if any(each[:2] == (account.token, "getupdates") for each in self._faults):
                        return

    def _set_webhook(self, account: Account, url: str, secret: str) -> bool:
        account.webhook, account.secret = url, secret
        self._bells[account.token].set()
        return True

    async def _post_updates(self, token: str) -> None:
        """Post what waits to the webhook, one after the other, each until it is taken."""
        account, bell = self._accounts[token], self._bells[token]
        async with httpx.AsyncClient(timeout=10.0) as client:
            while True:
                while not (account.webhook and account.updates):
                    bell.clear()
                    await bell.wait()
                number, update = next(iter(account.updates.items()))
                try:
                    answer = await client.post(account.webhook, json=update, headers={SECRET: account.secret})
                    taken = answer.is_success
                except httpx.HTTPError:
                    taken = False
                if taken:
                    account.updates.pop(number, None)
                    self._keep()
                else:
                    await asyncio.sleep(AGAIN_S)

    async def _serve_file(self, request: Request) -> Response:
        account = self._accounts.get(request.path_params["token"])
        file = None if account is None else account.files.get(request.path_params["name"])
        if file is None:
            return _refusal(ApiError(404, "Not Found"))
        return Response(file.content, media_type=file.media_type)

    async def _serve_person(self, request: Request) -> Response:
        """Persons of another process: the arguments as JSON, and `token` for another account than the first."""
        deed = request.path_params["deed"]
        if deed not in PERSONS:
            return _refusal(bad(f"persons do {', '.join(sorted(PERSONS))}"))
        done = self.do(deed, **await request.json())
        return Response(msgspec.json.encode(done), media_type="application/json")

    def _keep(self) -> None:
        """Write down what is true now, before anybody hears of it."""
        if self._file is not None:
            replace_file(self._file, msgspec.json.encode(list(self._accounts.values())))

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[asyncio.Task[None]]:
        """Serve while the block runs."""
        listening = listen("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        posting = [asyncio.create_task(self._post_updates(token)) for token in self._accounts]
        try:
            async with serving(self.app, listening) as server:
                try:
                    yield server
                finally:
                    for token, ended in self._polls.items():
                        ended.set()
                        self._bells[token].set()
        finally:
            for task in posting:
                task.cancel()
            await asyncio.gather(*posting, return_exceptions=True)


@asynccontextmanager
async def fake_telegram(
    *accounts: Account, file: Path | None = None, now: Callable[[], float] = time.time
) -> AsyncIterator[FakeTelegram]:
    """Serve on a free port of this machine while the block runs."""
    telegram = FakeTelegram(*accounts, file=file, now=now)
    async with telegram.serve():
        yield telegram


async def _nobody_hears(_request: Request, _gone: Exception) -> Response:
    """Whoever asked is gone: killed, or tired of waiting."""
    return Response(status_code=400)


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read(request: Request) -> dict[str, Any]:
    """Parameters as any client sends them: in the query, as a form, as JSON."""
    params: dict[str, Any] = dict(request.query_params)
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        params.update(json.loads(body or b"{}"))
        return params
    return params | dict(parse_qsl(body.decode(), keep_blank_values=True))


def _refusal(error: ApiError) -> Response:
    told: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        told["parameters"] = error.parameters
    return JSONResponse(told, status_code=error.code)


async def _fail_before(fault: Fault | None) -> None:
    match fault:
        case Fault.RETRY_LATER:
            raise ApiError(429, f"Too Many Requests: retry after {RETRY_AFTER_S}", retry_after=RETRY_AFTER_S)
        case Fault.NOT_SENT:
            raise ApiError(502, "Bad Gateway")
        case Fault.REFUSED:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        case Fault.GONE:
            raise bad("message to edit not found")
        case Fault.BREAKS_BEFORE:
            raise ConnectionResetError
        case Fault.HANGS_BEFORE:
            await asyncio.Event().wait()
        case _:
            pass


async def _main(port: str, file: str, token: str, username: str) -> None:
    account = Account(token=token, id=int(token.partition(":")[0]), username=username)
    async with FakeTelegram(account, file=Path(file)).serve(int(port)) as server:
        await server


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
