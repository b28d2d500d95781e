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


def give_order(database: Path, **order: Any) -> dict[str, Any]:
    """Give an order and return what became of it. Raises CommandFailed with the reason why nothing did."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(ANSWER_S)
            wire.connect(str(control_path(database)))
            wire.sendall(json.dumps(order, ensure_ascii=False).encode(errors="replace") + b"\n")
            answer = json.loads(wire.makefile("rb").readline())
    except (OSError, ValueError) as error:
        raise TakesNoOrdersError(f"the process that serves {database} takes no orders ({error})") from error
    if not isinstance(answer, dict) or "problem" in answer:
        raise CommandFailed(str(answer["problem"] if isinstance(answer, dict) else answer))
    return answer


def ask_connections(database: Path) -> list[Connection] | None:
    """Ask how each platform stands; None where the process that serves the database does not say."""
    try:
        told = give_order(database, order="connections")
    except CommandFailed:
        return None
    return msgspec.convert(told["connections"], list[Connection])
