"""What servers say, as greenroom has it."""

import json
from typing import Any

import pytest
from mcp_types import (
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
)

from greenroom.actors.model import ToolPolicy
from greenroom.platforms.agents.mcp.reading import (
    NAME_MAX,
    SCHEMA_MAX,
    is_too_long,
    name_of,
    parameters_of,
    policy_of,
    text_of,
)
from greenroom.platforms.agents.mcp.settings import McpSettings

WITH_KEY = {
    "type": "object",
    "properties": {"seat": {}, "idempotency_key": {}},
    "required": ["seat", "idempotency_key"],
}
READS, AGAIN = ToolAnnotations(read_only_hint=True), ToolAnnotations(idempotent_hint=True)
DESTROYS = ToolAnnotations(read_only_hint=False, destructive_hint=True)


def test_a_name_is_one_that_models_take_and_always_the_same() -> None:
    assert name_of("shop", "find it", prefix=True) == "shop_find_it"
    assert name_of("shop", "shop_find", prefix=True) == "shop_find"
    assert name_of("shop", "find", prefix=False) == "find"
    long, other = (name_of("shop", "x" * 100 + end, prefix=True) for end in "ab")
    assert len(long) == len(other) == NAME_MAX
    assert long != other


@pytest.mark.parametrize(
    "annotations, schema, more, policy",
    [
        (None, {}, {}, "once"),
        (DESTROYS, {}, {}, "once"),
        (READS, {}, {}, "pure"),
        (AGAIN, {}, {}, "pure"),
        (AGAIN, WITH_KEY, {}, "keyed"),
        (None, WITH_KEY, {"hints": False}, "keyed"),
        (READS, {}, {"hints": False}, "once"),
        (READS, {}, {"policies": {"it": "ask"}}, "ask"),
        (None, {}, {"policies": {"it": "pure"}}, "pure"),
        (None, {}, {"policies": {"it": "keyed"}}, "once"),
        (None, WITH_KEY, {"policies": {"it": "keyed"}}, "keyed"),
        (None, WITH_KEY, {"policies": {"it": "once", "other": "pure"}}, "once"),
    ],
)
def test_the_policy_is_the_configured_one_or_by_the_hints_or_once(
    annotations: Any, schema: dict[str, Any], more: dict[str, Any], policy: str
) -> None:
    tool = Tool(name="it", input_schema=schema, annotations=annotations)
    assert policy_of(tool, McpSettings(command=("x",), **more)) == policy


def test_a_model_is_not_shown_the_key_that_is_filled_in() -> None:
    tool = Tool(name="it", input_schema=WITH_KEY)
    assert parameters_of(tool, ToolPolicy.KEYED) == {"type": "object", "properties": {"seat": {}}, "required": ["seat"]}
    assert parameters_of(tool, ToolPolicy.ONCE) == WITH_KEY


@pytest.mark.parametrize("over", [0, 1])
def test_a_schema_as_long_as_it_may_be_is_shown_and_a_longer_one_is_not(over: int) -> None:
    frame = len(json.dumps({"title": ""}))
    tool = Tool(name="it", input_schema={"title": "x" * (SCHEMA_MAX - frame + over)})
    assert is_too_long(tool) is bool(over)


def test_of_what_is_no_text_it_is_told_that_it_is_there() -> None:
    content: list[ContentBlock] = [
        TextContent(text="see"),
        ResourceLink(name="plan", uri="file:///plan"),
        EmbeddedResource(resource=TextResourceContents(uri="file:///note", text="a note")),
        EmbeddedResource(resource=BlobResourceContents(uri="file:///blob", blob="AAAA")),
    ]
    told = (
        "see\n\n[link: plan, file:///plan]\n\na note\n\n[file file:///blob, of no known type, about 3 bytes: not shown]"
    )
    assert text_of(CallToolResult(content=content)) == told
    assert text_of(CallToolResult(content=[], structured_content={"ö": 1})) == '{"ö": 1}'
    assert text_of(CallToolResult(content=[TextContent(text="one")], structured_content={"n": 1})) == "one"
    assert text_of(CallToolResult(content=[])) == "(done, without a word)"
