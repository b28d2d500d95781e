"""A grain of shell for processes in virtual time: what a program says, and when it ends. A real shell takes it, too.

`echo`, `sleep`, `true`, `false`, `exit`, loops over words, and `trap '' TERM` for one that does not end when asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from greenroom.actors.process import SHELL

NOT_FOUND = 127
_LOOP = re.compile(r"for \w+ in (?P<words>.*?); do (?P<body>.*?); done")
_COUNTED = re.compile(r"\$\(seq (\d+)\)")


@dataclass(frozen=True, slots=True)
class Program:
    """What a process does if nobody ends it. `lines` are (seconds after the start, text)."""

    lines: tuple[tuple[float, str], ...]
    lasts_s: float
    exit_code: int = 0
    stubborn: bool = False


def read_program(command: tuple[str, ...]) -> Program:
    """Read a command. Raises FileNotFoundError for one that is neither a text for the shell nor one of its words.

    >>> read_program((*SHELL, "sleep 2; echo READY; exit 3"))
    Program(lines=((2.0, 'READY'),), lasts_s=2.0, exit_code=3, stubborn=False)
    """
    script = command[-1] if command[:-1] == SHELL else " ".join(command)
    words = _unrolled(script).split(";")
    if command[:-1] != SHELL and words[0].split()[0] not in {"echo", "sleep", "true", "false"}:
        raise FileNotFoundError(f"[Errno 2] No such file or directory: {command[0]!r}")
    lines: list[tuple[float, str]] = []
    at, stubborn = 0.0, False
    for step in filter(None, map(str.strip, words)):
        name, _, rest = step.partition(" ")
        match name:
            case "sleep":
                at += float(rest)
            case "echo":
                lines.append((at, rest))
            case "trap":
                stubborn = True
            case "true":
                pass
            case "false":
                return Program(tuple(lines), at, 1, stubborn)
            case "exit":
                return Program(tuple(lines), at, int(rest), stubborn)
            case _:
                lines.append((at, f"sh: {name}: not found"))
                return Program(tuple(lines), at, NOT_FOUND, stubborn)
    return Program(tuple(lines), at, 0, stubborn)


def _unrolled(script: str) -> str:
    def repeat(loop: re.Match[str]) -> str:
        counted = _COUNTED.fullmatch(loop["words"].strip())
        times = int(counted[1]) if counted else len(loop["words"].split())
        return "; ".join([loop["body"]] * times)

    return _LOOP.sub(repeat, script)
