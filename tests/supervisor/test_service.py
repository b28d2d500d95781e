"""What the service manager is told: over real datagram sockets, by words whose truth was looked at first."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from greenroom.storage.trouble import TroubleKind, trouble
from greenroom.supervisor.cli.outcome import WRONG_USE
from greenroom.supervisor.daemon import readiness as readiness_file
from greenroom.supervisor.daemon.orders import RESTARTING
from greenroom.supervisor.daemon.readiness import PULSE_S, Readiness
from greenroom.supervisor.daemon.sd_notify import STATUS_MAX, Notifier
from greenroom.supervisor.daemon.vigil import LOOKS_A_WATCHDOG, keep_vigil

WAIT_S = 30


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(WAIT_S)
        yield listening


def heard(manager: socket.socket) -> list[str]:
    return manager.recv(65_536).decode().split("\n")


def at(manager: socket.socket, path: Path, **more: str) -> dict[str, str]:
    manager.bind(str(path))
    return {"NOTIFY_SOCKET": str(path), **more}


@pytest.mark.parametrize("abstract", [False, True])
def test_words_reach_a_socket_with_a_path_and_one_without(
    manager: socket.socket, tmp_path: Path, abstract: bool
) -> None:
    name = f"greenroom-test-{uuid4().hex}" if abstract else str(tmp_path / "notify")
    manager.bind(f"\0{name}" if abstract else name)
    notifier = Notifier({"NOTIFY_SOCKET": f"@{name}" if abstract else name})
    notifier.ready("serving\nat  home")
    assert heard(manager) == ["READY=1", "STATUS=serving at home"]
    notifier.reloading()
    first, moment, _ = heard(manager)
    assert first == "RELOADING=1"
    assert int(moment.removeprefix("MONOTONIC_USEC=")) > 0
    notifier.stopping(90.0, "stopping")
    assert heard(manager) == ["STOPPING=1", "EXTEND_TIMEOUT_USEC=90000000", "STATUS=stopping"]
    notifier.alive("x" * 5_000)
    assert heard(manager) == [f"STATUS={'x' * STATUS_MAX}"]  # Nobody asked for a sign of life.


def test_no_child_of_ours_can_speak_in_our_name(manager: socket.socket, tmp_path: Path) -> None:
    environment = at(manager, tmp_path / "n", WATCHDOG_USEC="3000000", WATCHDOG_PID=str(os.getpid()), HOME="/")
    assert Notifier(environment).watchdog_s == 3.0
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("usec, pid", [("", None), ("0", None), ("soon", None), ("-5", None), ("3000000", "1")])
def test_a_watchdog_that_is_not_ours_or_makes_no_sense_is_not_fed(
    manager: socket.socket, tmp_path: Path, usec: str, pid: str | None
) -> None:
    given = {"WATCHDOG_USEC": usec} | ({} if pid is None else {"WATCHDOG_PID": pid})
    assert Notifier(at(manager, tmp_path / "n", **given)).watchdog_s is None


@pytest.mark.parametrize("named", ["", "vsock:2:1234", "/nowhere/at/all", "@greenroom-nobody-listens", "/" + "x" * 200])
def test_without_anybody_who_listens_nothing_is_told_and_nothing_breaks(named: str) -> None:
    Notifier({"NOTIFY_SOCKET": named}).ready("serving")


class Pulse:
    """Answers, or does not, as it is told."""

    def __init__(self) -> None:
        self.dead = False
        self.error: Exception | None = None

    async def __call__(self) -> None:
        if self.dead:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


def was_ready(readiness: Readiness) -> bool | None:
    """Whether the last look found it ready."""
    return readiness.last


async def until(manager: socket.socket, word: str) -> list[str]:
    """Hear datagrams until one has this word; returns that one."""
    manager.setblocking(False)
    async with asyncio.timeout(WAIT_S):
        while True:
            words = (await asyncio.get_running_loop().sock_recv(manager, 65_536)).decode().split("\n")
            if any(word in each for each in words):
                return words


async def test_the_watchdog_is_fed_only_after_storage_and_actors_answered(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness_file, "PULSE_S", 0.01)
    readiness, pulse = Readiness(), Pulse()
    notifier = Notifier(at(manager, tmp_path / "n", WATCHDOG_USEC="30000"))
    vigil = asyncio.create_task(keep_vigil(readiness, notifier, lambda: "serving"))
    assert await until(manager, "STATUS") == ["STATUS=starting"]
    assert was_ready(readiness) is False
    readiness.begin(pulse)
    assert await until(manager, "serving") == ["WATCHDOG=1", "STATUS=serving"]
    assert was_ready(readiness) is True
    pulse.dead = True
    assert len(await until(manager, "the actors have not answered")) == 1
    pulse.dead, pulse.error = False, OSError("the disk is gone")
    assert await until(manager, "disk is gone") == ["STATUS=OSError: the disk is gone"]
    # A disk that is known to refuse is waited for: no restart would mend it.
    readiness.hear_trouble(trouble(TroubleKind.FULL, path="bot.db"))
    assert (await until(manager, "the disk is full"))[0] == "WATCHDOG=1"
    assert was_ready(readiness) is False
    pulse.dead = True
    assert len(await until(manager, "the disk is full")) >= 1
    while (words := await until(manager, "the disk is full"))[0] == "WATCHDOG=1":
        continue  # Fed before it died.
    assert words[0].startswith("STATUS=")
    pulse.dead, pulse.error = False, None
    readiness.hear_trouble(None)
    readiness.end()
    assert (await until(manager, "serving"))[0] == "WATCHDOG=1"  # It ends, and lives.
    assert (await readiness.problem(), readiness.last) == ("stopping", False)
    vigil.cancel()


UNIT = Path(__file__).parents[2] / "docs" / "greenroom.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_the_unit_is_one_that_systemd_understands(tmp_path: Path) -> None:
    unit = UNIT.read_text(encoding="utf-8").replace("/opt/greenroom/bin/greenroom", str(Path(sys.executable)))
    version = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.split()[1]) < 253:
        unit = unit.replace("Type=notify-reload", "Type=notify")  # As the unit itself says.
    (tmp_path / "greenroom.service").write_text(unit)
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "greenroom.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.returncode, [line for line in told.stderr.splitlines() if "greenroom.service" in line]) == (0, [])


def test_the_unit_agrees_with_what_the_daemon_does() -> None:
    unit = UNIT.read_text(encoding="utf-8").splitlines()
    assert {"Type=notify-reload", "NotifyAccess=main", "RestartKillSignal=SIGUSR2", "UMask=0077"} <= set(unit)
    assert f"RestartPreventExitStatus={WRONG_USE}" in unit
    assert RESTARTING is signal.SIGUSR2
    watched_s = next(int(line.removeprefix("WatchdogSec=")) for line in unit if line.startswith("WatchdogSec="))
    assert watched_s >= LOOKS_A_WATCHDOG * PULSE_S  # A look that waits for the pulse comes in time.
    assert {f"Protect{what}" for what in ("System=strict", "Home=yes")} <= set(unit)
