"""The real command in processes of its own, in a home of its own, and the web chat as its client sees it."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from _pytest.capture import CaptureResult
from tests.supervisor.cli.printed_types import check_printed

from greenroom.supervisor.cli.main import main

GREENROOM = str(Path(sys.executable).with_name("greenroom"))
WAIT_S = 60

BOT = """
import asyncio

async def answer(turn):
    if "hold" in turn.text and turn.recovery_note is None:
        await turn.say("holding ")
        await asyncio.Event().wait()
    if "boom" in turn.text:
        raise RuntimeError("boom \\x1b[2J")
    return "gone on" if turn.recovery_note else "echo: " + turn.text
"""
CONFIG = """
[store]
path = "room.db"
[web]
port = 0
[agent]
kind = "python"
target = "bot:answer"
"""


@dataclass
class Shell:
    """Where commands are typed."""

    home: Path
    env: dict[str, str]
    daemons: list["Daemon"] = field(default_factory=list)

    def run(self, *args: str, code: int = 0, said: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; its exit code must be `code`, and no traceback is ever shown."""
        done = subprocess.run(
            [GREENROOM, *args],
            cwd=self.home,
            env=self.env | env,
            input=said,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stdout + done.stderr
        _check(args, done.stdout)
        return done

    def json(self, *args: str, code: int = 0) -> Any:
        return json.loads(self.run(*args, "--json", code=code).stdout)

    def up(self, *args: str, **env: str) -> "Daemon":
        daemon = Daemon(self.home, self.env | env, args)
        self.daemons.append(daemon)
        return daemon


@dataclass
class Typed:
    """The same command in this process, for what needs none of its own: a line is typed in `home`, and answered."""

    home: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, line: str, code: int = 0) -> CaptureResult[str]:
        self.monkeypatch.setattr(sys, "argv", ["greenroom", *shlex.split(line)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = self.capsys.readouterr()
        assert ended.value.code == code, told.out + told.err
        _check(shlex.split(line), told.out)
        return told


def _check(args: Sequence[str], out: str) -> None:
    """What any test lets a command print for programs is what programs are promised."""
    if "--json" in args and out:
        check_printed(args, out)


class Daemon:
    """A running `greenroom up`, from the line that says where it serves."""

    def __init__(self, home: Path, env: dict[str, str], args: tuple[str, ...]) -> None:
        self._errors = (home / "stderr.txt").open("w+")
        self.process = subprocess.Popen(
            [GREENROOM, "up", *args], cwd=home, env=env, stdout=subprocess.PIPE, stderr=self._errors, text=True
        )
        self.said = ""
        self.address = self.read_until("serving at ").split()[-1]

    def read_until(self, words: str) -> str:
        """The next line with these words on stdout."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if words in line:
                return line
        raise AssertionError(f"{words!r} was never said:\n{self.said}{self.errors()}")

    def errors(self) -> str:
        self._errors.flush()
        return Path(self._errors.name).read_text(encoding="utf-8")

    def say(self, chat: str, text: str, id_: str = "m1") -> None:
        """Send a message and return when it is acknowledged."""
        url = f"{self.address}chats/{chat}/messages"
        assert httpx.post(url, json={"id": id_, "text": text}, timeout=WAIT_S).is_success

    def see(self, chat: str, words: str) -> None:
        """Look at the chat until these words are visible."""
        with httpx.stream("GET", f"{self.address}chats/{chat}/events", timeout=WAIT_S) as stream:
            for line in stream.iter_lines():
                if words in line:
                    return
        raise AssertionError(f"the stream ended without {words!r}")

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        self.process.stdout.close()
        self._errors.close()
        return self.process.wait(WAIT_S)
