"""Composition by name: the agent and the platforms that a configuration asks for."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenroom.actors.ports import History, Platform
from greenroom.supervisor.daemon.config import Config
from greenroom.supervisor.daemon.config_problems import ConfigError, Spot

if TYPE_CHECKING:
    from greenroom.platforms.chats.web import WebChat

PLATFORM_GROUP = "greenroom.platforms"
"""Entry points under which installed packages offer platforms; called with the keys of their table."""

LEDGER_NAME = "ledger.txt"
"""The file beside the database into which the demo agent writes lines, each once."""


def load_agent(config: Config) -> Callable[..., Any]:
    """Find the agent that the configuration names. Raises ConfigError."""
    if config.agent.target is None:
        from greenroom.platforms.agents.demo import demo_agent  # noqa: PLC0415 - only where it is used

        return demo_agent(config.database.with_name(LEDGER_NAME))
    spot = config.origins["agent", "target"]
    module, _, function = config.agent.target.partition(":")
    beside = str(config.file.parent if config.file is not None else Path.cwd())
    if beside not in sys.path:
        sys.path.insert(0, beside)
    agent = _import(module, spot)
    for name in function.split("."):
        if not hasattr(agent, name):
            raise ConfigError([spot.say(f"module {module!r} has no {function!r}; write the name of your agent")])
        agent = getattr(agent, name)
    if not callable(agent):
        raise ConfigError([spot.say(f"{config.agent.target} is not a function but a {type(agent).__name__}")])
    found: Callable[..., Any] = agent
    return found


def _import(module: str, spot: Spot) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(error.name + ".")):
            problem = f"no module {module!r} on the Python path or beside the configuration file"
            raise ConfigError([spot.say(problem)]) from error
        raise ConfigError([spot.say(_describe(module, error))]) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # Invariant: foreign code that fails at import (even by sys.exit) is named, not us.
        raise ConfigError([spot.say(_describe(module, error))]) from error


def _describe(module: str, error: BaseException) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"importing {module!r} failed with {type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"


def load_platforms(config: Config) -> list[Platform]:
    """Make each platform that has a table in the configuration. Raises ConfigError with every mistake."""
    offered = {point.name: point for point in entry_points(group=PLATFORM_GROUP)}
    platforms: list[Platform] = []
    problems: list[str] = []
    for name, table in config.platforms.items():
        spot = config.origins["platforms", name]
        if name not in offered:
            known = ", ".join(sorted(offered)) or "none"
            problems.append(spot.say(f"no such platform is installed; installed are: {known}"))
            continue
        try:
            platforms.append(_make(offered[name].load(), table))
        except Exception as error:  # Invariant: one platform's mistake does not hide the next one's.
            problems.append(spot.say(f"cannot be made: {type(error).__name__}: {error}"))
    if problems:
        raise ConfigError(problems)
    return platforms


def _make(factory: Callable[..., Platform], table: Mapping[str, Any]) -> Platform:
    platform = factory(**table)
    if not isinstance(platform, Platform):
        raise TypeError(f"made a {type(platform).__name__}, which is no platform")
    return platform


def make_web(config: Config, history: History, ready: Callable[[], Awaitable[str | None]]) -> WebChat | None:
    """Make the web chat, unless it is switched off. Raises ConfigError where its libraries are not installed."""
    if not config.web.enabled:
        return None
    try:
        from greenroom.platforms.chats.web import WebChat  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        spot = Spot(config.origin("web", "enabled"), "web.enabled")
        problem = f"the web chat needs {error.name}; install 'greenroom[web]', or write enabled = false"
        raise ConfigError([spot.say(problem)]) from error
    return WebChat(history, host=config.web.host, port=config.web.port, hosts=config.web.hosts, ready=ready)
