"""What a server says of its tools and of their results, as greenroom has it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, assert_never

from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
)

from greenroom.actors.model import ToolPolicy
from greenroom.platforms.agents.mcp.settings import McpSettings

NAME_MAX = 64
"""Characters of a tool's name that models take."""

SAYS_MAX = 4_000
"""Characters of what a tool says of itself."""

SCHEMA_MAX = 64_000
"""Characters of what a tool takes, as JSON: each of a model's calls is charged for all of it."""

KEY = "idempotency_key"
"""The argument by which a server knows a repeated call. It is filled in here, and no model is shown it."""

BASE64_BYTES = 3 / 4


def name_of(server: str, tool: str, *, prefix: bool) -> str:
    """What a tool is called here: always the same, since its ledger goes by it.

    >>> name_of("git", "git_log", prefix=True), name_of("files", "read.text", prefix=True)
    ('git_log', 'files_read_text')
    """
    name = tool if not prefix or tool.startswith(f"{server}_") else f"{server}_{tool}"
    plain = re.sub(r"[^a-zA-Z0-9_-]", "_", name)
    if len(plain) <= NAME_MAX:
        return plain
    return f"{plain[: NAME_MAX - 9]}_{blake2b(name.encode(), digest_size=4).hexdigest()}"


def policy_of(tool: Tool, settings: McpSettings) -> ToolPolicy:
    """Find a tool's policy: the configured one; else by the server's hints; else `once`.

    A tool that only reads, and one that a repeated call changes nothing more by, are `pure`: a crash may repeat them.
    One that takes an `idempotency_key` is `keyed`. A `keyed` one that takes none is `once`: it could not be kept.
    """
    takes_key = KEY in _properties(tool)
    if tool.name in settings.policies:
        policy = settings.policies[tool.name]
        return ToolPolicy.ONCE if policy is ToolPolicy.KEYED and not takes_key else policy
    if takes_key:
        return ToolPolicy.KEYED
    hints = tool.annotations
    if settings.hints and hints is not None and (hints.read_only_hint or hints.idempotent_hint):
        return ToolPolicy.PURE
    return ToolPolicy.ONCE


def parameters_of(tool: Tool, policy: ToolPolicy) -> Mapping[str, Any]:
    """The schema that a model is shown."""
    schema = {"type": "object", **tool.input_schema}
    if policy is ToolPolicy.KEYED:
        shown = {name: value for name, value in _properties(tool).items() if name != KEY}
        needed = schema.get("required")
        others = [it for it in needed if it != KEY] if isinstance(needed, list) else []
        schema = {**schema, "properties": shown, "required": others}
    return schema


def _properties(tool: Tool) -> Mapping[str, Any]:
    """The arguments that a tool takes; none where a server says so in no way that could be read."""
    told = tool.input_schema.get("properties")
    return told if isinstance(told, dict) else {}


def is_too_long(tool: Tool) -> bool:
    """Whether what it takes is more than a model should be shown. A part of a schema would be another schema."""
    return len(json.dumps(tool.input_schema)) > SCHEMA_MAX


def warning_of(tool: Tool, settings: McpSettings) -> str | None:
    """What is not as whoever configured it may expect."""
    if is_too_long(tool):
        return f"{tool.name:.80} is left out: its schema has over {SCHEMA_MAX:,} characters"
    policy = policy_of(tool, settings)
    if policy is not settings.policies.get(tool.name, policy):
        return f"{tool.name:.80} takes no idempotency_key, so it is `{policy}`"
    return None


def says_of(tool: Tool) -> str:
    """What a model reads of it."""
    return (tool.description or tool.title or tool.name)[:SAYS_MAX]


def text_of(result: CallToolResult) -> str:
    """What a model is told of a result: its words, or its value as JSON, and of everything else that it is there."""
    words = [*map(_text_of_block, result.content)]
    if result.structured_content is not None and not any(isinstance(it, TextContent) for it in result.content):
        words.insert(0, json.dumps(result.structured_content, ensure_ascii=False))
    return "\n\n".join(word for word in words if word) or "(done, without a word)"


def _text_of_block(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return _note(block.type, block.mime_type, block.data)
        case ResourceLink():
            return f"[link: {block.title or block.name}, {block.uri}]"
        case EmbeddedResource(resource=it):
            return it.text if isinstance(it, TextResourceContents) else _note(f"file {it.uri}", it.mime_type, it.blob)
        case _:
            assert_never(block)


def _note(what: str, media_type: str | None, base64: str) -> str:
    return f"[{what}, {media_type or 'of no known type'}, about {int(len(base64) * BASE64_BYTES):,} bytes: not shown]"
