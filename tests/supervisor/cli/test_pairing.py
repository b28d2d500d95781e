"""`greenroom pair` beside a running daemon and without one: a code is typed as it was shown, once."""

import re
import signal

import httpx
from tests.supervisor.cli.shell import CONFIG, WAIT_S, Daemon, Shell

CLOSED_DOOR = '[policy]\nallow = ["nobody:*"]\n'


def knock(daemon: Daemon, chat: str) -> str:
    """Write as a stranger, and read the code that is shown."""
    with httpx.stream("GET", f"{daemon.address}chats/{chat}/events", timeout=WAIT_S) as stream:
        lines = stream.iter_lines()
        assert any("snapshot" in line for line in lines)
        body = {"id": "m1", "text": "let me in"}
        assert httpx.post(f"{daemon.address}chats/{chat}/messages", json=body, timeout=WAIT_S).status_code == 403
        for line in lines:
            if found := re.search(r"pair approve ([A-Z0-9-]{9})", line):
                return found[1]
    raise AssertionError("no code was shown")


def test_a_stranger_is_let_in_beside_a_running_daemon_and_after_it(shell: Shell) -> None:
    (shell.home / "greenroom.toml").write_text(CONFIG + CLOSED_DOOR)
    daemon = shell.up()
    first, second = knock(daemon, "eve"), knock(daemon, "bob")
    waiting = shell.run("pair").stdout
    assert "web:local:eve" in waiting
    assert "waits with a code until" in waiting
    assert first not in waiting
    assert shell.run("pair", "approve", first.lower()).stdout == "web:local:eve may write now\n"
    assert "no chat has this code" in shell.run("pair", "approve", first, code=1).stderr
    daemon.say("eve", "hello", id_="m2")
    daemon.see("eve", "echo: hello")
    assert daemon.end(signal.SIGTERM) == 0

    assert shell.json("pair", "approve", second) == {"paired": "web:local:bob"}
    assert "no chat has this code" in shell.run("pair", "approve", second, code=1).stderr
    assert [each["chat"] for each in shell.json("pair")] == ["web:local:eve", "web:local:bob"]
    assert shell.json("pair", "revoke", "web:local:eve") == {"revoked": "web:local:eve"}
    assert "was not let in by a code" in shell.run("pair", "revoke", "web:local:eve", code=1).stderr

    daemon = shell.up()
    daemon.say("bob", "hello", id_="m2")
    daemon.see("bob", "echo: hello")
    assert knock(daemon, "eve")
    assert shell.run("pair", "revoke", "web:local:bob").stdout == "web:local:bob may not write any more\n"
    knock(daemon, "bob")


def test_a_wrong_chat_or_database_is_told(shell: Shell) -> None:
    assert "session key" in shell.run("pair", "revoke", "eve", code=1).stderr
    assert "Missing argument" in shell.run("pair", "approve", code=2).stderr
    assert "room.db" in shell.run("pair", code=1).stderr
