"""A bar on stderr for what takes long; silent where nobody watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int, str], None]
"""Told how much is done, of how much (0: nobody knows), and what is to be said of it."""


@contextmanager
def watched() -> Iterator[Advance]:
    """Show a bar while it lasts."""
    if not sys.stderr.isatty():
        yield lambda _done, _whole, _what: None
        return
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, whole, what: bar.update(task, completed=done, total=whole or None, description=what)
