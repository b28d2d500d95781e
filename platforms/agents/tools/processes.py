"""Background processes for a model: begun, looked at, and ended. They go on beside the run and after it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from pydantic import Field, PositiveInt

from greenroom.actors.lines import how_it_ended
from greenroom.actors.model import ToolPolicy
from greenroom.actors.output import keep_ends
from greenroom.actors.ports import Turn
from greenroom.actors.process import ProcessEnding, ProcessRecord, show_command
from greenroom.platforms.agents.settings import ToolSettings
from greenroom.platforms.agents.tools.clock import NoArgs
from greenroom.platforms.agents.tools.rooted import folder_below, root_of
from greenroom.platforms.agents.tools.shell import COMMAND_MAX
from greenroom.platforms.agents.tools.typed import Args, Kit, typed_tool
from greenroom.platforms.chats.secret import Secret
from greenroom.platforms.processes.child import INHERITED


class ProcessesSettings(ToolSettings):
    """Background processes: `[tools.processes]`. How many there may be is said by `policy.processes_max`."""

    root: Path  # the folder in which they begin; a relative one counts from the database's
    approve: bool = True  # its person is asked before each start
    output_max: PositiveInt = 20_000  # characters that are shown of one's output
    env: dict[str, Secret] = Field(default_factory=dict)  # added to PATH, HOME and the locale


class StartArgs(Args, frozen=True):
    """What is started, and what is to be told of it."""

    command: Annotated[str, Meta(min_length=1, max_length=COMMAND_MAX, description="Given to /bin/sh.")]
    folder: Annotated[str, Meta(description="Where it begins: a folder below the root; empty is the root.")] = ""
    wake_me: Annotated[bool, Meta(description="You are told of its end, as soon as it comes.")] = True


class WhichArgs(Args, frozen=True):
    """One that was started."""

    id: Annotated[str, Meta(description="As start_process named it.")]


async def list_processes(turn: Turn, _args: NoArgs) -> str:
    """List the background processes of this conversation, and how each stands."""
    records = [await each.poll() for each in await turn.processes()]
    return (
        "\n".join(f"{each.id}: {show_command(each.command)} ({_state(each)})" for each in records) or "There are none."
    )


async def end_process(turn: Turn, args: WhichArgs) -> str:
    """End a background process, and all that it started. Harmless when it is over."""
    return f"{args.id}: {_state(await (await turn.process(args.id)).kill())}"


def make(settings: ProcessesSettings, folder: Path) -> Kit:
    """Offer the four of them; a relative root is one below `folder`. Raises NotADirectoryError."""
    root = root_of(settings.root, folder)

    async def start_process(turn: Turn, args: StartArgs) -> str:
        """Start a shell command that goes on in the background, also when you have answered."""
        where = await turn.in_thread(folder_below, root, args.folder)
        given = {name: each.get_secret_value() for name, each in settings.env.items()}
        env = {**{name: "" for name in os.environ if name not in INHERITED}, **given}  # No secrets of ours.
        process = await turn.spawn(args.command, notify_on_complete=args.wake_me, cwd=str(where), env=env)
        return f"Started; its id is {process.id}."

    async def look_at_process(turn: Turn, args: WhichArgs) -> str:
        """Tell how a background process stands, and what it has written: its beginning and its end."""
        record = await (await turn.process(args.id)).poll()
        return f"({_state(record)})\n{keep_ends(record.output, settings.output_max)}"

    return Kit(
        typed_tool(start_process, StartArgs, ToolPolicy.ONCE, approve=settings.approve),
        typed_tool(look_at_process, WhichArgs, ToolPolicy.PURE, approve=False),
        typed_tool(list_processes, NoArgs, ToolPolicy.PURE, approve=False),
        typed_tool(end_process, WhichArgs, ToolPolicy.PURE, approve=False),
    )


def _state(record: ProcessRecord) -> str:
    return how_it_ended(ProcessEnding(record.state, record.exit_code)) if record.is_over else "it runs"
