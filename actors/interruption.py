"""Why a run is not running. Pure: one answer for whoever decides about it, goes on with it, or tells of it."""

from __future__ import annotations

from greenroom.actors.model import Epoch, InterruptReason, OpenRun


def read_reason(run: OpenRun | None, epoch: Epoch, *, fell: bool = False) -> InterruptReason | str:
    """Say why a run is not running: by its mark, else by whether it belongs to an earlier life of the process.

    `epoch` is the one that lives. In one life many may follow each other: `fell` says that no process died since the
    run was opened. A mark that this version does not know stays as it is; no policy allows it.
    """
    if run is not None and run.interrupted_by is not None:
        return run.interrupted_by
    same_life = run is not None and (run.epoch >= epoch or fell)
    return InterruptReason.ACTOR_CRASHED if same_life else InterruptReason.RESTART_INTERRUPTED
