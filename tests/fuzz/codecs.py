"""Everything that reads what comes from outside, in one table: tests and the fuzzer ask each row of it."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import acp
import httpx2
import msgspec
from mcp_types import CallToolResult, Tool
from tests.fuzz.chats import CHATS
from tests.fuzz.codec import Codec, js, library

from greenroom.actors.model import SessionKey
from greenroom.actors.session_key import InvalidKeyError
from greenroom.platforms.agents.acp import wire
from greenroom.platforms.agents.acp.narrator import Narrator
from greenroom.platforms.agents.mcp.reading import name_of, parameters_of, policy_of, says_of, text_of
from greenroom.platforms.agents.mcp.settings import McpSettings
from greenroom.platforms.agents.openai.calls import calls_of
from greenroom.platforms.agents.openai.failures import ModelRefusedError, UnreachableError
from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.openai.reply import BrokenStreamError
from greenroom.platforms.agents.openai.settings import OpenAISettings
from greenroom.platforms.agents.program.codec import GarbageError, read_line
from greenroom.storage.exported import read_exported
from greenroom.storage.hermes import read_hermes
from greenroom.storage.importing import CannotImport
from greenroom.supervisor.daemon.config import load_config
from greenroom.supervisor.daemon.config_problems import ConfigError
from greenroom.supervisor.daemon.control import read_order

# -- agents ------------------------------------------------------------------------------------------------------------

LINES = js(
    {"type": "say", "text": "x"}, {"type": "tool", "name": "n", "args": {"a": 1}, "id": "1"}, {"type": "effect", "name": "n", "policy": "once"},
    {"type": "did", "result": [1], "id": "1"}, {"type": "failed", "text": "x"}, {"type": "ask", "prompt": "p", "choices": ["a"], "timeout_s": 3},
    {"type": "spent", "calls": 1, "tokens": 2, "cost": 0.1}, {"type": "answer", "finish": None}, {"type": "error", "text": "x", "retry_after_s": 1},
)  # fmt: skip


def update(kind: str, **more: object) -> dict[str, object]:
    return {"method": "session/update", "params": {"sessionId": "s", "update": {"sessionUpdate": kind, **more}}}


ACP = js(
    update("agent_message_chunk", content={"type": "text", "text": "hi"}),
    update("agent_message_chunk", content={"type": "resource_link", "name": "n", "uri": "u"}),
    update("tool_call", toolCallId="c", title="Look", status="pending"),
    update("plan", entries=[{"content": "c", "priority": "high", "status": "in_progress"}]),
    update("usage_update", used=1, size=2, cost={"amount": 0.5, "currency": "USD"}),
    {"id": 1, "result": {"stopReason": "end_turn"}},
)


def acp_line(line: bytes) -> None:
    message = wire._read(line)
    if message is None or "method" not in message or wire._is_idle_talk(message):
        return
    told = library(acp.schema.SessionNotification.model_validate, message.get("params"))
    Narrator().hear(told.update)


MCP_RESULTS = js(
    {"content": [{"type": "text", "text": "t"}, {"type": "image", "data": "aaaa", "mimeType": "image/png"}]},
    {
        "content": [{"type": "resource_link", "name": "n", "uri": "a://b"}],
        "structuredContent": {"a": 1},
        "isError": True,
    },
    {"content": [{"type": "resource", "resource": {"uri": "a://b", "text": "x"}}]},
)
PROPERTIES = {"a": {"type": "string"}, "idempotency_key": {"type": "string"}}
MCP_TOOLS = js(
    {
        "name": "n" * 70,
        "inputSchema": {"type": "object", "properties": PROPERTIES, "required": ["a"]},
        "description": "d",
    },
    {"name": "n", "title": "t", "inputSchema": {}, "annotations": {"readOnlyHint": True}},
)
MCP_SETTINGS = McpSettings.model_validate({"command": ["program"]})


def mcp_result(body: bytes) -> None:
    text_of(library(CallToolResult.model_validate_json, body))


def mcp_tool(body: bytes) -> None:
    tool = library(Tool.model_validate_json, body)
    assert 0 < len(name_of("s", tool.name, prefix=True)) <= 64
    parameters_of(tool, policy_of(tool, MCP_SETTINGS))
    says_of(tool)


def stream_of(*pieces: object) -> bytes:
    return b"".join(b"data: " + piece + b"\n\n" for piece in js(*pieces)) + b"data: [DONE]\n\n"


def delta(finish: str | None = None, **fields: object) -> dict[str, object]:
    return {
        "id": "1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": fields, "finish_reason": finish}],
    }


CALL = {"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"at":"x"}'}}
USAGE = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
CHAT = (
    stream_of(delta(content="Hi"), delta("stop"), USAGE),
    stream_of(delta(reasoning_content="Hm"), delta(tool_calls=[CALL]), delta("tool_calls"), USAGE),
)
MADE = {"type": "function_call", "id": "f", "call_id": "c1", "name": "look", "arguments": "{}", "status": "completed"}
ENDED = {"status": "completed", "output": [MADE], "usage": {"input_tokens": 7, "output_tokens": 3}}
RESPONSES = (
    stream_of(
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.output_item.done", "item": MADE},
        {"type": "response.completed", "response": ENDED},
    ),
)


def openai_stream(api: str) -> Callable[[bytes], None]:
    settings = OpenAISettings.model_validate(
        {"model": "m", "api": api, "base_url": "http://127.0.0.1:9/v1", "retries": 0, "system": "x"}
    )
    served = [b""]

    def serve(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=served[0])

    async def ask() -> None:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(serve)) as http:
            provider = Provider(settings, http)
            reader = provider.reader()
            async for piece in provider.stream("m", (), {}):
                reader.take(piece)
            calls_of(reader.reply())

    def read(body: bytes) -> None:
        served[0] = body
        asyncio.run(ask())

    return read


# -- files and orders --------------------------------------------------------------------------------------------------

CONFIG = (
    b'[store]\npath = "room.db"\n[view]\nenabled = true\nport = 0\nhosts = ["a"]\n[policy]\nallow = ["web:*"]\n',
    b'[agent.openai]\nmodel = "m"\nbase_url = "http://a"\nextra = {a = [1]}\n[platforms.web]\nport = 1\n[mcp.x]\ncommand = ["a"]\n',
)
EXPORT = (
    b"\n".join(
        js(
            {"type": "export", "format": 1, "at": 1.0},
            {"type": "session", "session": 1, "key": "web:me:1", "created_at": 1.0},
            {"type": "message", "session": 1, "seq": 1, "role": "user", "kind": "text", "text": "hi", "at": 1.0, "answers_upto": 1},
            {"type": "message", "session": 1, "seq": 2, "role": "assistant", "kind": "text", "text": "x", "at": 1.0, "finish": "stop",
             "tool_calls": [{"key": "k", "name": "n", "args": {"a": 1}, "policy": "once"}]},
            {"type": "run", "session": 1},
            {"type": "end"},
        )
    ),
)  # fmt: skip


def in_a_file(name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    def inside(content: bytes) -> None:
        with TemporaryDirectory(prefix="greenroom-fuzz-") as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            read(path)

    return inside


def import_all(reader: Callable[..., Any]) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        for past in reader(path, Counter[str](), lambda *_: None):
            str(past.key).encode()
            for row in past.rows:
                msgspec.json.encode(row)

    return read


def hermes() -> bytes:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(
            "CREATE TABLE sessions (id TEXT PRIMARY KEY, source TEXT NOT NULL, started_at REAL NOT NULL);"
            "CREATE TABLE messages (id INTEGER PRIMARY KEY, session_id TEXT, role TEXT, content TEXT, tool_calls TEXT,"
            " tool_call_id TEXT, timestamp REAL, finish_reason TEXT);"
            "INSERT INTO sessions VALUES ('a', 'telegram', 100.0);"
        )
        calls = json.dumps([{"id": "c", "function": {"name": "look", "arguments": "{}"}}])
        parts = "\0json:" + json.dumps(
            [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "http://a"}}]
        )
        said = [
            ("user", parts, None, None),
            ("assistant", None, calls, None),
            ("tool", "x", None, "c"),
            ("assistant", "y", None, None),
        ]
        for role, content, called, call in said:
            db.execute(
                "INSERT INTO messages (session_id, role, content, tool_calls, tool_call_id, timestamp) VALUES ('a', ?, ?, ?, ?, 1.5)",
                (role, content, called, call),
            )
        db.commit()
        return db.serialize()


def session_key(text: bytes) -> None:
    key = SessionKey.parse(text.decode("utf-8", "surrogateescape"))
    assert SessionKey.parse(str(key)) == key


ORDERS = js(
    {"order": "release", "session": 1}, {"order": "stop", "intent": "restart"}, {"order": "send", "chat": "a:b:c", "id": "1", "text": "x"}
)  # fmt: skip

OPENAI_REFUSES = (BrokenStreamError, UnreachableError, ModelRefusedError)

CODECS: Mapping[str, Codec] = {
    **CHATS,
    "program lines": Codec(read_line, (GarbageError,), LINES),
    "acp": Codec(acp_line, (), ACP),
    "mcp result": Codec(mcp_result, (), MCP_RESULTS),
    "mcp tool": Codec(mcp_tool, (), MCP_TOOLS),
    "openai chat": Codec(openai_stream("chat"), OPENAI_REFUSES, CHAT),
    "openai responses": Codec(openai_stream("responses"), OPENAI_REFUSES, RESPONSES),
    "config": Codec(in_a_file("greenroom.toml", load_config), (ConfigError,), CONFIG),
    "import of an export": Codec(in_a_file("e.jsonl", import_all(read_exported)), (CannotImport,), EXPORT),
    "import of hermes": Codec(in_a_file("state.db", import_all(read_hermes)), (CannotImport,), (hermes(),)),
    "session key": Codec(session_key, (InvalidKeyError,), (b"telegram:me:42:7", b"matrix:bot:!room%3Aexample.org")),
    "order": Codec(read_order, (ValueError,), ORDERS),
}
