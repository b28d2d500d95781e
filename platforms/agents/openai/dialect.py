"""What a server has turned out to want besides what all servers take. Pure; a provider keeps it while it lives.

DeepSeek refuses a conversation in which a message with calls has no `reasoning_content`, be it empty, if its model
thinks (https://api-docs.deepseek.com/guides/thinking_mode); others refuse the field, because they do not know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from greenroom.platforms.agents.openai.reply import fields_in, list_in

REASONING_CONTENT = "reasoning_content"

MISUNDERSTOOD = (400, 422)
"""With these a server refuses a field that it does not know, or the lack of one."""


class Thoughts(Enum):
    """Which messages have the field for thoughts, if only an empty one. What is known of a message is sent with it."""

    NOWHERE = auto()
    WITH_CALLS = auto()
    EVERYWHERE = auto()  # of the assistant


class Dialect(Struct, frozen=True):
    """See the module."""

    thoughts: Thoughts = Thoughts.NOWHERE


def hear(dialect: Dialect, piece: Mapping[str, Any]) -> Dialect:
    """Learn of a chunk of the chat API: a server that streams thoughts under that name wants them back under it."""
    if dialect.thoughts is Thoughts.NOWHERE:
        for choice in list_in(piece.get("choices")):
            if isinstance(fields_in(fields_in(choice).get("delta")).get(REASONING_CONTENT), str):
                return replace(dialect, thoughts=Thoughts.WITH_CALLS)
    return dialect


def learn(dialect: Dialect, status: int, said: str) -> Dialect:
    """Learn of a refusal. What teaches nothing new leaves all as it is, so that nothing is asked again for ever."""
    if status in MISUNDERSTOOD and REASONING_CONTENT in said and dialect.thoughts is not Thoughts.EVERYWHERE:
        return replace(dialect, thoughts=Thoughts.EVERYWHERE)
    return dialect
