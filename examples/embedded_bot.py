"""A bot with a loop, a pykka actor, signal handlers and logging of its own, which embeds greenroom.

    python examples/embedded_bot.py
    ann: hello
    ann> I thought about it, and this is answer 1: hello

Type `NAME: WORDS`. Ctrl-C (or end of input) ends it in order; kill it as you like: the next start goes on.
Nothing of the host is touched: `kill -USR1` still asks its actor, and greenroom's log lines follow its logging set-up.
"""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from uuid import uuid4

import pykka

from greenroom import BusyError, Choices, Door, Inbound, Outgoing, RefusedError, SessionKey, Supervisor, Traits, Turn
from greenroom.actors.model import DeliveryClass

log = logging.getLogger("mybot")


class Tally(pykka.ThreadingActor):
    """The host's own actor. It counts answers."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 0

    def add(self) -> int:
        self.answers += 1
        return self.answers


class KeyboardChat:
    """A platform: lines of `NAME: WORDS` come in, lines of `NAME> WORDS` go out. It sees its door and nothing else."""

    name, account = "keyboard", "mybot"
    traits = Traits(DeliveryClass.NONE, edits=False)  # What is printed is printed: a repetition would be marked.

    def __init__(self, ended: Callable[[], object]) -> None:
        self.ended = ended

    async def run(self, door: Door) -> None:
        """Receive until cancelled, on a loop of greenroom's."""
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        keyboard, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        door.connected()  # What waited for this platform is decided and sent now.
        try:
            async for line in lines:
                chat, _, words = line.decode(errors="replace").strip().partition(":")
                if chat and words:
                    await self.offer(
                        door, Inbound(SessionKey(self.name, self.account, chat), uuid4().hex, words.strip())
                    )
            self.ended()
            await asyncio.Event().wait()  # Nobody types any more, but answers can still be printed.
        finally:
            keyboard.close()

    async def offer(self, door: Door, inbound: Inbound) -> None:
        """Offer a message until it is on disk: a keyboard does not send again by itself."""
        while True:
            try:
                await door.accept(inbound)
            except BusyError:
                await asyncio.sleep(1)
            except RefusedError as refused:
                log.warning("refused: %s", refused)
                return
            else:
                return

    async def send(self, message: Outgoing) -> str:
        print(f"{message.session.chat}> {message.text}", flush=True)
        return message.key

    async def edit(self, session: SessionKey, message_id: str, text: str, choices: Choices | None = None) -> None:
        """Never called: `traits` says that nothing can be edited."""

    async def find(self, message: Outgoing) -> str | None:
        """Never called: `traits` says that nothing can be looked up."""


async def main(database: str) -> None:
    """Be a bot: everything here is the host's, but for the block of the Supervisor."""
    logging.basicConfig(level=logging.INFO, format="mybot: %(name)s: %(message)s")
    tally = Tally.start().proxy()

    async def agent(turn: Turn) -> str:
        log.info("thinking about %r", turn.text)
        await asyncio.sleep(0.2)  # A model would be asked here.
        number = await turn.tool("count", {}, policy="pure", fn=lambda: tally.add().get(timeout=5))
        return f"I thought about it, and this is answer {number}: {turn.text}"

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: log.info("answers: %d", tally.answers.get(timeout=5)))

    try:
        async with Supervisor(database, agent=agent) as room:
            room.attach(KeyboardChat(ended=lambda: loop.call_soon_threadsafe(stop.set)))
            log.info("ready")
            await stop.wait()
            log.info("stopping: what runs is finished, what waits goes on at the next start")
    finally:
        tally.stop()
    log.info("good-bye")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "embedded_bot.db"))
