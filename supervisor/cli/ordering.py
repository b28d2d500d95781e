"""Giving an order to the process that serves a database."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import msgspec

from greenroom.supervisor.cli.outcome import CommandFailed
from greenroom.supervisor.connections import Connection
from greenroom.supervisor.daemon.control import control_path

ANSWER_S = 30.0


class TakesNoOrdersError(CommandFailed):
    """The process that serves this database does not listen: it is no `greenroom up`."""


class UnansweredError(CommandFailed):
    """It was handed the order, and nobody knows what became of it: it may be under way."""


def give_order(database: Path, **order: Any) -> dict[str, Any]:
    """Give an order and return what became of it. Raises CommandFailed with the reason why nothing did.

    Raises UnansweredError where nobody said what became of it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(ANSWER_S)
        try:
            wire.connect(str(control_path(database)))
        except OSError as error:
            raise TakesNoOrdersError(f"the process that serves {database} takes no orders ({error})") from error
        answer = _hand_over(wire, database, json.dumps(order, ensure_ascii=False).encode(errors="replace") + b"\n")
    if "problem" in answer:
        raise CommandFailed(str(answer["problem"]))
    return answer


def _hand_over(wire: socket.socket, database: Path, order: bytes) -> dict[str, Any]:
    try:
        wire.sendall(order)
        line = wire.makefile("rb").readline()
        answer = json.loads(line) if line else None
    except TimeoutError:
        how = f"did not answer within {ANSWER_S:g} s"
    except (OSError, ValueError) as error:
        how = f"did not answer in words that can be read ({error})"
    else:
        if isinstance(answer, dict):
            return answer
        how = "did not answer" if answer is None else f"answered with no table ({answer})"
    msg = f"the process that serves {database} took the order and {how}; it may still be carried out"
    raise UnansweredError(msg)


def ask_connections(database: Path) -> list[Connection] | None:
    """Ask how each platform stands; None where the process that serves the database does not say."""
    try:
        told = give_order(database, order="connections")
    except CommandFailed:
        return None
    return msgspec.convert(told["connections"], list[Connection])
