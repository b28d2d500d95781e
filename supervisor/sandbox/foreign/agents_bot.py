"""The OpenAI Agents SDK with its `SQLiteSession`: a run a message, and then the final output is sent.

Its documentation gives a session the conversation's memory, and no resumption of a run that died: the update is
acknowledged when its answer is sent, so it comes again after a crash, and is run again on what the session has.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from greenroom.supervisor.sandbox.foreign.room import Room

PACKAGES = ("openai-agents",)

agents: Any = import_module("agents")
responses: Any = import_module("openai.types.responses")


def live(room: Room) -> None:
    """Serve what there is, then return."""
    agents.set_tracing_disabled(True)  # It would send traces over the network.
    asyncio.run(_serve(room))


async def _serve(room: Room) -> None:
    session = agents.SQLiteSession("chat1", room.folder / "agents.sqlite")
    agent = agents.Agent(name="payer", model=_make_model(room), tools=[_make_tool(room)])
    for update, text in room.poll():
        result = await agents.Runner.run(agent, text, session=session)
        room.show(f"{update}-answer", result.final_output)
        room.reach("I")
        room.acknowledge(update)
    session.close()


def _make_tool(room: Room) -> Any:
    async def pay(context: Any, _arguments: str) -> str:
        return room.pay(context.tool_call_id)

    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    return agents.FunctionTool(name="pay", description="Pay.", params_json_schema=schema, on_invoke_tool=pay)


def _make_model(room: Room) -> Any:
    async def get_response(_self: Any, **asked: Any) -> Any:
        return agents.ModelResponse(output=[_answer(room, asked["input"])], usage=agents.Usage(), response_id=None)

    def stream_response(*_: Any, **__: Any) -> Any:
        raise NotImplementedError("this bot does not stream")

    members = {"get_response": get_response, "stream_response": stream_response}
    return type("ScriptedModel", (agents.Model,), members)()


def _answer(room: Room, items: Any) -> Any:
    """Look at what came after the person's newest message, as a model does."""
    newest = max((n for n, item in enumerate(items) if item.get("role") == "user"), default=0)
    results = [item["output"] for item in items[newest:] if item.get("type") == "function_call_output"]
    if not results:
        room.reach("B")
        call = room.call_model(None)
        return responses.ResponseFunctionToolCall(name="pay", arguments="{}", call_id=call, type="function_call")
    text = responses.ResponseOutputText(text=room.call_model(results[-1]), type="output_text", annotations=[])
    return responses.ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")
