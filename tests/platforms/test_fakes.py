import asyncio
from collections import deque
from collections.abc import Callable

import pytest

from greenroom.actors.model import DeliveryClass, Inbound, InboxId, Receipt, SessionId, SessionKey
from greenroom.actors.ports import (
    BusyError,
    NotSentError,
    Outgoing,
    Platform,
    RefusedError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)
from greenroom.platforms.fakes.chat_server import FakeChatServer
from greenroom.platforms.fakes.platform import FakePlatform, Fault

CHAT = SessionKey("fake", "bot", "42")
HELLO = Outgoing(CHAT, "k", "Hello", reply_to="u1")


class ScriptedDoor:
    """Answers what it is told to, and remembers what was offered."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = deque(answers)
        self.offered: list[str] = []
        self.news: list[str] = []
        self.enough = asyncio.Event()
        self.connecting = asyncio.Event()

    async def accept(self, inbound: Inbound) -> Receipt:
        self.offered.append(inbound.update_id)
        answer = self.answers.popleft()
        if not self.answers:
            self.enough.set()
        if answer is not None:
            raise answer
        return Receipt(InboxId(1), SessionId(1), inbound.key)

    def allows(self, session: SessionKey) -> bool:
        return True

    def connected(self) -> None:
        self.news.append("connected")
        self.connecting.set()

    def disconnected(self, why: str) -> None:
        self.news.append(why)


def wire(delivery: DeliveryClass = DeliveryClass.EDIT_ANCHOR) -> FakePlatform:
    return FakePlatform(FakeChatServer(native_keys=delivery is DeliveryClass.NATIVE_KEY), delivery)


async def test_a_message_keeps_its_id_and_its_history_through_edits() -> None:
    platform = wire()
    message_id = await platform.send(HELLO)
    await platform.edit(CHAT, message_id, "Hello again")
    await platform.edit(CHAT, message_id, "Hello again")

    (message,) = platform.server.visible(CHAT)
    assert (message.id, message.texts, message.reply_to) == (message_id, ["Hello", "Hello again"], "u1")
    assert platform.server.texts(SessionKey("fake", "bot", "43")) == []
    assert isinstance(platform, Platform)


async def test_only_native_keys_recognise_a_repeat() -> None:
    native, plain = wire(DeliveryClass.NATIVE_KEY), wire()
    for platform in (native, plain):
        await platform.send(HELLO)
        await platform.send(HELLO)

    assert (native.server.texts(CHAT), plain.server.texts(CHAT)) == (["Hello"], ["Hello", "Hello"])


async def test_a_message_is_found_by_its_key_until_it_is_removed() -> None:
    platform = wire(DeliveryClass.RECONCILE)
    assert await platform.find(HELLO) is None
    message_id = await platform.send(HELLO)
    assert await platform.find(HELLO) == message_id

    platform.server.delete(message_id)
    assert await platform.find(HELLO) is None
    with pytest.raises(TargetGoneError):
        await platform.edit(CHAT, message_id, "late")


@pytest.mark.parametrize(
    "fault, error, effect",
    [
        (Fault.BREAKS_BEFORE, ConnectionResetError, False),
        (Fault.BREAKS_AFTER, ConnectionResetError, True),
        (Fault.NOT_SENT, NotSentError, False),
        (Fault.RETRY_LATER, RetryLaterError, False),
        (Fault.REFUSED, SendRefusedError, False),
        (Fault.GONE, TargetGoneError, False),
        (Fault.EXITS, SystemExit, False),
    ],
)
async def test_each_fault_has_its_error_and_its_effect(fault: Fault, error: type[BaseException], effect: bool) -> None:
    platform = wire()
    platform.faults.append(fault)

    with pytest.raises(error):
        await platform.send(HELLO)
    assert platform.server.texts(CHAT) == (["Hello"] if effect else [])
    assert platform.in_flight == 0


@pytest.mark.parametrize("fault, effect", [(Fault.HANGS_BEFORE, False), (Fault.HANGS_AFTER, True)])
async def test_silence_lasts_until_the_caller_gives_up(fault: Fault, effect: bool) -> None:
    platform = wire()
    platform.choose = lambda seen: fault if seen.name == "send" else None
    call = asyncio.ensure_future(platform.send(HELLO))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call, 0.01)
    assert platform.server.texts(CHAT) == (["Hello"] if effect else [])


async def test_what_is_refused_for_ever_is_refused_also_when_it_comes_late() -> None:
    """Seed 1739001156 was a false alarm: what the platform had refused stood there, below what came after it."""
    platform, late = wire(), list[Callable[[], object]]()
    platform.later = late.append
    platform.faults.extend((Fault.LATE, Fault.REFUSED))
    with pytest.raises(ConnectionResetError):
        await platform.send(HELLO)
    with pytest.raises(SendRefusedError):
        await platform.send(HELLO)
    for effect in late:
        effect()
    assert platform.server.texts(CHAT) == []


async def test_a_blocked_bot_is_refused_for_ever() -> None:
    platform = wire()
    platform.server.block(CHAT)

    with pytest.raises(SendRefusedError):
        await platform.send(HELLO)


async def test_an_update_is_acknowledged_when_the_door_has_it_or_never_wants_it() -> None:
    platform, door = wire(), ScriptedDoor(None, RefusedError("not allowed"))
    platform.server.say(CHAT, "u1", "Hi")
    running = asyncio.ensure_future(platform.run(door))
    await door.connecting.wait()
    platform.server.say(CHAT, "u2", "Let me in")
    platform.server.say(SessionKey("other", "bot", "1"), "u3", "not for this wire")
    await door.enough.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert door.offered == ["u1", "u2"]
    assert door.news == ["connected", "the wire was closed"]
    assert [inbound.update_id for inbound in platform.server.unacknowledged()] == ["u3"]


async def test_an_update_that_was_not_stored_comes_again() -> None:
    platform, door = wire(), ScriptedDoor(BusyError("the disk is full"))
    platform.server.say(CHAT, "u1", "Hi")
    running = asyncio.ensure_future(platform.run(door))
    await door.enough.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert [inbound.update_id for inbound in platform.server.unacknowledged()] == ["u1"]
