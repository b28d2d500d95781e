"""What the demo agent makes of a message, and the words it has for it. Pure: one table, the first rule that fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from zlib import crc32

from greenroom.actors.model import Message

COUNT_MAX = 1000
"""As far as the demo counts."""

STRIDE = 10
"""Numbers that are counted between two rows on disk."""

ECHO_MAX = 200
"""Characters of a message that are repeated to its author."""

NOTE_MAX = 2000
"""Characters of one line of the ledger."""

SLEEP_MAX = 600
"""Seconds that the demo's background process sleeps at most."""

SECRET_MAX = 9
GUESSES_MAX = 4
"""Enough for whoever halves the range each time."""

GUESS_FIRST = f"I am thinking of a number from 1 to {SECRET_MAX}. Which is it? You have {GUESSES_MAX} guesses."

LONG_PARAGRAPHS = 60
"""About 13,000 characters: more than one message on most platforms."""

HELP = f"""\
I am greenroom's demo agent. I need no network, and I show what the supervisor does: kill me at any moment, start me \
again, and I go on.
- count to 30: slowly, number by number (at most {COUNT_MAX})
- time: a tool that may run again
- note TEXT: a tool that appends a line to a ledger, never twice
- ledger TEXT: how often that line is in the ledger
- ask me, guess a number: I ask back, and wait as long as you take
- deploy TEXT: I ask for a yes first, with buttons where there are any
- slow tool, long: a tool that takes its time, an answer of many messages
- run sleep 5: a process in the background; I tell you when it has ended, also if I was started anew meanwhile
- crash, exit, hang, empty: I fail in that way, and the conversation goes on
- anything else: I repeat it"""

PARAGRAPH = (
    "Paragraph {n} of {of}. Nothing in it is of any importance, but it is here once, it comes after the one before it "
    "and before the one after it, and where the platform's messages end it is cut at a sensible place."
)


class Failing(StrEnum):
    """The ways in which the demo fails on request."""

    CRASH = "crash"
    EXIT = "exit"
    HANG = "hang"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Say:
    """An answer that needs no more than words."""

    text: str


@dataclass(frozen=True, slots=True)
class Count:
    """Count aloud from 1. `cut` says that more was asked for than is allowed."""

    upto: int
    cut: bool = False


@dataclass(frozen=True, slots=True)
class TellTime:
    """Read the clock."""


@dataclass(frozen=True, slots=True)
class Note:
    """Append a line to the ledger."""

    line: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """Count how often a line is in the ledger."""

    line: str


@dataclass(frozen=True, slots=True)
class AskName:
    """Ask the person something, and use the answer."""


@dataclass(frozen=True, slots=True)
class PlayGuessing:
    """Ask several times."""


@dataclass(frozen=True, slots=True)
class Deploy:
    """Ask for a yes before doing something."""

    what: str


@dataclass(frozen=True, slots=True)
class WorkSlowly:
    """Call a tool that takes its time."""


@dataclass(frozen=True, slots=True)
class RunSleep:
    """Start a process in the background that sleeps so many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Fail:
    """Fail on request."""

    how: Failing


Wish = Say | Count | TellTime | Note | LookUp | AskName | PlayGuessing | Deploy | WorkSlowly | RunSleep | Fail


def read_wish(text: str) -> Wish:
    """Find out what a message asks for. Total.

    >>> read_wish("Count to 30!")
    Count(upto=30, cut=False)
    >>> read_wish("message 17")
    Say(text='You said: message 17')
    """
    line = " ".join(text.split())
    for pattern, make in _RULES:
        if found := pattern.fullmatch(line):
            return make(found[1] if pattern.groups else line)
    return Say(echo(line))


def echo(line: str) -> str:
    """Repeat a message recognisably."""
    return f"You said: {shorten(line)}" if line else "You sent a message without words."


def shorten(line: str) -> str:
    """Cut a line that is too long to be repeated, and say how long it was."""
    return line if len(line) <= ECHO_MAX else f"{line[:ECHO_MAX]}... ({len(line):,} characters)"


def long_answer() -> str:
    """An answer of numbered paragraphs."""
    return "\n\n".join(PARAGRAPH.format(n=n, of=LONG_PARAGRAPHS) for n in range(1, LONG_PARAGRAPHS + 1))


def read_wishes(messages: Sequence[Message]) -> list[tuple[Message, Wish]]:
    """Read all messages that wait. Failures come last: the others are answered before one of them ends the run."""
    wishes = [(message, read_wish(message.text)) for message in messages]
    return sorted(wishes, key=lambda both: isinstance(both[1], Fail))


def secret_number(seed: str) -> int:
    """Think of a number: the same for the same game, so that it survives a restart."""
    return crc32(seed.encode(errors="surrogatepass")) % SECRET_MAX + 1


def judge_guess(guess: str, secret: int) -> str | None:
    """Say what to tell the person before the next guess; None: that was it."""
    digits = re.search(r"\d{1,6}", guess)
    if digits is None:
        return "That was no number."
    number = int(digits[0])
    if number == secret:
        return None
    return f"{number} is too {'low' if number < secret else 'high'}."


def _count(digits: str) -> Wish:
    upto = int(digits) if len(digits) <= len(str(COUNT_MAX)) else COUNT_MAX + 1  # int() refuses absurd lengths.
    if upto == 0:
        return Say("0. That was quick.")
    return Count(min(upto, COUNT_MAX), cut=upto > COUNT_MAX)


def _note(line: str) -> Wish:
    return Note(line[:NOTE_MAX])


def _look_up(line: str) -> Wish:
    return LookUp(line[:NOTE_MAX])


def _deploy(what: str) -> Wish:
    return Deploy(shorten(what))


def _say(text: str) -> Callable[[str], Wish]:
    return lambda _: Say(text)


def _fail(word: str) -> Wish:
    return Fail(Failing(word.lower()))


def _command(pattern: str) -> re.Pattern[str]:
    return re.compile(f"/?{pattern}", re.IGNORECASE)


def _phrase(pattern: str) -> re.Pattern[str]:
    """A command that may be punctuated."""
    return _command(rf"{pattern}\s?[.!?]*")


_RULES: tuple[tuple[re.Pattern[str], Callable[[str], Wish]], ...] = (
    (_phrase(r"(?:hi|hello|hey|good (?:morning|day|evening))"), _say("Hello! Say `help` to see what I can do.")),
    (_phrase(r"(?:help|start|what can you do)"), _say(HELP)),
    (_phrase(r"(?:thanks|thank you|thx)"), _say("You are welcome.")),
    (_phrase(r"(?:bye|goodbye|good night)"), _say("Good-bye! This conversation stays where it is.")),
    (_phrase(r"count(?: up)?(?: to)? ([0-9]+)"), _count),
    (_phrase(r"(?:time|clock|what time is it)"), lambda _: TellTime()),
    (_command(r"note:? (.+)"), _note),
    (_command(r"append (.+) to (?:the )?ledger"), _note),
    (_command(r"ledger:? (.+)"), _look_up),
    (_phrase(r"ask me(?: something| a question)?"), lambda _: AskName()),
    (_phrase(r"guess(?: a number)?"), lambda _: PlayGuessing()),
    (_command(r"deploy (.+)"), _deploy),
    (_phrase(rf"run sleep ([0-9]{{1,{len(str(SLEEP_MAX))}}})"), lambda digits: RunSleep(min(int(digits), SLEEP_MAX))),
    (_phrase(r"slow tool"), lambda _: WorkSlowly()),
    (_phrase(r"long(?: answer)?"), lambda _: Say(long_answer())),
    (_phrase(rf"({'|'.join(Failing)})"), _fail),
)
