"""The Matrix platform on a real home server: what people say comes in once, and tells whom it is for."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.matrix_stage import Scene, outgoing, scene
from tests.platforms.synapse import Synapse

from greenroom.actors.model import Change, Inbound, SessionKey
from greenroom.actors.ports import BusyError, Platform, RefusedError, Typing
from greenroom.platforms.chats.matrix.hearing import SEALED
from greenroom.platforms.chats.matrix.homeserver import PAGE
from greenroom.platforms.fakes.platform import Fault


@pytest.fixture
async def here(homeserver: Synapse, tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(homeserver, tmp_path) as set_up:
        yield set_up


def read_kept(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(each): (each.read_bytes(), each.stat().st_mode & 0o777) for each in (folder / "attachments").iterdir()}


def texts(heard: list[Inbound]) -> list[str]:
    return [inbound.text for inbound in heard]


async def test_a_message_comes_in_and_an_answer_goes_out(here: Scene) -> None:
    async with here.bot.up() as chat:
        assert isinstance(chat, Platform)
        room = await here.bot.in_room(here.ann)
        said = await here.ann.says(room, "hello")
        (inbound,) = await here.bot.heard(1)
        assert (inbound.key, inbound.update_id) == (SessionKey("matrix", "me", room), said)
        assert (inbound.text, inbound.author, inbound.reply_to) == ("hello", "ann", said)
        sent = await chat.send(outgoing(room, "k1", "hi *you*"))
        (post,) = await here.ann.until_says(room, here.bot.user, "hi *you*")
        assert (post.id, post.html, post.key) == (sent, "<p>hi <em>you</em></p>", "k1")


async def test_what_was_said_since_the_invitation_is_heard_and_nothing_before_it(here: Scene) -> None:
    room = await here.ann.room()
    await here.ann.says(room, "before")
    await here.ann.invites(room, here.bot.account)
    await here.ann.says(room, "since")
    async with here.bot.up():
        assert texts(await here.bot.heard(1)) == ["since"]


async def test_what_is_said_while_nobody_listens_is_heard_afterwards_however_much(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        await here.ann.says(room, "first")
        await here.bot.heard(1)
    missed = [f"m{number}" for number in range(2 * PAGE + 10)]
    for text in missed:
        await here.ann.says(room, text)
    async with here.bot.up():
        assert texts(await here.bot.heard(1 + len(missed))) == ["first", *missed]


async def test_what_comes_again_after_a_restart_is_offered_under_the_same_id(here: Scene) -> None:
    here.bot.stage.open_for_business = BusyError("the disk is full")
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        said = [await here.ann.says(room, "one"), await here.ann.says(room, "two")]
        await here.bot.relay.until_seen("joined_members")
    here.bot.stage.open_for_business = None
    async with here.bot.up():
        assert [each.update_id for each in await here.bot.heard(2)] == said


async def test_what_cannot_be_stored_is_offered_again_and_holds_up_no_other_room(here: Scene) -> None:
    async with here.bot.up():
        busy, free = await here.bot.in_room(here.ann), await here.bot.in_room(here.ben)
        here.bot.stage.refuse = {busy: BusyError("too many messages at once")}
        await here.ann.says(busy, "one")
        await here.ann.says(busy, "two")
        await here.ben.says(free, "three")
        assert texts(await here.bot.heard(1)) == ["three"]
        here.bot.stage.refuse = {}
        assert texts(await here.bot.heard(3)) == ["three", "one", "two"]


async def test_what_cannot_be_taken_for_the_moment_is_not_left_out(
    here: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        here.bot.relay.fail("joined_members", Fault.RETRY_LATER)
        here.bot.relay.fail("joined_members", Fault.NOT_SENT)
        here.bot.relay.answer("joined_members", 401, {"errcode": "M_UNKNOWN_TOKEN", "error": "not now"})
        here.bot.stage.refuse = {room: RuntimeError("the house is being built anew")}
        await here.ann.says(room, "one")
        await here.bot.until_logged(caplog, "is tried again")
        here.bot.stage.refuse = {}
        assert texts(await here.bot.heard(1)) == ["one"]
        assert len([does for does, _ in here.bot.relay.seen if does == "joined_members"]) >= 4


async def test_what_is_refused_is_left_and_the_next_is_heard(here: Scene) -> None:
    async with here.bot.up():
        room, other = await here.bot.in_room(here.ann), await here.bot.in_room(here.ben)
        here.bot.stage.refuse = {room: RefusedError("not allowed")}
        await here.ann.says(room, "no")
        await here.ben.says(other, "yes")
        assert texts(await here.bot.heard(1)) == ["yes"]


async def test_only_invitations_of_those_who_may_are_accepted(here: Scene) -> None:
    async with here.bot.up(invites=[here.ann.user]):
        refused = await here.ben.room(here.bot.account)
        async with asyncio.timeout(20):
            while "leave" not in await here.ben.memberships(refused, here.bot.account):  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(0.02)
        room = await here.bot.in_room(here.ann)
        assert await here.ann.members(room) == {here.ann.user, here.bot.user}


async def test_it_follows_a_room_that_goes_on_as_another(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann, public=True)
        replacement = await here.ann.upgrades(room)
        await here.bot.comes(replacement, here.ann)
        await here.ann.says(replacement, "still there?")
        (inbound,) = await here.bot.heard(1)
        assert (inbound.key.chat, inbound.text) == (replacement, "still there?")


async def test_into_a_closed_room_it_comes_when_it_is_invited(here: Scene, caplog: pytest.LogCaptureFixture) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        replacement = await here.ann.upgrades(room)
        await here.bot.until_logged(caplog, "invite me")
        await here.ann.invites(replacement, here.bot.account)
        await here.bot.comes(replacement, here.ann)


async def test_it_does_not_stay_where_no_room_goes_on(here: Scene, caplog: pytest.LogCaptureFixture) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann, public=True)
        other = await here.ben.room(public=True)
        await here.ann.ends(room, other)
        await here.bot.until_logged(caplog, "it is not followed")
        async with asyncio.timeout(20):
            while await here.ben.members(other) != {here.ben.user}:  # noqa: ASYNC110 - the server rings no bell
                await asyncio.sleep(0.02)


async def test_its_own_messages_are_not_heard_whoever_wrote_them(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        await here.bot.account.says(room, "from another device")
        await chat.send(outgoing(room, "k1", "mine"))
        await here.ann.says(room, "hers")
        assert texts(await here.bot.heard(1)) == ["hers"]


async def test_in_a_group_it_hears_what_is_addressed_to_it(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann, here.ben)
        ours = await chat.send(outgoing(room, "k1", "I am here"))
        await here.ben.says(room, "lovely weather")
        await here.ann.says(room, "what now?", {"m.mentions": {"user_ids": [here.bot.user]}})
        await here.ben.says(room, "bot: and then?")
        await here.ann.says(room, "the robot: no")
        await here.ann.says(room, "yes", {"m.relates_to": {"m.in_reply_to": {"event_id": ours}}})
        await here.ben.says(room, "/status")
        await here.ben.says(room, "!stop")
        await here.ben.says(room, f"ask {here.bot.user} for it")
        heard = await here.bot.heard(6)
        told = ["what now?", "and then?", "yes", "/status", "/stop", f"ask {here.bot.user} for it"]
        assert texts(heard) == told
        assert [each.author for each in heard] == ["ann", "ben", "ann", "ben", "ben", "ben"]


async def test_a_reply_to_what_an_earlier_process_said_is_for_it_too(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann, here.ben)
        ours = await chat.send(outgoing(room, "k1", "I am here"))
    async with here.bot.up():
        await here.ann.says(room, "yes", {"m.relates_to": {"m.in_reply_to": {"event_id": ours}}})
        assert texts(await here.bot.heard(1)) == ["yes"]


async def test_it_listens_to_all_where_that_is_set_and_divides_a_group_by_user(here: Scene) -> None:
    async with here.bot.up(listening="all", sessions_per="user"):
        room = await here.bot.in_room(here.ann, here.ben)
        await here.ann.says(room, "one")
        await here.ben.says(room, "two")
        heard = await here.bot.heard(2)
        assert [each.key.thread for each in heard] == [f"~{here.ann.user}", f"~{here.ben.user}"]


async def test_who_has_the_name_of_another_is_told_apart(here: Scene) -> None:
    async with here.bot.up(listening="all"):
        room = await here.bot.in_room(here.ann, here.ben)
        await here.ann.says(room, "one")
        await here.bot.heard(1)
        await here.ben.called("ann", room)
        await here.ben.says(room, "two")
        assert [each.author for each in await here.bot.heard(2)] == ["ann", f"ann ({here.ben.user})"]


async def test_a_thread_is_a_conversation_of_its_own_and_is_answered_in_it(here: Scene) -> None:
    async with here.bot.up() as chat:
        room = await here.bot.in_room(here.ann)
        root = await here.ann.says(room, "root")
        relation = {"rel_type": "m.thread", "event_id": root, "is_falling_back": True}
        said = await here.ann.says(room, "in it", {"m.relates_to": {**relation, "m.in_reply_to": {"event_id": root}}})
        heard = await here.bot.heard(2)
        assert [each.key.thread for each in heard] == [None, root]
        await chat.send(outgoing(room, "k1", "there", root))
        await chat.send(outgoing(room, "k2", "to this", root, said))
        await chat.send(outgoing(room, "k3", "outside", reply_to=root))
        posts = await here.ann.until_says(room, here.bot.user, "there", "to this", "outside")
        assert [(each.thread, each.reply_to) for each in posts] == [(root, None), (root, said), (None, root)]


async def test_edits_and_removals_are_heard_where_the_message_was(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        root = await here.ann.says(room, "root")
        said = await here.ann.says(room, "in it", {"m.relates_to": {"rel_type": "m.thread", "event_id": root}})
        await here.ann.edits(room, said, "in there")
        await here.bot.heard(3)
        await here.ann.removes(room, said)
        changes = (await here.bot.heard(4))[2:]
        assert [(each.change, each.reply_to, each.text) for each in changes] == [
            (Change.EDIT, said, "in there"),
            (Change.DELETE, said, ""),
        ]
        assert {each.key.thread for each in changes} == {root}


async def test_a_change_after_a_restart_is_heard_where_the_message_was(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        root = await here.ann.says(room, "root")
        said = await here.ann.says(room, "in it", {"m.relates_to": {"rel_type": "m.thread", "event_id": root}})
        await here.bot.heard(2)
    async with here.bot.up():
        await here.ann.edits(room, said, "in there")
        await here.bot.heard(3)
        await here.ann.removes(room, root)
        changes = (await here.bot.heard(4))[2:]
        assert [(each.change, each.key.thread) for each in changes] == [(Change.EDIT, root), (Change.DELETE, None)]


async def test_nobody_can_edit_what_another_said(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann, here.ben)
        said = await here.ann.says(room, "bot: buy one")
        await here.bot.heard(1)
        await here.ben.edits(room, said, "buy a thousand")
        await here.ann.edits(room, said, "buy two")
        (change,) = (await here.bot.heard(2))[1:]
        assert (change.change, change.author, change.text) == (Change.EDIT, "ann", "buy two")


async def test_a_change_of_what_was_not_for_it_is_not_heard(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann, here.ben)
        aside = await here.ann.says(room, "not for you")
        await here.ann.edits(room, aside, "still not")
        await here.ann.removes(room, aside)
        await here.ann.says(room, "bot: this is")
        assert texts(await here.bot.heard(1)) == ["this is"]


async def test_a_file_is_fetched_and_kept_beside_the_database(here: Scene, tmp_path: Path) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        words = {"filename": "notes.txt", "body": "see here"}
        await here.ann.attaches(room, "notes.txt", b"buy milk", "text/plain", words)
        (inbound,) = await here.bot.heard(1)
        (file,) = inbound.attachments
        assert (inbound.text, file.name, file.media_type, file.size) == ("see here", "notes.txt", "text/plain", 8)
        assert read_kept(tmp_path) == {file.where: (b"buy milk", 0o600)}


async def test_a_file_that_cannot_be_had_comes_as_its_address(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        await here.ann.sends(room, {"msgtype": "m.image", "body": "cat.png", "url": "mxc://localhost/nothing"})
        (inbound,) = await here.bot.heard(1)
        assert [each.where for each in inbound.attachments] == ["mxc://localhost/nothing"]


async def test_an_encrypted_room_is_told_once_that_it_cannot_be_read(here: Scene) -> None:
    sealed = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "xyz", "session_id": "s"}
    for _ in range(2):
        async with here.bot.up():
            if not here.bot.rooms:
                await here.bot.in_room(here.ann, encrypted=True)
            (room,) = here.bot.rooms
            await here.ann.sends(room, sealed, kind="m.room.encrypted")
            await here.ann.sends(room, sealed, kind="m.room.encrypted")
            await here.ann.says(room, "plain")
            await here.bot.heard(len(here.bot.stage.accepted) + 1)
    await here.ann.until_says(here.bot.rooms[0], here.bot.user, SEALED)


async def test_it_shows_that_it_is_typing(here: Scene) -> None:
    async with here.bot.up() as chat:
        typist: Typing = chat
        room = await here.bot.in_room(here.ann)
        await typist.typing(SessionKey("matrix", "me", room))
        async with asyncio.timeout(20):
            while await here.ann.typing(room) != [here.bot.user]:  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(0.02)


async def test_a_connection_that_breaks_is_made_again(here: Scene) -> None:
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        assert await here.bot.relay.cut_when_asked("sync") == 1
        here.bot.relay.fail("sync", Fault.NOT_SENT)
        await here.ann.says(room, "still there?")
        assert texts(await here.bot.heard(1)) == ["still there?"]
        assert here.bot.stage.connections.qsize() >= 2


async def test_what_no_client_sends_is_left_out_and_the_rest_is_heard(here: Scene) -> None:
    strange: list[dict[str, Any]] = [
        {"msgtype": "m.strange", "body": "x"},
        {"msgtype": "m.notice", "body": "I am a bot, too"},
        {"msgtype": "m.file", "body": "no address"},
        {"msgtype": "m.text", "body": "x", "m.new_content": 3, "m.relates_to": {"rel_type": "m.replace"}},
    ]
    odd = {"msgtype": "m.text", "body": "heard", "m.relates_to": "x", "info": 3}
    async with here.bot.up():
        room = await here.bot.in_room(here.ann)
        for content in strange:
            await here.ann.sends(room, content)
        await here.ann.sends(room, odd)
        assert texts(await here.bot.heard(1)) == ["heard"]
