"""What is to be said becomes visible once, whatever happens to the request, the answer, the device or the home server."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.platforms.matrix_stage import Scene, outgoing, scene
from tests.platforms.synapse import Synapse, serving

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import (
    MisconfiguredError,
    NotSentError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)
from greenroom.platforms.chats.matrix import MatrixChat
from greenroom.platforms.chats.matrix.codec import TEXT_MAX
from greenroom.platforms.fakes.platform import Fault


@pytest.fixture
async def here(homeserver: Synapse, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(homeserver, tmp_path) as set_up:
        yield set_up


async def insist(chat: MatrixChat, room: str, key: str, text: str) -> str:
    """Try as the outbox does, until it works."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await chat.send(outgoing(room, key, text))
            except (NotSentError, TimeoutError):
                await asyncio.sleep(0.05)


async def test_a_send_whose_answer_is_lost_is_repeated_and_seen_once(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        here.bot.relay.fail("send", Fault.BREAKS_AFTER)
        with pytest.raises(TimeoutError):
            await chat.send(outgoing(room, "k1", "once"))
        sent = await chat.send(outgoing(room, "k1", "once"))
        assert [post.id for post in await here.ann.posts(room, here.bot.user)] == [sent]


async def test_the_home_server_knows_a_repeated_send_by_its_transaction_alone(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        here.bot.relay.fail("sync", Fault.HANGS_BEFORE)
        await here.bot.relay.cut_when_asked("sync")  # From here on it hears nothing of what it sent.
        message = outgoing(room, "k1", "once")
        here.bot.relay.fail("send", Fault.BREAKS_AFTER)
        with pytest.raises(TimeoutError):
            await chat.send(message)
        assert await chat.find(message) is None
        sent = await chat.send(message)
        assert [post.id for post in await here.ann.posts(room, here.bot.user)] == [sent]


async def test_another_process_repeats_it_from_the_same_device(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        here.bot.relay.fail("send", Fault.BREAKS_AFTER)
        with pytest.raises(TimeoutError):
            await chat.send(outgoing(room, "k1", "once"))
    async with here.bot.up() as chat:
        sent = await chat.send(outgoing(room, "k1", "once"))
        assert [post.id for post in await here.ann.posts(room, here.bot.user)] == [sent]
    assert len([does for does, _ in here.bot.relay.seen if does == "login"]) == 1


@pytest.mark.parametrize("heard", [False, True])
async def test_what_an_earlier_device_posted_is_known_by_its_key(here: Scene, heard: bool) -> None:
    """A server forgets transactions after a day, and with the device."""
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        here.bot.relay.fail("send", Fault.BREAKS_AFTER)
        with pytest.raises(TimeoutError):
            await chat.send(outgoing(room, "k1", "once"))
        if heard:  # Its echo came, and the position is behind it.
            await here.bot.kept("k1")
    (here.bot.folder / "matrix-me.device.json").unlink()
    async with here.bot.up() as chat:
        sent = await chat.send(outgoing(room, "k1", "once"))
        assert [post.id for post in await here.ann.posts(room, here.bot.user)] == [sent]
    assert len([does for does, _ in here.bot.relay.seen if does == "login"]) == 2


@pytest.mark.parametrize("moment", ["while it is under way", "after its effect"])
async def test_a_home_server_killed_between_the_request_and_its_answer_shows_it_once(
    tmp_path: Path, moment: str
) -> None:
    with serving(tmp_path / "server") as server:
        async with scene(server, tmp_path) as here, here.bot.up() as chat:
            room = await here.bot.in_room(here.ann)

            def kill(does: str) -> bool:
                if does == "send":
                    server.kill()
                return does == "send"

            if moment == "after its effect":
                here.bot.relay.answered = kill
            else:
                here.bot.relay.forwarding = kill
            with pytest.raises(TimeoutError):  # Nobody can say whether it was sent.
                await chat.send(outgoing(room, "k1", "once"))
            here.bot.relay.forwarding = here.bot.relay.answered = None
            await asyncio.to_thread(server.start)
            sent = await insist(chat, room, "k1", "once")
            assert [post.id for post in await here.ann.posts(room, here.bot.user)] == [sent]


async def test_the_device_and_its_token_are_for_the_owner_alone(here: Scene) -> None:
    async with here.bot.up():
        await here.bot.in_room(here.ann)
    kept = here.bot.folder / "matrix-me.device.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    held = json.loads(kept.read_text())
    assert (held["user"], held["device"][:9]) == (here.bot.user, "GREENROOM")


async def test_a_device_that_was_signed_out_signs_in_again_as_itself(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        before = json.loads((here.bot.folder / "matrix-me.device.json").read_text())
        await here.bot.account.signs_out(before["token"])
        await here.ann.says(room, "are you there?")
        assert [each.text for each in await here.bot.heard(1)] == ["are you there?"]
        after = json.loads((here.bot.folder / "matrix-me.device.json").read_text())
        assert (after["device"], after["token"] == before["token"]) == (before["device"], False)


async def test_a_token_names_its_device_and_a_send_is_repeated_from_it(here: Scene) -> None:
    token = here.bot.account.signed.token
    async with here.bot.up(token=token) as chat:
        room = await here.bot.in_room(here.ann)
        here.bot.relay.fail("send", Fault.BREAKS_AFTER)
        with pytest.raises(TimeoutError):
            await chat.send(outgoing(room, "k1", "once"))
    async with here.bot.up(token=token) as chat:
        await chat.send(outgoing(room, "k1", "once"))
        await here.ann.until_says(room, here.bot.user, "once")


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"token": "wrong"}, "refuses the token"),
        ({"user": "@nobody:localhost", "password": "wrong"}, "refuses @nobody:localhost"),
        ({"homeserver": "elsewhere"}, "is it the address of a Matrix home server"),
        ({"user": "@other:localhost", "token": "right"}, "belongs to"),
    ],
    ids=["token", "password", "address", "user"],
)
async def test_what_only_a_person_can_cure_says_what_to_do(here: Scene, settings: dict[str, str], words: str) -> None:
    if settings.get("token") == "right":
        settings = settings | {"token": here.bot.account.signed.token}
    if "homeserver" in settings:
        settings = {"homeserver": f"{here.bot.relay.url}/elsewhere"}
    with pytest.raises(MisconfiguredError, match=words) as raised:
        await here.bot.chat(**settings).run(here.bot.stage)
    assert raised.value.__cause__ is None
    assert "wrong" not in str(raised.value)


async def test_a_position_that_the_home_server_does_not_know_is_told(here: Scene) -> None:
    async with here.bot.up():
        await here.bot.in_room(here.ann)
    kept = here.bot.folder / "matrix-me.sync.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"since": "nonsense"}))
    with pytest.raises(MisconfiguredError, match=r"remove .*matrix-me\.sync\.json"):
        await here.bot.chat().run(here.bot.stage)


async def test_a_token_that_is_revoked_while_it_runs_is_told(here: Scene) -> None:
    chat = here.bot.chat(token=here.bot.account.signed.token)
    running = asyncio.create_task(chat.run(here.bot.stage))
    await here.bot.stage.connections.get()
    await here.bot.account.signs_out(here.bot.account.signed.token)
    with pytest.raises(MisconfiguredError, match="refuses the token"):
        await asyncio.wait_for(running, 20)


async def test_a_rate_limit_says_how_long_to_wait_and_had_no_effect(tmp_path: Path) -> None:
    with serving(tmp_path / "server", rc_message={"per_second": 0.1, "burst_count": 2}) as server:
        async with scene(server, tmp_path) as here, here.bot.up() as chat:
            room = await here.bot.in_room(here.ann)
            sent: list[str] = []
            with pytest.raises(RetryLaterError) as told:  # noqa: PT012 - one of them
                for number in range(5):
                    sent.append(await chat.send(outgoing(room, f"k{number}", "fast")))  # noqa: PERF401 - it raises
            assert 1 < told.value.retry_after_s <= 10
            assert [post.id for post in await here.ann.posts(room, here.bot.user)] == sent


async def test_a_room_that_it_was_thrown_out_of_refuses_for_ever(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        await here.ann.kicks(room, here.bot.account)
        with pytest.raises(SendRefusedError, match="M_FORBIDDEN"):
            await chat.send(outgoing(room, "k1", "hello?"))
        with pytest.raises(SendRefusedError):
            await chat.send(outgoing("!nowhere:localhost", "k2", "hello?"))


async def test_while_it_is_not_connected_nothing_is_sent(here: Scene) -> None:
    with pytest.raises(NotSentError):
        await here.bot.chat().send(outgoing("!room:localhost", "k1", "hello"))


async def test_a_message_is_edited_and_the_last_words_stand(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        sent = await chat.send(outgoing(room, "k1", "..."))
        for words in ("one", "two", "one"):
            await chat.edit(SessionKey("matrix", "me", room), sent, words)
        (post,) = await here.ann.posts(room, here.bot.user)
        assert (post.text, post.was) == ("one", ("...", "one", "two"))


async def test_a_message_that_was_removed_cannot_be_edited_also_after_a_restart(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        first = await chat.send(outgoing(room, "k1", "..."))
        await here.bot.account.removes(room, first)
        await here.ann.says(room, "and now?")
        await here.bot.heard(1)
        with pytest.raises(TargetGoneError):
            await chat.edit(SessionKey("matrix", "me", room), first, "words")
        await here.bot.kept("k1")
    async with here.bot.up() as chat:
        with pytest.raises(TargetGoneError):
            await chat.edit(SessionKey("matrix", "me", room), first, "words")


async def test_the_longest_text_fits_into_an_event_in_any_script(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        for number, char in enumerate(("\U0001f600", '"', "<", "*a* ")):
            text = (char * TEXT_MAX)[:TEXT_MAX].strip()
            sent = await chat.send(outgoing(room, f"k{number}", text))
            await chat.edit(SessionKey("matrix", "me", room), sent, text)
        assert len(await here.ann.posts(room, here.bot.user)) == 4
