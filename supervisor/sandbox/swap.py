"""Replacing a function for a while, from outside: production code knows nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Swap:
    """Replace what `owner` has under `name` by what `make` builds from it. An owner is a module, a class or a dict."""

    owner: Any
    name: Any
    make: Callable[[Any], Any]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Replace it for a while."""
        items = self.owner if isinstance(self.owner, dict) else vars(self.owner)
        whole = items[self.name]
        self._put(self.make(whole))
        try:
            yield
        finally:
            self._put(whole)

    def _put(self, value: Any) -> None:
        if isinstance(self.owner, dict):
            self.owner[self.name] = value
        else:
            setattr(self.owner, self.name, value)
