"""The other side of an agent: the model, the program, or the code that decides what is said and what is called."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from greenroom.platforms.agents.tools.tool import Toolset


class Property(StrEnum):
    """What the suite proves of an agent, in the words of the table in docs/agents.md. Each has a test, or more."""

    ANSWER = "what it says is the answer, once"
    STREAM = "words are visible while they come"
    TOOLS = "it calls tools, and hears what became of them"
    POLICIES = "killed in the middle of a tool, the tool's policy says what is repeated"
    APPROVAL = "what needs a yes is not done without"
    QUESTION = "its question shows its choices, and outlives a restart"
    RESUME = "killed at work, it goes on, and is told what happened"
    USAGE = "what it spends is stored"
    STOP_STREAM = "stopped while it speaks, it is quiet within a second"
    STOP_TOOL = "stopped in the middle of a tool, it is quiet within a second"
    STOP_CHILD = "stopped while a process works for it, nothing is left of that"
    CRASH = "its crash is told, and the conversation goes on"
    EXIT = "its `sys.exit` ends its run, and nothing else"
    HANG = "its silence is ended"
    UNFINISHED = "words that end without a finish are no answer"
    GARBAGE = "garbage is told, and the conversation goes on"
    OVERSIZE = "what is beyond all measure is cut"


class Say(Struct, frozen=True):
    """Say words. Where words are streamed they are, before the next step."""

    text: str


class CallTool(Struct, frozen=True):
    """Call a tool, and wait for its result."""

    name: str
    args: Mapping[str, Any] = {}


class AskUser(Struct, frozen=True):
    """Ask the person, and wait for the answer."""

    prompt: str
    choices: tuple[str, ...] = ()


class Spend(Struct, frozen=True):
    """Have spent so many tokens, and say so in the way of the wire."""

    tokens: int


class Hang(Struct, frozen=True):
    """Never say anything again."""


class Die(Struct, frozen=True):
    """Break down: raise, exit, cut the connection."""


class Exit(Struct, frozen=True):
    """Call `sys.exit` in the process of greenroom."""


class Garbage(Struct, frozen=True):
    """Send what nobody can read."""


class EndWithoutFinish(Struct, frozen=True):
    """End here, and do not say that this is the end: as a stream that is cut off."""


Step = Say | CallTool | AskUser | Spend | Hang | Die | Exit | Garbage | EndWithoutFinish


class Counterpart(Protocol):
    """It outlives the agent objects that talk to it. Steps that an entry lacks the property of need not be known."""

    def agent(self, tools: Toolset) -> Any:
        """Make an agent, as `as_agent` takes it: the first, or the one after a restart."""

    def will(self, *steps: Step) -> str:
        """Set what is done for the next piece of work, up to its answer, and say by which words a person asks for it.

        Who begins that work anew is given the steps anew; who shows how far it came is given the rest. Until it is
        set anew every piece of work goes this way.
        """

    def heard(self) -> str:
        """All that was told to it so far: the person's words, results of tools, notes."""

    async def at_work(self) -> bool:
        """Whether anything goes on that an agent began: a request that streams, a child process, a thread."""


Lacks = Mapping[Property, str]
"""What an agent cannot do, and why. Everything else is proved."""
