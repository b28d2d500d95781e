"""An agent of Pydantic AI behind greenroom: `python examples/pydantic_ai_bot.py [bot.db]`, a line for each message.

Its model is Pydantic AI's own for tests, which calls every tool once and needs no network: put one of yours there. A
booking is made once, also if the process is killed within it; looking something up may happen again.
"""

import sys
import uuid

from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

from greenroom import HostedChat, Supervisor
from greenroom.platforms.agents.framework import current_turn
from greenroom.platforms.agents.pydantic_ai import as_agent

clerk = Agent(TestModel(), instructions="You book tables.")


@clerk.tool_plain
async def find_table() -> str:
    """Find a free table."""
    await current_turn().progress("looking for a table")
    return "table 7"


@clerk.tool_plain
def book_table() -> str:
    """Book it."""
    return "booked"


def main(database: str) -> None:
    with Supervisor(database, agent=as_agent(clerk, policies={"find_table": "pure"})) as room:
        room.attach(HostedChat("bookings", "me"))
        for line in sys.stdin:
            receipt = room.accept(chat="bookings:me:1", id=uuid.uuid4().hex, text=line.strip())
            print(room.answer(receipt), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "bot.db")
