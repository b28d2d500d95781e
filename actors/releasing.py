"""How a session that was set aside is given back. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.draft import Draft
from greenroom.actors.state import Interrupted


def release(draft: Draft) -> None:
    """Forget what counted against it, as the disk does. Begin nothing: what is open is about to be decided."""
    draft.quarantined = draft.suspended = False
    if isinstance(draft.phase, Interrupted):
        draft.move(replace(draft.phase, run=replace(draft.phase.run, attempt=0)))
