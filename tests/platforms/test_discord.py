import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import discord
import pytest
from tests.platforms.discord_people import until
from tests.platforms.discord_world import Discord, opened
from tests.platforms.stage import WAIT_S, Stage, running

from greenroom.actors.model import Change, DeliveryClass, SessionKey
from greenroom.actors.ports import (
    BusyError,
    Choices,
    NotSentError,
    Outgoing,
    Platform,
    RefusedError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)
from greenroom.platforms.chats.discord import DiscordSettings, listening, make, reading
from greenroom.platforms.fakes.discord import ToLoopback
from greenroom.platforms.fakes.platform import Fault

NOBODY = 1
"""A port on which nothing listens."""


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Discord]:
    monkeypatch.setattr(reading, "ASK_AGAIN_S", 0.001)
    async with opened(tmp_path) as world:
        yield world


def test_it_is_a_platform(tmp_path: Path) -> None:
    chat = make(DiscordSettings.model_validate({"token": "x", "account": "helper"}), tmp_path)
    assert isinstance(chat, Platform)
    assert (chat.name, chat.account, chat.traits.delivery) == ("discord", "helper", DeliveryClass.EDIT_ANCHOR)
    assert "secret" not in repr(DiscordSettings.model_validate({"token": "secret"}))


async def test_channels_threads_and_direct_chats_are_heard(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        world.say("in the channel")
        world.people.say(world.people.thread("red"), f"<@{world.people.bot}> in a thread")
        world.people.say(world.people.direct("Ann"), "just us")
        await world.stage.until_accepted(3)
    found = {inbound.text: inbound.key for inbound in world.stage.accepted}
    channel, thread, direct = world.people.channel, world.people.thread("red"), world.people.direct("Ann")
    assert found == {
        "in the channel": SessionKey("discord", "me", str(channel)),
        "in a thread": SessionKey("discord", "me", str(channel), str(thread)),
        "just us": SessionKey("discord", "me", str(direct)),
    }


async def test_a_reply_to_the_bot_needs_no_mention_and_mutters_are_not_for_it(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        chat = world.chat()
        async with running(chat, Stage()):
            said = await chat.send(Outgoing(world.kitchen, "s-1", "Shall I?"))
        world.people.say(world.people.channel, "lunch?", "Bob")
        world.people.say(world.people.channel, "yes", reply_to=said)
        await world.stage.until_accepted(1)
    assert world.texts == ["yes"]


async def test_a_message_is_posted_under_the_nonce_of_its_key_and_known_by_it(world: Discord) -> None:
    message = Outgoing(world.kitchen, "store-1.1.answer-0", "...")
    ids = []
    for _ in range(2):
        chat = world.chat()
        async with running(chat, world.stage):
            ids += [await chat.send(message), await chat.send(message)]
    sent = [call.body for call in world.server.calls if call.name == "send"]
    assert {(body["nonce"], body["enforce_nonce"]) for body in sent} == {(sent[0]["nonce"], True)}
    assert len(sent[0]["nonce"]) == 25
    assert len(sent) == 4
    assert len(set(ids)) == 1
    assert world.people.texts(world.people.channel) == ["..."]


async def test_after_some_minutes_a_nonce_is_forgotten_which_is_why_words_come_by_edits(world: Discord) -> None:
    chat = world.chat()
    message = Outgoing(world.kitchen, "store-1.1.answer-0", chat.traits.placeholder)
    async with running(chat, world.stage):
        first = await chat.send(message)
        world.server.forget_nonces()
        assert await chat.send(message) != first


async def test_a_reply_names_its_message_even_if_that_is_gone(world: Discord) -> None:
    chat = world.chat()
    async with running(chat, world.stage):
        said = world.say("hello")
        await chat.send(Outgoing(world.kitchen, "s-1", "Hello.", reply_to=str(said)))
        world.people.backend.delete_message(world.people.channel, said)
        await chat.send(Outgoing(world.kitchen, "s-2", "Still here?", reply_to=str(said)))
    references = [message.reference for message in world.people.shown(world.people.channel)]
    assert [each["message_id"] for each in references if each] == [str(said), str(said)]


async def test_an_edit_and_its_repetition_say_the_same(world: Discord) -> None:
    chat = world.chat()
    async with running(chat, world.stage):
        message_id = await chat.send(Outgoing(world.kitchen, "s-1", "..."))
        for _ in range(2):
            await chat.edit(world.kitchen, message_id, "Hello.")
    assert world.people.texts(world.people.channel) == ["Hello."]


async def test_what_discord_refuses_for_ever_is_told_from_what_is_gone(world: Discord) -> None:
    chat = world.chat()
    nowhere = SessionKey("discord", "me", "12345")
    async with running(chat, world.stage):
        message_id = await chat.send(Outgoing(world.kitchen, "s-1", "..."))
        world.people.backend.delete_message(world.people.channel, int(message_id))
        with pytest.raises(TargetGoneError):
            await chat.edit(world.kitchen, message_id, "Hello.")
        with pytest.raises(SendRefusedError, match="10003"):
            await chat.send(Outgoing(nowhere, "s-2", "Hello."))
        with pytest.raises(SendRefusedError, match="write its id"):
            await chat.send(Outgoing(SessionKey("discord", "me", "#general"), "s-3", "Hello."))
        world.server.faults.append(("send", Fault.REFUSED))
        with pytest.raises(SendRefusedError, match="50007"):
            await chat.send(Outgoing(world.kitchen, "s-4", "Hello."))


@pytest.mark.parametrize("code", [50083, 160002])
async def test_what_an_archived_thread_or_a_hidden_past_refuses_is_gone(world: Discord, code: int) -> None:
    chat = world.chat()
    async with running(chat, world.stage):
        world.server.refused = (400, code, "no")
        world.server.faults.append(("send", Fault.REFUSED))
        with pytest.raises(TargetGoneError):
            await chat.send(Outgoing(world.kitchen, "s-1", "..."))


async def test_without_a_connection_nothing_was_sent(world: Discord) -> None:
    with pytest.raises(NotSentError):
        await world.chat().send(Outgoing(world.kitchen, "s-1", "..."))
    chat = world.chat()
    async with running(chat, world.stage):
        connector = chat._wire().http.connector
        assert isinstance(connector, ToLoopback)
        connector.port = NOBODY
        with pytest.raises(NotSentError, match="cannot be reached"):
            await chat.send(Outgoing(world.kitchen, "s-1", "..."))


async def test_a_rate_limit_is_waited_out(world: Discord) -> None:
    chat = world.chat()
    world.server.faults.append(("send", Fault.RETRY_LATER))
    async with running(chat, world.stage):
        await chat.send(Outgoing(world.kitchen, "s-1", "Hello."))
    assert [call.name for call in world.server.calls].count("send") == 2


async def test_a_longer_rate_limit_is_the_outbox_s_to_wait_for(world: Discord) -> None:
    chat = world.chat()
    world.server.limit = {"retry_after": 31.5, "global": False}
    world.server.faults.append(("send", Fault.RETRY_LATER))
    async with running(chat, world.stage):
        with pytest.raises(RetryLaterError) as later:
            await chat.send(Outgoing(world.kitchen, "s-1", "Hello."))
    assert later.value.retry_after_s == 31.5


async def test_who_gives_up_under_a_limit_of_the_whole_account_silences_nobody(world: Discord) -> None:
    chat = world.chat()
    world.server.limit = {"retry_after": 29.0, "global": True}
    world.server.faults.append(("typing", Fault.RETRY_LATER))
    async with running(chat, world.stage):
        typing = asyncio.create_task(chat.typing(world.kitchen))
        await until(lambda: any(call.name == "typing" for call in world.server.calls))
        await until(lambda: not chat._wire().http._global_over.is_set())
        typing.cancel()
        await asyncio.gather(typing, return_exceptions=True)
        await asyncio.wait_for(chat.send(Outgoing(world.kitchen, "s-1", "Hello.")), WAIT_S)
    assert world.people.texts(world.people.channel) == ["Hello."]


@pytest.mark.parametrize("fault", [Fault.BREAKS_BEFORE, Fault.BREAKS_AFTER, Fault.NOT_SENT])
async def test_a_broken_call_is_doubtful_and_its_repetition_doubles_nothing(world: Discord, fault: Fault) -> None:
    chat = world.chat()
    message = Outgoing(world.kitchen, "s-1", "...")
    async with running(chat, world.stage):
        world.server.faults.append(("send", fault))
        with pytest.raises((aiohttp.ClientError, discord.DiscordServerError)):
            await chat.send(message)
        await chat.send(message)
    assert world.people.texts(world.people.channel) == ["..."]


async def test_an_edit_is_a_change_of_what_was_taken_also_after_a_restart(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        said = world.say("helo")
        await world.stage.until_accepted(1)
        world.people.backend.edit_message(world.people.channel, said, {"content": "hello"})
        await world.stage.until_accepted(2)
    async with running(world.chat(), world.stage):
        content = {"content": f"<@{world.people.bot}> hello!"}
        world.people.backend.edit_message(world.people.channel, said, content)
        await world.stage.until_accepted(3)
    changes = [(inbound.change, inbound.reply_to, inbound.text) for inbound in world.stage.accepted[1:]]
    assert changes == [(Change.EDIT, str(said), "hello"), (Change.EDIT, str(said), "hello!")]


async def test_an_edit_that_turns_to_the_bot_is_a_message(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        said = world.people.say(world.people.channel, "what is the time?").id
        content = {"content": f"<@{world.people.bot}> what is the time?"}
        world.people.backend.edit_message(world.people.channel, said, content)
        await world.stage.until_accepted(1)
    assert [(each.change, each.update_id, each.text) for each in world.stage.accepted] == [
        (None, str(said), "what is the time?")
    ]


async def test_a_deletion_is_told_of_what_was_taken_and_of_nothing_else(world: Discord) -> None:
    async with running(world.chat(), world.stage):
        said, mutter = world.say("hello"), world.people.say(world.people.channel, "lunch?").id
        await world.stage.until_accepted(1)
        for message_id in (mutter, said):
            world.people.backend.delete_message(world.people.channel, message_id)
        await world.stage.until_accepted(2)
    assert [(each.change, each.reply_to) for each in world.stage.accepted[1:]] == [(Change.DELETE, str(said))]


@pytest.mark.parametrize("refusal", [None, BusyError("the disk is full"), RefusedError("too late")])
async def test_a_press_is_acknowledged_once_it_is_on_disk_or_refused(world: Discord, refusal: Exception | None) -> None:
    chat = world.chat()
    async with running(chat, world.stage):
        message_id = await chat.send(Outgoing(world.kitchen, "s-1", "..."))
        await chat.edit(world.kitchen, message_id, "Deploy?", Choices("1.1.answer", ("yes", "no")))
        question = world.people.backend.get_message(world.people.channel, int(message_id))
        world.stage.open_for_business = refusal
        press = world.people.press(question, "no", "Bob")
        acknowledged = world.server.backend.interactions[press]
        if isinstance(refusal, BusyError):
            await until(lambda: world.stage.refused > 0)
            assert not acknowledged.responded
            world.stage.open_for_business = None
        await until(lambda: acknowledged.responded)
    if not isinstance(refusal, RefusedError):
        (pressed,) = world.stage.accepted
        assert (pressed.text, pressed.answers, pressed.author) == ("no", "1.1.answer", "Bob")
        assert pressed.key == world.kitchen


async def test_a_press_that_cannot_be_stored_in_time_is_not_acknowledged(
    world: Discord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "PRESS_WITHIN_S", 0.05)
    chat = world.chat()
    with caplog.at_level(logging.INFO, "greenroom.discord"):
        async with running(chat, world.stage):
            message_id = await chat.send(Outgoing(world.kitchen, "s-1", "..."))
            await chat.edit(world.kitchen, message_id, "Deploy?", Choices("1.1.answer", ("yes", "no")))
            world.stage.open_for_business = BusyError("the disk is full")
            question = world.people.backend.get_message(world.people.channel, int(message_id))
            press = world.people.press(question, "no")
            await until(lambda: "was not acknowledged" in caplog.text)
    assert not world.server.backend.interactions[press].responded


async def test_it_is_shown_typing(world: Discord) -> None:
    chat = world.chat()
    async with running(chat, world.stage):
        await chat.typing(world.kitchen)
    assert [call.channel for call in world.server.calls if call.name == "typing"] == [world.people.channel]


async def test_a_call_that_hangs_after_its_effect_doubles_nothing_when_it_is_made_again(world: Discord) -> None:
    chat = world.chat()
    message = Outgoing(world.kitchen, "s-1", "...")
    world.server.faults.append(("send", Fault.HANGS_AFTER))
    async with running(chat, world.stage):
        hanging = asyncio.create_task(chat.send(message))
        await until(lambda: world.people.texts(world.people.channel) == ["..."])
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)
        await chat.send(message)
    assert world.people.texts(world.people.channel) == ["..."]
