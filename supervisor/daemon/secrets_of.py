"""Which values of a configuration are secrets: by their type, in whatever settings they stand."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel, SecretStr

from greenroom.supervisor.daemon.config import Config
from greenroom.supervisor.daemon.equipping import read_agent, read_tools
from greenroom.supervisor.daemon.offering import read_platforms


class Found(NamedTuple):
    """A secret, and the path of its key."""

    path: tuple[str, ...]
    secret: SecretStr

    @property
    def key(self) -> str:
        """Its key as a message names it."""
        return ".".join(self.path)


def find_secrets(config: Config) -> Iterator[Found]:
    """Every secret that is set in a configuration. Raises ConfigError where a table is wrong."""
    yield from secrets_in(config.view, ("view",))
    agent = read_agent(config)
    for wanted in (*([agent] if agent else ()), *read_tools(config), *read_platforms(config)):
        yield from secrets_in(wanted.settings, wanted.path)


def secrets_in(value: object, path: tuple[str, ...] = ()) -> Iterator[Found]:
    """Every secret in a value, as deep as it lies."""
    match value:
        case SecretStr():
            yield Found(path, value)
        case BaseModel():
            for key in type(value).model_fields:
                yield from secrets_in(getattr(value, key), (*path, key))
        case Mapping():
            for key, each in value.items():
                yield from secrets_in(each, (*path, str(key)))
        case list() | tuple():
            for number, each in enumerate(value):
                yield from secrets_in(each, (*path, str(number)))
        case _:
            return


def find_written_out(config: Config) -> Iterator[Found]:
    """Those whose value stands in the file itself, and not only where it lies."""
    if config.file is None:
        return
    written = set(_texts_in(tomllib.loads(config.file.read_text(encoding="utf-8"))))
    yield from (found for found in find_secrets(config) if found.secret.get_secret_value() in written)


def _texts_in(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value.strip()
        case dict():
            for each in value.values():
                yield from _texts_in(each)
        case list():
            for each in value:
                yield from _texts_in(each)
        case _:
            return
