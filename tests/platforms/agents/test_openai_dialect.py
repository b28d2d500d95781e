"""How a server is asked is known by its host, or learned of what it refuses, and kept to."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from tests.platforms.agents.model_stage import House, scripted, stream

from greenroom.platforms.agents.openai.dialect import Dialect, Thoughts, hear, learn
from greenroom.platforms.agents.openai.failures import ModelRefusedError
from greenroom.platforms.agents.openai.provider import Provider
from greenroom.platforms.agents.openai.settings import OpenAISettings
from greenroom.platforms.agents.talk import Speaker, Words

ANSWER = stream({"choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}]})
OLD = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
NEW = "property 'max_completion_tokens' is unsupported"
LARGE = "max_tokens is too large: 100000. This model takes at most 4096 completion tokens."


def refusal(words: str) -> tuple[int, object]:
    return 400, {"error": {"message": words, "type": "invalid_request_error", "code": "unsupported_parameter"}}


@pytest.mark.parametrize(
    "base_url, name",
    [
        (None, "max_completion_tokens"),
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("https://API.openai.com:443/v1/", "max_completion_tokens"),
        ("https://eu.api.openai.com/v1", "max_completion_tokens"),
        ("https://me.openai.azure.com/openai/v1", "max_completion_tokens"),
        ("https://notapi.openai.com.example/v1", "max_tokens"),
        ("https://evilapi.openai.com/v1", "max_tokens"),
        ("https://openrouter.ai/api/v1", "max_tokens"),
        ("http://localhost:11434/v1", "max_tokens"),
    ],
)
async def test_the_longest_answer_has_the_name_that_the_host_knows(base_url: str | None, name: str) -> None:
    asked: list[httpx2.Request] = []

    def serve(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=ANSWER)

    settings = OpenAISettings.model_validate({"model": "m", "base_url": base_url, "answer_tokens": 7, "key": "k" * 30})
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(serve)) as http:
        async for _ in Provider(settings, http).stream("m", [Words(Speaker.USER, "Hi")], {}):
            pass
    assert (f'"{name}":7' in asked[0].content.decode().replace(" ", ""), len(asked)) == (True, 1)


async def test_a_server_that_wants_the_other_name_is_asked_once_more_and_then_always_so(tmp_path: Path) -> None:
    async with scripted(refusal(OLD), ANSWER, ANSWER) as server:
        house = House(tmp_path, server.url, answer_tokens=7)
        async with house.open() as chat:
            assert await house.asks(chat, "Well?") == "Yes."
            assert await house.asks(chat, "Really?") == "Yes."
    names = [[name for name in request if name.startswith("max_")] for request in server.requests]
    assert names == [["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"]]


async def test_a_server_that_refuses_either_name_is_not_asked_for_ever() -> None:
    async with scripted(*[refusal(OLD), refusal(NEW)] * 3) as server:
        given = {"model": "m", "base_url": server.url, "answer_tokens": 7}
        provider = Provider(OpenAISettings.model_validate(given))
        with pytest.raises(ModelRefusedError):
            await anext(provider.stream("m", [Words(Speaker.USER, "Hi")], {}))
        await provider.close()
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "status, said", [(400, LARGE), (400, "no"), (401, OLD), (400, NEW), (429, "reasoning_content")]
)
def test_what_teaches_nothing_changes_nothing(status: int, said: str) -> None:
    assert learn(Dialect(), status, said) == Dialect()


def test_what_is_known_of_thoughts_only_grows() -> None:
    thinks = hear(Dialect(), {"choices": [{"delta": {"reasoning_content": ""}}]})
    assert thinks.thoughts is Thoughts.WITH_CALLS
    everywhere = learn(thinks, 400, "Missing reasoning_content field in the assistant message")
    assert everywhere.thoughts is Thoughts.EVERYWHERE
    assert hear(everywhere, {"choices": [{"delta": {"reasoning_content": "Hm."}}]}) == everywhere
    assert learn(everywhere, 400, "Missing reasoning_content field") == everywhere
    for piece in ({}, {"choices": None}, {"choices": [{"delta": {"reasoning_content": None, "reasoning": "Hm."}}]}):
        assert hear(Dialect(), piece) == Dialect()
