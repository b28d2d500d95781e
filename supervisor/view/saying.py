"""The words of the pages: times, ages and sizes as people say them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

WORDS: Mapping[str, Callable[..., str]] = {}
"""The filters of the templates."""
