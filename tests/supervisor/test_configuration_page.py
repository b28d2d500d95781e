"""docs/configuration.md: every key that can be set, with what it may be, its default, and words of its own."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel, Field
from tests.supervisor.configuration_page import EXAMPLE, all_keys, keys_of, knobs, page
from tests.supervisor.configuration_words import LONG, may_be, toml
from tests.supervisor.written_words import words_of

from greenroom.supervisor.daemon.offering import load_checked
from greenroom.supervisor.daemon.reloading import IN_FORCE_NOW
from greenroom.supervisor.daemon.settings import Settings
from greenroom.supervisor.policy import InvalidPolicyError, Policy

DOCS = Path(__file__).resolve().parents[2] / "docs"


class Sample(BaseModel):
    """One table."""

    said: int = 1  # words behind it
    wrapped: int = Field(
        default=2,
    )  # words behind its end
    below: str = ""
    """Words below it."""
    silent: bool = False
    judged: int = "3"  # type: ignore[assignment]


def test_the_page_is_printed_from_the_types() -> None:
    hint = "run `python -m tests.supervisor.configuration_page > docs/configuration.md`"
    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == page(), hint


def test_every_key_has_its_words() -> None:
    hint = "write behind it, or below it, what it means"
    assert [key.path for key in all_keys() if not key.words] == [], hint


def test_words_are_found_behind_and_below_and_nowhere_else() -> None:
    assert words_of(Sample) == {
        "said": "words behind it",
        "wrapped": "words behind its end",
        "below": "Words below it.",
    }
    assert [key.words for key in keys_of("sample", Sample)][-2:] == ["", ""]


def test_each_section_and_each_knob_stands_on_the_page() -> None:
    assert set(re.findall(r"^## \[(\w+)\]$", page(), re.MULTILINE)) == set(Settings.model_fields)
    told = set(re.findall(r"^\| `(\w+)`", page(), re.MULTILINE))
    assert {key.path.rpartition(".")[2] for key in all_keys()} == told
    assert len(knobs()) > 60


def test_what_is_in_force_at_once_is_marked() -> None:
    assert len(re.findall(r"^\| `\w+` ↻ \|", page(), re.MULTILINE)) == len(IN_FORCE_NOW)
    assert {key.path for key in all_keys()} >= IN_FORCE_NOW


@pytest.mark.parametrize("said, wrong", [("at least 1", 0), ("at least 0", -1), ("0 or more", -1), ("above 0", 0)])
def test_a_limit_that_the_page_names_is_one(said: str, wrong: int) -> None:
    limited = [name for name, key in knobs().items() if key.may_be.endswith(said)]
    assert limited
    for name in limited:
        with pytest.raises(InvalidPolicyError):
            Policy(**{name: wrong})  # type: ignore[arg-type]


def test_the_example_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key-of-these-tests")
    (tmp_path / "telegram.token").write_text("123456789:a-token-of-these-tests")
    file = tmp_path / "greenroom.toml"
    file.write_text(EXAMPLE)
    assert load_checked(file).policy.drain_s == 60


def test_what_a_key_may_be_is_said_with_its_unit_and_its_limits() -> None:
    assert may_be({"type": "number", "exclusiveMinimum": 0}, "edit_every_s", {}) == "number of seconds above 0"
    assert may_be({"type": "integer", "minimum": 0, "maximum": 9}, "port", {}) == "whole number, 0 to 9"
    assert may_be({"anyOf": [{"type": "null"}, {"enum": ["a", "b", "c"]}]}, "kind", {}) == "`a`, `b` or `c`"
    assert (toml(None), toml(21_600.0), toml(0.2), toml(LONG - 1)) == ("-", "`21_600`", "`0.2`", "`9999`")
