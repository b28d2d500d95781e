"""The examples, run as a person runs them: real processes, real signals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
WAIT_S = 60

PROBE = '''
import asyncio, importlib.util, json, logging, signal, sys, threading
import pykka
from greenroom import Supervisor

def look():
    """What a guest must leave alone."""
    loggers = [logging.root, logging.getLogger("greenroom"), logging.getLogger("pykka")]
    loop = asyncio.get_running_loop()
    return {
        "signals": {int(each): repr(signal.getsignal(each)) for each in signal.valid_signals()},
        "actors": [ref.actor_class.__name__ for ref in pykka.ActorRegistry.get_all()],
        "logging": [[each.level, each.disabled, each.propagate, list(map(repr, each.handlers))] for each in loggers],
        "hooks": list(map(repr, (sys.excepthook, sys.unraisablehook, threading.excepthook, sys.stdout, sys.stderr))),
        "loop": [repr(loop.get_exception_handler()), repr(loop.get_task_factory()), loop.get_debug()],
        "switching": sys.getswitchinterval(),
    }

def threads():
    return sorted(each.name for each in threading.enumerate())

class Watched(Supervisor):
    async def __aenter__(self):
        self.before, self.threads = look(), threads()
        return await super().__aenter__()

    async def __aexit__(self, *ending):
        during, ours = look(), threads()
        await super().__aexit__(*ending)
        seen = {"before": self.before, "during": during, "after": look()}
        seen |= {"threads": [self.threads, ours, threads()]}
        print("SEEN", json.dumps(seen), flush=True)

spec = importlib.util.spec_from_file_location("embedded_bot", sys.argv[1])
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
example.Supervisor = Watched
asyncio.run(example.main(sys.argv[2]))
'''


@contextmanager
def running(*command: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is talked to line by line, and that a test leaves no trace of."""
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-u", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                env=os.environ | {"PYTHONWARNINGS": "error"},
            )
        )
        stack.callback(process.kill)
        yield process


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str], words: str) -> str:
    """Read until a line holds these words; pytest's time-out ends a wait for what never comes."""
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        heard.append(line)
        if words in line:
            return line.rstrip("\n")
    pytest.fail(f"{words!r} was not said, but {''.join(heard)}")


def rest(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=WAIT_S)
    return process.returncode, out


def test_the_blocking_bot_answers_each_line_and_remembers_them_after_its_end(tmp_path: Path) -> None:
    command = (EXAMPLES / "blocking_bot.py", tmp_path / "bot.db")
    with running(*command) as process:
        say(process, "hello")
        assert hear(process, "hello") == "You said 'hello'; I remember 1 messages."
        assert rest(process) == (0, "")
    with running(*command) as process:
        say(process, "again")
        assert hear(process, "again") == "You said 'again'; I remember 3 messages."
        assert rest(process) == (0, "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_embedded_bot_hears_its_own_signals_and_ends_in_order(tmp_path: Path, how: signal.Signals) -> None:
    with running(EXAMPLES / "embedded_bot.py", tmp_path / "bot.db") as process:
        hear(process, "mybot: mybot: ready")
        say(process, "ann: hello")
        assert hear(process, "ann>") == "ann> I thought about it, and this is answer 1: hello"
        process.send_signal(signal.SIGUSR1)
        assert hear(process, "answers:") == "mybot: mybot: answers: 1"
        process.send_signal(how)
        hear(process, "stopping")
        code, out = rest(process)
        assert (code, out.splitlines()[-1]) == (0, "mybot: mybot: good-bye")
        assert "Traceback" not in out


def test_an_answer_under_way_when_the_input_ends_is_given_first(tmp_path: Path) -> None:
    with running(EXAMPLES / "embedded_bot.py", tmp_path / "bot.db") as process:
        hear(process, "ready")
        say(process, "ann: hello")
        hear(process, "thinking about 'hello'")  # Under way: what merely waits goes on at the next start.
        code, out = rest(process)
        assert code == 0
        assert out.count("ann> I thought about it, and this is answer 1: hello") == 1


def test_what_was_under_way_when_the_bot_was_killed_is_answered_by_the_next_one_once(tmp_path: Path) -> None:
    command = (EXAMPLES / "embedded_bot.py", tmp_path / "bot.db")
    with running(*command) as process:
        hear(process, "ready")
        say(process, "ann: first")
        hear(process, "ann> I thought")
        say(process, "ann: second")
        hear(process, "thinking about 'second'")
        process.kill()
    with running(*command) as process:
        heard = hear(process, "ann>")
        if heard == "ann> (may be a repeat) I thought about it, and this is answer 1: first":
            heard = hear(process, "ann>")  # Killed before "first" was stored as shown: this host cannot be asked.
        assert heard == "ann> I thought about it, and this is answer 1: second"
        say(process, "ann: third")
        assert hear(process, "ann>") == "ann> I thought about it, and this is answer 2: third"
        code, out = rest(process)
        assert (code, out.count("ann>")) == (0, 0)


def test_nothing_of_the_host_is_touched(tmp_path: Path) -> None:
    with running("-c", PROBE, EXAMPLES / "embedded_bot.py", tmp_path / "bot.db") as process:
        hear(process, "ready")
        say(process, "ann: hello")
        hear(process, "ann>")
        process.send_signal(signal.SIGINT)
        seen = json.loads(hear(process, "SEEN").removeprefix("SEEN "))
        assert rest(process)[0] == 0
    assert seen["before"] == seen["during"] == seen["after"]
    assert seen["before"]["actors"] == ["Tally"]
    before, during, after = seen["threads"]
    assert before == after
    ours = [name for name in during if name not in before]
    assert ours
    assert all(name.startswith("greenroom") for name in ours), ours
