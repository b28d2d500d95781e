"""Prints docs/configuration.md from the types: `python -m tests.supervisor.configuration_page > docs/configuration.md`.

What each key means stands behind it where it is defined. What a knob of the policy may be is said by its own refusals.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from tests.supervisor.configuration_words import both, either, may_be, toml, unit_of
from tests.supervisor.written_words import words_of

from greenroom.actors.rules import Rules
from greenroom.supervisor.daemon.config import DOOR
from greenroom.supervisor.daemon.config_problems import Spot
from greenroom.supervisor.daemon.equipping import AGENTS, MCP, TOOLS
from greenroom.supervisor.daemon.offering import PLATFORMS
from greenroom.supervisor.daemon.reloading import IN_FORCE_NOW
from greenroom.supervisor.daemon.settings import Settings
from greenroom.supervisor.daemon.shelf import Shelf
from greenroom.supervisor.policy import COUNT_LARGEST, LARGEST, InvalidPolicyError, Policy

EXAMPLE = """[store]
path = "/srv/greenroom/room.db"

[agent.openai]
model = "gpt-5.2"
key = "env:OPENAI_API_KEY"

[platforms.telegram]
token = "file:telegram.token"       # beside this file

[policy]
allow = ["telegram:me:*"]           # everybody who writes to the bot
drain_s = 60

[log]
level = "warning"
"""

HEAD = f"""# Configuration

This page is printed from the types by `tests/supervisor/configuration_page.py`, and a test fails when it is not current, or when a key
has no words.

Everything is set in one `greenroom.toml`, and everything that is not set has a default. `greenroom init` writes a first one;
`greenroom config check --all` says what each value is, and where it comes from; all mistakes are told at once, with the line of each.

```toml
{EXAMPLE}```

- **Where it is looked for**: `--config FILE`, the variable `GREENROOM_CONFIG`, `greenroom.toml` in the working folder, then in the user's
  folder of configurations (`~/.config/greenroom/` on Linux).
- **What wins**: options (`--db`), then the environment, then the file, then the default. In the environment a key is
  `GREENROOM_SECTION_KEY`, such as `GREENROOM_WEB_PORT=9000` or `GREENROOM_POLICY_ALLOW="web:*, telegram:me:*"`. That is for
  {{from_environment}}; tables of tables are for the file.
- **Paths**: a `store.path` that is relative counts from the file's folder, as does a secret's file.
- **A host that embeds greenroom** has the same policy, `Policy(drain_s=60)`, with two other defaults: `allow=None` leaves it to the
  host who may write, and `strangers` is `"ignore"`.

## Secrets

What may be a *secret* below is written in one of these ways, and is never shown: not by `config check`, not in logs, not in the live view.

| written | read from |
|---|---|
| `"env:VARIABLE"` | greenroom's environment, at the start |
| `"file:/path"` | a file of at most 64 KiB, anew whenever it is needed, so that a changed one needs no restart |
| `"credential:NAME"` | a file that the service manager laid down (systemd's `LoadCredential=NAME:/path`), likewise |
| anything else | it is the secret; then let nobody else read the file (`greenroom audit` looks) |

## While it runs

SIGHUP (`systemctl reload`) reads the file again; a wrong one changes nothing. In force at once are
{{in_force}}, which have a ↻ below.
Of all else that has changed it is said that it needs a restart.
"""

TABLES = {
    "platforms": "One table for each platform that it is reached by; several accounts of one are tables of its table,"
    " `[platforms.telegram.work]`. [platforms.md](platforms.md) has what each needs there. An installed package may bring"
    " more, and says what they can be told.",
    "tools": "What a model may call. None is there unless its table is. [agents.md](agents.md#tools) has their limits and"
    " policies.",
    "mcp": "Servers of the Model Context Protocol, a table for each, by any name.",
    "policy": "The limits that conversations live by, and those of the house. "
    f"No number of seconds, days, or a second is above {LARGEST:,.0f} (31 years of seconds), no whole number above "
    f"{COUNT_LARGEST:,}.",
}
SHELVES: Mapping[str, Shelf] = {"platforms": PLATFORMS, "agent": AGENTS, "tools": TOOLS, "mcp": MCP}
"""By the section whose tables name what stands there."""

DEFAULTS = {
    "store.path": "`greenroom/greenroom.db` in the user's folder of data (`~/.local/share/` on Linux)",
    "policy.auto_resume": "all of them",
}
"""Where the value itself says less, or another thing on each machine."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of one table, each part as the page has it."""

    path: str
    may_be: str
    default: str
    words: str


def keys_of(table: str, kind: type[BaseModel]) -> Iterator[Key]:
    """The keys of a table whose settings are of some type."""
    schema = kind.model_json_schema()
    words: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, BaseModel) and not base.__module__.startswith("pydantic"):
            words |= words_of(base)
    for name, field in kind.model_fields.items():
        path = f"{table}.{name}"
        said = may_be(schema["properties"][name], name, schema.get("$defs", {}))
        yield Key(
            path, said, DEFAULTS.get(path) or _default(field), _with_choices(words.get(name, ""), field.annotation)
        )


def _default(field: FieldInfo) -> str:
    return (
        "must be set" if field.is_required() else toml(field.get_default(call_default_factory=True, validated_data={}))
    )


def knobs() -> dict[str, Key]:
    """The keys of the policy, in order."""
    hints, words = get_type_hints(Policy), words_of(Rules) | words_of(Policy)
    plain = Policy()
    return {
        name: Key(
            path := f"policy.{name}",
            _refused(name, hints[name]),
            DEFAULTS.get(path) or toml(DOOR.get(name, getattr(plain, name))),
            _with_choices(words.get(name, ""), hints[name]),
        )
        for name in (knob.name for knob in fields(Policy))
    }


def _refused(name: str, hint: Any) -> str:
    """What a knob must be, as it says itself when it is set to what it cannot mean."""
    if (choices := _choices(hint)) is not None:
        return "list of reasons" if name == "auto_resume" else either(f"`{each}`" for each in choices)
    for wrong in (-1, "soon"):
        try:
            Policy(**{name: wrong})  # type: ignore[arg-type]
        except InvalidPolicyError as error:
            said = re.fullmatch(r"policy\.\w+: must be (?:an? |the )?(.*), got .*", str(error))
            assert said is not None
            limit = said[1].replace("number of seconds", "number").replace("number of at least", "number, at least")
            return limit.replace("number", f"number{unit_of(name)}", 1)
    raise AssertionError(f"policy.{name} may be anything")


def _choices(hint: Any) -> type[StrEnum] | None:
    """The words out of which one is chosen."""
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return next((found for part in get_args(hint) if (found := _choices(part)) is not None), None)


def _with_choices(words: str, hint: Any) -> str:
    """A sentence, with what each word means that may be chosen."""
    words = re.sub(r"(?<!\.)\.$", "", words[:1].upper() + words[1:])
    if not words or (choices := _choices(hint)) is None:
        return words
    told = words_of(choices)
    return f"{words}: " + "; ".join(
        f"`{each}`" + (f" ({told[each.name]})" if each.name in told else "") for each in choices
    )


def rows(keys: Iterator[Key]) -> str:
    lines = ["| key | what it may be | default | what it means |", "|---|---|---|---|"]
    for each in keys:
        name = each.path.rpartition(".")[2]
        mark = " ↻" if each.path in IN_FORCE_NOW else ""
        cells = (f"`{name}`{mark}", each.may_be, each.default, each.words)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def about(kind: type[BaseModel]) -> str:
    """The first paragraph of what a type says of itself."""
    return " ".join((kind.__doc__ or "").partition("\n\n")[0].split())


def offered(section: str) -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Each table of a section that names something: what it is called, how it is installed, and its type."""
    shelf = SHELVES[section]
    for name, built_in in shelf.built_in.items():
        spot = Spot("here", name)
        table = "mcp.NAME" if section == "mcp" else f"{section}.{name}"
        install = f" `pip install 'greenroom[{built_in.extra}]'`." if built_in.extra else ""
        yield table, install, shelf.settings_of(shelf.find(name, spot), spot)


def all_keys() -> list[Key]:
    """Every key that there is."""
    found = list(knobs().values())
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += keys_of(section, field.annotation)
        for table, _, kind in offered(section) if section in SHELVES else ():
            found += keys_of(table, kind)
    return found


def section(name: str, field: FieldInfo) -> Iterator[str]:
    """All of one section: its own keys, and its tables."""
    yield f"## [{name}]\n"
    if name in TABLES:
        yield TABLES[name] + "\n"
    if name == "policy":
        own = {knob.name for knob in fields(Rules)}
        yield "### Of each conversation\n"
        yield rows(key for knob, key in knobs().items() if knob in own)
        yield "### Of the house\n"
        yield rows(key for knob, key in knobs().items() if knob not in own)
    elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        yield about(field.annotation) + "\n"
        yield rows(keys_of(name, field.annotation))
    for table, install, kind in offered(name) if name in SHELVES else ():
        yield f"### [{table}]\n"
        yield about(kind) + install + "\n"
        yield rows(keys_of(table, kind))


def page() -> str:
    plain = [f"`{name}`" for name in Settings.model_fields if name not in TABLES or name == "policy"]
    at_once = [f"`{key}`" for key in sorted(IN_FORCE_NOW)]
    head = HEAD.format(in_force=both(at_once), from_environment=both(plain))
    parts = (part for name, field in Settings.model_fields.items() for part in section(name, field))
    return "\n".join((head, *parts))


if __name__ == "__main__":
    sys.stdout.write(page())
