"""What an audit says: findings, each of a named check, with what to type or to write."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """What was found of one check."""

    WRONG = "wrong"  # somebody may read, write or do what they should not
    NOTE = "note"  # it may be meant so; whoever runs it should know
    FINE = "fine"


class Audited(Struct, frozen=True):
    """One finding. `fix` is a command to type, or a line to write; empty where nothing is to be done."""

    check: str  # its name
    verdict: Verdict  # what was found
    what: str  # in a sentence
    fix: str = ""  # a command to type, or a line to write; empty if nothing is to be done


def wrong(check: str, what: str, fix: str) -> Audited:
    """Say that something is wrong."""
    return Audited(check, Verdict.WRONG, what, fix)


def note(check: str, what: str, fix: str = "") -> Audited:
    """Say what may be meant so."""
    return Audited(check, Verdict.NOTE, what, fix)
