"""A 200 with anything in it but a model's stream: read to its end, it is no answer. The bytes come over a real wire."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.openai.reply import BrokenStreamError, Reply
from greenroom.platforms.agents.openai.settings import OpenAISettings
from greenroom.platforms.agents.talk import Speaker, Words
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


async def read(api: str, media_type: str, body: bytes) -> Reply:
    async def serve(_: Request) -> Response:
        return Response(body, media_type=media_type)

    with listen("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        provider = Provider(OpenAISettings.model_validate({"model": "m1", "base_url": url, "api": api}))
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
