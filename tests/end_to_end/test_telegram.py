"""The real daemon as Telegram sees it: two bots in one house, one bot in two houses, and tokens that are wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from greenroom.platforms.chats.telegram.polling import SETTLED_S
from greenroom.platforms.fakes.telegram import FakeTelegram, fake_telegram
from greenroom.platforms.fakes.telegram_world import Account
from greenroom.supervisor.sandbox.storm_daemon import Daemon, free_port, living

WAIT_S = 60.0
LOOK_S = 0.05
RED, BLUE = "1:red-secret", "2:blue-secret"
POLICY = "[policy]\nallow = ['telegram:*', 'web:*']\nrestart_backoff_max_s = 2\n[log]\nlevel = 'debug'\n"


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    red, blue = Account(token=RED, id=1, username="red_bot"), Account(token=BLUE, id=2, username="blue_bot")
    async with fake_telegram(red, blue) as telegram:
        yield telegram


def daemon(folder: Path, telegram: FakeTelegram, **tokens: str) -> Daemon:
    folder.mkdir(exist_ok=True)
    tables = "".join(
        f'[platforms.telegram.{name}]\ntoken = "{token}"\napi_url = "{telegram.url}"\n'
        for name, token in tokens.items()
    )
    return Daemon(folder, free_port(), extra=POLICY + tables)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(LOOK_S)


def texts(telegram: FakeTelegram, token: str, chat: int = 7) -> list[str]:
    return [said.text for said in telegram.account(token).visible(chat)]


async def test_two_bots_of_one_house_answer_each_for_itself(tmp_path: Path, telegram: FakeTelegram) -> None:
    async with living(daemon(tmp_path, telegram, red=RED, blue=BLUE)):
        telegram.do("say", token=RED, chat=7, text="to the red one")
        telegram.do("say", token=BLUE, chat=7, text="to the blue one")
        await until(lambda: texts(telegram, RED) == ["You said: to the red one"])
        await until(lambda: texts(telegram, BLUE) == ["You said: to the blue one"])


async def test_the_second_house_with_one_bot_says_what_is_wrong_and_the_first_goes_on(
    tmp_path: Path, telegram: FakeTelegram
) -> None:
    first, second = daemon(tmp_path / "one", telegram, me=RED), daemon(tmp_path / "two", telegram, me=RED)
    async with living(first):
        telegram.do("say", token=RED, chat=7, text="first words")
        await until(lambda: texts(telegram, RED) == ["You said: first words"])
        await asyncio.sleep(SETTLED_S + 1)
        async with living(second):
            await until(lambda: any("another program asks for this bot's updates" in line for line in second.said))
            code, status = await second.run("status")
            assert code == 0
            assert "telegram:me" in status
            assert not any("another program asks for" in line for line in first.said)
        telegram.do("say", token=RED, chat=7, text="still there?")
        await until(lambda: texts(telegram, RED)[-1] == "You said: still there?")


async def test_a_wrong_token_is_told_the_others_go_on_and_it_heals_without_a_restart(
    tmp_path: Path, telegram: FakeTelegram
) -> None:
    secret = tmp_path / "token"
    secret.write_text("3:mistyped-secret")
    house = daemon(tmp_path, telegram, red=RED, blue=f"file:{secret}")
    async with living(house):
        await until(lambda: any("Telegram does not know this token" in line for line in house.said))
        telegram.do("say", token=RED, chat=7, text="first words")
        await until(lambda: texts(telegram, RED) == ["You said: first words"])
        secret.write_text(BLUE)
        telegram.do("say", token=BLUE, chat=7, text="and you?")
        await until(lambda: texts(telegram, BLUE) == ["You said: and you?"])
        telegram.cut()
        telegram.do("say", token=RED, chat=7, text="again")
        await until(lambda: texts(telegram, RED)[-1] == "You said: again")
        assert await house.stop() == 0
    assert "-secret" not in "\n".join(house.said)
    assert all(b"-secret" not in each.read_bytes() for each in sorted(tmp_path.glob("greenroom.db*")))  # noqa: ASYNC240
