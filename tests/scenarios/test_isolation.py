"""Chats, processes and files that must not hurt each other: S167 to S170, S174 to S182."""

import asyncio
import errno
import os
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from telegram import Update
from tests.scenarios.stage import listened, said
from tests.supervisor.cli.shell import CONFIG, Shell

from greenroom import Supervisor
from greenroom.actors.atomic import replace_file
from greenroom.actors.model import SessionId
from greenroom.actors.ports import Door, Turn
from greenroom.platforms.chats.addressing import Listening, SessionsPer, place
from greenroom.platforms.chats.telegram.codec import Me, Rules, read_update
from greenroom.storage.session_view import read_session_view
from greenroom.storage.views import SessionState, open_views, read_sessions, read_store_status
from greenroom.supervisor import closing
from greenroom.supervisor.sandbox.scenario import Accident, DeliveryClass, Policy, Scenario, SessionKey

TOPIC_A, TOPIC_B = (SessionKey("p1", "bot", "chat1", topic) for topic in ("A", "B"))


def test_s167_a_topic_is_answered_in_itself() -> None:
    """S167."""
    room, agent = listened()
    with room:
        room.says("m1 nap answer", TOPIC_A)
        room.says("m2 nap answer", TOPIC_B)
        room.advance(1)
        room.restart()
        room.rest()
        assert (room.visible(TOPIC_A), room.visible(TOPIC_B)) == (["answer <m1>"], ["answer <m2>"])
        assert room.visible(1) == []
        assert not any("m1" in heard.text and "m2" in heard.text for heard in agent.heard)


def test_s168_a_group_without_topics_is_one_session_however_its_thread_ids_vary() -> None:
    """S168. A codec of Telegram decides it: thread ids count only in topics; in other groups each reply has one."""

    def update(number: int, **more: Any) -> Update:
        chat = {"id": -100, "type": "supergroup", "title": "all"}
        sender = {"id": 7, "is_bot": False, "first_name": "Ann"}
        said = {"message_id": number, "date": 1, "chat": chat, "from": sender, "text": "hello"}
        return Update.de_json(
            {"update_id": number, "message": {**said, "message_thread_id": 40 + number, **more}}, None
        )

    def key(told: Update) -> SessionKey:
        read = read_update(told, Me(1, "bot"), Rules("me", Listening.ALL), str)
        assert read is not None
        return read.inbound.key

    assert key(update(1)) == key(update(2)) == SessionKey("telegram", "me", "-100")
    assert key(update(3, is_topic_message=True)) == SessionKey("telegram", "me", "-100", "43")


def test_s170_a_stranger_in_a_shared_thread_is_not_heard() -> None:
    """S170. Where each person of a group has a conversation, the policy names the persons, by their ids."""
    ada, mallory = (
        place(platform="p1", account="bot", chat="chat1", thread="A", user=user, per=SessionsPer.USER)
        for user in ("ada", "mallory")
    )
    with Scenario(policy=Policy(allow=("p1:bot:*~ada",))) as room:
        server = room.world.networks[0].server
        server.say(ada, "u1", "m1 answer", author="Ada")
        server.say(mallory, "u2", "m2 answer", author="Ada")
        server.say(TOPIC_A, "u3", "m3 answer", author="Ada")
        room.rest()
        assert said(room, ada) == ["m1 answer"]
        assert [row.key for row in room.rows("SELECT key FROM sessions")] == [str(ada)]


def test_s174_an_adapter_that_crashes_is_run_again_and_others_do_not_notice() -> None:
    """S174."""
    with Scenario(platforms=[DeliveryClass.EDIT_ANCHOR] * 2) as room:
        other = SessionKey("p2", "bot", "chat1")
        runs: list[float] = []
        wire = room.wire(1)

        async def run(door: Door) -> None:
            runs.append(room.world.now)
            if len(runs) < 6:
                raise ConnectionError("the platform's library gave up")
            await type(wire).run(wire, door)

        wire.run = run  # type: ignore[method-assign]
        room.says("m1 answer", 1)
        room.says("m2 answer", other)
        room.advance(0.5)
        assert room.visible(other) == ["answer <m2>"]
        room.rest()
        assert room.visible(1) == ["answer <m1>"]
        pauses = [after - before for before, after in pairwise(runs)]
        assert pauses == sorted(pauses)
        assert pauses[0] > 0


def test_s174_an_actor_of_an_adapter_that_dies_is_replaced() -> None:
    """S174."""
    with Scenario() as room:
        room.accident(Accident.OUTBOX_RAISES)
        room.accident(Accident.RECEIVER_RAISES)
        room.says("m1 answer", 1)
        room.says("m2 answer", 2)
        room.rest()
        assert (room.visible(1), room.visible(2)) == (["answer <m1>"], ["answer <m2>"])


FROZEN = """
import asyncio, threading
from greenroom.supervisor.daemon import daemon

async def answer(turn):
    return "yes"

async def freeze(*_):
    threading.Event().wait()

daemon.Supervisor.__aexit__ = freeze
"""


def test_s176_a_loop_that_is_frozen_in_the_drain_is_ended_by_force_with_its_stacks(tmp_path: Path) -> None:
    """S176."""
    (tmp_path / "bot.py").write_text(FROZEN)
    (tmp_path / "greenroom.toml").write_text(CONFIG + "[policy]\ndrain_s = 0\nforced_s = 0.5\n")
    own = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    daemon = Shell(tmp_path, dict(os.environ) | own).up()
    assert daemon.end(signal.SIGTERM) == 1
    errors = (tmp_path / "stderr.txt").read_text()
    assert "Timeout" in errors
    assert "in freeze" in errors


@pytest.mark.parametrize("script", ["m1 hang", "m1 stubborn"])
def test_s177_an_agent_that_does_not_let_go_does_not_hold_the_drain(script: str) -> None:
    """S177."""
    with Scenario(policy=Policy(drain_s=10.0)) as room:
        room.says(script)
        room.advance(1)
        assert room.drain(within_s=30.0)
        assert room.runs()[-1].open


def test_s177_an_agent_that_hangs_when_it_is_closed_does_not_hold_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """S177. What it keeps open (a memory's provider) is waited for, and not for ever; the boot is a clean one."""
    monkeypatch.setattr(closing, "AGENT_CLOSE_S", 0.1)
    path = tmp_path / "bot.db"

    class Remembering:
        async def __call__(self, turn: Turn) -> str:
            return turn.text

        async def close(self) -> None:
            await asyncio.Event().wait()

    with Supervisor(path, agent=Remembering()) as room:
        receipt = room.accept(chat="host:me:1", id="u1", text="hello", timeout_s=20)
        assert room.answer(receipt, timeout_s=20) == "hello"
    assert "the agent did not end within 0.1 s" in caplog.text
    db = open_views(path)
    assert db.execute("SELECT ending FROM boots").get == "clean"
    db.close()


@pytest.mark.parametrize("code", [None, errno.EXDEV, errno.EBUSY])
def test_s178_a_symlinked_file_is_replaced_and_stays_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    """S178."""
    target, link = tmp_path / "real.toml", tmp_path / "link.toml"
    target.write_text("old")
    link.symlink_to(target)
    if code is not None:
        _fail_to_rename(monkeypatch, code)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    _fail_to_rename(monkeypatch, errno.EACCES)
    with pytest.raises(PermissionError):
        replace_file(link, b"newer")
    assert target.read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.toml", "real.toml"]


def _fail_to_rename(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", fail)


def test_s181_an_old_session_is_found_in_the_store_after_a_restart(tmp_path: Path) -> None:
    """S181."""
    room, _ = listened()
    with room:
        room.says("m1 answer")
        room.rest()
        room.restart()
        room.rest()
        path = save(room, tmp_path)
    db = open_views(path)
    view = read_session_view(db, SessionId(1), live=True)
    db.close()
    assert view is not None
    assert [message.text for message in view.messages] == ["m1 answer", "answer <m1>"]


def test_s182_what_was_queued_running_and_interrupted_at_a_restart_can_be_listed(tmp_path: Path) -> None:
    """S182. Nothing is ever lost; what is set aside is listed as such."""
    with Scenario(chats=4, policy=Policy(drain_s=1.0, inbox_batch_max=1)) as room:
        room.says("m1 doze answer", 1)
        room.says("m2 answer", 2)
        room.says("m3 question answer", 3)
        room.advance(2)
        room.says("m4 answer", 1)
        room.advance(1)
        room.drain()
        path = save(room, tmp_path)
    db = open_views(path)
    found = {row.key.rpartition(":")[2]: (row.state, row.waiting, row.reason) for row in read_sessions(db, live=False)}
    status = read_store_status(db)
    db.close()
    assert found == {
        "chat1": (SessionState.INTERRUPTED, 1, "restart_timeout"),
        "chat2": (SessionState.IDLE, 0, None),
        "chat3": (SessionState.ASKING, 0, "restart_timeout"),
    }
    assert (status.runs_open, status.inbound_waiting, status.asking, status.set_aside) == (2, 1, 1, 0)


def save(room: Scenario, folder: Path) -> Path:
    """Copy the database from the simulated disk to a real one, where an operator's tools read it."""
    if room.life is not None:
        room.drain()
    path = folder / "bot.db"
    for suffix in ("", "-wal"):
        if f"/room/bot.db{suffix}" in room.world.disk.names:
            Path(f"{path}{suffix}").write_bytes(room.world.disk.read_file(f"/room/bot.db{suffix}"))
    return path
