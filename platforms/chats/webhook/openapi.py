"""The webhook's HTTP as an OpenAPI document, made of the types that are read and written."""

from __future__ import annotations

from typing import Any

import msgspec

from greenroom.platforms.chats.webhook.codec import Answer, Answers, Asked, Problem, Said, Taken
from greenroom.platforms.chats.webhook.signing import ID, SIGNATURE, TIMESTAMP, TOLERANCE_S

JSON = "application/json"

_PROBLEMS = {
    "400": "It can never be taken as it is.",
    "401": "It is not signed, or was long ago.",
    "403": "This chat may not write here, or the id was used for something else.",
    "408": "It took too long to arrive.",
    "413": "It is too large.",
    "415": "It is not application/json.",
    "503": "Not now: send the same again, under the same id.",
}


def _headers() -> list[dict[str, Any]]:
    said = {
        ID: ("Names the request; a message for ever.", {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"}),
        TIMESTAMP: (f"Seconds since 1970 in UTC, within {TOLERANCE_S} s.", {"type": "string", "pattern": "^[0-9]+$"}),
        SIGNATURE: ("As Standard Webhooks 1.0 has it: v1,BASE64.", {"type": "string", "pattern": "^[!-~ ]+$"}),
    }
    return [
        {"name": name, "in": "header", "required": True, "description": words, "schema": schema}
        for name, (words, schema) in said.items()
    ]


def _operation(name: str, summary: str, takes: type, replies: dict[str, Any]) -> dict[str, Any]:
    problems = {
        status: {"description": words, "content": {JSON: {"schema": _ref(Problem)}}}
        for status, words in _PROBLEMS.items()
    }
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "parameters": _headers(),
            "requestBody": {"required": True, "content": {JSON: {"schema": _ref(takes)}}},
            "responses": replies | problems,
        }
    }


def _reply(words: str, kind: type, media_type: str = JSON) -> dict[str, Any]:
    schema = _ref(kind) if media_type == JSON else {"type": "string"}
    return {"description": words, "content": {media_type: {"schema": schema}}}


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def describe() -> dict[str, Any]:
    """Make the document."""
    kinds = (Said, Taken, Asked, Answers, Answer, Problem)
    _, schemas = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    taken = {"202": _reply("It is on disk.", Taken), "200": _reply("It was on disk before.", Taken)}
    events = "Events `message`, whose data is an Answer and whose id is its id; comments when it is quiet."
    return {
        "openapi": "3.1.0",
        "info": {"title": "greenroom webhook", "version": "1"},
        "paths": {
            "/v1/messages": _operation("say", "Say something in a chat.", Said, taken),
            "/v1/answers": _operation(
                "read", "Read a chat's answers, or wait for one.", Asked, {"200": _reply("What is new.", Answers)}
            ),
            "/v1/events": _operation(
                "watch",
                "Read a chat's answers as they come.",
                Asked,
                {"200": _reply(events, Answer, "text/event-stream")},
            ),
        },
        "components": {"schemas": schemas},
    }
