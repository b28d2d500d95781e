"""An operator has a chat forgotten, in a world that goes on."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from greenroom.supervisor.erasing import Forgot
from greenroom.supervisor.sandbox.happening import PROCESS

if TYPE_CHECKING:
    from greenroom.actors.model import SessionId
    from greenroom.supervisor.sandbox.world import World


def forget(world: World, session_id: SessionId, *, whole_chat: bool = True) -> None:
    """Order it of the process that lives."""
    if world.erasing is not None:
        world.fault("operator: has a chat forgotten", f"session {session_id}")
        world.erasing.forget(session_id, partial(_hear, world), whole_chat=whole_chat)


def _hear(world: World, answer: Forgot | Exception) -> None:
    if isinstance(answer, Forgot):
        world.note(PROCESS, f"has forgotten sessions {answer.ids} of {answer.kin.key}")
        world.mail.forgotten |= dict.fromkeys(answer.ids, world.now)
