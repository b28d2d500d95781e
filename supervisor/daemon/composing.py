"""Composition by name: the agent, its summariser and the web chat that a configuration asks for."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from greenroom.actors.ports import History
from greenroom.supervisor.daemon.config import Config
from greenroom.supervisor.daemon.config_problems import ConfigError, Spot, install
from greenroom.supervisor.daemon.equipping import make_agent, read_agent, refuse_tools
from greenroom.supervisor.daemon.shelf import describe_import

if TYPE_CHECKING:
    from greenroom.actors.ports import Summarise
    from greenroom.platforms.chats.web import WebChat
    from greenroom.supervisor.metrics import Metrics

LEDGER_NAME = "ledger.txt"
"""The file beside the database into which the demo agent writes lines, each once."""


def load_agent(config: Config) -> Any:
    """Find the agent that the configuration names. Raises ConfigError."""
    if wanted := read_agent(config):
        return make_agent(config, wanted)
    refuse_tools(config, f"the {config.agent.chosen} agent")
    if config.agent.target is None:
        from greenroom.platforms.agents.demo import demo_agent  # noqa: PLC0415 - only where it is used

        return demo_agent(config.database.with_name(LEDGER_NAME))
    agent: Callable[..., Any] = _load(config, "target", config.agent.target, what="your agent")
    return agent


def load_summariser(config: Config) -> Summarise | None:
    """Find the summariser that the configuration names, if it names one. Raises ConfigError."""
    if config.agent.summariser is None:
        return None
    found: Any = _load(config, "summariser", config.agent.summariser, what="your summariser")
    if not inspect.iscoroutinefunction(found if inspect.isroutine(found) else found.__call__):
        problem = f"{config.agent.summariser} must be `async def summarise(messages) -> str`"
        raise ConfigError([config.origins["agent", "summariser"].say(problem)])
    summarise: Summarise = found
    return summarise


def _load(config: Config, key: str, target: str, *, what: str) -> Any:
    """Import a function of the host's, from the Python path or from beside the configuration."""
    spot = config.origins["agent", key]
    module, _, function = target.partition(":")
    beside = str(config.file.parent if config.file is not None else Path.cwd())
    if beside not in sys.path:
        sys.path.insert(0, beside)
    found = _import(module, spot)
    for name in function.split("."):
        if not hasattr(found, name):
            raise ConfigError([spot.say(f"module {module!r} has no {function!r}; write the name of {what}")])
        found = getattr(found, name)
    if not callable(found):
        raise ConfigError([spot.say(f"{target} is not a function but a {type(found).__name__}")])
    return found


def _import(module: str, spot: Spot) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(error.name + ".")):
            problem = f"no module {module!r} on the Python path or beside the configuration file"
            raise ConfigError([spot.say(problem)]) from error
        raise ConfigError([spot.say(describe_import(module, error))]) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # Invariant: foreign code that fails at import (even by sys.exit) is named, not us.
        raise ConfigError([spot.say(describe_import(module, error))]) from error


def make_web(config: Config, history: History, ready: Callable[[], Awaitable[str | None]]) -> WebChat | None:
    """Make the web chat, unless it is switched off. Raises ConfigError where its libraries are not installed."""
    if not config.web.enabled:
        return None
    try:
        from greenroom.platforms.chats.web import WebChat  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        spot = Spot(config.origin("web", "enabled"), "web.enabled")
        problem = f"the web chat needs {error.name}; {install('web')}; or write enabled = false"
        raise ConfigError([spot.say(problem)]) from error
    return WebChat(history, host=config.web.host, port=config.web.port, hosts=config.web.hosts, ready=ready)


def make_metrics(config: Config) -> Metrics | None:
    """Make the metrics, where somebody can ask for them: the live view serves their page."""
    if not config.view.enabled:
        return None
    from greenroom.supervisor.metrics import Metrics  # noqa: PLC0415 - only where they are wanted

    return Metrics(process=True)
