"""Judging the table of one platform account, agent or set of tools: every mistake in words, none with a secret."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from greenroom.platforms.chats.secret import WAYS, WRONG_SECRET, holds_secret
from greenroom.supervisor.daemon.config_problems import ConfigError, Spot, describe_error, describe_unknown

Settings = TypeVar("Settings", bound=BaseModel)

OWN_WORDS = ("value_error", "assertion_error")
"""Kinds of errors that the settings' own validators raise, with words of their own."""


class BadSettings(ConfigError):
    """The settings of a table cannot be used."""


def read_table(
    kind: type[Settings],
    values: Mapping[str, Any],
    path: tuple[str, ...],
    folder: Path,
    spot: Callable[..., Spot],
) -> Settings:
    """Judge the table at `path`. Its last name is the account's where it is one of several. Raises BadSettings."""
    named = {"account": path[-1]} if len(path) > len(("platforms", "NAME")) else {}
    if named and "account" in values:
        raise BadSettings([spot(*path, "account").say("its table names the account already; remove it")])
    given = json.dumps({**values, **named}, default=str)
    try:
        return TypeAdapter(kind).validate_json(given, strict=True, context={"folder": folder})
    except ValidationError as wrong:
        told = [_describe(error, kind, path, spot) for error in wrong.errors()]
        raise BadSettings(told) from None  # Not from what repeats the values.


def _describe(error: ErrorDetails, kind: type[BaseModel], path: tuple[str, ...], spot: Callable[..., Spot]) -> str:
    keys = tuple(str(part) for part in error["loc"])
    where = spot(*path, *keys)
    if error["type"] == "extra_forbidden":
        return where.say(describe_unknown(keys[-1], kind.model_fields, within=f"[{'.'.join(path)}]"))
    field = kind.model_fields.get(keys[0]) if keys else None
    if error["type"] == "missing":
        return where.say(_describe_missing(keys[-1], field))
    if error["type"] == WRONG_SECRET:
        return where.say(error["msg"])
    if error["type"] in OWN_WORDS:
        return where.say(str(error["ctx"]["error"]))
    default = None if field is None or field.is_required() else field.get_default(call_default_factory=True)
    secret = field is not None and holds_secret(field.annotation)
    return where.say(describe_error(error, default=default, secret=secret))


def _describe_missing(key: str, field: FieldInfo | None) -> str:
    if field is not None and field.annotation is SecretStr:
        return f"missing; write {key} = {WAYS}"
    what = "" if field is None or field.description is None else f", {field.description}"
    return f"missing{what}; write {key} = ..."
