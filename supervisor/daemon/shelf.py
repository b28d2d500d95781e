"""What can be named in a configuration: built in or installed, each offered as one function that makes it.

Such a function, `make(settings: ITS_SETTINGS, ...)`, says by its first type what its settings are. What it takes
besides is given in a fixed order, of which it leaves out what it does not need from the end. Nothing is imported unless
the configuration names it.
"""

from __future__ import annotations

import importlib
import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel

from greenroom.supervisor.daemon.config_problems import ConfigError, Spot, install

Make = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """One of our own, and the extra that brings what it needs."""

    target: str
    needs: str = ""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Shelf:
    """All of one sort, such as platforms. Installed packages offer theirs as entry points of the `group`."""

    what: str
    group: str
    base: type[BaseModel]  # that settings are a kind of
    built_in: Mapping[str, BuiltIn]
    also: tuple[str, ...] = ()  # names that are made elsewhere

    def find(self, name: str, spot: Spot) -> Make:
        """Import whatever makes it. Raises ConfigError."""
        ours = name in self.built_in  # Then nobody has to look through all that is installed.
        installed = {} if ours else {point.name: point for point in entry_points(group=self.group)}
        if not ours and name not in installed:
            known = ", ".join(sorted({*self.built_in, *installed, *self.also}))
            raise ConfigError([spot.say(f"no such {self.what}; there are {known}")])
        try:
            return _import(self.built_in[name].target) if ours else _load(installed[name])
        except KeyboardInterrupt:
            raise
        except ModuleNotFoundError as error:
            raise ConfigError([spot.say(self._describe_missing(name, error))]) from error
        except BaseException as error:  # Invariant: foreign code that fails at import (even by sys.exit) is named.
            raise ConfigError([spot.say(describe_import(name, error))]) from error

    def settings_of(self, make: Make, spot: Spot) -> type[Any]:
        """Read what the settings of something are: a kind of `base`. Raises ConfigError."""
        try:
            first = next(iter(inspect.signature(make, eval_str=True).parameters.values())).annotation
        except (NameError, TypeError, ValueError, StopIteration) as error:
            raise ConfigError([spot.say(f"its make() cannot be read: {error}")]) from error
        if not (isinstance(first, type) and issubclass(first, self.base)):
            problem = f"its make() must name its settings, a kind of {self.base.__name__}, as its first type"
            raise ConfigError([spot.say(problem)])
        return first

    def _describe_missing(self, name: str, error: ModuleNotFoundError) -> str:
        ours = error.name is None or error.name.partition(".")[0] == "greenroom"
        if name not in self.built_in or ours:
            return describe_import(name, error)
        return f"{name} needs {self.built_in[name].needs}; {install(self.built_in[name].extra)}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that a configuration asks for: its settings are right, and nothing is made yet."""

    kind: str  # its name on the shelf
    settings: Any  # of the type that its `make` names
    make: Make
    path: tuple[str, ...]  # of its table
    spot: Spot

    @property
    def name(self) -> str:
        """What it is called where a configuration is printed, such as `platforms.telegram`."""
        return ".".join(self.path)


def call_make(make: Make, *given: Any) -> Any:
    """Call it with as much of what is given as it takes."""
    return make(*given[: len(inspect.signature(make).parameters)])


def describe_import(name: str, error: BaseException) -> str:
    """Say how an import failed, and where."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"importing {name!r} failed with {type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"


def _import(target: str) -> Make:
    module, _, function = target.partition(":")
    make: Make = getattr(importlib.import_module(module), function)
    return make


def _load(point: EntryPoint) -> Make:
    make: Make = point.load()
    return make
