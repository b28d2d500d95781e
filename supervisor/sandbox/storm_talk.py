"""What people say in a storm, and how an answer is known to be the answer to it. Pure.

Each message has a label, and so has each paragraph of an answer: a person was answered once, in order, and nothing
unasked was said, if both lists are the same. What an order is replied, and what a process tells, has no label here: it
may come between any two answers, and is checked by itself (`storm_checks.py`, `storm_processes.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from greenroom.actors import lines, replies
from greenroom.actors.commands import Words, read_text
from greenroom.platforms.agents.demo_rules import STRIDE

QUESTION = "What shall I call you?"
COUNT_MAX = STRIDE + 2
"""So far that a count lasts, and that some of it can be on disk when the process dies."""

NUMBER = re.compile(r"#(\d+)#")
STARTED = "a process was started"
_INTERRUPTED = re.compile(r"\(I was interrupted and go on from \d+\) ")
_STARTED = re.compile(r"(Started: process \S+ sleeps|Not started: )")
_OVER = re.compile(r"The background process (\S+) that you started \(sleep \d+\) is over: ")
_ENDED = re.compile(r"(One|\d+) background process")
_STOPPED = f"({lines.STOPPED_LINE})"
_ASIDES = (
    *(replies.HELP, replies.TEXT_WANTED[:24], replies.NOTHING_RUNS, replies.RESUMED, replies.RETRIED, "Running for "),
    *(replies.RESTARTING, replies.NOTHING_TO_RESUME, replies.UNREADABLE, replies.NO_DECISION, replies.LIFTED),
    *(replies.RUNS_ALREADY, replies.NOTHING_TO_RETRY, replies.RETRY_BUSY, replies.RETRY_LATER, replies.RETRY_SUSPENDED),
    *(replies.waits_for_answer(""), "Interrupted after ", "Decided", "Suspended", replies.ALREADY_SUSPENDED),
    *(lines.STOPPED_LINE, "A new conversation begins.", lines.SUSPENDED_LINE, lines.OVER_LINE),
    *(lines.STEERED_LINE, lines.UNSTEERED_LINE),
)
"""How the messages begin that the house itself says: replies to orders, and its lines."""

_KINDS = {"echo": 6, "note": 3, "count": 1, "ask": 2}
_ORDERED = {"deploy": 2, "process": 3, "glance": 4, "aim": 2, "suspend": 1, "stop": 2, "retry": 1}

ORDERS = ("/status", "/help", "/explain")
LONG_S = 600
SLEEPS = (0, 1, 2, 3, LONG_S)
"""Seconds; the last one is ended with its daemon, or by a stop."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What people do at a chat beside talking: whether they give orders, have buttons, and begin conversations anew."""

    orders: bool = False
    buttons: bool = False
    anew: bool = False


SIMPLE = Ways()


@dataclass(frozen=True, slots=True)
class Line:
    """A message: its id, its words, and what must be said to it (no label: nothing that can be told apart).

    `asks`: the agent asks back, and waits. `notes`: a line of the ledger. `presses`: a button under the question with
    this label, where there are buttons; `late`: it was answered before. `may_be_cut`: an order after it ends it,
    perhaps before it is answered. `hushes`: what is still to be said comes now, and then nothing until the person
    speaks.
    """

    id: str
    text: str
    label: str = ""
    asks: bool = False
    notes: bool = False
    presses: str = ""
    late: bool = False
    may_be_cut: bool = False
    hushes: bool = False

    @property
    def words(self) -> str | None:
        """What of it becomes a message of the user; None: it is an order, or changes nothing."""
        read = Words(self.text) if self.presses else read_text(self.text)
        return read.text if isinstance(read, Words) and not self.late else None

    @property
    def is_order(self) -> bool:
        """Whether it is carried out, and handed to no agent."""
        return not isinstance(read_text(self.text), Words)


def draw_lines(rng: random.Random, number: int, ways: Ways = SIMPLE) -> tuple[Line, ...]:
    """What a person says next: one line, or some that belong together."""
    kinds = {**_KINDS, **(_ORDERED if ways.orders else {}), **({"new": 1} if ways.anew else {})}
    (kind,) = rng.choices(tuple(kinds), tuple(kinds.values()))
    name, label = f"m{number}", f"#{number}#"
    echo = Line(name, f"message {label}", label)
    match kind:
        case "note":
            return (Line(name, f"note {label}", label, notes=True),)
        case "count":
            return (_count(rng, name),)
        case "ask":
            return (Line(f"{name}a", "ask me", QUESTION, asks=True), Line(name, label, label))
        case "deploy":
            return _deploy(rng, name, label, buttons=ways.buttons)
        case "process":
            return (Line(name, f"run sleep {rng.choice(SLEEPS)}", STARTED),)
        case "glance":
            return (Line(name, rng.choice(ORDERS)),)
        case "aim":
            return (Line(name, f"/{rng.choice(('queue', 'steer'))} message {label}", label),)
        case "suspend":
            return (Line(f"{name}a", "/suspend"), echo, Line(f"{name}b", "/resume"))
        case "retry":
            again = Line(f"{name}a", "/retry", label, may_be_cut=True, hushes=True)
            return (Line(name, echo.text, label, hushes=True), again)
        case "stop" | "new":
            return (*_cut(rng, name, label), Line(name, f"/{kind}", hushes=True))
        case _:
            return (echo,)


def _count(rng: random.Random, name: str, *, may_be_cut: bool = False) -> Line:
    upto = rng.randint(2, COUNT_MAX)
    return Line(name, f"count to {upto}", f"count to {upto}", may_be_cut=may_be_cut)


def _deploy(rng: random.Random, name: str, label: str, *, buttons: bool) -> tuple[Line, ...]:
    """Somebody is asked for a yes, presses a button, and perhaps presses it again."""
    asked = Line(f"{name}a", f"deploy {label}", label, asks=True)
    pressed = Line(name, rng.choice(("yes", "no")), label, presses=label)
    again = Line(f"{name}b", pressed.text, presses=label, late=True)
    return (asked, pressed, again) if buttons and rng.random() < 1 / 2 else (asked, pressed)


def _cut(rng: random.Random, name: str, label: str) -> tuple[Line, ...]:
    """What is cut by the order that follows: a question that is open, or what lasts, and what waits behind it."""
    if rng.random() < 1 / 3:
        return (Line(f"{name}a", "ask me", QUESTION, may_be_cut=True),)
    behind = Line(f"{name}b", f"note {label}", label, notes=True, may_be_cut=True)
    return (_count(rng, f"{name}a", may_be_cut=True), behind)[: rng.randint(1, 2)]


def answers_in(texts: Iterable[str]) -> list[str]:
    """The labels of what the agent said: no replies to orders, no lines of the house, and no news of processes."""
    return [label for label in labels_of(text for text in texts if not is_aside(text)) if over_in(label) is None]


def both_in_order(texts: Iterable[str]) -> list[str]:
    """The labels of what the agent said, then of what the house said: either may overtake the other."""
    return labels_of(sorted(texts, key=is_aside))


def is_aside(text: str) -> bool:
    """Whether the house itself said this."""
    return text.startswith(_ASIDES) or _ENDED.match(text) is not None


def over_in(label: str) -> str | None:
    """The process of which this tells that it is over."""
    found = _OVER.match(label)
    return None if found is None else found[1]


def labels_of(texts: Iterable[str]) -> list[str]:
    r"""The labels of all paragraphs, in order; what is no answer to anything is its own.

    >>> labels_of(["You said: message #4#\\n\\n1 2 (I was interrupted and go on from 1) 1 2 3 "])
    ['#4#', '1 2 1 2 3']
    >>> labels_of(["(I was interrupted and go on from 1) 1 2 3 \\n\\n(Stopped.)"])
    ['count to 3']
    """
    labels = (_label(part) for text in texts for part in text.split("\n\n"))
    return [label for label in labels if label not in {"", _STOPPED}]


def _label(paragraph: str) -> str:
    if (found := NUMBER.search(paragraph)) is not None:
        return found[0]
    if _STARTED.match(paragraph):
        return STARTED
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
    return _parted(at, wanted[at:], found[at:])


def follow(said: Sequence[Line], found: Sequence[str]) -> str | None:
    """Say where what was answered parts from what was said; None: each line has its answer, in order.

    A line that may be cut has its answer, a part of it, or none.
    """
    wanted = [line for line in said if line.label]
    places = _skipping(wanted, {0})
    for number, label in enumerate(found):
        fits = {at + 1 for at in places if at < len(wanted) and _answers(wanted[at], label)}
        if not fits:
            return _parted(number, [line.label for line in wanted[max(places) :]], found[number:])
        places = _skipping(wanted, fits)
    return None if len(wanted) in places else _parted(len(found), [it.label for it in wanted[max(places) :]], [])


def _skipping(wanted: Sequence[Line], places: set[int]) -> set[int]:
    """These places, and those that are reached by leaving out what may be cut."""
    reached = set(places)
    for at in places:
        while at < len(wanted) and wanted[at].may_be_cut:
            at += 1  # noqa: PLW2901 - a place moves on
            reached.add(at)
    return reached


def _answers(line: Line, label: str) -> bool:
    part = line.may_be_cut and label.startswith("count to ") and line.label.startswith("count to ")
    return line.label == label or (part and _count_of(label) < _count_of(line.label))


def _count_of(label: str) -> int:
    return int(label.removeprefix("count to "))


def _parted(at: int, wanted: Sequence[str], found: Sequence[str]) -> str:
    return f"from number {at + 1} on: wanted {list(wanted[:5])}, found {list(found[:5])}"
