"""The wall around the host's callbacks: whatever they raise ends with them, and is logged."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("greenroom.supervisor")


def walled(name: str, call: Callable[P, T], otherwise: T) -> Callable[P, T]:
    """Wrap a callback of the host; when it raises (even SystemExit), that is logged and `otherwise` is its answer.

    Only a Ctrl-C goes on, which comes on the host's main thread: none of ours runs there.
    """

    @wraps(call, updated=())
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except BaseException as error:  # Invariant: no mistake of the host's takes an actor of ours down.
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            logger.exception("the host's %s raised; greenroom goes on", name)
            return otherwise

    return inside
