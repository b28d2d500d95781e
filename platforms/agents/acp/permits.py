"""An agent's request for a permission as a question with choices, and its person's answer as an option. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from acp import schema
from msgspec import Struct

from greenroom.actors.inquiry import APPROVALS
from greenroom.actors.lines import shorten
from greenroom.platforms.agents.acp.narrator import one_line

INPUT_MAX = 500
"""Characters of a tool's input that its person is shown."""

PATHS_MAX = 10
"""Files that its person is shown of those a call would touch."""

ONCE, ALWAYS, REJECT = "allow_once", "allow_always", "reject_once"


class Option(Struct, frozen=True):
    """One answer that the agent offers."""

    id: str
    name: str  # no two of one request are the same
    kind: str


class Permit(Struct, frozen=True):
    """A request, as a question."""

    prompt: str
    options: tuple[Option, ...]

    @property
    def choices(self) -> tuple[str, ...]:
        """What may be answered."""
        return tuple(option.name for option in self.options)


class Verdict(Struct, frozen=True):
    """What was answered: an option, or none. `words` were none of the choices, and are for the agent to read."""

    option: Option | None
    words: str = ""


def read_permit(call: schema.ToolCallUpdate, options: Sequence[schema.PermissionOption], title: str) -> Permit:
    """Make a question of a request. `title` is what its call was called before, if the request does not say.

    The agent chose that title; so what its tool is given is shown as well.
    """
    what = one_line(call.title or title or call.kind or "go on")
    paths = [f"- {one_line(location.path)}" for location in (call.locations or ())[:PATHS_MAX]]
    return Permit("\n".join((f"May I? {what}", *paths, *_show_input(call.raw_input, what))), _read_options(options))


def judge(permit: Permit, answer: str) -> Verdict:
    """Say which option an answer chose. Only a choice, or a yes, allows anything; other words reject it."""
    said = answer.strip()
    for option in permit.options:
        if said.casefold() == option.name.casefold():
            return Verdict(option)
    if said.casefold() in APPROVALS:
        return Verdict(_first(permit, ONCE))
    return Verdict(_first(permit, REJECT), said)


def pick_allowed(permit: Permit) -> Option | None:
    """The option that allows it, and no more than it, if there is one."""
    return _first(permit, ONCE) or _first(permit, ALWAYS)


def _first(permit: Permit, kind: str) -> Option | None:
    return next((option for option in permit.options if option.kind == kind), None)


def _read_options(options: Sequence[schema.PermissionOption]) -> tuple[Option, ...]:
    read: dict[str, Option] = {}
    for option in options:
        name, number = one_line(option.name) or option.kind, 2
        while name.casefold() in read:
            name, number = f"{one_line(option.name)} ({number})", number + 1
        read[name.casefold()] = Option(option.option_id, name, option.kind)
    return tuple(read.values())


def _show_input(given: Any, what: str) -> tuple[str, ...]:
    """What the tool is given, unless all of it can be read already."""
    if not given:
        return ()
    shown = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return () if shown in what else (shorten(shown, INPUT_MAX),)
