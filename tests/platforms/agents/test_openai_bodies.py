"""A 200 with anything in it but a model's stream: read to its end, it is no answer. The bytes come over a real wire.

An error object in it means what it means as the answer to a request.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.platforms.agents.model_stage import House, scripted, stream
from tests.platforms.agents.test_openai_streams import LOOK, OUTPUT

from greenroom import Policy
from greenroom.actors.model import ToolPolicy
from greenroom.actors.ports import Turn
from greenroom.platforms.agents.openai.failures import WHY_MAX, ModelRefusedError, TooLongError, UnreachableError
from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.openai.reply import BrokenStreamError, Reply
from greenroom.platforms.agents.openai.settings import OpenAISettings
from greenroom.platforms.agents.talk import Speaker, Words
from greenroom.platforms.agents.tools.tool import Tool
from greenroom.platforms.chats.web.server import listen, serving

BODIES = {
    "an error": ("application/json", b'{"error": {"message": "overloaded"}}'),
    "an error in the stream": ("text/event-stream", b'data: {"error": {"message": "overloaded"}}\n\n'),
    "a page": ("text/html", b"<html>Welcome to the hotel's network</html>"),
    "nothing": ("text/event-stream", b""),
    "only the end": ("text/event-stream", b"data: [DONE]\n\n"),
    "a list": ("text/event-stream", b"data: [1, 2]\n\n"),
    "a text": ("text/event-stream", b'data: "text"\n\n'),
    "null": ("text/event-stream", b"data: null\n\n"),
    "no UTF-8": ("text/event-stream", b"data: \xff\xfe\n\n"),
    "half a piece": ("text/event-stream", b'data: {"choices": [{"delta": {"content": "One'),
    "no delta": ("text/event-stream", b'data: {"choices": [{"delta": null, "finish_reason": 3}]}\n\n'),
    "no response": ("text/event-stream", b'data: {"type": "response.output_text.delta", "delta": {}}\n\n'),
}


async def read(api: str, media_type: str, body: bytes, **more: Any) -> Reply:
    async def serve(_: Request) -> Response:
        return Response(body, media_type=media_type)

    with listen("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        provider = Provider(OpenAISettings.model_validate({"model": "m1", "base_url": url, "api": api} | more))
        reader = provider.reader()
        async with serving(Starlette(routes=[Route("/{path:path}", serve, methods=["POST"])]), listening):
            try:
                async for piece in provider.stream("m1", [Words(Speaker.USER, "Hi")], {}):
                    reader.take(piece)
            finally:
                await provider.close()
    return reader.reply()


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_what_is_no_stream_of_a_model_is_no_answer(api: str) -> None:
    for name, (media_type, body) in BODIES.items():
        try:
            reply = await read(api, media_type, body)
        except BrokenStreamError:
            continue
        assert reply.finish is None, name
        assert reply.text == "", name


TOO_LONG: dict[str, Any] = {"code": "context_length_exceeded", "message": "Your input exceeds the context window."}
ERRORS: dict[str, tuple[dict[str, Any], type[Exception], float | None]] = {
    "too long": (TOO_LONG, TooLongError, None),
    "too long, in words": ({"code": 400, "message": "maximum context length is 9 tokens"}, TooLongError, None),
    "too many": ({"code": "rate_limit_exceeded", "message": "Try again in 11.05s."}, UnreachableError, 11.05),
    "too many, by status": ({"code": 429, "message": "Try again in 200ms."}, UnreachableError, 0.2),
    "overloaded": ({"code": "server_is_overloaded", "message": "Later."}, UnreachableError, None),
    "slow down": ({"code": "slow_down", "message": "Slow down."}, UnreachableError, None),
    "no server behind": ({"code": 502, "message": "Provider disconnected"}, UnreachableError, None),
    "no money": ({"code": "insufficient_quota", "message": "Pay."}, ModelRefusedError, None),
    "forbidden": ({"code": "invalid_prompt", "message": "No."}, ModelRefusedError, None),
    "refused, by type": (
        {"code": "unsupported_value", "type": "invalid_request_error", "message": "No."},
        ModelRefusedError,
        None,
    ),
    "unknown": ({"code": "server_error", "message": "Oh."}, BrokenStreamError, None),
}


def in_stream(error: dict[str, Any], form: str) -> bytes:
    events: dict[str, dict[str, Any]] = {
        "failed": {"type": "response.failed", "response": {"id": "r", "status": "failed", "error": error}},
        "error event": {"type": "error", "sequence_number": 1, "error": error},
        "bare error event": {"sequence_number": 1, **error, "type": "error"},
        "error object": {"error": error},
    }
    return f"data: {json.dumps(events[form])}\n\n".encode()


FORMS = [
    ("responses", "failed"),
    ("responses", "error event"),
    ("responses", "bare error event"),
    ("chat", "error object"),
]
TYPED = "refused, by type"  # A bare error event has no room for a type of its own.


@pytest.mark.parametrize(
    "api, form, name",
    [(*form, name) for form in FORMS for name in ERRORS if (form[1], name) != ("bare error event", TYPED)],
)
async def test_an_error_in_a_stream_means_what_it_means_before_one(api: str, form: str, name: str) -> None:
    error, kind, after_s = ERRORS[name]
    with pytest.raises(kind) as raised:
        await read(api, "text/event-stream", in_stream(error, form))
    assert type(raised.value) is kind
    assert getattr(raised.value, "after_s", None) == after_s


async def test_no_key_is_told_with_an_error_in_a_stream(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    key = "a-key-of-some-length"
    said = f"{'x' * (WHY_MAX - 5)}{key}"  # Where it is cut, half a key would be left.
    (tmp_path / "key").write_text(key)
    settings = OpenAISettings.model_validate(
        {"model": "m1", "key": f"file:{tmp_path / 'key'}"}, context={"folder": tmp_path}
    )
    body = in_stream({"code": "invalid_prompt", "message": said}, "failed")
    with pytest.raises(ModelRefusedError) as raised:
        await read("responses", "text/event-stream", body, key=settings.key)
    assert "a-key" not in f"{raised.value} {caplog.text}"


async def test_a_stream_that_says_too_long_has_the_conversation_made_shorter(tmp_path: Path) -> None:
    async def look(_: Turn) -> str:
        return "word " * 4000

    done = {"type": "response.completed", "response": {"status": "completed", "output": OUTPUT[1:2]}}
    call = {"type": "response.completed", "response": {"status": "completed", "output": [LOOK]}}
    answers = [stream(call), in_stream(TOO_LONG, "failed"), stream(done)]
    async with scripted(*answers) as server:
        house = House(
            tmp_path, server.url, Tool("look", "Looks.", {"type": "object"}, ToolPolicy.PURE, look), api="responses"
        )
        assert await house.says("Look!") == "Hm."
    _, second, third = (len(json.dumps(request)) for request in server.requests)
    assert third < second * 0.7


async def test_what_was_said_before_a_server_was_overloaded_is_said_once(tmp_path: Path) -> None:
    busy = stream({"choices": [{"delta": {"content": "One "}}]}, {"error": {"code": "slow_down", "message": "Later."}})
    whole = stream({"choices": [{"delta": {"content": "One two."}, "finish_reason": "stop"}]})
    async with scripted(busy, whole) as server:
        policy = Policy(provider_backoff_s=0.1, provider_max_s=60.0)
        assert await House(tmp_path, server.url, policy=policy).says("Count!") == "One two."
    assert len(server.requests) == 2
