"""The platforms that there are, built in or installed, and making those that a configuration asks for.

A platform is offered as one function, `make(settings: ITS_SETTINGS, folder: Path) -> Platform`: its settings are what
the function says they are. One that asks for a third argument is given the `History`: its server remembers nothing.
Nothing of a platform is imported unless the configuration names it.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from greenroom.actors.ports import History, Platform
from greenroom.platforms.chats.account import AccountSettings
from greenroom.supervisor.daemon.config import Config, Tables, load_config, read_tables
from greenroom.supervisor.daemon.config_problems import ConfigError, Spot, install
from greenroom.supervisor.daemon.config_settings import BadSettings, read_account

PLATFORM_GROUP = "greenroom.platforms"
"""Entry points under which installed packages offer platforms, by the name of their table."""

Make = Callable[..., Platform]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """A platform of our own, and the extra that brings what it needs."""

    target: str
    needs: str
    extra: str


BUILT_IN: Mapping[str, BuiltIn] = {
    "discord": BuiltIn("greenroom.platforms.chats.discord:make", needs="discord.py", extra="discord"),
    "matrix": BuiltIn("greenroom.platforms.chats.matrix:make", needs="mautrix", extra="matrix"),
    "slack": BuiltIn("greenroom.platforms.chats.slack:make", needs="slack_sdk", extra="slack"),
    "telegram": BuiltIn("greenroom.platforms.chats.telegram:make", needs="python-telegram-bot", extra="telegram"),
    "webhook": BuiltIn("greenroom.platforms.chats.webhook:make", needs="starlette, uvicorn and httpx", extra="web"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One account that a configuration asks for: its settings are right, and nothing is made yet."""

    platform: str
    settings: AccountSettings
    make: Make
    path: tuple[str, ...]  # of its table
    spot: Spot

    @property
    def name(self) -> str:
        """What it is called where a configuration is printed, such as `platforms.telegram`."""
        return ".".join(self.path)


def load_checked(named: Path | None, *, database: Path | None = None) -> Config:
    """Read and judge the configuration with the settings of its platforms. Raises ConfigError with every mistake."""
    problems: list[str] = []
    try:
        read_platforms(read_tables(named))
    except ConfigError as error:
        problems += error.problems
    try:
        config = load_config(named, database=database)
    except ConfigError as error:
        raise ConfigError(tuple(dict.fromkeys((*error.problems, *problems)))) from error
    if problems:
        raise ConfigError(problems)
    return config


def read_platforms(config: Config | Tables) -> list[Wanted]:
    """Judge every platform's table. Raises ConfigError with every mistake."""
    wanted: list[Wanted] = []
    problems: list[str] = []
    for name, table in config.platforms.items():
        try:
            make = _find(name, config.spot("platforms", name))
            wanted += _read_accounts(config, name, table, make)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return wanted


def make_platforms(wanted: list[Wanted], folder: Path, history: History) -> list[Platform]:
    """Make each account's platform; it may keep files in `folder`. Raises ConfigError with every mistake."""
    platforms: list[Platform] = []
    problems: list[str] = []
    for each in wanted:
        try:
            platforms.append(_make(each, folder, history))
        except Exception as error:  # Invariant: one platform's mistake does not hide the next one's.
            problems.append(each.spot.say(f"cannot be made: {type(error).__name__}: {error}"))
    if problems:
        raise ConfigError(problems)
    return platforms


def _make(wanted: Wanted, folder: Path, history: History) -> Platform:
    given = (wanted.settings, folder, history)
    platform = wanted.make(*given[: len(inspect.signature(wanted.make).parameters)])
    if not isinstance(platform, Platform):
        raise TypeError(f"made a {type(platform).__name__}, which is no platform")
    if (platform.name, platform.account) != (wanted.platform, wanted.settings.account):
        raise ValueError(f"made {platform.name}:{platform.account} of {wanted.platform}:{wanted.settings.account}")
    return platform


def _find(name: str, spot: Spot) -> Make:
    """Import whatever makes a platform. Raises ConfigError."""
    installed = {point.name: point for point in entry_points(group=PLATFORM_GROUP)}
    if name not in BUILT_IN and name not in installed:
        known = ", ".join(sorted({*BUILT_IN, *installed}))
        raise ConfigError([spot.say(f"no such platform; there are {known}")])
    try:
        return _import(BUILT_IN[name].target) if name in BUILT_IN else _load(installed[name])
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        raise ConfigError([spot.say(_describe_missing(name, error))]) from error
    except BaseException as error:  # Invariant: foreign code that fails at import (even by sys.exit) is named, not us.
        raise ConfigError([spot.say(describe_import(name, error))]) from error


def _import(target: str) -> Make:
    module, _, function = target.partition(":")
    make: Make = getattr(importlib.import_module(module), function)
    return make


def _load(point: EntryPoint) -> Make:
    make: Make = point.load()
    return make


def _describe_missing(name: str, error: ModuleNotFoundError) -> str:
    ours = error.name is None or error.name.partition(".")[0] == "greenroom"
    if name not in BUILT_IN or ours:
        return describe_import(name, error)
    return f"{name} needs {BUILT_IN[name].needs}; {install(BUILT_IN[name].extra)}"


def describe_import(name: str, error: BaseException) -> str:
    """Say how an import failed, and where."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"importing {name!r} failed with {type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"


def _read_accounts(config: Config | Tables, name: str, table: Mapping[str, Any], make: Make) -> list[Wanted]:
    kind = _settings_of(make, config.spot("platforms", name))
    folder = Path.cwd() if config.file is None else config.file.parent
    wanted: list[Wanted] = []
    problems: list[str] = []
    for path, values in _split_accounts(name, table, kind):
        try:
            settings = read_account(kind, values, path, folder, config.spot)
            wanted.append(Wanted(name, settings, make, path, config.spot(*path)))
        except BadSettings as bad:
            problems += bad.problems
    if problems:
        raise ConfigError(problems)
    return wanted


def _settings_of(make: Make, spot: Spot) -> type[AccountSettings]:
    try:
        first = next(iter(inspect.signature(make, eval_str=True).parameters.values())).annotation
    except (NameError, TypeError, ValueError, StopIteration) as error:
        raise ConfigError([spot.say(f"its make() cannot be read: {error}")]) from error
    if not (isinstance(first, type) and issubclass(first, AccountSettings)):
        raise ConfigError([spot.say("its make() must name its settings, a kind of AccountSettings, as its first type")])
    return first


def _split_accounts(
    name: str, table: Mapping[str, Any], kind: type[AccountSettings]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Take a table for one account; for several where all that is in it are tables with names of their own."""
    if table and all(isinstance(value, dict) and key not in kind.model_fields for key, value in table.items()):
        yield from ((("platforms", name, account), values) for account, values in table.items())
    else:
        yield ("platforms", name), table
