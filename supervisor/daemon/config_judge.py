"""Judging single values as they were written, and what only the whole can show. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from greenroom.platforms.chats.secret import WRONG_SECRET, holds_secret
from greenroom.supervisor.daemon.config_problems import Spot, describe_error, describe_unknown
from greenroom.supervisor.daemon.settings import AgentSection, Settings
from greenroom.supervisor.policy import InvalidPolicyError, Policy

Origins = Mapping[tuple[str, str], Spot]


NAMED: Mapping[str, str] = {
    "platforms": "the platform's settings",
    "tools": "the tools' settings",
    "mcp": "the server's settings",
}
"""Sections whose tables are judged by what they name."""


@dataclass(frozen=True, slots=True)
class Given:
    """One value as it was written. `strict`: the writer had types (TOML), so that nothing is converted."""

    section: str
    key: str
    value: Any
    spot: Spot
    strict: bool


def judge_value(given: Given) -> str | None:
    """Find what is wrong with one value."""
    if given.section not in Settings.model_fields:
        return _describe_section(given)
    if not given.key:
        return given.spot.say(f"must be a table: write [{given.section}]")
    if given.section == "policy":
        return _judge_knob(given)
    if given.section in NAMED:
        return None if isinstance(given.value, dict) else given.spot.say(f"must be a table of {NAMED[given.section]}")
    section = _section_type(given.section)
    if given.section == "agent" and isinstance(given.value, dict) and given.key not in section.model_fields:
        return None  # The table of a kind, which judges it.
    if given.key not in section.model_fields:
        return given.spot.say(describe_unknown(given.key, section.model_fields, within=f"[{given.section}]"))
    field = section.model_fields[given.key]
    try:
        _check_field(section, given)
    except ValidationError as error:
        found, default = error.errors()[0], field.get_default(call_default_factory=True, validated_data={})
        # What is wrong with a secret is said without it.
        return given.spot.say(
            found["msg"]
            if found["type"] == WRONG_SECRET
            else describe_error(found, default=default, secret=holds_secret(field.annotation))
        )
    return None


def _describe_section(given: Given) -> str:
    if given.strict:
        return given.spot.say(describe_unknown(given.section, Settings.model_fields, within="the file"))
    known = ", ".join(f"{name}_...".upper() for name in sorted(Settings.model_fields))
    return f"{given.spot.where}: unknown variable; GREENROOM_ is followed by one of {known}"


def _check_field(section: type[BaseModel], given: Given) -> None:
    adapter = TypeAdapter(section)
    if given.strict:
        adapter.validate_json(json.dumps({given.key: given.value}, default=repr), strict=True)
    else:
        adapter.validate_python({given.key: given.value})


def _judge_knob(given: Given) -> str | None:
    known = [knob.name for knob in fields(Policy)]
    if given.key not in known:
        return given.spot.say(describe_unknown(given.key, known, within="[policy]"))
    try:
        Policy(**{given.key: given.value})
    except InvalidPolicyError as error:
        if str(error).startswith(f"{given.spot.key}:"):  # Else it contradicts the default of another: see the whole.
            return f"{given.spot.where}: {error}"
    return None


def _section_type(section: str) -> type[BaseModel]:
    annotation = Settings.model_fields[section].annotation
    assert isinstance(annotation, type)  # noqa: S101 - what is no model was judged above
    return annotation


def judge_agent(agent: AgentSection, origins: Origins) -> Iterator[str]:
    tables = sorted(agent.tables)
    if len(tables) > 1 and "kind" not in agent.model_fields_set:
        yield origins["agent", tables[-1]].say(f"there are several kinds; write kind = '{tables[0]}' in [agent]")
    if agent.chosen == "python" and agent.target is None:
        spot = Spot(origins["agent", "kind"].where, "agent.target")
        yield spot.say("missing; write target = 'module:function', such as 'mybot.agent:answer'")
    if agent.chosen != "python" and agent.target is not None:
        problem = f"the {agent.chosen} agent has no target; write kind = 'python' beside it"
        yield origins["agent", "target"].say(problem)


def judge_openness(settings: Settings, origins: Origins) -> Iterator[str]:
    """Refuse to serve strangers without a word about who may write."""
    if settings.web.enabled and not is_local(settings.web.host) and "allow" not in settings.policy:
        problem = f"{settings.web.host} lets others reach the chat, and no one said who may write"
        yield origins["web", "host"].say(f"{problem}; set allow = ['web:*'] in [policy] to let everyone in")


def is_local(host: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_knob(key: str, value: Any) -> Any:
    """Read a knob that came as text from the environment: a number, or names with commas between them."""
    if not isinstance(value, str):
        return value
    if key in {"allow", "auto_resume"}:
        return [part.strip() for part in value.split(",") if part.strip()]
    try:
        return json.loads(value)
    except ValueError:
        return value
