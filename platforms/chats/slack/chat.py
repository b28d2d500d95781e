"""Slack as a platform."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from pathlib import Path

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from greenroom.actors.model import DeliveryClass, SessionKey
from greenroom.actors.ports import Choices, Door, NotSentError, Outgoing, Traits
from greenroom.platforms.chats.addressing import where
from greenroom.platforms.chats.slack.attending import listening
from greenroom.platforms.chats.slack.backfill import Backfill
from greenroom.platforms.chats.slack.blocks import TEXT_MAX
from greenroom.platforms.chats.slack.codec import NAME, Me, Rules, has_key, look, post_body
from greenroom.platforms.chats.slack.files import Files
from greenroom.platforms.chats.slack.heard import Heard
from greenroom.platforms.chats.slack.hook import PATH, Hook, serve
from greenroom.platforms.chats.slack.intake import Intake
from greenroom.platforms.chats.slack.library import open_session, web_client
from greenroom.platforms.chats.slack.lookups import Lookups
from greenroom.platforms.chats.slack.settings import SlackSettings
from greenroom.platforms.chats.slack.socket_mode import PING_S, SocketMode
from greenroom.platforms.chats.slack.troubles import SlackTroubleError, of_call, of_start
from greenroom.platforms.chats.web.server import ListeningPort

EDIT_MIN_S = 1.5
"""Slack takes about fifty edits a minute (tier 3)."""

PAGE = 200
PAGES_MAX = 20
"""How far a chat is looked through for a message of ours; if it is longer, nothing is certain."""


class SlackChat:
    """One app in one workspace. Implements `Platform`.

    Bots cannot show that they are typing. A reply is what stands in a thread; there is no other.
    """

    name = NAME

    def __init__(self, settings: SlackSettings, folder: Path, *, ping_s: float = PING_S) -> None:
        """Prepare; nothing is opened before `run`. Files that people send are kept below `folder`."""
        self.account = settings.account
        delivery = DeliveryClass(settings.delivery)
        self.traits = Traits(delivery, text_max=TEXT_MAX, edit_min_s=EDIT_MIN_S, buttons=True)
        self._settings, self._folder, self._ping_s = settings, folder, ping_s
        self._rules = Rules(
            settings.account,
            settings.listening,
            settings.sessions_per,
            settings.open_threads,
            settings.bots,
            delivery,
            markdown=settings.formatting == "markdown",
        )
        self._port = ListeningPort(settings.host, settings.port)
        self._web: AsyncWebClient | None = None
        self._me: Me | None = None
        self._lookups: Lookups | None = None

    async def run(self, door: Door) -> None:
        """Receive until cancelled. Raises MisconfiguredError for tokens that Slack refuses."""
        settings = self._settings
        heard = Heard(self._folder, self.account)
        async with open_session() as session, heard.kept():
            bot_token = settings.bot_token.get_secret_value()
            self._web = web_client(bot_token, settings.api_url, session)
            self._me = await identify(self._web)
            self._lookups = Lookups(self._web, self._me)
            files = Files(
                self._web, session, bot_token, api_url=settings.api_url, account=self.account, folder=self._folder
            )
            backfill = Backfill(self._web, heard, back_s=settings.backfill_h * 3600)
            intake = Intake(
                door, self._rules, self._me, lookups=self._lookups, fetch=files.fetch, heard=heard, backfill=backfill
            )
            async with listening(door, heard, backfill, intake) as attended:
                await self._receive(intake, attended)

    async def _receive(self, intake: Intake, door: Door) -> None:
        settings = self._settings
        if settings.app_token is not None and self._web is not None:
            token = settings.app_token.get_secret_value()
            await SocketMode(self._web, token, intake, door, ping_s=self._ping_s).run()
        elif settings.signing_secret is not None:
            hook = Hook(intake, settings.signing_secret.get_secret_value)
            await serve(hook.app, self._port.take(), door)

    @property
    def address(self) -> str:
        """Where events are posted to, without socket mode; the port is the real one once it listens."""
        return f"{self._port.url}{PATH}"

    async def send(self, message: Outgoing) -> str:
        body = post_body(message, self._rules)
        answer = await _called(self._client().chat_postMessage(**body))
        if self._lookups is not None and "thread_ts" in body:
            self._lookups.takes_part(body["channel"], body["thread_ts"])
        return str(answer["ts"])

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        what = look(text, choices, self._rules)
        await _called(self._client().chat_update(channel=where(session).chat, ts=message_id, **what))

    async def find(self, message: Outgoing) -> str | None:
        """Look for the message by the key in its metadata. What answers cannot be older than what it answers."""
        web, me, at = self._client(), self._me, where(message.session)
        read = partial(web.conversations_history, channel=at.chat)
        if at.thread is not None:
            read = partial(web.conversations_replies, channel=at.chat, ts=at.thread)
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = await _called(read(limit=PAGE, oldest=message.reply_to, cursor=cursor, include_all_metadata=True))
            for line in page["messages"]:
                if me is not None and has_key(line, message.key, me):
                    return str(line["ts"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
        raise SlackTroubleError(f"whether it was posted cannot be told: more than {PAGE * PAGES_MAX} messages since")

    def _client(self) -> AsyncWebClient:
        if self._web is None:
            raise NotSentError("slack is not connected yet")
        return self._web


async def identify(web: AsyncWebClient) -> Me:
    """Ask who we are. Raises MisconfiguredError for a token that Slack refuses."""
    try:
        told = await web.auth_test()
    except Exception as error:  # Invariant: what a platform raises is in the port's words, and holds no secrets.
        raise of_start(error) from None
    return Me(told["user_id"], told.get("bot_id"), told.get("user") or "")


async def _called(call: Awaitable[AsyncSlackResponse]) -> AsyncSlackResponse:
    try:
        return await call
    except Exception as error:  # Invariant: what a platform raises is in the port's words, and holds no secrets.
        raise of_call(error) from None
