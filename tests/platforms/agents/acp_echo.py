"""An agent of the Agent Client Protocol as the library's own server side has it: it asks, and says again what it hears."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from acp import PROTOCOL_VERSION, run_agent, start_tool_call, update_agent_message_text, update_tool_call
from acp.schema import (
    AgentCapabilities,
    InitializeResponse,
    NewSessionResponse,
    PermissionOption,
    PromptResponse,
    ToolCallUpdate,
)

OPTIONS = [
    PermissionOption(option_id="y", name="Allow", kind="allow_once"),
    PermissionOption(option_id="n", name="Reject", kind="reject_once"),
]


class Echo:
    conn: Any

    def on_connect(self, conn: Any) -> None:
        self.conn = conn

    async def initialize(self, protocol_version: int, **_: Any) -> InitializeResponse:
        return InitializeResponse(
            protocol_version=min(PROTOCOL_VERSION, protocol_version), agent_capabilities=AgentCapabilities()
        )

    async def new_session(self, cwd: str, **_: Any) -> NewSessionResponse:
        return NewSessionResponse(session_id=f"{cwd} {uuid.uuid4().hex}")

    async def cancel(self, session_id: str, **_: Any) -> None:
        pass

    async def prompt(self, session_id: str, prompt: list[Any], **_: Any) -> PromptResponse:
        await self.conn.session_update(session_id, update_agent_message_text("One moment."))
        await self.conn.session_update(session_id, start_tool_call("1", "write a.txt", kind="edit"))
        call = ToolCallUpdate(tool_call_id="1", raw_input={"path": "a.txt"})
        answer = await self.conn.request_permission(session_id=session_id, tool_call=call, options=OPTIONS)
        await self.conn.session_update(session_id, update_tool_call("1", status="completed"))
        said = f"{answer.outcome.option_id}: {'|'.join(block.text for block in prompt)}"
        for word in said.split(" "):
            await self.conn.session_update(session_id, update_agent_message_text(f"{word} "))
        return PromptResponse(stop_reason="end_turn")


if __name__ == "__main__":
    asyncio.run(run_agent(Echo()))  # type: ignore[arg-type]  # it has what is needed here
