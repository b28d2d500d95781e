"""Reading the configuration: options over environment over file over defaults, each value with its origin.

Every mistake is found and reported together; a configuration that this file returns is valid.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic_settings import TomlConfigSettingsSource

from greenroom.platforms.chats.secret import counted_from
from greenroom.supervisor.daemon.config_judge import (
    Given,
    Origins,
    judge_agent,
    judge_openness,
    judge_value,
    parse_knob,
)
from greenroom.supervisor.daemon.config_problems import ConfigError, Spot
from greenroom.supervisor.daemon.paths import CONFIG_VARIABLE, ConfigMissingError, find_config
from greenroom.supervisor.daemon.settings import (
    ENVIRONMENT_PREFIX,
    AgentSection,
    LogSection,
    Settings,
    ViewSection,
    WebSection,
    read_settings,
)
from greenroom.supervisor.daemon.toml_lines import read_lines
from greenroom.supervisor.policy import InvalidPolicyError, Policy, Strangers

DEFAULT = "default"
"""Where a value comes from that nobody set."""

DATABASE_OPTION = "--db"
"""Where the database comes from that the command line named."""

LOCAL_CHATS = ("terminal:*", "web:*")
"""Who may write when nothing says otherwise: whoever sits at this machine."""

DOOR: Mapping[str, Any] = MappingProxyType({"allow": LOCAL_CHATS, "strangers": Strangers.PAIR})
"""What the daemon's policy is at the door unless it is said otherwise; everything else as `Policy` has it."""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that can be used. `origins` tells where each value that is no default was written."""

    database: Path
    web: WebSection
    view: ViewSection
    agent: AgentSection = field(repr=False)
    policy: Policy
    log: LogSection
    platforms: Mapping[str, Mapping[str, Any]] = field(repr=False)  # As they were written, secrets and all.
    tools: Mapping[str, Mapping[str, Any]] = field(repr=False)
    mcp: Mapping[str, Mapping[str, Any]] = field(repr=False)
    file: Path | None
    origins: Origins
    lines: Mapping[tuple[str, ...], int]  # of the file, on which each table and key stands

    def origin(self, *path: str) -> str:
        """Say where a value was written, or `default`."""
        spot = self.origins.get((path[0], path[1])) if len(path) == len(("SECTION", "KEY")) else None
        if spot is None and path in self.lines:
            spot = self.spot(*path)
        return DEFAULT if spot is None else spot.where

    def spot(self, *path: str) -> Spot:
        """Find where a key of the file was written; one that is not there, by the table that it would be in."""
        return _spot(self.file, self.lines, *path)


@dataclass(frozen=True, slots=True)
class Tables:
    """What a file says of what has tables of its own, also where the rest of it is wrong; each judges its own."""

    file: Path | None
    agent: AgentSection = field(repr=False)
    platforms: Mapping[str, Mapping[str, Any]] = field(repr=False)  # As they were written, secrets and all.
    tools: Mapping[str, Mapping[str, Any]] = field(repr=False)
    mcp: Mapping[str, Mapping[str, Any]] = field(repr=False)
    lines: Mapping[tuple[str, ...], int]

    def spot(self, *path: str) -> Spot:
        """See `Config.spot`."""
        return _spot(self.file, self.lines, *path)


def read_tables(named: Path | None = None) -> Tables:
    """Read what the file says in such tables, and judge nothing. Raises ConfigError where there is nothing to read."""
    file = _find(named)
    sections, lines = _read_file(file)
    kind = sections["agent"].get("kind") if isinstance(sections.get("agent"), dict) else None
    said = {"kind": kind} if isinstance(kind, str) else {}
    agent = AgentSection.model_validate({**_tables_in(sections, "agent"), **said})
    platforms, tools, mcp = (_tables_in(sections, name) for name in ("platforms", "tools", "mcp"))
    return Tables(file, agent, platforms, tools, mcp, lines)


def _tables_in(sections: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    section = sections.get(name)
    found = section.items() if isinstance(section, dict) else ()
    return {key: table for key, table in found if isinstance(table, dict)}


def _find(named: Path | None) -> Path | None:
    try:
        return find_config(named, os.environ)
    except ConfigMissingError as error:
        raise ConfigError([str(error)]) from error


def load_config(named: Path | None = None, *, database: Path | None = None) -> Config:
    """Read and judge the whole configuration. Raises ConfigError with every mistake."""
    file = _find(named)
    tables, lines = _read_file(file)
    given = [*_split_tables(tables, file, lines), *_read_environment()]
    if database is not None:
        given.append(Given("store", "path", str(database), Spot(DATABASE_OPTION, "store.path"), strict=False))
    problems = [problem for each in given if (problem := judge_value(each)) is not None]
    if problems:
        raise ConfigError(problems)
    return _compose(given, tables, file, database, lines)


def _read_file(file: Path | None) -> tuple[dict[str, Any], Mapping[tuple[str, ...], int]]:
    if file is None:
        return {}, {}
    try:
        source = TomlConfigSettingsSource(Settings, toml_file=file)
        return _anchored(source(), file.parent), read_lines(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{file}: not TOML: {error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{file}: not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    except RecursionError as error:
        raise ConfigError([f"{file}: a value is nested too deep"]) from error
    except OSError as error:
        raise ConfigError([f"{file}: cannot be read: {error.strerror}"]) from error


def _anchored(tables: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let the path of the view's token count from where it is written. The tables of kinds see to their own secrets."""
    view = tables.get("view")
    if not isinstance(view, dict) or not isinstance(token := view.get("token"), str):
        return tables
    return {**tables, "view": {**view, "token": counted_from(folder, token)}}


def _split_tables(
    tables: Mapping[str, Any], file: Path | None, lines: Mapping[tuple[str, ...], int]
) -> Iterator[Given]:
    """Take the file apart into single values, in its order. What is no table is one value without a key."""
    for section, table in tables.items():
        if section not in Settings.model_fields or not isinstance(table, dict):
            yield Given(section, "", table, _spot(file, lines, section), strict=True)
            continue
        for key, value in table.items():
            yield Given(section, key, value, _spot(file, lines, section, key), strict=True)


def _spot(file: Path | None, lines: Mapping[tuple[str, ...], int], *path: str) -> Spot:
    line = next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)
    return Spot(f"{file}:{line}" if line else str(file), ".".join(path))


def _read_environment() -> Iterator[Given]:
    for name, value in sorted(os.environ.items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name != CONFIG_VARIABLE:
            section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
            path = f"{section}.{key}" if key else section
            typed = parse_knob(key, value) if section == "policy" else value
            yield Given(section, key, typed, Spot(name, path), strict=False)


def _compose(
    given: list[Given],
    tables: dict[str, Any],
    file: Path | None,
    database: Path | None,
    lines: Mapping[tuple[str, ...], int],
) -> Config:
    """Lay the layers over each other, and judge what only the whole can show."""
    top = {(each.section, each.key): each for each in given}  # The last layer is the highest.
    origins = MappingProxyType({name: each.spot for name, each in top.items()})
    settings = read_settings(tables, {} if database is None else {"store": {"path": database}})
    problems = [*judge_agent(settings.agent, origins), *judge_openness(settings, origins)]
    knobs = {**DOOR, **{key: parse_knob(key, value) for key, value in settings.policy.items()}}
    try:
        policy = Policy(**knobs)
    except InvalidPolicyError as error:  # Each knob alone is right; two of them contradict each other.
        raise ConfigError([*problems, f"{file or 'environment'}: {error}"]) from error
    if problems:
        raise ConfigError(problems)
    from_file = ("store", "path") in top and top["store", "path"].strict
    base = file.parent if file is not None and from_file else Path.cwd()
    return Config(
        database=base / settings.store.path.expanduser(),
        web=settings.web,
        view=settings.view,
        agent=settings.agent,
        policy=policy,
        log=settings.log,
        platforms=MappingProxyType(settings.platforms),
        tools=MappingProxyType(settings.tools),
        mcp=MappingProxyType(settings.mcp),
        file=file,
        origins=origins,
        lines=MappingProxyType(lines),
    )
