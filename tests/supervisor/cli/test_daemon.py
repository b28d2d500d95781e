"""`greenroom up` as an operator meets it: signals, recovery reports, and everything that keeps it from starting."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
from tests.supervisor.cli.shell import CONFIG, GREENROOM, WAIT_S, Shell


def test_a_killed_daemon_goes_on_and_says_what_it_recovered_and_why(shell: Shell) -> None:
    first = shell.up()
    assert "a new store: nothing to recover" in first.said
    first.say("oslo", "hold on")
    first.see("oslo", "holding")
    first.end(signal.SIGKILL)
    assert [row["state"] for row in shell.json("sessions")] == ["interrupted"]
    second = shell.up()
    assert f"boot 1 (pid {first.process.pid}) did not end in order" in second.said
    assert "1 session had open work: 1 resumed (restart_interrupted)" in second.said
    assert "resumed (restart_interrupted): web:local:oslo" in second.said
    second.see("oslo", "gone on")
    decisions = shell.json("explain", "web:local:oslo")["decisions"]
    assert (decisions[-1]["rule"], decisions[-1]["row"], decisions[-1]["outcome"]) == ("RESUME", 15, "resume")
    assert second.end(signal.SIGTERM) == 0
    third = shell.up()
    assert "boot 2 ended in order (shutdown)" in third.said
    assert "nothing was open" in third.said


def test_the_first_signal_drains_and_says_what_it_waits_for_and_the_second_ends_at_once(shell: Shell) -> None:
    daemon = shell.up()
    daemon.say("oslo", "hold on")
    daemon.see("oslo", "holding")
    daemon.tell(signal.SIGTERM)
    daemon.read_until("stopping: running work gets 30 s to finish; again to end at once")
    daemon.read_until("waiting for 1 run: web:local:oslo")
    assert daemon.end(signal.SIGINT) == 1
    assert "told again: ending at once, exit code 1" in daemon.said
    assert "1 resumed (shutdown_timeout)" in shell.up().said


def test_stop_waits_for_the_end_and_with_now_it_does_not_wait_for_runs(shell: Shell) -> None:
    daemon = shell.up()
    daemon.say("oslo", "hold on")
    daemon.see("oslo", "holding")
    assert "stopped after" in shell.run("stop", "--now").stdout
    assert daemon.wait() == 1
    shell.run("stop", code=3)
    idle = shell.up()
    idle.see("oslo", "gone on")
    stopped = shell.json("stop")
    assert (stopped["stopped"], stopped["pid"]) == (True, idle.process.pid)
    assert idle.wait() == 0


@pytest.mark.parametrize("how", ["signal", "order"])
def test_what_is_cut_short_for_a_restart_says_so(shell: Shell, how: str) -> None:
    (shell.home / "greenroom.toml").write_text(CONFIG + "[policy]\ndrain_s = 0\n")
    daemon = shell.up()
    daemon.say("oslo", "hold on")
    daemon.see("oslo", "holding")
    if how == "signal":
        assert daemon.end(signal.SIGUSR2) == 0
    else:
        shell.run("stop", "--for-restart")
        assert daemon.wait() == 0
    again = shell.up()
    assert "ended in order (restart)" in again.said
    assert "1 resumed (restart_timeout)" in again.said


def test_a_drain_that_is_not_waited_for_long_enough_is_told(shell: Shell) -> None:
    daemon = shell.up()
    daemon.say("oslo", "hold on")
    daemon.see("oslo", "holding")
    assert "has not ended after 0 s; `greenroom stop --now`" in shell.run("stop", "--timeout", "0", code=1).stderr


def test_a_second_daemon_names_the_first_with_its_address(shell: Shell) -> None:
    daemon = shell.up()
    for command in ("up", "chat"):
        told = shell.run(command, code=1).stderr
        assert f"pid {daemon.process.pid}, started " in told
        assert daemon.address in told
        assert "greenroom stop" in told


def test_signals_dump_and_reload_without_disturbing(shell: Shell) -> None:
    daemon = shell.up()
    daemon.tell(signal.SIGUSR1)
    daemon.read_until("dump: ")
    assert "Current thread" in daemon.errors()
    config = shell.home / "greenroom.toml"
    config.write_text(config.read_text() + "[log]\nlevel = 'debug'\n[policy]\nfresh_s = 5\n")
    daemon.tell(signal.SIGHUP)
    daemon.read_until("log.level: info -> debug (in force now)")
    daemon.read_until("policy.fresh_s: 3600.0 -> 5 (needs a restart)")
    config.write_text("[web]\nprot = 3\n")
    daemon.tell(signal.SIGHUP)
    daemon.read_until("the configuration was not changed, it cannot be used:")
    daemon.read_until("web.prot: unknown key; did you mean port?")
    daemon.say("oslo", "still there?")
    daemon.see("oslo", "echo: still there?")
    assert daemon.end(signal.SIGTERM) == 0


def test_logs_are_json_lines_on_stderr_where_nobody_reads_along(shell: Shell) -> None:
    shell.up(GREENROOM_LOG_LEVEL="debug").end(signal.SIGTERM)
    lines = (shell.home / "stderr.txt").read_text(encoding="utf-8").splitlines()
    assert lines
    for line in lines:
        assert {"event", "level", "timestamp", "logger"} <= set(json.loads(line))


def test_a_port_in_use_is_told_with_another_one(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = shell.run("up", code=1, GREENROOM_WEB_PORT=str(port)).stderr
    assert f"another program uses port {port}" in told
    assert not (shell.home / "room.db").exists()


def test_a_folder_that_cannot_be_written_to_is_told(shell: Shell) -> None:
    folder = Path("/sys") if os.geteuid() == 0 else shell.home / "fixed"  # Root writes everywhere else.
    if os.geteuid() != 0:
        folder.mkdir(mode=0o500)
    assert "cannot be opened for writing" in shell.run("up", "--db", str(folder / "room.db"), code=1).stderr


@pytest.mark.parametrize("target", ["bot:nobody", "no_bot:answer", "bot:asyncio"])
def test_an_agent_that_cannot_be_found_is_a_mistake_of_the_configuration(shell: Shell, target: str) -> None:
    config = shell.home / "greenroom.toml"
    config.write_text(config.read_text().replace("bot:answer", target))
    assert "greenroom.toml:8: agent.target: " in shell.run("up", code=2).stderr
    assert not (shell.home / "room.db").exists()


def test_a_chat_in_a_pipe_is_answered_kept_and_gone_on_with(shell: Shell) -> None:
    assert "echo: hello" in shell.run("chat", said="hello\n").stdout
    again = shell.run("chat", said="and again\n").stdout
    assert "echo: and again" in again
    assert "echo: hello" not in again
    assert [row["text"] for row in shell.json("show", "terminal:local:me")["messages"]] == [
        "hello",
        "echo: hello",
        "and again",
        "echo: and again",
    ]
    shell.run("chat", "--name", "errands", said="hi\n")
    assert {row["key"] for row in shell.json("sessions")} == {"terminal:local:me", "terminal:local:errands"}


def test_a_reader_that_has_seen_enough_hears_no_complaint(shell: Shell) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [GREENROOM, "config", "check"],
        cwd=shell.home,
        env=shell.env,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.stderr == ""


def test_a_chat_shows_what_was_said_before_it_began_anew_also_to_who_comes_later(shell: Shell) -> None:
    daemon = shell.up()
    for number, (text, seen) in enumerate(
        {"hello": "echo: hello", "/new": "A new conversation begins.", "again": "echo: again"}.items()
    ):
        daemon.say("me", text, f"m{number}")
        daemon.see("me", seen)
    url = f"{daemon.address}chats/me/events"
    with httpx.stream("GET", url, timeout=WAIT_S) as stream:
        data = next(line for line in stream.iter_lines() if line.startswith("data: {"))
    rows = json.loads(data.removeprefix("data: "))["messages"]
    assert [row["text"] for row in rows] == [
        "hello",
        "echo: hello",
        "/new",
        "A new conversation begins.",
        "again",
        "echo: again",
    ]
    assert [row["text"] for row in rows if row["begins"]] == ["again"]
