"""Background processes as values: what an agent started, how it stands, and what its session is still to be told of it.

Values only. What they do to a session is decided in `processes.py`; who keeps the real ones is `keeper.py`.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NewType

from msgspec import Struct

from greenroom.actors.mending import refuse_halves

if TYPE_CHECKING:
    from greenroom.actors.model import Generation, SessionId

ProcessId = NewType("ProcessId", str)
"""Names a process in its session: the generation of the run that started it, a dot, and a number from 1."""

SHELL = ("/bin/sh", "-c")
"""What a command that is one text is given to."""


class ProcessState(StrEnum):
    """How a background process stands."""

    STARTING = "starting"  # on disk, and perhaps not started
    RUNNING = "running"
    ENDED = "ended"
    LOST = "lost"  # greenroom ended or died, and the process was ended with it
    FAILED = "failed"  # it could not be started


OVER = frozenset({ProcessState.ENDED, ProcessState.LOST, ProcessState.FAILED})


class Leader(Struct, frozen=True):
    """The process that was started, of which its group has the number.

    `born` is when its kernel started it and `machine` which boot of the machine that was, so that a number that is
    used again is never taken for it. None: the system does not say.
    """

    pid: int
    born: str | None = None
    machine: str | None = None


class Order(Struct, frozen=True):
    """A process that an agent wants: what is on disk before it is started."""

    id: ProcessId
    command: tuple[str, ...]
    notify: bool = False  # a new run is wanted when it ends
    patterns: tuple[str, ...] = ()  # a new run is wanted when a line of its output has one of these
    reply_to: str | None = None  # what the message that led to it is called on its platform


class ProcessEnding(Struct, frozen=True):
    """How a process ended. `output` is its last words; `exit_code` is negative after a signal, None if unknown."""

    state: ProcessState
    exit_code: int | None
    output: str = ""


class Match(Struct, frozen=True):
    """A line that had one of the patterns; the first of `count` in a short while."""

    line: str
    count: int = 1


class Awaited(Struct, frozen=True):
    """A process that lives, or of which its session has still to be told something: that it ended, or what it said.

    `match` waits for the end of the run in which it was heard, and is not kept on disk: it concerns no later run.
    """

    id: ProcessId
    generation: Generation  # of the run that started it
    command: tuple[str, ...]
    notify: bool
    reply_to: str | None = None
    ending: ProcessEnding | None = None
    match: Match | None = None
    seen: bool = False  # the agent looked after it itself: nothing of it is told

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet."""
        return self.ending is None

    @property
    def has_news(self) -> bool:
        """Whether there is something to be told."""
        return not self.seen and (self.match is not None or (self.notify and self.ending is not None))


class ProcessRecord(Struct, frozen=True):
    """A background process as it stands. Times in UTC epoch seconds; `output` is what was kept of it."""

    id: ProcessId
    command: tuple[str, ...]
    state: ProcessState
    exit_code: int | None = None
    output: str = ""
    started_at: float = 0.0
    ended_at: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended, however."""
        return self.state in OVER


class Leftover(Struct, frozen=True):
    """A process that an older owner of the store had, and that may live on."""

    session_id: SessionId
    id: ProcessId
    leader: Leader | None  # None: it is not known whether it was started


def read_command(command: str | Sequence[str]) -> tuple[str, ...]:
    """Read what an agent asks for: words, or one text for the shell. Raises ValueError for what cannot be stored."""
    words: Sequence[object] = (*SHELL, command) if isinstance(command, str) else tuple(command)
    texts = tuple(word for word in words if isinstance(word, str) and "\0" not in word)
    if not command or len(texts) < len(words):
        msg = f"turn.spawn: command must be a text for the shell or a list of words, got {command!r:.80}"
        raise ValueError(msg)
    refuse_halves("turn.spawn: command", *texts)
    return texts


def show_command(command: tuple[str, ...]) -> str:
    """Say a command as a person would write it.

    >>> show_command(read_command("make && make test")), show_command(("ls", "my file"))
    ('make && make test', "ls 'my file'")
    """
    return command[-1] if command[:-1] == SHELL else shlex.join(command)
