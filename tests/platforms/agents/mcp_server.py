"""`mcp_server.py FOLDER [PORT]`: a real server of tools, made with the library's server side, over stdio or HTTP.

What its tools do they note in files of the folder, so that effects are counted wherever it dies.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

FOLDER = Path(sys.argv[1])
READS, AGAIN = ToolAnnotations(read_only_hint=True), ToolAnnotations(idempotent_hint=True)
server = MCPServer("workshop")


def note(what: str) -> None:
    with (FOLDER / "effects").open("a", encoding="utf-8") as effects:
        effects.write(f"{what} {os.getpid()}\n")


@server.tool(annotations=READS)
def greet(name: str, turn: int = 1) -> str:
    """Greet somebody."""
    return f"hello {name}" * turn


@server.tool(annotations=AGAIN)
def label(name: str) -> dict[str, str]:
    """Give something a name."""
    note("label")
    return {"named": name}


@server.tool()
async def pay(amount: int, ctx: Context) -> str:
    """Pay."""
    note("pay")
    await ctx.report_progress(1, 2, "half of it is paid")
    if (FOLDER / "hold").exists():
        await asyncio.Event().wait()
    return f"paid {amount}"


@server.tool(structured_output=False)
def book(seat: str, idempotency_key: str) -> str:
    """Book a seat."""
    note(f"book {idempotency_key}")
    return f"booked {seat}"


@server.tool()
def draw() -> Image:
    """Draw a picture."""
    return Image(data=b"PNG" * 100, format="png")


@server.tool()
def recite(length: int) -> str:
    """Recite."""
    return "x" * length


@server.tool()
def order(dish: Annotated[str, Field(description="It is tasty. " * 6_000)]) -> str:
    """Order something from a long list."""
    return dish


@server.tool()
def fail() -> str:
    """Fail."""
    raise ToolError("the paint is wet")


@server.tool()
def secrets() -> str:
    """Tell what is in the environment."""
    return ",".join(sorted(os.environ))


def main() -> None:
    with (FOLDER / "starts").open("a", encoding="utf-8") as starts:
        starts.write(f"{os.getpid()}\n")
    if len(sys.argv) > 2:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")


if __name__ == "__main__":
    main()
