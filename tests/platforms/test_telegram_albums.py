"""Albums at Telegram: its items are one message, however they come, and none is doubled or lost by a crash."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from telegram import Update
from tests.platforms.stage import running
from tests.platforms.telegram_stage import TOKEN, Picky, make, pending, until

from greenroom.actors.model import Change, Inbound
from greenroom.platforms.chats.telegram.albums import ALBUM_MAX, bundle, done_upto, may_go_on
from greenroom.platforms.chats.web.server import listen
from greenroom.platforms.fakes.telegram import FakeTelegram, fake_telegram
from greenroom.platforms.fakes.telegram_world import Account, File

LONG_S = 3600.0
GROUP = -5


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    account = Account(token=TOKEN, id=1, username="my_bot")
    account.files = {name: File(f"{name}.txt", "text/plain", name.encode()) for name in "abc"}
    async with fake_telegram(account) as telegram:
        yield telegram


@pytest.fixture
def stage() -> Picky:
    return Picky()


def shows(telegram: FakeTelegram, chat: int, *files: str, text: str = "") -> list[int]:
    """A person sends an album; its first item has the caption."""
    texts = (text, *[""] * (len(files) - 1))
    return [
        telegram.do("say", chat=chat, text=words, file=file, album="g")
        for words, file in zip(texts, files, strict=True)
    ]


def names(inbound: Inbound) -> list[str | None]:
    return [attachment.name for attachment in inbound.attachments]


async def until_all_is_taken(telegram: FakeTelegram) -> None:
    await until(lambda: not telegram.account().updates)


@pytest.mark.parametrize("chat", [7, GROUP])
async def test_an_album_is_one_message_with_all_its_files(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path, chat: int
) -> None:
    first, *_ = shows(telegram, chat, "a", "b", "c", text="@my_bot compare these")
    async with running(make(telegram, tmp_path), stage):
        await until_all_is_taken(telegram)
    (inbound,) = stage.accepted
    assert (inbound.text, inbound.reply_to) == ("compare these", str(first))
    assert names(inbound) == ["a.txt", "b.txt", "c.txt"]


async def test_an_album_for_others_is_left_out(telegram: FakeTelegram, stage: Picky, tmp_path: Path) -> None:
    shows(telegram, GROUP, "a", "b", text="holidays")
    async with running(make(telegram, tmp_path), stage):
        await until_all_is_taken(telegram)
    assert stage.accepted == []


async def test_an_album_waits_for_its_other_items_and_holds_up_no_other_chat(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    shows(telegram, 7, "a", text="look")
    telegram.do("say", chat=8, text="hello")
    async with running(make(telegram, tmp_path, album_s=LONG_S), stage):
        await stage.until_accepted(1)
        assert len(pending(telegram)) == 2, "what waits is not confirmed"
        shows(telegram, 7, "b")
        telegram.do("say", chat=7, text="and?")
        await stage.until_accepted(3)
        await until_all_is_taken(telegram)
    assert [(inbound.text, len(inbound.attachments)) for inbound in stage.accepted] == [
        ("hello", 0),
        ("look", 2),
        ("and?", 0),
    ]


async def test_an_album_that_waited_when_the_process_died_comes_again(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    shows(telegram, 7, "a", "b", text="look")
    telegram.do("say", chat=8, text="hello")
    async with running(make(telegram, tmp_path, album_s=LONG_S), stage):
        await stage.until_accepted(1)
    async with running(make(telegram, tmp_path), stage):
        await until_all_is_taken(telegram)
    assert [names(inbound) for inbound in stage.accepted] == [[], ["a.txt", "b.txt"]]


async def test_half_an_album_is_never_confirmed(telegram: FakeTelegram, stage: Picky, tmp_path: Path) -> None:
    stage.busy = {"8"}
    items = shows(telegram, 7, "a", text="look")
    busy = telegram.do("say", chat=8, text="hello")
    items += shows(telegram, 7, "b")
    async with running(make(telegram, tmp_path), stage):
        await stage.until_accepted(1)
        await until(lambda: stage.refusals > 1)
        assert pending(telegram) == [items[0], busy, items[1]]
    stage.busy = set()
    async with running(make(telegram, tmp_path), stage):
        await until_all_is_taken(telegram)
    assert [inbound.text for inbound in stage.accepted] == ["look", "hello"]


async def test_an_edit_of_one_item_is_one_of_the_whole_album(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    items = shows(telegram, GROUP, "a", "b", text="@my_bot look")
    async with running(make(telegram, tmp_path), stage):
        await stage.until_accepted(1)
        telegram.do("edit", message_id=items[1], text="")
        telegram.do("edit", message_id=items[1], text="and here")
        await until_all_is_taken(telegram)
    edit = stage.accepted[1]
    assert (edit.text, edit.change, edit.reply_to) == ("look\nand here", Change.EDIT, str(items[0]))
    assert names(edit) == ["a.txt", "b.txt"]
    assert len(stage.accepted) == 2


async def test_by_webhook_the_items_after_the_one_that_calls_are_taken_each_by_itself(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/telegram"
    shows(telegram, GROUP, "a", "b", text="@my_bot look")
    async with running(make(telegram, tmp_path, webhook_url=url, port=port), stage):
        await until_all_is_taken(telegram)
    assert [names(inbound) for inbound in stage.accepted] == [["a.txt"], ["b.txt"]]


def updates(*albums: tuple[int, str | None]) -> list[Update]:
    told = []
    for number, (chat, album) in enumerate(albums):
        place = {"id": chat, "type": "private", "first_name": "Ann"}
        message = {"message_id": number, "date": 1, "chat": place, "media_group_id": album}
        told.append(Update.de_json({"update_id": number, "message": message}, None))
    return told


def test_items_are_bundled_that_follow_each_other_in_their_chat() -> None:
    bundles = bundle(updates((7, "g"), (8, "g"), (7, "g"), (7, None), (7, "g"), (7, "h")))
    assert [[update.update_id for update in each.updates] for each in bundles] == [[0, 2], [1], [3], [4], [5]]
    assert [may_go_on(bundles, each) for each in bundles] == [False, True, False, False, True]


def test_an_album_has_an_end() -> None:
    bundles = bundle(updates(*[(7, "g")] * (ALBUM_MAX + 1)))
    assert [len(each.updates) for each in bundles] == [ALBUM_MAX, 1]
    (full,) = bundle(updates(*[(7, "g")] * ALBUM_MAX))
    assert not may_go_on((full,), full)


def test_of_an_album_all_is_confirmed_or_nothing() -> None:
    bundles = bundle(updates((9, None), (7, "g"), (8, "h"), (7, "g"), (8, "h")))
    assert [done_upto(bundles, done) for done in range(6)] == [0, 1, 1, 1, 1, 5]
