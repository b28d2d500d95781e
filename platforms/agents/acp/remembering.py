"""Which of the agent's sessions is a chat's: a small file for each chat, so that a restart need not begin anew."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from greenroom.actors.model import Message, SessionKey
from greenroom.platforms.chats.keepsake import Keepsake

WITHOUT = "the agent begins a new session, and is told what was said before"


class Kept(Struct, frozen=True):
    """A session of the agent's, and what of the log it has been told.

    A chat that begins anew has a log of its own, in which that row is not: so the key of the row says whose it is.
    """

    acp_id: str
    row_key: str  # the user's last message that it was given, answered or not
    told_upto: int  # the row up to which its prompts were answered: what stands after it may not have been told

    def belongs_to(self, rows: Sequence[Message]) -> bool:
        """Whether this is the session of the conversation that has these rows."""
        return any(row.key == self.row_key for row in rows)


def keepsake(folder: Path, session: SessionKey) -> Keepsake[Kept]:
    """The file of a chat; its folder is made if need be. Raises OSError."""
    place = folder / "sessions"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = hashlib.sha256(str(session).encode()).hexdigest()[:40]
    return Keepsake(place / f"{name}.json", Kept, without=WITHOUT)
