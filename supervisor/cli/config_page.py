"""What `config check` prints: the values in force and where each comes from."""

import dataclasses
from collections.abc import Iterator

from greenroom.supervisor.cli.paper import print_json, print_table
from greenroom.supervisor.daemon.config import DEFAULT, Config
from greenroom.supervisor.daemon.equipping import read_agent, read_tools
from greenroom.supervisor.daemon.offering import read_platforms


def print_config(config: Config, *, as_json: bool, whole: bool) -> None:
    """Print the configuration in force; that a secret is set, but not the secret. Raises ConfigError.

    People read what somebody wrote, and where the database is, unless they want it whole; programs get it whole.
    """
    if as_json:
        from greenroom.supervisor.cli.printed import Configuration, Setting  # noqa: PLC0415 - only programs need them

        effective: dict[str, dict[str, Setting]] = {}
        for section, key, value, origin in _read_values(config):
            effective.setdefault(section, {})[key] = Setting(value, origin)
        print_json(Configuration(config.file, effective))
        return
    print(f"configuration: {config.file or 'no file; everything is at its default unless an origin says otherwise'}\n")
    rows = [(f"{section}.{key}", _say_value(value), origin) for section, key, value, origin in _read_values(config)]
    shown = [row for row in rows if whole or row[0] == "store.path" or row[-1] != DEFAULT]
    print_table(("KEY", "VALUE", "FROM"), shown)
    if hidden := len(rows) - len(shown):
        print(f"\nIt can be used. {hidden} more values are at their default: `greenroom config check --all` shows them")


def _read_values(config: Config) -> Iterator[tuple[str, str, object, str]]:
    yield "store", "path", config.database, config.origin("store", "path")
    sections = (("web", config.web), ("view", config.view), ("agent", config.agent), ("log", config.log))
    for section, model in sections:
        shown = model.model_dump(mode="json")  # In which secrets are stars.
        for key in type(model).model_fields:
            yield section, key, shown[key], config.origin(section, key)
    for knob in dataclasses.fields(config.policy):
        yield "policy", knob.name, getattr(config.policy, knob.name), config.origin("policy", knob.name)
    agent = read_agent(config)
    for wanted in (*([agent] if agent else ()), *read_tools(config), *read_platforms(config)):
        for key, value in wanted.settings.model_dump(mode="json").items():
            yield wanted.name, key, value, config.origin(*wanted.path, key)


def _say_value(value: object) -> str:
    if isinstance(value, frozenset | tuple | list):
        return ", ".join(sorted(map(str, value))) or "(none)"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else "-" if value is None else str(value)
