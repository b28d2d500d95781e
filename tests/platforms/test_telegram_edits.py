"""What becomes of messages at Telegram: edits that say nothing, and edits that make a message of what was none for us."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.platforms.stage import Stage, running
from tests.platforms.telegram_stage import TOKEN, make, until

from greenroom.actors.model import Change
from greenroom.platforms.fakes.telegram import FakeTelegram, fake_telegram
from greenroom.platforms.fakes.telegram_world import Account

GROUP = -5


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with fake_telegram(Account(token=TOKEN, id=1, username="my_bot")) as telegram:
        yield telegram


def told(stage: Stage) -> list[tuple[str, bool]]:
    return [(inbound.text, inbound.change is Change.EDIT) for inbound in stage.accepted]


async def until_all_is_taken(telegram: FakeTelegram) -> None:
    await until(lambda: not telegram.account().updates)


async def test_an_edit_that_adds_the_mention_is_a_message_and_later_edits_need_none(
    telegram: FakeTelegram, tmp_path: Path
) -> None:
    stage = Stage()
    async with running(make(telegram, tmp_path), stage):
        message_id = telegram.do("say", chat=GROUP, text="what is 2+2")
        telegram.do("edit", message_id=message_id, text="what is 2+3")
        telegram.do("edit", message_id=message_id, text="@my_bot what is 2+2")
        telegram.do("edit", message_id=message_id, text="never mind")
        await until_all_is_taken(telegram)
    assert told(stage) == [("what is 2+2", False), ("never mind", True)]
    assert {inbound.reply_to for inbound in stage.accepted} == {str(message_id)}


async def test_what_was_taken_before_a_restart_is_no_message_once_more(telegram: FakeTelegram, tmp_path: Path) -> None:
    stage = Stage()
    message_id = telegram.do("say", chat=GROUP, text="@my_bot hello")
    other_id = telegram.do("say", chat=GROUP, text="@my_bot bye")
    async with running(make(telegram, tmp_path), stage):
        await until_all_is_taken(telegram)
    telegram.do("edit", message_id=message_id, text="@my_bot hello there")
    telegram.do("edit", message_id=other_id, text="@my_bot bye")
    async with running(make(telegram, tmp_path), stage):
        await until_all_is_taken(telegram)
    assert told(stage) == [("hello", False), ("bye", False), ("hello there", True)]


async def test_an_edit_that_changed_no_words_is_none(telegram: FakeTelegram, tmp_path: Path) -> None:
    """A reaction comes like that: tdlib/telegram-bot-api#773."""
    stage = Stage()
    async with running(make(telegram, tmp_path), stage):
        message_id = telegram.do("say", chat=7, text="hello")
        for text in ("hello", "hello!", "hello!", "hello"):
            telegram.do("edit", message_id=message_id, text=text)
        await until_all_is_taken(telegram)
    assert told(stage) == [("hello", False), ("hello!", True), ("hello", True)]


async def test_what_an_edit_made_is_the_same_when_it_comes_again(telegram: FakeTelegram, tmp_path: Path) -> None:
    stage = Stage()
    message_id = telegram.do("say", chat=GROUP, text="hello")
    telegram.do("edit", message_id=message_id, text="@my_bot hello")
    again = dict(telegram.account().updates)
    for _ in range(2):
        telegram.account().updates |= again
        async with running(make(telegram, tmp_path), stage):
            await until_all_is_taken(telegram)
    assert told(stage) == [("hello", False)]
