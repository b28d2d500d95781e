"""A strange row in a state.db of Hermes costs no other row."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.storage.test_importing import Hermes, hermes, take, transcript

__all__ = ["hermes"]


STRANGE: dict[str, Any] = {
    "no calls": {"role": "assistant", "content": "x", "tool_calls": "not json"},
    "calls of a strange form": {
        "role": "assistant",
        "content": "x",
        "tool_calls": '[1, {"a": 2}, {"function": {}}, null]',
    },
    "arguments that are none": {
        "role": "assistant",
        "content": "x",
        "tool_calls": '[{"name": "t", "arguments": "{oops"}]',
    },
    "a time that is none": {"role": "user", "content": "x", "at": "yesterday"},
    "a time beyond all times": {"role": "user", "content": "x", "at": 5e246},
    "bytes that are no text": {"role": "user", "content": b"x\xff\xfe"},
    "parts that are none": {"role": "user", "content": "\x01json:{broken"},
    "parts that are a number": {"role": "user", "content": "\x01json:3"},
    "nothing": {"role": "user", "content": None},
    "half a character in parts": {"role": "user", "content": '\x01json:["cut \\ud83d", {"text": "\\ude00"}]'},
    "half a character in an address": {
        "role": "user",
        "content": '\x01json:[{"type": "image_url", "image_url": "http://x/\\ud83d"}]',
    },
    "half a character in arguments": {
        "role": "assistant",
        "content": "x",
        "tool_calls": json.dumps([{"id": "\ud83d", "name": "\ud83d", "arguments": '{"text": "\\ud83d"}'}]),
    },
    "half a character in what are no arguments": {
        "role": "assistant",
        "content": "x",
        "tool_calls": '[{"name": "t", "arguments": "{oops \\ud83d"}]',
    },
    "parts without end": {"role": "user", "content": "\x01json:" + "[" * 100_000},
    "calls without end": {"role": "assistant", "content": "x", "tool_calls": "[" * 100_000},
    "arguments without end": {
        "role": "assistant",
        "content": "x",
        "tool_calls": json.dumps([{"name": "t", "arguments": "[" * 100_000}]),
    },
    "arguments that are nested": {
        "role": "assistant",
        "content": "x",
        "tool_calls": '[{"name": "t", "arguments": ' + '{"a":' * 900 + "1" + "}" * 900 + "}]",
    },
    "zero bytes": {"role": "user", "content": "a\x00b"},
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_strange_row_costs_no_other_row(path: Path, hermes: Hermes, name: str) -> None:
    hermes.session("a")
    hermes.say("a", "user", "before")
    hermes.say("a", **STRANGE[name])
    hermes.say("a", "assistant", "after", 1e9, finish_reason="stop")
    take(path, hermes.path)
    rows = transcript(path)
    assert len(rows) == 3
    assert (rows[0].text, rows[2].text) == ("before", "after")
    assert all(0 < row.at < 1e11 for row in rows)
