"""SIGHUP: read the configuration again, put in force what can be changed while running, and say what cannot."""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

from greenroom.supervisor.daemon.config import Config, load_config
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.logs import set_level
from greenroom.supervisor.policy import Policy

AT_THE_DOOR = ("allow", "strangers", "pairing_s")
"""What of the policy is in force at once."""

IN_FORCE_NOW = frozenset({"log.level", *(f"policy.{knob}" for knob in AT_THE_DOOR)})
"""What can be changed while running; everything else is read at the next start."""


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
            fresh = load_config(self._named, database=self._config.database)
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
    """Say of each changed value whether it is in force now or from the next start on."""
    before, after = _flatten(old), _flatten(new)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            when = "in force now" if key in IN_FORCE_NOW else "needs a restart"
            yield f"{key}: {before.get(key)} -> {after.get(key)} ({when})"
    before_tables, after_tables = _tables(old), _tables(new)
    for name in sorted(before_tables.keys() | after_tables.keys()):  # Told by name alone: the values may be secret.
        if before_tables.get(name) != after_tables.get(name):
            yield f"{name}: changed (needs a restart)"


def _tables(config: Config) -> dict[str, object]:
    """Every table that is judged by what it names, by its name."""
    sections = {"platforms": config.platforms, "agent": config.agent.tables, "tools": config.tools, "mcp": config.mcp}
    return {f"{section}.{name}": table for section, tables in sections.items() for name, table in tables.items()}


def _flatten(config: Config) -> dict[str, object]:
    """Every value by its key, but those of such tables."""
    flat: dict[str, object] = {}
    for name, section in (("web", config.web), ("agent", config.agent), ("log", config.log)):
        flat |= {f"{name}.{key}": getattr(section, key) for key in type(section).model_fields}
    flat |= {f"policy.{knob.name}": getattr(config.policy, knob.name) for knob in fields(config.policy)}
    return flat
