"""What a key may be, and what it is by default, in words: from the JSON schema of its type, and from its value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from greenroom.supervisor.daemon.config_problems import AGENT_TARGET

Schema = Mapping[str, Any]

UNITS = {"s": "seconds", "h": "hours", "days": "days", "bytes": "bytes", "tokens": "tokens"}

MANY = {"text": "texts", "secret": "secrets"}
LONG = 10_000
"""From here on a number is written with underscores."""


def may_be(schema: Schema, name: str, named: Mapping[str, Schema]) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        schema = named[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return " or ".join(may_be(each, name, named) for each in schema["anyOf"] if each.get("type") != "null")
    if "const" in schema or "enum" in schema:
        return either(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    match schema["type"]:
        case "boolean":
            return "true or false"
        case "integer" | "number":
            return _number(schema, name)
        case "string":
            return _text(schema)
        case "array":
            each = may_be(schema["items"], name, named)
            return f"list of {MANY.get(each, each)}" + (", not empty" if schema.get("minItems") else "")
        case "object" if schema["additionalProperties"] is True:
            return "table"
        case "object":
            each = may_be(schema["additionalProperties"], name, named)
            return f"table of {MANY.get(each, each)}"
    raise AssertionError(f"no words for {schema}")


def either(several: Iterable[str]) -> str:
    """One of several."""
    return _listed(several, "or")


def both(several: Iterable[str]) -> str:
    """All of several."""
    return _listed(several, "and")


def _listed(several: Iterable[str], last_by: str) -> str:
    *most, last = several
    return f"{', '.join(most)} {last_by} {last}" if most else last


def unit_of(name: str) -> str:
    """What a number counts, by the last word of its key but for `max`; nothing for most.

    >>> unit_of("image_bytes_max"), unit_of("rate_per_s")
    (' of bytes', '')
    """
    *before, last = name.removesuffix("_max").split("_")
    return f" of {UNITS[last]}" if last in UNITS and before[-1:] != ["per"] else ""


def _number(schema: Schema, name: str) -> str:
    said = ("whole number" if schema["type"] == "integer" else "number") + unit_of(name)
    match schema:
        case {"minimum": least, "maximum": most}:
            return f"{said}, {least} to {most:g}"
        case {"minimum": 0}:
            return f"{said}, 0 or more"
        case {"minimum": least}:
            return f"{said}, at least {least}"
        case {"exclusiveMinimum": least, "maximum": most}:
            return f"{said} above {least}, at most {most:g}"
        case {"exclusiveMinimum": least}:
            return f"{said} above {least}"
    return said


def _text(schema: Schema) -> str:
    match schema:
        case {"format": "password"}:
            return "secret"
        case {"format": "path"}:
            return "path"
        case {"format": "uri"} | {"pattern": "^https?://"}:
            return "URL"
        case {"pattern": pattern} if pattern == AGENT_TARGET:
            return "`module:function`"
        case {"maxLength": most}:
            return f"text, 1 to {most} characters"
        case {"minLength": 1}:
            return "text, not empty"
    return "text"


def toml(value: object) -> str:
    """A value as a file would have it; - where there is none."""
    match value:
        case None:
            return "-"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            whole = int(value) if value == int(value) else value
            return f"`{whole:_}`" if whole >= LONG else f"`{whole}`"
        case str() | Path():
            return f"`{json.dumps(str(value))}`"
        case dict():
            return "`{}`"
        case _:
            assert isinstance(value, tuple | list | frozenset)
            return f"`{json.dumps([*value])}`"
