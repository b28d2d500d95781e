"""What was said while nothing listened, and Slack gave up, is read from the histories of chats."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.platforms.slack_stage import ACK_S, ANN, BOB, DM, GROUP, connected, until, workspace
from tests.platforms.stage import Stage

from greenroom.actors.model import SessionKey
from greenroom.actors.ports import BusyError, Outgoing
from greenroom.platforms.chats.slack import backfill
from greenroom.platforms.chats.slack.heard import Heard
from greenroom.platforms.fakes.platform import Fault
from greenroom.platforms.fakes.slack import BOT_USER, FakeSlack
from greenroom.platforms.fakes.slack_wire import FakeSlackServer

FILE = "slack-me.heard.json"


@pytest.fixture(autouse=True)
def _each_gap_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "GAP_S", 0.0)


@pytest.fixture
def slack() -> FakeSlack:
    return workspace()


@pytest.fixture
async def server(slack: FakeSlack) -> AsyncIterator[FakeSlackServer]:
    async with FakeSlackServer(slack, ack_s=ACK_S) as server:
        yield server


async def test_what_slack_gave_up_on_is_taken_from_the_histories_threads_included(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path) as chat:
        root = slack.say(GROUP, f"<@{BOT_USER}> before", user=ANN)
        await stage.until_accepted(1)
        await chat.send(Outgoing(SessionKey("slack", "me", GROUP, root), "k", "an answer"))
        await until(lambda: not server.envelopes.pending)
    for number in range(3):
        slack.say(DM, f"missed {number}", user=ANN)
    slack.say(GROUP, "nothing for you", user=BOB)
    slack.say(GROUP, f"<@{BOT_USER}> missed in the channel", user=BOB)
    slack.say(GROUP, "missed in the thread", user=BOB, thread=root)
    server.envelopes.forget()
    async with connected(server, stage, tmp_path):
        await stage.until_accepted(6)
    assert [each.text for each in stage.accepted if each.key.chat == DM] == [f"missed {number}" for number in range(3)]
    assert [(each.text, each.key.thread, each.author) for each in stage.accepted if each.key.chat == GROUP] == [
        ("before", None, "Ann"),
        ("missed in the channel", None, "Bob"),
        ("missed in the thread", root, "Bob"),
    ]


async def test_what_was_missed_in_a_chat_is_taken_before_what_is_said_now(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        pass
    slack.say(DM, "missed", user=ANN)
    server.envelopes.forget()
    slack.say(DM, "now", user=ANN)
    server.fail("users.conversations", "missing_scope")  # The sweep finds no chat: the message itself must.
    server.fail("conversations.history", Fault.NOT_SENT)
    async with connected(server, stage, tmp_path):
        await until(lambda: not server.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["missed", "now"]


async def test_a_channel_that_slack_does_not_know_any_more_holds_up_no_other(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        pass
    slack.say(GROUP, f"<@{BOT_USER}> missed", user=ANN)
    server.envelopes.forget()
    server.fail("conversations.history", "channel_not_found")  # The first of the two that it is in.
    async with connected(server, stage, tmp_path):
        await stage.until_accepted(1)
    asked = [told["channel"] for name, told in server.calls if name == "conversations.history"]
    assert asked == [DM, GROUP]
    assert [each.text for each in stage.accepted] == ["missed"]


async def test_a_thread_of_a_channel_that_slack_does_not_know_any_more_is_none_of_ours(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    root = slack.say(GROUP, "a thread among us", user=BOB)
    server.fail("conversations.replies", "channel_not_found")
    async with connected(server, stage, tmp_path):
        slack.say(GROUP, "still among us", user=ANN, thread=root)
        await until(lambda: not server.envelopes.pending)
    assert [name for name, _ in server.calls].count("conversations.replies") == 1
    assert stage.accepted == []


async def test_what_cannot_be_stored_is_still_missed_after_the_next_start(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        stage.open_for_business = BusyError("the disk is full")
        slack.say(DM, "unheard", user=ANN)
        await until(lambda: server.envelopes.repeats > 0)
    server.envelopes.forget()
    for _ in range(2):
        async with connected(server, stage, tmp_path):
            await until(lambda: "users.conversations" in [name for name, _ in server.calls])
            server.calls.clear()
    stage.open_for_business = None
    async with connected(server, stage, tmp_path):
        await stage.until_accepted(1)
    assert [each.text for each in stage.accepted] == ["unheard"]


@pytest.mark.parametrize("known", [b"", b"{}", None])
async def test_where_nothing_is_known_nothing_is_read(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path, known: bytes | None
) -> None:
    if known is not None:
        (tmp_path / FILE).write_bytes(known)
    slack.say(DM, "long ago", user=ANN)
    server.envelopes.forget()
    async with connected(server, stage, tmp_path):
        slack.say(DM, "now", user=ANN)
        await until(lambda: not server.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["now"]
    assert json.loads((tmp_path / FILE).read_text())["upto"] > 0


async def test_it_can_be_switched_off(server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path) -> None:
    async with connected(server, stage, tmp_path):
        pass
    slack.say(DM, "missed", user=ANN)
    server.envelopes.forget()
    async with connected(server, stage, tmp_path, backfill_h=0):
        slack.say(DM, "now", user=ANN)
        await until(lambda: not server.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["now"]


def test_time_goes_on_while_something_listens_up_to_what_is_owed(tmp_path: Path) -> None:
    clock = iter(range(1000, 2000, 10))
    heard = Heard(tmp_path, "me", lambda: float(next(clock)))
    seen = [heard.upto]
    heard.listen(on=True)
    seen.append(heard.upto)
    with heard.owing():
        seen.append(heard.upto)
    seen.append(heard.upto)
    heard.listen(on=False)
    seen += [heard.upto, heard.upto]
    with pytest.raises(ConnectionError), heard.owing(990.0):
        raise ConnectionError
    seen.append(heard.upto)
    assert seen == [None, 1000.0, 1010.0, 1030.0, 1040.0, 1040.0, 990.0]
