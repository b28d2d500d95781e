"""What a person may order by a message: `/stop`, `/status`; and whoever runs the service without one. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

from msgspec import Struct

from greenroom.actors.rules import Busy


class Command(StrEnum):
    """An order, by the word that follows the slash. It is carried out at once, whatever the session is doing."""

    HELP = "help"
    STATUS = "status"
    STOP = "stop"
    NEW = "new"
    QUEUE = "queue"
    STEER = "steer"
    RETRY = "retry"
    RESUME = "resume"
    SUSPEND = "suspend"
    APPROVE = "approve"
    DENY = "deny"
    EXPLAIN = "explain"
    SEND = "send"  # a text into the chat: only for whoever runs the service, see `OPERATORS`


USES: dict[Command, str] = {
    Command.HELP: "this list",
    Command.STATUS: "what is going on here",
    Command.STOP: "end what is running, also in the background; this conversation goes on",
    Command.NEW: "end it and begin a new conversation",
    Command.QUEUE: "with a text: let it wait for the next run",
    Command.STEER: "with a text: hand it to the running work if that can be, else let it wait",
    Command.RETRY: "run your last request again",
    Command.RESUME: "go on with what was interrupted or suspended",
    Command.SUSPEND: "interrupt, and begin nothing until /resume",
    Command.APPROVE: "say yes to what waits for your approval",
    Command.DENY: "say no to it",
    Command.EXPLAIN: "why interrupted work was or was not resumed",
}
"""What each does, for the person; total but for `OPERATORS`, a test says so."""

OPERATORS = frozenset({Command.SEND})
"""What no message can order."""


class Words(Struct, frozen=True):
    """A message, without the command that it began with."""

    text: str
    busy: Busy | None = None


_ORDER = re.compile(r"\s*/(?P<word>[a-z]+)(?:@\S+)?(?:\s+(?P<text>\S.*?))?\s*", re.IGNORECASE | re.DOTALL)
_WORDS = {command.value: command for command in USES}
_BUSY = {Command.QUEUE: Busy.QUEUE, Command.STEER: Busy.STEER}


def read_text(text: str) -> Command | Words:
    """Tell an order from a message.

    An order stands alone: what has more words is meant for the agent, so that none of them is lost. `/queue` and
    `/steer` are the exceptions: with a text they are that text. A word that is none of ours goes to the agent.

    >>> read_text(" /Stop@greenroom_bot"), read_text("/stop that")
    (<Command.STOP: 'stop'>, Words(text='/stop that', busy=None))
    >>> read_text("/queue then the other")
    Words(text='then the other', busy=<Busy.QUEUE: 'queue'>)
    """
    if not text.lstrip().startswith("/"):
        return Words(text)
    order = _ORDER.fullmatch(text)
    command = _WORDS.get(order["word"].lower()) if order is not None else None
    if order is None or command is None:
        return Words(text)
    if order["text"] is None:
        return command
    busy = _BUSY.get(command)
    return Words(text) if busy is None else Words(order["text"], busy)
