"""Telegram as a platform, against the fake Bot API: what is acknowledged when, and what becomes of each refusal."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.platforms.stage import Stage, running
from tests.platforms.telegram_stage import TOKEN, Picky, make, pending, until

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import (
    Choices,
    MisconfiguredError,
    NotSentError,
    Outgoing,
    Platform,
    RefusedError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)
from greenroom.platforms.chats.telegram.troubles import TelegramTroubleError
from greenroom.platforms.chats.web.server import listen
from greenroom.platforms.fakes.platform import Fault
from greenroom.platforms.fakes.telegram import FakeTelegram, fake_telegram
from greenroom.platforms.fakes.telegram_world import Account, File

ANN = SessionKey("telegram", "me", "7")
GROUP = SessionKey("telegram", "me", "-5")


@pytest.fixture
def stage() -> Picky:
    return Picky()


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with fake_telegram(Account(token=TOKEN, id=1, username="my_bot")) as telegram:
        yield telegram


async def until_confirmed(telegram: FakeTelegram) -> None:
    await until(lambda: not telegram.account().updates)


async def test_it_is_a_platform_and_asks_for_nothing_before_it_runs(telegram: FakeTelegram, tmp_path: Path) -> None:
    chat = make(telegram, tmp_path)
    assert isinstance(chat, Platform)
    assert (chat.name, chat.account) == ("telegram", "me")
    with pytest.raises(NotSentError):
        await chat.send(Outgoing(ANN, "k", "hello"))
    assert telegram.calls == []


async def test_an_update_is_confirmed_when_it_is_on_disk_and_not_before(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    stage.busy = {"7"}
    first = telegram.do("say", chat=7, text="first")
    async with running(make(telegram, tmp_path), stage):
        await stage.offered.wait()
        assert pending(telegram) == [first]
        stage.busy = set()
        await stage.until_accepted(1)
        await until_confirmed(telegram)


async def test_a_chat_that_must_wait_holds_up_no_other_and_keeps_its_order(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    stage.busy = {"7"}
    for chat, text in ((7, "a"), (8, "b"), (7, "c"), (9, "d")):
        telegram.do("say", chat=chat, text=text)
    async with running(make(telegram, tmp_path), stage):
        await stage.until_accepted(2)
        assert [inbound.text for inbound in stage.accepted] == ["b", "d"]
        assert len(pending(telegram)) == 4
        stage.busy = set()
        await stage.until_accepted(4)
        await until_confirmed(telegram)
    assert [inbound.text for inbound in stage.accepted] == ["b", "d", "a", "c"]


async def test_what_is_refused_does_not_come_again(telegram: FakeTelegram, stage: Picky, tmp_path: Path) -> None:
    stage.open_for_business = RefusedError("not allowed")
    telegram.do("say", chat=7, text="let me in")
    async with running(make(telegram, tmp_path), stage):
        await until_confirmed(telegram)
    assert stage.accepted == []


@pytest.mark.parametrize("token, words", [("2:wrong", "does not know this token"), ("nonsense", "this is no token")])
async def test_a_wrong_token_is_told_without_it(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path, token: str, words: str
) -> None:
    with pytest.raises(MisconfiguredError, match=words) as told:
        await make(telegram, tmp_path, token=token).run(stage)
    assert token not in str(told.value)


async def test_the_second_poller_gives_way_and_the_first_goes_on(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    async with running(make(telegram, tmp_path, settled_s=0.0), stage) as first:
        with pytest.raises(MisconfiguredError, match="another program asks for this bot's updates"):
            await make(telegram, tmp_path).run(Stage())
        telegram.do("say", chat=7, text="still there?")
        await stage.until_accepted(1)
        assert not first.done()


async def test_no_error_and_no_log_holds_the_token(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    chat = make(telegram, tmp_path)
    telegram.do("say", chat=7, text="hello")
    errors: list[Exception] = []
    async with running(chat, stage):
        for fault in (Fault.BREAKS_BEFORE, Fault.NOT_SENT, Fault.REFUSED, Fault.RETRY_LATER):
            telegram.fail("sendMessage", fault)
            with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is
                await chat.send(Outgoing(ANN, "k", "hello"))
            errors.append(raised.value)
    nowhere = make(telegram, tmp_path, api_url="http://127.0.0.1:9")
    with pytest.raises(NotSentError) as raised:
        await nowhere.run(stage)
    errors.append(raised.value)
    told = "".join(f"{each!r}{each.__context__!r}{each.__cause__!r}" for each in errors)
    ours = [record for record in caplog.records if not record.name.startswith("uvicorn")]  # The other side's.
    told += "".join(f"{record.getMessage()}{record.exc_text}" for record in ours)
    assert "very-secret" not in told
    assert "/bothidden/" in told, "a test that sees no URL proves nothing"


@pytest.mark.parametrize(
    "fault, error",
    [
        (Fault.RETRY_LATER, RetryLaterError),
        (Fault.REFUSED, SendRefusedError),
        (Fault.NOT_SENT, TelegramTroubleError),
        (Fault.BREAKS_AFTER, TelegramTroubleError),
    ],
)
async def test_each_fault_has_its_error(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path, fault: Fault, error: type[Exception]
) -> None:
    telegram.do("say", chat=7, text="hello")
    chat = make(telegram, tmp_path)
    async with running(chat, stage):
        telegram.fail("sendMessage", fault)
        with pytest.raises(error):
            await chat.send(Outgoing(ANN, "k", "hello"))


async def test_an_answer_is_not_lost_for_its_looks(telegram: FakeTelegram, stage: Picky, tmp_path: Path) -> None:
    telegram.do("say", chat=7, text="hello")
    chat = make(telegram, tmp_path)
    async with running(chat, stage):
        message_id = await chat.send(Outgoing(ANN, "k", "it is **bold**"))
        (shown,) = telegram.account().visible(7)
        assert (shown.text, [each["type"] for each in shown.entities]) == ("it is bold", ["bold"])
        telegram.account().refuses_entities = True
        await chat.edit(ANN, message_id, "now **bolder**")
        await chat.edit(ANN, message_id, "now **bolder**")
    (shown,) = telegram.account().visible(7)
    assert (shown.text, shown.entities, shown.edits) == ("now **bolder**", [], 1)


async def test_a_message_that_is_gone_is_told_so(telegram: FakeTelegram, stage: Picky, tmp_path: Path) -> None:
    telegram.do("say", chat=7, text="hello")
    chat = make(telegram, tmp_path)
    async with running(chat, stage):
        with pytest.raises(TargetGoneError):
            await chat.edit(ANN, "99", "late")
        with pytest.raises(SendRefusedError, match="Chat not found"):
            await chat.send(Outgoing(SessionKey("telegram", "me", "8"), "k", "who are you?"))


async def test_a_group_that_becomes_a_supergroup_keeps_its_conversation_also_after_a_restart(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    telegram.do("say", chat=-5, text="/start")
    chat = make(telegram, tmp_path)
    async with running(chat, stage):
        await stage.until_accepted(1)
        before = await chat.send(Outgoing(GROUP, "k", "..."))
        telegram.account().migrated[-5] = -1005  # Before its update is heard.
        telegram.account().say(-1005, "x")
        after = await chat.send(Outgoing(GROUP, "k2", "moved?"))
        with pytest.raises(TargetGoneError):
            await chat.edit(GROUP, before, "left behind")
        await chat.edit(GROUP, after, "moved!")
    assert [said.text for said in telegram.account().visible(-1005)] == ["moved!"]
    telegram.do("say", chat=-1005, text="/again")
    again = make(telegram, tmp_path)
    async with running(again, stage):
        await stage.until_accepted(2)
    assert [inbound.key for inbound in stage.accepted] == [GROUP, GROUP]


async def test_a_press_rests_once_it_is_on_disk(telegram: FakeTelegram, stage: Picky, tmp_path: Path) -> None:
    telegram.do("say", chat=7, text="hello")
    chat = make(telegram, tmp_path)
    async with running(chat, stage):
        message_id = await chat.send(Outgoing(ANN, "k", "Deploy?", choices=Choices("1.1.answer", ("yes", "no"))))
        telegram.do("press", message_id=int(message_id), text="no")
        await stage.until_accepted(2)
        await until(lambda: telegram.account().pressed)
    assert (stage.accepted[1].text, stage.accepted[1].answers) == ("no", "1.1.answer")


async def test_a_file_that_cannot_be_had_costs_no_message(telegram: FakeTelegram, stage: Picky, tmp_path: Path) -> None:
    telegram.account().files["f"] = File("a.txt", "text/plain", b"hello")
    telegram.do("say", chat=7, text="look", file="f")
    telegram.account().files.clear()  # Telegram has forgotten it.
    async with running(make(telegram, tmp_path), stage):
        await stage.until_accepted(1)
    assert stage.accepted[0].text.startswith("look\n[the file a.txt could not be fetched:")


async def test_a_webhook_takes_updates_with_the_secret_only(
    telegram: FakeTelegram, stage: Picky, tmp_path: Path
) -> None:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/telegram"
    async with running(make(telegram, tmp_path, webhook_url=url, port=port), stage):
        assert telegram.account().webhook == url
        async with httpx.AsyncClient() as client:
            forged = await client.post(url, json={"update_id": 1}, headers={"X-Telegram-Bot-Api-Secret-Token": "x"})
            assert forged.status_code == 401
            secret = {"X-Telegram-Bot-Api-Secret-Token": telegram.account().secret}
            assert (await client.post(url, content=b"[", headers=secret)).status_code == 400
            nowhere = {"update_id": 1, "message": {"message_id": 1, "date": 1, "text": "hi"}}
            assert (await client.post(url, json=nowhere, headers=secret)).status_code == 200  # It need not come again.
        stage.busy = {"7"}
        first = telegram.do("say", chat=7, text="hello")
        await stage.offered.wait()
        assert pending(telegram) == [first]
        stage.busy = set()
        await stage.until_accepted(1)
        await until_confirmed(telegram)
