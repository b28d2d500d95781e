"""No secret that can be configured is ever shown: of every platform, agent and set of tools, by the types of their settings."""

from __future__ import annotations

import io
import itertools
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from greenroom.supervisor.cli.config_page import print_config
from greenroom.supervisor.daemon.audit import audit
from greenroom.supervisor.daemon.config import load_config
from greenroom.supervisor.daemon.config_problems import ConfigError, Spot
from greenroom.supervisor.daemon.equipping import AGENTS, MCP, TOOLS, read_agent
from greenroom.supervisor.daemon.logs import set_up_logs
from greenroom.supervisor.daemon.offering import PLATFORMS, load_checked
from greenroom.supervisor.daemon.reloading import describe_changes
from greenroom.supervisor.daemon.secrets_of import find_secrets
from greenroom.supervisor.daemon.settings import LogSection, ViewSection

Tables = dict[tuple[str, ...], dict[str, Any]]

SECRET = "{}"
"""Stands for a secret in the tables below."""

COMMAND = ["cat"]
WHOLE: list[Tables] = [
    {
        ("view",): {"enabled": True, "token": SECRET},
        ("platforms", "webhook"): {"secret": SECRET},
        ("platforms", "discord"): {"token": SECRET},
        ("platforms", "telegram"): {"token": SECRET},
        ("platforms", "matrix"): {"homeserver": "https://example.org", "token": SECRET},
        ("platforms", "slack"): {"bot_token": SECRET, "app_token": SECRET},
        ("agent", "openai"): {"model": "m", "key": SECRET},
        ("tools", "shell"): {"root": ".", "env": {"A": SECRET}},
        ("tools", "processes"): {"root": ".", "env": {"A": SECRET}},
        ("mcp", "one"): {"command": COMMAND, "env": {"A": SECRET}},
        ("mcp", "other"): {"url": "https://example.org", "headers": {"A": SECRET}},
    },
    {
        ("platforms", "matrix"): {"homeserver": "https://example.org", "user": "@b:example.org", "password": SECRET},
        ("platforms", "slack"): {"bot_token": SECRET, "signing_secret": SECRET},
        ("agent", "subprocess"): {"command": COMMAND, "env": {"A": SECRET}},
    },
    {("agent", "acp"): {"command": COMMAND, "env": {"A": SECRET}}},
]
"""Configurations in which each setting that is a secret is set somewhere."""

SECRETS = st.text(st.characters(min_codepoint=33, categories=["L", "N", "P", "S"]), min_size=20, max_size=40)
"""Any signs that can be typed: quotes, backslashes and braces among them."""


QUICKLY = settings(deadline=None, phases=[Phase.generate])
"""What fails is told as it is: to make it smaller costs minutes."""


def fields_of(model: type[BaseModel]) -> Iterator[str]:
    """Which settings hold secrets, by their types."""
    for key, field in model.model_fields.items():
        if any(kind is SecretStr for kind in _kinds(field.annotation)):
            yield key


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def every_model() -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Everything that has settings: its section, its name, and their type."""
    yield "view", "view", ViewSection
    for section, shelf in (("platforms", PLATFORMS), ("agent", AGENTS), ("tools", TOOLS), ("mcp", MCP)):
        for name in shelf.built_in:
            spot = Spot("here", name)
            yield section, name, shelf.settings_of(shelf.find(name, spot), spot)


def fill(tables: Tables, secrets: Iterator[str]) -> tuple[str, list[str]]:
    """Write the tables as TOML, each secret another one; also returns what was used."""
    used: list[str] = []

    def filled(value: Any) -> Any:
        if value == SECRET:
            used.append(next(secrets))
            return used[-1]
        return {key: filled(each) for key, each in value.items()} if isinstance(value, dict) else value

    return "[store]\npath = 'room.db'\n" + "".join(toml(path, filled(table)) for path, table in tables.items()), used


def toml(path: tuple[str, ...], table: Mapping[str, Any]) -> str:
    return f"[{'.'.join(path)}]\n" + "".join(f"{key} = {literal(value)}\n" for key, value in table.items())


def literal(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {literal(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def numbered() -> Iterator[str]:
    yield from (f"sesame-{number:04}-open-the-door" for number in range(10_000))


def shown(used: list[str], text: str) -> list[str]:
    """Which secrets stand in a text, as they are or as JSON or Python write them."""
    return [each for each in used if any(w in text for w in (each, json.dumps(each)[1:-1], repr(each)[1:-1]))]


def test_each_setting_that_is_a_secret_is_among_those_that_are_tried() -> None:
    known = {(section, name, key) for section, name, model in every_model() for key in fields_of(model)}
    tried = {
        (path[0], "mcp" if path[0] == "mcp" else path[-1], key)
        for tables in WHOLE
        for path, table in tables.items()
        for key, value in table.items()
        if value in (SECRET, {"A": SECRET})
    }
    assert tried == known
    assert len(known) > 15


def test_nothing_that_is_called_like_a_secret_is_a_plain_text() -> None:
    suspicious = ("token", "secret", "password", "key", "env", "headers")
    for section, name, model in every_model():
        plain = {key for key in model.model_fields if any(word in key.split("_") for word in suspicious)} - set(
            fields_of(model)
        )
        assert not plain - {"context_tokens"}, f"[{section}.{name}]: {plain} must be Secret"


@pytest.mark.parametrize("tables", WHOLE)
@settings(QUICKLY, max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=SECRETS)
def test_no_secret_is_shown_by_what_shows_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tables: Tables, secret: str
) -> None:
    text, used = fill(tables, (f"{secret}{number:03}" for number in itertools.count()))
    file = tmp_path / "greenroom.toml"
    file.write_text(text, encoding="utf-8")
    config = load_checked(file)
    found = list(find_secrets(config))
    assert sorted(each.secret.get_secret_value() for each in found) == sorted(used)
    file.write_text(fill(tables, numbered())[0], encoding="utf-8")
    changed = load_config(file)
    print_config(config, as_json=False, whole=True)
    print_config(config, as_json=True, whole=True)
    told = capsys.readouterr()
    pages = [told.out, told.err, repr(config), f"{audit(config)}", *describe_changes(config, changed), repr(found)]
    pages.append(repr(read_agent(config)))
    assert shown(used, "\n".join(pages)) == []


@pytest.mark.parametrize("tables", WHOLE)
def test_no_mistake_beside_or_in_a_secret_repeats_it(tmp_path: Path, tables: Tables) -> None:
    file = tmp_path / "greenroom.toml"
    mistakes = 0
    for path, table in tables.items():
        spoilt: list[dict[str, Any]] = [{**table, "unheard_of": SECRET}, {**table, "account": 5}]
        secret = {key for key in table if SECRET in str(table[key])}
        spoilt += [{**table, key: wrong} for key in secret for wrong in ([SECRET], 5, {"A": [SECRET]}, [[SECRET]])]
        spoilt += [{**table, key: [[5]]} for key in set(table) - secret]
        spoilt += [{key: value for key, value in table.items() if key != gone} for gone in table]
        for each in spoilt:
            text, used = fill_lists({path: each})
            file.write_text(text, encoding="utf-8")
            told = mistake_in(file)
            mistakes += told is not None
            assert shown(used, str(told)) == []
    assert mistakes > len(tables)


def mistake_in(file: Path) -> str | None:
    """What is said of a configuration that is wrong."""
    try:
        load_checked(file)
    except ConfigError as error:
        return f"{error} {error!r} {error.__cause__!r}"
    return None


def fill_lists(tables: Tables) -> tuple[str, list[str]]:
    """As `fill`, also where secrets stand in lists."""
    text, used = fill(tables, numbered())
    more = numbered()
    skipped = [next(more) for _ in range(len(used))]
    while '"{}"' in text:
        secret = next(more)
        text, used = text.replace('"{}"', f'"{secret}"', 1), [*used, secret]
    assert len(set(used)) == len(used) >= len(skipped)
    return text, used


@settings(QUICKLY, max_examples=10)
@given(secret=SECRETS)
def test_whoever_logs_a_secret_logs_stars(secret: str) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    lines = io.StringIO()
    try:
        for form in ("json", "console"):
            set_up_logs(LogSection(level="debug", format=form), lines, secrets=[SecretStr(secret)])
            log = logging.getLogger("a.library")
            log.info("asking https://example.org/bot%s/getMe", secret)
            log.warning("it said %r", {"token": secret})
            log.error("failed", exc_info=ValueError(secret))
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.captureWarnings(capture=False)
    assert lines.getvalue().count("**********") >= 6
    assert shown([secret], lines.getvalue()) == []
