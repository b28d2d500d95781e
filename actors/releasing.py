"""How a session that was set aside is given back, in the order of all else that becomes of it. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from greenroom.actors.acts import ReportReleased
from greenroom.actors.draft import Draft
from greenroom.actors.facts import SessionReleased
from greenroom.actors.state import Interrupted


def release(draft: Draft) -> None:
    """Forget what counted against it. Begin nothing: what is open is decided when that is on disk."""
    interrupted = draft.phase.run.generation if isinstance(draft.phase, Interrupted) else None
    draft.write(SessionReleased(draft.id, draft.now))
    draft.do(ReportReleased(interrupted))
    draft.quarantined = draft.suspended = False
    if isinstance(draft.phase, Interrupted):
        draft.move(replace(draft.phase, run=replace(draft.phase.run, attempt=0)))
