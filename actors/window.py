"""What an agent is given of a transcript that has grown: as many of the last rows as fit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from greenroom.actors.model import Message

CountTokens = Callable[[Message], int]
"""How many tokens a row costs, as the model counts them."""

CHARS_A_TOKEN = 4


def estimate_tokens(message: Message) -> int:
    """Estimate what a row costs: a token for every four characters, at least one."""
    length = len(message.text) + sum(len(call.name) + len(call.args) + len(call.beside) for call in message.tool_calls)
    return max(1, length // CHARS_A_TOKEN)


def fit(rows: Sequence[Message], tokens: int | None, count: CountTokens) -> tuple[Message, ...]:
    """Keep the last of these rows that cost no more than `tokens`, oldest first."""
    if tokens is None:
        return tuple(rows)
    for n in range(len(rows) - 1, -1, -1):
        tokens -= count(rows[n])
        if tokens < 0:
            return tuple(rows[n + 1 :])
    return tuple(rows)


def without_cut_results(rows: Sequence[Message]) -> tuple[Message, ...]:
    """Leave out the results whose calls are left out: no model takes one without the other."""
    called: set[str] = set()
    kept: list[Message] = []
    for row in rows:
        if row.tool_key is None or row.tool_key in called:
            kept.append(row)
        called.update(call.key for call in row.tool_calls)
    return tuple(kept)
