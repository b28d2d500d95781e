import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import discord
import pytest
from tests.platforms.discord_people import until
from tests.platforms.discord_world import Discord, opened
from tests.platforms.stage import WAIT_S, Stage, running

from greenroom.actors.ports import MisconfiguredError, Outgoing
from greenroom.platforms.chats.discord import DiscordChat, DiscordSettings, listening, reading
from greenroom.platforms.chats.discord.client import SESSIONS_KEPT
from greenroom.platforms.fakes.discord import TOKEN


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Discord]:
    monkeypatch.setattr(reading, "ASK_AGAIN_S", 0.001)
    async with opened(tmp_path) as world:
        yield world


async def test_a_wrong_token_is_told_in_words_and_never_shown(world: Discord) -> None:
    with pytest.raises(MisconfiguredError, match="Reset Token") as wrong:
        await world.chat(token="wrong-token").run(world.stage)
    assert "wrong-token" not in repr(wrong.value)


@pytest.mark.parametrize("code, words", [(4004, "Reset Token"), (4014, "Message Content Intent"), (4011, "2,500")])
async def test_what_the_gateway_refuses_says_which_switch_to_flip(world: Discord, code: int, words: str) -> None:
    world.server.gateway.closes_with = code
    with pytest.raises(MisconfiguredError, match=words):
        await world.chat().run(world.stage)


async def test_without_the_switch_for_message_content_it_says_so(world: Discord) -> None:
    world.server.gateway.may_read_content = False
    chat = world.chat()
    for _ in range(3):
        with pytest.raises(MisconfiguredError, match="Message Content Intent"):
            await chat.run(world.stage)
    assert world.server.gateway.asked == 1
    world.server.gateway.may_read_content = True
    async with running(chat, world.stage):
        await until(lambda: world.server.gateway.connected)
        world.say("hello")
        await world.stage.until_accepted(1)


async def test_of_the_connections_of_a_day_some_are_kept(world: Discord) -> None:
    world.server.gateway.sessions_left = SESSIONS_KEPT
    with pytest.raises(ConnectionError, match="20 more connections, it gives more in 60 min"):
        await world.chat().run(world.stage)
    assert world.server.gateway.asked == 0


async def test_what_was_said_while_nobody_listened_is_heard_in_order(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        world.people.say(world.people.direct("Ann"), "before")
        await world.stage.until_accepted(1)
    for number in range(3):
        world.say(f"here {number}")
        world.people.say(world.people.direct("Ann"), f"alone {number}")
        world.people.say(world.people.channel, "not for the bot", "Bob")
        world.people.say(world.people.thread("new"), f"<@{world.people.bot}> aside {number}")
    async with running(world.chat(), world.stage):
        world.say("here 3")
        await world.stage.until_accepted(11)
    for place in ("here", "alone", "aside"):
        said = [text for text in world.texts if text.startswith(place)]
        assert said == [f"{place} {number}" for number in range(len(said))]
        assert len(said) >= 3
    assert len(world.texts) == 11


async def test_what_was_taken_is_not_read_again(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        said = world.say("hello")
        await world.stage.until_accepted(1)
        await world.until_remembered(said)
    world.server.calls.clear()
    async with running(world.chat(), world.stage):
        world.say("again")
        await world.stage.until_accepted(2)
    assert world.texts == ["hello", "again"]


async def test_older_than_a_day_is_left_alone(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        said = world.say("hello")
        await world.stage.until_accepted(1)
        await world.until_remembered(said)
    world.say("while nobody listened")
    tomorrow = world.server.backend.clock.now().timestamp() + 25 * 3600
    settings = DiscordSettings.model_validate({"token": TOKEN})
    late = DiscordChat(
        settings, world.folder, now=lambda: tomorrow, connector=world.server.connector, servers_within_s=0.05
    )
    async with running(late, world.stage):
        await until(lambda: any(call.name == "history" for call in world.server.calls))
        world.people.say(world.people.direct("Ann"), "now")
        await world.stage.until_accepted(2)
    assert world.texts == ["hello", "now"]


async def test_a_connection_that_breaks_is_resumed_and_nothing_is_missed(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        world.say("before")
        await world.stage.until_accepted(1)
        await world.server.gateway.cut()
        world.say("meanwhile")
        await world.stage.until_accepted(2)
        world.say("after")
        await world.stage.until_accepted(3)
        assert [await world.stage.connections.get() for _ in range(2)][1] == "connected"
    assert world.texts == ["before", "meanwhile", "after"]
    assert (world.server.gateway.identified, world.server.gateway.resumed) == (1, 1)


async def test_a_session_that_cannot_be_resumed_is_begun_anew_from_the_past(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        world.say("before")
        await world.stage.until_accepted(1)
        await world.server.gateway.cut(resumable=False)
        world.say("meanwhile")
        await world.stage.until_accepted(2)
    assert world.texts == ["before", "meanwhile"]
    assert world.server.gateway.identified == 2


async def test_without_a_connection_for_too_long_it_begins_anew(
    world: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "RECONNECT_WITHIN_S", 0.05)
    world.server.gateway.closes_with = 4000
    with pytest.raises(ConnectionError, match="no connection"):
        await asyncio.wait_for(world.chat().run(world.stage), WAIT_S)


async def test_what_is_told_twice_is_offered_twice_under_one_id(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        said = world.say("hello")
        world.server.redeliver(world.people.backend.get_message(world.people.channel, said))
        world.say("more")
        await world.stage.until_accepted(2)
    assert world.texts == ["hello", "more"]


async def test_a_second_greenroom_with_the_same_bot_is_noticed(
    world: Discord, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = world.chat(), world.chat(account="other")
    async with running(ours, world.stage), running(theirs, Stage()):
        await ours.send(Outgoing(world.kitchen, "ours-1", "Hello."))
        await ours.send(Outgoing(world.kitchen, "ours-2", "Hello again."))
        assert "somebody else speaks" not in caplog.text
        await theirs.send(Outgoing(world.kitchen, "theirs-1", "Hello, too."))
        await until(lambda: "somebody else speaks" in caplog.text)


async def test_two_accounts_keep_apart_what_they_remember(world: Discord) -> None:
    for account in ("one", "a/b"):
        async with running(world.chat(account=account), world.stage):
            world.say("hello")
            await world.stage.until_accepted(1)
        assert any(account.replace("/", "%2F") in path.name for path in world.folder.iterdir())


async def test_a_library_that_overhears_its_cancellation_is_cancelled_again(
    world: Discord, monkeypatch: pytest.MonkeyPatch
) -> None:
    connecting, overheard = asyncio.Event(), asyncio.Event()

    async def connect(_: discord.Client) -> None:
        connecting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            overheard.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(discord.Client, "connect", connect)
    run = asyncio.create_task(world.chat().run(world.stage))
    await until(connecting.is_set)
    run.cancel()
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(run, return_exceptions=True)
    assert overheard.is_set()
