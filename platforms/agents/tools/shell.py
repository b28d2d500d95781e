"""One shell command at a time: in a group of its own, for a limited time, with what it writes cut to size.

It is as powerful as whoever runs greenroom. The folder is where commands begin, and no cage.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

from msgspec import Meta
from pydantic import Field, PositiveFloat, PositiveInt

from greenroom.actors.model import ToolPolicy
from greenroom.actors.output import Output
from greenroom.actors.ports import Turn
from greenroom.actors.process import SHELL
from greenroom.platforms.agents.settings import ToolSettings
from greenroom.platforms.agents.tools.rooted import folder_below, root_of
from greenroom.platforms.agents.tools.typed import Args, Kit, typed_tool
from greenroom.platforms.chats.secret import Secret
from greenroom.platforms.processes.child import ChildProgram, Program, start_child

CHUNK = 65_536
MARGIN_S = 10.0
"""How much longer the call may take than its command: it is ended in order, and what it said is told."""

COMMAND_MAX = 3_000
"""Characters of a command: a person who is asked for a yes sees all of it."""

PREFACE = "exec 2>&1 9>&1"
"""Errors are heard, too; and whatever a command does with its output, it has not ended by that: it still holds ours."""


class ShellSettings(ToolSettings):
    """Commands of a shell: `[tools.shell]`. A person is asked before each command, unless `approve` is false."""

    root: Path  # the folder in which commands begin, and no cage; a relative one counts from the database's
    approve: bool = True  # its person is asked before each command
    timeout_s: PositiveFloat = 60.0  # how long one command may take
    output_max: PositiveInt = 20_000  # characters shown of its output; of more the beginning and the end are kept
    env: dict[str, Secret] = Field(default_factory=dict)  # added to PATH, HOME and the locale


class ShellArgs(Args, frozen=True):
    """What is run, and where."""

    command: Annotated[str, Meta(min_length=1, max_length=COMMAND_MAX, description="Given to /bin/sh.")]
    folder: Annotated[str, Meta(description="Where it begins: a folder below the root; empty is the root.")] = ""


def make(settings: ShellSettings, folder: Path) -> Kit:
    """Offer the shell; a relative root is one below `folder`. Raises NotADirectoryError."""
    root = root_of(settings.root, folder)

    async def shell(turn: Turn, args: ShellArgs) -> str:
        """Run a shell command and tell what it wrote, and its exit code. It has no input.

        It must end soon: what it leaves running in the background is ended with it.
        """
        where = await turn.in_thread(folder_below, root, args.folder)
        command = (*SHELL, f"{PREFACE}\n{args.command}")
        child = await start_child(
            Program(
                "shell",
                command,
                cwd=where,
                env={name: each.get_secret_value() for name, each in settings.env.items()},
                end_s=0.5,
            )
        )
        return await _heard(child, settings)

    limit_s = settings.timeout_s + MARGIN_S
    return Kit(typed_tool(shell, ShellArgs, ToolPolicy.ONCE, approve=settings.approve, timeout_s=limit_s))


async def _heard(child: ChildProgram, settings: ShellSettings) -> str:
    """Listen until it is over; whoever is cancelled meanwhile leaves nothing of it."""
    output = Output(settings.output_max)
    child.stdin.close()
    try:
        async with asyncio.timeout(settings.timeout_s):
            while chunk := await child.stdout.read(CHUNK):
                output.feed(chunk.decode(errors="replace"))
            code = await child.wait()
        how = f"exit code {code}" if code >= 0 else f"ended by signal {-code}"
    except TimeoutError:
        how = f"it took longer than {settings.timeout_s:g} s and was ended; its effects until then remain"
    finally:
        child.kill()
    await child.wait()
    said = output.text()
    return f"{said}{'' if said.endswith(chr(10)) or not said else chr(10)}({how})"
