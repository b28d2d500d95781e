"""How a message of ours looks: a text, or blocks where it has buttons or is too long as Slack writes it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from greenroom.actors.ports import Choices
from greenroom.actors.splitting import split
from greenroom.platforms.chats.slack.markup import escape
from greenroom.platforms.chats.slack.mrkdwn import as_mrkdwn

TEXT_MAX = 4_000
"""Longest text of a message: `chat.update` refuses more (`msg_too_long`), whatever `chat.postMessage` may take."""

SECTION_MAX = 3_000
LABEL_MAX = 75
VALUE_MAX = 2_000
ROW_MAX = 25
"""Buttons in one block."""

FALLBACK_MAX = TEXT_MAX // len("&amp;")
"""Characters of what notifications show of a message in blocks; short enough even if each of them is escaped."""

_ROW = "#"


Write = Callable[[str], str]
"""Writes an agent's words for Slack: `as_mrkdwn`, or `escape` where they stay as they are. Lengths count after it."""


def layout(text: str, choices: Choices | None, write: Write = as_mrkdwn) -> dict[str, Any]:
    """Write a text, with buttons for its choices, as `chat.postMessage` and `chat.update` take it."""
    written = write(text)
    if choices is None and len(written) <= TEXT_MAX:
        return {"text": written}
    blocks = [_section(part) for part in _parts(text, write)]
    if choices is not None:
        blocks += _rows(choices)
    fallback = written if len(written) <= TEXT_MAX else escape(text[:FALLBACK_MAX])
    return {"text": fallback, "blocks": blocks}


def asked_in(block_id: str) -> str | None:
    """Find the question that a row of buttons answers; None if it is no row of ours."""
    question, row, _ = block_id.rpartition(_ROW)
    return question if row else None


def _parts(text: str, write: Write, limit: int = SECTION_MAX) -> Iterator[str]:
    for part in split(text, limit):
        written = write(part)
        if len(written) <= SECTION_MAX:
            yield written
        else:
            yield from _parts(part, write, max(1, len(part) // 2))


def _section(written: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": written}}


def _rows(choices: Choices) -> list[dict[str, Any]]:
    buttons = [_button(number, choice) for number, choice in enumerate(choices.texts)]
    starts = range(0, len(buttons), ROW_MAX)
    return [
        {
            "type": "actions",
            "block_id": f"{choices.question}{_ROW}{start}",
            "elements": buttons[start : start + ROW_MAX],
        }
        for start in starts
    ]


def _button(number: int, choice: str) -> dict[str, Any]:
    """What is pressed comes back as the `value`: the choice itself, for nothing else outlives a restart."""
    label = choice if len(choice) <= LABEL_MAX else f"{choice[: LABEL_MAX - 1]}…"
    return {
        "type": "button",
        "action_id": f"choice-{number}",
        "text": {"type": "plain_text", "text": label},
        "value": choice[:VALUE_MAX],
    }
