"""Mistakes in a configuration, in words: where it stands, what was got, and what to write instead."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from shlex import quote
from typing import Any

from pydantic_core import ErrorDetails

AGENT_TARGET = r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
"""Names a function of a module."""

GOT_MAX = 60
"""Characters of a wrong value that a message repeats."""


def install(extra: str) -> str:
    """Say what to type where an extra is missing, in the environment that this process runs in."""
    return f"type: {quote(sys.executable)} -m pip install 'greenroom[{extra}]'"


class ConfigError(Exception):
    """The configuration cannot be used. Holds every mistake, one line each, in the order of the file."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Join the mistakes to one message."""
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a value was written: `greenroom.toml:4`, or the name of a variable or an option."""

    where: str
    key: str

    def say(self, problem: str) -> str:
        """Put a mistake into one line."""
        return f"{self.where}: {self.key}: {problem}"


def describe_unknown(key: str, known: Iterable[str], *, within: str) -> str:
    """Say that a key is not known, and which one was probably meant."""
    names = sorted(known)
    if close := get_close_matches(key, names, n=1):
        return f"unknown key; did you mean {close[0]}?"
    return f"unknown key; {within} knows {', '.join(names)}"


def describe_error(error: ErrorDetails, *, default: object, secret: bool = False) -> str:
    """Say what pydantic found, as the house says it; of a `secret` not what was got."""
    got = "" if secret else f", got {_shorten(error['input'])}"
    remedy = "" if default is None or secret else f"; remove it to use the default {default}"
    return f"{_expectation(error['type'], error.get('ctx', {})) or error['msg']}{got}{remedy}"


def _expectation(kind: str, context: Mapping[str, Any]) -> str | None:
    """Say what is expected, or None where pydantic's words must do."""
    match kind:
        case "literal_error" | "enum":
            return f"must be one of {context['expected'].replace(' or ', ', ')}"
        case "greater_than_equal":
            return f"must be {context['ge']} or more"
        case "less_than_equal":
            return f"must be {context['le']} or less"
        case "string_pattern_mismatch":
            return _PATTERNS.get(context["pattern"], f"must match {context['pattern']}")
        case "string_too_short":
            return f"must be {context['min_length']} or more characters"
        case "string_too_long":
            return f"must be {context['max_length']} or fewer characters"
        case "model_type" | "dict_type" | "dataclass_type":
            return "must be a table"
        case _:
            expected = _TYPES.get(kind.partition("_")[0])
            return None if expected is None else f"must be {expected}"


_PATTERNS = {AGENT_TARGET: "must be 'module:function', such as 'mybot.agent:answer'"}

_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "a text in quotes",
    "path": "a path in quotes",
    "tuple": "a list, such as ['one', 'two']",
}


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= GOT_MAX else text[: GOT_MAX - 3] + "..."
