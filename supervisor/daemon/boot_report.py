"""What the daemon says when it starts: how the last life ended, what was open, and what became of it and why. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from greenroom.actors.why import REPORTED
from greenroom.storage.boots import Boot, BootEnding
from greenroom.supervisor.connections import Connection, describe_connection

NAMED_MAX = 3
"""Sessions named for each outcome; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One session's decision in this boot."""

    session: str
    rule: str
    reason: str | None = None  # why its run was interrupted


@dataclass(frozen=True, slots=True)
class Found:
    """What the store held when this boot began. `last_boot` is None for a new store."""

    last_boot: Boot | None
    outcomes: tuple[Outcome, ...] = ()
    inbound_waiting: int = 0
    deliveries_owed: int = 0


def is_settled(found: Found, connections: Sequence[Connection]) -> bool:
    """Whether each platform had its chance, and no session waits for one: then the report will stay true."""
    return all(each.known for each in connections) and all(each.rule != "NOT_CONNECTED" for each in found.outcomes)


def describe_connections(connections: Sequence[Connection]) -> list[str]:
    """Say how each platform stands, in lines."""
    return [f"platform {describe_connection(each)}" for each in connections]


def describe_recovery(found: Found) -> list[str]:
    """Say it in lines, the most important first.

    >>> describe_recovery(Found(None))
    ['a new store: nothing to recover']
    """
    if found.last_boot is None:
        return ["a new store: nothing to recover"]
    lines = [_describe_end(found.last_boot)]
    if found.outcomes:
        lines.append(_summarize(found.outcomes))
        lines += _name_sessions(found.outcomes)
    if found.inbound_waiting:
        lines.append(f"{_count(found.inbound_waiting, 'stored message')} not yet handed to a run: answered now")
    if found.deliveries_owed:
        lines.append(f"{_count(found.deliveries_owed, 'stored answer')} not confirmed as sent: tried now")
    if len(lines) == 1:
        lines.append("nothing was open")
    return lines


def _describe_end(boot: Boot) -> str:
    match boot.ending:
        case BootEnding.CLEAN:
            return f"boot {boot.epoch} ended in order ({boot.reason})"
        case BootEnding.UNCLEAN if boot.reason is not None:
            return f"boot {boot.epoch} ended, but not in order ({boot.reason})"
        case _:
            return f"boot {boot.epoch} (pid {boot.pid}) did not end in order"


def _summarize(outcomes: Sequence[Outcome]) -> str:
    parts = [f"{len(group)} {_say_rule(*kind)}" for kind, group in _group(outcomes).items()]
    return f"{_count(len(outcomes), 'session')} had open work: {', '.join(parts)}"


def _name_sessions(outcomes: Sequence[Outcome]) -> list[str]:
    lines = []
    for kind, group in _group(outcomes).items():
        named = ", ".join(each.session for each in group[:NAMED_MAX])
        more = f" and {len(group) - NAMED_MAX} more" if len(group) > NAMED_MAX else ""
        lines.append(f"  {_say_rule(*kind)}: {named}{more}")
    return lines


def _group(outcomes: Sequence[Outcome]) -> dict[tuple[str, str | None], list[Outcome]]:
    """By rule, and for those resumed by the reason too; in the order of REPORTED."""
    groups: dict[tuple[str, str | None], list[Outcome]] = defaultdict(list)
    for each in outcomes:
        groups[each.rule, each.reason if each.rule == "RESUME" else None].append(each)
    order = list(REPORTED)
    return {kind: groups[kind] for kind in sorted(groups, key=lambda kind: (order.index(kind[0]), kind[1] or ""))}


def _say_rule(rule: str, reason: str | None) -> str:
    return f"{REPORTED[rule]} ({reason})" if reason else REPORTED[rule]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
