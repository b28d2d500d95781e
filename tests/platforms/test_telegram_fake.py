"""The fake Bot API does what Telegram does, as far as a bot that talks can tell."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from greenroom.platforms.fakes.platform import Fault
from greenroom.platforms.fakes.telegram import FakeTelegram, fake_telegram
from greenroom.platforms.fakes.telegram_markup import BadMarkupError, parse_markdown_v2, read_entities
from greenroom.platforms.fakes.telegram_world import Account

TOKEN = "1:abc"
WAIT_S = 20.0


def account() -> Account:
    return Account(token=TOKEN, id=1, username="my_bot")


class Bot:
    """A bot that anybody could write: plain HTTP."""

    def __init__(self, telegram: FakeTelegram, client: httpx.AsyncClient) -> None:
        self.telegram, self.client = telegram, client

    async def ask(self, method: str, *, token: str = TOKEN, **params: Any) -> tuple[int, Any]:
        answer = await self.client.post(f"{self.telegram.url}/bot{token}/{method}", json=params)
        told = answer.json()
        return answer.status_code, told["result"] if told["ok"] else told["description"]

    async def texts(self, offset: int = 0) -> list[str]:
        _, updates = await self.ask("getUpdates", offset=offset)
        return [update["message"]["text"] for update in updates]


@pytest.fixture
async def bot() -> AsyncIterator[Bot]:
    async with fake_telegram(account()) as telegram, httpx.AsyncClient(timeout=WAIT_S) as client:
        yield Bot(telegram, client)


async def test_updates_come_again_until_a_later_one_is_asked_for_and_then_never(bot: Bot) -> None:
    for text in "abc":
        bot.telegram.do("say", chat=7, text=text)
    assert await bot.texts() == await bot.texts() == ["a", "b", "c"]
    _, updates = await bot.ask("getUpdates", limit=1)
    assert await bot.texts(offset=updates[0]["update_id"] + 1) == ["b", "c"]
    assert await bot.texts() == ["b", "c"]


async def test_a_request_waits_for_an_update(bot: Bot) -> None:
    asking = asyncio.create_task(bot.ask("getUpdates", timeout=15))
    while not bot.telegram.waiting(TOKEN):  # noqa: ASYNC110 - the request is on its way
        await asyncio.sleep(0)
    bot.telegram.do("say", chat=7, text="a")
    assert (await asking)[1][0]["message"]["text"] == "a"


async def test_a_second_poller_ends_the_firsts_request(bot: Bot) -> None:
    first = asyncio.create_task(bot.ask("getUpdates", timeout=15))
    while not bot.telegram.waiting(TOKEN):  # noqa: ASYNC110 - the request is on its way
        await asyncio.sleep(0)
    assert (await bot.ask("getUpdates"))[0] == 200
    status, words = await first
    assert (status, "terminated by other getUpdates request" in words) == (409, True)


async def test_twenty_posts_and_edits_a_minute_are_all_that_a_group_takes() -> None:
    now = [0.0]
    async with fake_telegram(account(), now=lambda: now[0]) as telegram, httpx.AsyncClient(timeout=WAIT_S) as client:
        bot = Bot(telegram, client)
        for chat in (-5, 7):
            telegram.do("say", chat=chat, text="hello")
        message_id = (await bot.ask("sendMessage", chat_id=-5, text="0"))[1]["message_id"]
        for number in range(1, 20):
            await bot.ask("editMessageText", chat_id=-5, message_id=message_id, text=str(number))
        now[0] = 18.5
        one_more = {"chat_id": -5, "message_id": message_id, "text": "20"}
        assert await bot.ask("editMessageText", **one_more) == (429, "Too Many Requests: retry after 42")
        assert (await bot.ask("sendMessage", chat_id=7, text="alone"))[0] == 200
        now[0] = 60.5
        assert (await bot.ask("editMessageText", **one_more))[0] == 200


async def test_a_webhook_and_polling_exclude_each_other(bot: Bot) -> None:
    await bot.ask("setWebhook", url="http://127.0.0.1:9/x", secret_token="s")
    assert (await bot.ask("getUpdates"))[0] == 409
    assert (await bot.ask("getWebhookInfo"))[1]["url"] == "http://127.0.0.1:9/x"
    await bot.ask("deleteWebhook")
    assert (await bot.ask("getUpdates"))[0] == 200


@pytest.mark.parametrize(
    "method, params, status, words",
    [
        ("sendMessage", {"chat_id": 8, "text": "x"}, 400, "chat not found"),
        ("sendMessage", {"chat_id": 7, "text": " "}, 400, "message text is empty"),
        ("sendMessage", {"chat_id": 7, "text": "🎈" * 2049}, 400, "message is too long"),
        ("sendMessage", {"chat_id": 7, "text": "a.", "parse_mode": "MarkdownV2"}, 400, "'.' is reserved"),
        ("sendMessage", {"chat_id": 7, "text": "x", "reply_parameters": {"message_id": 99}}, 400, "replied not found"),
        ("editMessageText", {"chat_id": 7, "message_id": 99, "text": "x"}, 400, "message to edit not found"),
        ("editMessageText", {"chat_id": 7, "message_id": 1, "text": "x"}, 400, "message can't be edited"),
        ("getFile", {"file_id": "none"}, 400, "invalid file_id"),
        ("makeCoffee", {}, 404, "Not Found"),
    ],
)
async def test_what_telegram_refuses_it_refuses(
    bot: Bot, method: str, params: dict[str, Any], status: int, words: str
) -> None:
    bot.telegram.do("say", chat=7, text="hello")
    told = await bot.ask(method, **params)
    assert told[0] == status
    assert words in told[1]


async def test_an_edit_that_changes_nothing_is_refused_as_such(bot: Bot) -> None:
    bot.telegram.do("say", chat=7, text="hello")
    _, sent = await bot.ask("sendMessage", chat_id=7, text=" hi ")
    assert sent["text"] == "hi"
    told = await bot.ask("editMessageText", chat_id=7, message_id=sent["message_id"], text="hi")
    assert (told[0], "message is not modified" in told[1]) == (400, True)


async def test_who_blocked_the_bot_and_who_moved_say_so(bot: Bot) -> None:
    bot.telegram.do("say", chat=7, text="hello")
    bot.telegram.account().blocked.append(7)
    assert await bot.ask("sendMessage", chat_id=7, text="x") == (403, "Forbidden: bot was blocked by the user")
    bot.telegram.do("migrate", chat=-5, to=-1_000_000_000_005)
    status, words = await bot.ask("sendMessage", chat_id=-5, text="x")
    assert (status, "upgraded to a supergroup" in words) == (400, True)


@pytest.mark.parametrize("token, status", [("2:abc", 401), ("abc", 404)])
async def test_a_wrong_token_is_refused(bot: Bot, token: str, status: int) -> None:
    assert (await bot.ask("getMe", token=token))[0] == status


@pytest.mark.parametrize("fault, effect", [(Fault.BREAKS_BEFORE, 0), (Fault.BREAKS_AFTER, 1)])
async def test_a_broken_connection_says_nothing_of_the_effect(bot: Bot, fault: Fault, effect: int) -> None:
    bot.telegram.do("say", chat=7, text="hello")
    bot.telegram.fail("sendMessage", fault)
    with pytest.raises(httpx.RemoteProtocolError):
        await bot.ask("sendMessage", chat_id=7, text="x")
    assert len(bot.telegram.account().visible(7)) == effect


async def test_what_it_remembers_outlives_it(tmp_path: Path) -> None:
    file = tmp_path / "telegram.json"
    async with fake_telegram(account(), file=file) as telegram, httpx.AsyncClient() as client:
        said = telegram.do("say", chat=7, text="hello", known_as="m1")
        await Bot(telegram, client).ask("sendMessage", chat_id=7, text="hi")
    async with fake_telegram(account(), file=file) as telegram, httpx.AsyncClient() as client:
        assert telegram.do("say", chat=7, text="hello", known_as="m1") == said
        assert await Bot(telegram, client).texts() == ["hello"]
        assert [each.text for each in telegram.account().visible(7)] == ["hi"]


@pytest.mark.parametrize(
    "written, text, kinds",
    [
        (
            r"*a* _b_ __c__ ~d~ ||e|| `f.`",
            "a b c d e f.",
            ["bold", "italic", "underline", "strikethrough", "spoiler", "code"],
        ),
        (r"[x](https://e.org) 1\.5\!", "x 1.5!", ["text_link"]),
        ("```\nx.y\n```", "\nx.y\n", ["pre"]),
    ],
)
def test_markdown_v2_is_read(written: str, text: str, kinds: list[str]) -> None:
    read, entities = parse_markdown_v2(written)
    assert (read, [each["type"] for each in entities]) == (text, kinds)


@pytest.mark.parametrize("written", ["*a", "a.", "[x]", "_a", "`a", "1!", "a-b"])
def test_markdown_v2_that_is_wrong_is_complained_about(written: str) -> None:
    with pytest.raises(BadMarkupError, match="can't parse entities"):
        parse_markdown_v2(written)


@pytest.mark.parametrize("given", ["{", '[{"type": "shiny", "offset": 0, "length": 1}]', '[{"type": "bold"}]'])
def test_entities_that_are_none_are_complained_about(given: str) -> None:
    with pytest.raises(BadMarkupError, match="can't parse entities"):
        read_entities(given)
