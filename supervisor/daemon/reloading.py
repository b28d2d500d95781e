"""SIGHUP: read the configuration again, put in force what can be changed while running, and say what cannot."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from pathlib import Path

from pydantic import BaseModel, SecretStr

from greenroom.supervisor.daemon.config import DATABASE_OPTION, Config, load_config
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.logs import set_level
from greenroom.supervisor.policy import Policy

AT_THE_DOOR = ("allow", "strangers", "pairing_s")
"""What of the policy is in force at once."""

IN_FORCE_NOW = frozenset({"log.level", *(f"policy.{knob}" for knob in AT_THE_DOOR)})
"""What can be changed while running; everything else is read at the next start."""

WRITTEN = frozenset({"file", "origins", "lines"})
"""What a configuration holds of where it was written; all else are values."""


class Reloader:
    """Knows the configuration in force."""

    def __init__(self, config: Config, named: Path | None) -> None:
        """`named` is the file that was named when the daemon was started, if any."""
        self._config = config
        self._named = named

    def reload(self, admit: Callable[[Policy], object]) -> list[str]:
        """Read again and say in lines what became of it. A wrong configuration changes nothing.

        `admit` is told the policy of those who may write, if that has changed.
        """
        try:
            chosen = self._config.database if self._config.origin("store", "path") == DATABASE_OPTION else None
            fresh = load_config(self._named, database=chosen)
        except ConfigError as error:
            return ["the configuration was not changed, it cannot be used:", *(f"  {line}" for line in error.problems)]
        changes = list(describe_changes(self._config, fresh))
        if fresh.log.level != self._config.log.level:
            set_level(fresh.log)
            level = self._config.log.model_copy(update={"level": fresh.log.level})
            self._config = replace(self._config, log=level)
        door = {knob: getattr(fresh.policy, knob) for knob in AT_THE_DOOR}
        policy = replace(self._config.policy, **door)
        if policy != self._config.policy:
            admit(policy)
            self._config = replace(self._config, policy=policy)
        return changes or ["the configuration was read again: nothing has changed"]


def describe_changes(old: Config, new: Config) -> Iterator[str]:
    """Say of each changed value whether it is in force now or from the next start on.

    What is or may be secret is told by name alone: secrets, and the tables that are judged by what they name.
    """
    before, after = _flatten(old), _flatten(new)
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        when = "in force now" if key in IN_FORCE_NOW else "needs a restart"
        unsaid = any(isinstance(value, SecretStr | Mapping) for value in (was, now))
        yield f"{key}: changed ({when})" if unsaid else f"{key}: {was} -> {now} ({when})"


def _flatten(config: Config) -> dict[str, object]:
    """Everything that a configuration holds, each value or table by its key."""
    held = {part.name: getattr(config, part.name) for part in fields(config) if part.name not in WRITTEN}
    return {key: value for name, part in held.items() for key, value in _values(name, part)}


def _values(name: str, held: object) -> Iterator[tuple[str, object]]:
    match held:
        case Path():
            yield "store.path", held
        case BaseModel():
            values = {key: getattr(held, key) for key in type(held).model_fields} | (held.model_extra or {})
            yield from ((f"{name}.{key}", value) for key, value in values.items())
        case Policy():
            yield from ((f"{name}.{knob.name}", getattr(held, knob.name)) for knob in fields(held))
        case Mapping():
            yield from ((f"{name}.{key}", table) for key, table in held.items())
        case _:
            msg = f"Config.{name}: a {type(held).__name__}, of which nobody knows how it changes; add it to `_values`"
            raise TypeError(msg)
