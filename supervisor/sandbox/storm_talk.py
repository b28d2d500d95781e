"""What people say in a storm, and how an answer is known to be the answer to it. Pure.

Each message has a label, and so has each paragraph of an answer: a person was answered once, in order, and nothing
unasked was said, if both lists are the same.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from greenroom.platforms.agents.demo_rules import STRIDE

QUESTION = "What shall I call you?"
COUNT_MAX = STRIDE + 2
"""So far that a count lasts, and that some of it can be on disk when the process dies."""

NUMBER = re.compile(r"#(\d+)#")
_INTERRUPTED = re.compile(r"\(I was interrupted and go on from \d+\) ")
_KINDS = {"echo": 6, "note": 3, "count": 1, "ask": 2}


@dataclass(frozen=True, slots=True)
class Line:
    """A message: its id, its words, and what must be said to it. `asks`: the agent asks back, and waits."""

    id: str
    text: str
    label: str
    asks: bool = False
    notes: bool = False


def draw_lines(rng: random.Random, number: int) -> tuple[Line, ...]:
    """What a person says next: one line, or one that makes the agent ask, and the reply to that."""
    (kind,) = rng.choices(tuple(_KINDS), tuple(_KINDS.values()))
    label = f"#{number}#"
    match kind:
        case "note":
            return (Line(f"m{number}", f"note {label}", label, notes=True),)
        case "count":
            upto = rng.randint(2, COUNT_MAX)
            return (Line(f"m{number}", f"count to {upto}", f"count to {upto}"),)
        case "ask":
            return (Line(f"m{number}a", "ask me", QUESTION, asks=True), Line(f"m{number}", label, label))
        case _:
            return (Line(f"m{number}", f"message {label}", label),)


def labels_of(texts: Iterable[str]) -> list[str]:
    r"""The labels of all paragraphs, in order; what is no answer to anything is its own.

    >>> labels_of(["You said: message #4#\\n\\n1 2 (I was interrupted and go on from 1) 1 2 3 "])
    ['#4#', '1 2 1 2 3']
    >>> labels_of(["(I was interrupted and go on from 1) 1 2 3 "])
    ['count to 3']
    """
    return [_label(part) for text in texts for part in text.split("\n\n")]


def _label(paragraph: str) -> str:
    if (found := NUMBER.search(paragraph)) is not None:
        return found[0]
    counted = _INTERRUPTED.sub("", paragraph).strip()
    numbers = counted.split()
    if numbers and numbers == [str(n) for n in range(1, len(numbers) + 1)]:
        return f"count to {len(numbers)}"
    return counted


def compare(wanted: Sequence[str], found: Sequence[str]) -> str | None:
    """Say where two lists of labels part; None: they are the same."""
    if list(wanted) == list(found):
        return None
    at = next((n for n, both in enumerate(zip(wanted, found, strict=False)) if both[0] != both[1]), None)
    at = min(len(wanted), len(found)) if at is None else at
    return f"from number {at + 1} on: wanted {list(wanted[at : at + 5])}, found {list(found[at : at + 5])}"
