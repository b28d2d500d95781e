"""What a server has turned out to want besides what all servers take. Pure; a provider keeps it while it lives.

DeepSeek refuses a conversation in which a message with calls has no `reasoning_content`, be it empty, if its model
thinks (https://api-docs.deepseek.com/guides/thinking_mode); others refuse the field, because they do not know it.
OpenAI renamed `max_tokens` of the chat API, and its newer models refuse the former name
(https://platform.openai.com/docs/api-reference/chat/create).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from greenroom.platforms.agents.openai.reply import fields_in, list_in

REASONING_CONTENT = "reasoning_content"

MAX_TOKENS, MAX_COMPLETION_TOKENS = "max_tokens", "max_completion_tokens"

OPENAI_HOSTS = (".api.openai.com", ".openai.azure.com")
"""Ends of hosts whose newer models take the second name only; many other servers know the first one only."""

UNKNOWN = re.compile("(?i)unsupported|not supported|unrecognized|unknown|unexpected|not permitted|not allowed")
"""How servers say that a field itself is wrong, and not what is in it."""

LEARNED_MAX = 2
"""So often one request is asked otherwise: who refuses both names of a field is not asked for ever."""

MISUNDERSTOOD = (400, 422)
"""With these a server refuses a field that it does not know, or the lack of one."""


class Thoughts(Enum):
    """Which messages have the field for thoughts, if only an empty one. What is known of a message is sent with it."""

    NOWHERE = auto()
    WITH_CALLS = auto()
    EVERYWHERE = auto()  # of the assistant


class Dialect(Struct, frozen=True):
    """See the module. `limit`: how it calls the longest answer."""

    limit: str = MAX_TOKENS
    thoughts: Thoughts = Thoughts.NOWHERE


def dialect_of(server: str) -> Dialect:
    """What is known of a server before it was asked, by its host.

    >>> dialect_of("eu.api.openai.com:443").limit
    'max_completion_tokens'
    """
    is_openai = f".{server.partition(':')[0].lower()}".endswith(OPENAI_HOSTS)
    return Dialect(MAX_COMPLETION_TOKENS if is_openai else MAX_TOKENS)


def hear(dialect: Dialect, piece: Mapping[str, Any]) -> Dialect:
    """Learn of a chunk of the chat API: a server that streams thoughts under that name wants them back under it."""
    if dialect.thoughts is Thoughts.NOWHERE:
        for choice in list_in(piece.get("choices")):
            if isinstance(fields_in(fields_in(choice).get("delta")).get(REASONING_CONTENT), str):
                return replace(dialect, thoughts=Thoughts.WITH_CALLS)
    return dialect


def learn(dialect: Dialect, status: int, said: str) -> Dialect:
    """Learn of a refusal. What teaches nothing new leaves all as it is.

    >>> said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
    >>> learn(Dialect(), 400, said).limit
    'max_completion_tokens'
    """
    if status not in MISUNDERSTOOD:
        return dialect
    if REASONING_CONTENT in said and dialect.thoughts is not Thoughts.EVERYWHERE:
        return replace(dialect, thoughts=Thoughts.EVERYWHERE)
    if re.search(rf"\b{dialect.limit}\b", said) and UNKNOWN.search(said):
        return replace(dialect, limit=MAX_TOKENS if dialect.limit == MAX_COMPLETION_TOKENS else MAX_COMPLETION_TOKENS)
    return dialect
