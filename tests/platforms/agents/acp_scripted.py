"""An agent of the Agent Client Protocol that follows a script, well or badly: a program without any library.

`acp_scripted.py FOLDER [load|resume|locked|future]`. In the folder: `script.json`, a list of [step, argument], without
which it says again what it is told; `heard.jsonl`, every message that it was sent; `at_work`, a line for each beginning
and end of a prompt; `sessions`, what it remembers. It starts ten times faster than one with the library, whose server
side `acp_echo.py` has.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from pathlib import Path
from typing import Any

NO_SESSION = {"code": -32002, "message": "Resource not found"}


class Ended(Exception):
    pass


class Refused(Exception):
    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.error = error


class Scripted:
    def __init__(self, folder: Path, ability: str) -> None:
        self.folder, self.ability = folder, ability
        self.called_off: dict[str, asyncio.Event] = {}
        self.waiting: dict[str, asyncio.Future[Any]] = {}
        self.usage: dict[str, Any] | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        reader = asyncio.StreamReader(limit=2**24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            message = json.loads(line)
            self.note(message)
            if "method" not in message:
                if answered := self.waiting.pop(str(message["id"]), None):
                    answered.set_result(message)
                continue
            task = asyncio.ensure_future(self.answer(message))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def answer(self, message: dict[str, Any]) -> None:
        try:
            answer = {"result": await self.called(message["method"], message["params"])}
        except Refused as refusal:
            answer = {"error": refusal.error}
        if "id" in message:
            self.send({"id": message["id"], **answer})

    async def called(self, method: str, params: dict[str, Any]) -> Any:
        match method:
            case "initialize":
                resume: dict[str, Any] = {"resume": {}} if self.ability == "resume" else {}
                can = {"loadSession": self.ability == "load", "sessionCapabilities": resume}
                return {"protocolVersion": 99 if self.ability == "future" else 1, "agentCapabilities": can}
            case "session/new":
                if self.ability == "locked":
                    raise Refused({"code": -32000, "message": "Authentication required"})
                session = uuid.uuid4().hex
                self.save(session, [])
                return {"sessionId": session}
            case "session/load":
                for text in self.remember(params["sessionId"]):
                    self.update(params["sessionId"], "user_message_chunk", content=words(text))
                    self.update(params["sessionId"], "agent_message_chunk", content=words("as I said"))
                return {}
            case "session/resume":
                self.remember(params["sessionId"])
                return {}
            case "session/cancel":
                if params["sessionId"] in self.called_off:
                    self.called_off[params["sessionId"]].set()
                return None
            case "session/prompt":
                return await self.prompted(params["sessionId"], params["prompt"])
            case "session/set_mode" if params["modeId"] == "unknown":
                raise Refused({"code": -32602, "message": "Invalid params"})
            case "authenticate" | "session/set_mode":
                return {}
            case _:
                raise Refused({"code": -32601, "message": "Method not found"})

    async def prompted(self, session: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
        text = "\n".join(block.get("text") or f"<{block.get('uri')}>" for block in blocks)
        self.save(session, [*self.remember(session), text])
        called_off = self.called_off[session] = asyncio.Event()
        self.usage = None
        working = asyncio.ensure_future(self.follow(session, text))
        cancelled = asyncio.ensure_future(called_off.wait())
        self.mark("+")
        try:
            await asyncio.wait((working, cancelled), return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                working.cancel()
                return {"stopReason": "cancelled"}
            return {"stopReason": working.result(), "usage": self.usage}
        finally:
            cancelled.cancel()
            self.mark("-")

    async def follow(self, session: str, text: str) -> str:
        script = self.folder / "script.json"
        steps = json.loads(script.read_text()) if script.exists() else [["say", f"re: {text}"]]
        try:
            for step, argument in steps:
                await self.take(session, step, argument)
                await asyncio.sleep(0)
        except Ended as end:
            return str(end)
        return "end_turn"

    async def take(self, session: str, step: str, argument: Any) -> None:
        match step:
            case "say":
                self.update(session, "agent_message_chunk", content=words(argument))
            case "ask":
                await self.ask(session, *argument)
            case "spend":
                self.usage = {"totalTokens": argument, "inputTokens": argument, "outputTokens": 0}
            case "cost":
                self.update(session, "usage_update", used=1, size=2, cost={"amount": argument, "currency": "USD"})
            case "think":
                self.update(session, "agent_thought_chunk", content=words(argument))
            case "tool":
                self.update(session, "tool_call", toolCallId=argument, title=argument, status="pending")
                self.update(session, "tool_call_update", toolCallId=argument, status="completed")
            case "finish":
                raise Ended(argument)
            case "error":
                raise Refused({"code": argument, "message": "as the script says"})
            case "hang":
                await asyncio.Event().wait()
            case _:
                await self.misbehave(session, step, argument)

    async def misbehave(self, session: str, step: str, argument: Any) -> None:
        match step:
            case "die":
                os._exit(argument)
            case "die once":
                if not (self.folder / "died").exists():
                    (self.folder / "died").touch()
                    os._exit(argument)
            case "raw":
                self.write(argument.encode("latin-1"))
            case "oversize":
                self.write(b'{"jsonrpc": "' + b"x" * argument)
                await asyncio.Event().wait()
            case "spawn":
                child = await asyncio.create_subprocess_exec(*argument, stdin=asyncio.subprocess.DEVNULL)
                self.note({"spawned": child.pid})
                await asyncio.Event().wait()
            case "deaf":
                self.called_off.pop(session)
                await asyncio.Event().wait()
            case _:
                raise NotImplementedError(step)

    async def ask(self, session: str, title: str, options: list[list[str]]) -> None:
        offered = [{"optionId": f"id of {name}", "name": name, "kind": kind} for name, kind in options]
        call = {"toolCallId": title, "title": title, "rawInput": {"path": "a.txt"}}
        number = uuid.uuid4().hex
        self.waiting[number] = asyncio.get_running_loop().create_future()
        self.send(
            {
                "id": number,
                "method": "session/request_permission",
                "params": {"sessionId": session, "toolCall": call, "options": offered},
            }
        )
        await self.waiting[number]

    def update(self, session: str, kind: str, **more: Any) -> None:
        update = {"sessionUpdate": kind, **more}
        self.send({"method": "session/update", "params": {"sessionId": session, "update": update}})

    def send(self, message: dict[str, Any]) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def write(self, line: bytes) -> None:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()

    def note(self, heard: dict[str, Any]) -> None:
        with (self.folder / "heard.jsonl").open("a") as file:
            file.write(json.dumps({"pid": os.getpid(), "home": os.environ.get("HOME"), **heard}) + "\n")

    def mark(self, sign: str) -> None:
        with (self.folder / "at_work").open("a") as file:
            file.write(f"{os.getpid()} {sign}\n")

    def save(self, session: str, past: list[str]) -> None:
        (self.folder / "sessions").mkdir(exist_ok=True)
        (self.folder / "sessions" / session).write_text(json.dumps(past))

    def remember(self, session: str) -> list[str]:
        try:
            past: list[str] = json.loads((self.folder / "sessions" / session).read_text())
        except FileNotFoundError:
            raise Refused(NO_SESSION) from None
        return past


def words(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


if __name__ == "__main__":
    asyncio.run(Scripted(Path(sys.argv[1]), (*sys.argv[2:], "")[0]).serve())
