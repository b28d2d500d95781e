"""The smallest host: no loop, no platform. Type a line, read the answer; Ctrl-D ends it, and the next start goes on."""

import sys
from collections.abc import Sequence
from uuid import uuid4

from greenroom import HostedChat, Message, Supervisor


def agent(messages: Sequence[Message]) -> str:
    """Answer the last message. A plain function runs in a thread of its own, so it may block."""
    return f"You said {messages[-1].text!r}; I remember {len(messages)} messages."


with Supervisor(sys.argv[1] if len(sys.argv) > 1 else "blocking_bot.db", agent=agent) as room:
    room.attach(HostedChat("stdin", "me"))  # We carry this chat ourselves: what a kill interrupted goes on by itself.
    for line in sys.stdin:
        receipt = room.accept(chat="stdin:me:1", id=uuid4().hex, text=line.strip())  # Returns when it is on disk.
        print(room.answer(receipt), flush=True)
