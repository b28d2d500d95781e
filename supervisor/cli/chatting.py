"""`greenroom chat`: a supervisor of its own with one platform, this terminal, on the same database."""

import asyncio
import sys

from greenroom.platforms.chats.terminal import Hangup, TerminalChat
from greenroom.storage.lock import Held, read_holder
from greenroom.supervisor.cli.outcome import DONE, FAILED, CommandFailed
from greenroom.supervisor.cli.paper import complain
from greenroom.supervisor.daemon.composing import load_agent, load_summariser
from greenroom.supervisor.daemon.config import Config
from greenroom.supervisor.daemon.logs import set_up_logs
from greenroom.supervisor.daemon.orders import Orders
from greenroom.supervisor.history import StoreHistory
from greenroom.supervisor.supervisor import AsyncRoom, Supervisor


def chat_here(config: Config, name: str) -> int:
    """Chat until the person leaves, and return the exit code. Raises CommandFailed where a daemon has the database."""
    if holder := read_holder(config.database):
        if holder.address is None:
            raise Held(config.database, holder)
        raise CommandFailed(
            f"{config.database} is in use by {holder}; talk to it at {holder.address}, "
            "or `greenroom stop` it first, or name another database with --db"
        )
    set_up_logs(config.log.model_copy(update={"level": "error"}))  # Log lines would be drawn into the conversation.
    return asyncio.run(_converse(config, name))


async def _converse(config: Config, name: str) -> int:
    loop, orders, left = asyncio.get_running_loop(), Orders(), asyncio.Event()
    supervisor = Supervisor(
        config.database, agent=load_agent(config), policy=config.policy, summarise=load_summariser(config)
    )
    terminal = TerminalChat(StoreHistory(lambda: supervisor.store), input=sys.stdin, output=sys.stdout, chat=name)

    def hung_up(error: BaseException | None) -> bool:
        if not isinstance(error, Hangup):
            return False
        loop.call_soon_threadsafe(left.set)
        return True

    with orders.taken(on_reload=orders.stop.set, on_dump=lambda: None):  # A terminal that is closed sends SIGHUP.
        async with supervisor as room:
            room.attach(terminal, hung_up=hung_up)
            code = await _until_end(room, orders, left)
            hurrying = asyncio.create_task(_hurry(supervisor, orders))
        hurrying.cancel()
    return code


async def _until_end(room: AsyncRoom, orders: Orders, left: asyncio.Event) -> int:
    failure = asyncio.create_task(room.failure())
    ends = {asyncio.create_task(left.wait()), asyncio.create_task(orders.stop.wait()), failure}
    done, pending = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    if failure in done:
        complain(failure.result())
        return FAILED
    return DONE


async def _hurry(supervisor: Supervisor, orders: Orders) -> None:
    await orders.hurry.wait()
    supervisor.hurry()
