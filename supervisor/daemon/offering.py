"""The platforms that there are, built in or installed, and making those that a configuration asks for.

A platform is offered as one function, `make(settings: ITS_SETTINGS, folder: Path) -> Platform`: its settings are what
the function says they are. One that asks for a third argument is given the `History`: its server remembers nothing.
Nothing of a platform is imported unless the configuration names it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from greenroom.actors.ports import History, Platform
from greenroom.platforms.chats.account import AccountSettings
from greenroom.supervisor.daemon.config import Config, Tables, load_config, read_tables
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.config_settings import BadSettings, read_table
from greenroom.supervisor.daemon.equipping import read_agent, read_tools
from greenroom.supervisor.daemon.shelf import BuiltIn, Make, Shelf, Wanted, call_make

PLATFORMS = Shelf(
    "platform",
    "greenroom.platforms",
    AccountSettings,
    {
        "discord": BuiltIn("greenroom.platforms.chats.discord:make", needs="discord.py", extra="discord"),
        "matrix": BuiltIn("greenroom.platforms.chats.matrix:make", needs="mautrix", extra="matrix"),
        "slack": BuiltIn("greenroom.platforms.chats.slack:make", needs="slack_sdk", extra="slack"),
        "telegram": BuiltIn("greenroom.platforms.chats.telegram:make", needs="python-telegram-bot", extra="telegram"),
        "webhook": BuiltIn("greenroom.platforms.chats.webhook:make", needs="starlette, uvicorn and httpx", extra="web"),
    },
)
"""Entry points under `greenroom.platforms` are named as the tables."""


def load_checked(named: Path | None, *, database: Path | None = None) -> Config:
    """Read and judge the configuration, and the settings of all that it names. Raises ConfigError with all mistakes."""
    problems: list[str] = []
    tables = read_tables(named)
    for read in (read_platforms, read_agent, read_tools):
        try:
            read(tables)
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
            make = PLATFORMS.find(name, config.spot("platforms", name))
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
    platform = call_make(wanted.make, wanted.settings, folder, history)
    if not isinstance(platform, Platform):
        raise TypeError(f"made a {type(platform).__name__}, which is no platform")
    if (platform.name, platform.account) != (wanted.kind, wanted.settings.account):
        raise ValueError(f"made {platform.name}:{platform.account} of {wanted.kind}:{wanted.settings.account}")
    return platform


def _read_accounts(config: Config | Tables, name: str, table: Mapping[str, Any], make: Make) -> list[Wanted]:
    kind = PLATFORMS.settings_of(make, config.spot("platforms", name))
    folder = Path.cwd() if config.file is None else config.file.parent
    wanted: list[Wanted] = []
    problems: list[str] = []
    for path, values in _split_accounts(name, table, kind):
        try:
            settings = read_table(kind, values, path, folder, config.spot)
            wanted.append(Wanted(name, settings, make, path, config.spot(*path)))
        except BadSettings as bad:
            problems += bad.problems
    if problems:
        raise ConfigError(problems)
    return wanted


def _split_accounts(
    name: str, table: Mapping[str, Any], kind: type[AccountSettings]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Take a table for one account; for several where all that is in it are tables with names of their own."""
    if table and all(isinstance(value, dict) and key not in kind.model_fields for key, value in table.items()):
        yield from ((("platforms", name, account), values) for account, values in table.items())
    else:
        yield ("platforms", name), table
