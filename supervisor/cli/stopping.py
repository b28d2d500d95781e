"""`greenroom stop`: signal the process that holds the database, and wait for its end while saying what it waits for."""

import os
import signal
import time
from pathlib import Path

from greenroom.storage.lock import Holder, read_holder
from greenroom.supervisor.cli.ordering import give_order
from greenroom.supervisor.cli.outcome import NOT_RUNNING, CommandFailed
from greenroom.supervisor.cli.paper import clean, print_json, say_duration
from greenroom.supervisor.daemon.waiting import describe_waiting
from greenroom.supervisor.drain import Intent

LOOK_S = 0.1
SAY_EVERY_S = 3.0


def stop_holder(path: Path, *, now: bool, for_restart: bool, timeout_s: float, as_json: bool) -> None:
    """End whoever holds the database. Raises CommandFailed when nobody does, or it does not end in time."""
    holder = read_holder(path)
    if holder is None:
        raise CommandFailed(f"nothing runs on {path}", NOT_RUNNING)
    began = time.monotonic()
    if for_restart:
        give_order(path, order="stop", intent=Intent.RESTART.value)
    else:
        _signal(holder, signal.SIGTERM)
    if now:
        _signal(holder, signal.SIGINT)  # Another number: two equal signals may arrive as one.
    if not as_json:
        print(clean(f"stopping pid {holder.pid} ({holder.command}) ..."), flush=True)
    _wait(path, holder, began=began, timeout_s=timeout_s, quiet=as_json)
    took = time.monotonic() - began
    if as_json:
        from greenroom.supervisor.cli.printed import Stopped  # noqa: PLC0415 - only programs need it

        print_json(Stopped(stopped=True, pid=holder.pid, took_s=round(took, 3)))
    else:
        print(f"stopped after {say_duration(took)}")


def _signal(holder: Holder, number: signal.Signals) -> None:
    try:
        os.kill(holder.pid, number)
    except ProcessLookupError:
        return  # It ended by itself in this moment: what was asked for.
    except PermissionError as error:
        raise CommandFailed(f"pid {holder.pid} belongs to another user; stop it as that user or as root") from error


def _wait(path: Path, holder: Holder, *, began: float, timeout_s: float, quiet: bool) -> None:
    said_at = began
    while _still_holds(path, holder):
        at = time.monotonic()
        if at - began > timeout_s:
            raise CommandFailed(
                f"pid {holder.pid} has not ended after {say_duration(timeout_s)}; "
                f"`greenroom stop --now` ends it at once, `kill -USR1 {holder.pid}` makes it say what it does"
            )
        if at - said_at >= SAY_EVERY_S and not quiet:
            said_at = at
            print(clean(f"  {describe_waiting(path)} ({say_duration(at - began)})"), flush=True)
        time.sleep(LOOK_S)


def _still_holds(path: Path, holder: Holder) -> bool:
    current = read_holder(path)
    if current is not None:
        return current.pid == holder.pid and current.started_at == holder.started_at
    return _is_alive(holder)


def _is_alive(holder: Holder) -> bool:
    """Whether the process is still there after it let the database go."""
    try:
        state = Path(f"/proc/{holder.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return False
    return state[0] not in {"Z", "X"} and state[19] == holder.born
