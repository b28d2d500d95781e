"""How long bookkeeping is kept, and conversations that are over. Transcripts of those that live are kept for ever."""

from __future__ import annotations

from msgspec import Struct

DAY_S = 86_400.0


class Retention(Struct, frozen=True):
    """Ages in seconds after which rows are forgotten; 0: never."""

    decisions_s: float = 0.0  # resume decisions of sessions in which nothing is open
    boots_s: float = 0.0  # lives of the process, unless a run of theirs is open
    inbox_s: float = 0.0  # inbound that was handed to a run: so long is an update that comes again known
    deliveries_s: float = 0.0  # what was delivered, in sessions in which nothing is open
    questions_s: float = 0.0  # questions that are over, the same
    processes_s: float = 0.0  # background processes that are over and have nothing to tell, the same
    sessions_s: float = 0.0  # sessions that another one has followed in their chat, with all that belongs to them


KEEP_ALL = Retention()
