"""A table of what is proved of each entry of a suite, printed into a page of the docs between two marks.

A tick stands for a test that runs against that entry: the table is true when the suite is green.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import pytest

END = "<!-- the end of what is printed -->"
A = TypeVar("A", bound=StrEnum)
A_contra = TypeVar("A_contra", bound=StrEnum, contravariant=True)
Test = TypeVar("Test", bound=Callable[..., Any])


class Entry(Protocol[A_contra]):
    """What a suite runs against."""

    def has(self, ability: A_contra, /) -> bool:
        """Whether the suite proves it."""
        ...


class Shows(Generic[A]):
    """Used as `@shows(ability)`: runs a test against each entry that has it, and makes no case for the others."""

    def __init__(self, entries: Mapping[str, Entry[A]]) -> None:
        self.proved: set[A] = set()
        self._entries = entries

    def __call__(self, ability: A) -> Callable[[Test], Test]:
        self.proved.add(ability)
        having = {name: entry for name, entry in self._entries.items() if entry.has(ability)}
        assert having, f"no entry shows that {ability.value}"
        return pytest.mark.parametrize("entry", having.values(), ids=having)


@dataclass(frozen=True, slots=True)
class Printed:
    """Where a table stands, and the module that prints it there."""

    page: Path
    module: str

    @property
    def hint(self) -> str:
        """What to do when it is not current."""
        return f"run `python -m {self.module}`"

    def shown(self) -> str:
        """Read what stands in the docs now."""
        return self.page.read_text(encoding="utf-8").partition(self._begin)[2].partition(END)[0].strip()

    def write(self, table: str) -> None:
        """Bring the docs up to date."""
        before, _, rest = self.page.read_text(encoding="utf-8").partition(self._begin)
        self.page.write_text(f"{before}{self._begin}\n\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")

    @property
    def _begin(self) -> str:
        return f"<!-- printed by `python -m {self.module}`; a test fails when it is not current -->"


def lay_out(abilities: type[A], lacks: Mapping[str, Mapping[A, str]], *, first_rows: Sequence[str], title: str) -> str:
    """Lay out the table, and below it, under a title, what each entry lacks, and why."""
    head = "| | " + " | ".join(lacks) + " |\n|---|" + ":-:|" * len(lacks)
    rows = [f"| {each.value} | " + " | ".join(_cell(lacks[name], each) for name in lacks) + " |" for each in abilities]
    reasons = [f"- {name}: {'; '.join(_reasons(abilities, lacks[name]))}" for name in lacks if lacks[name]]
    return "\n".join([head, *first_rows, *rows, "", title, "", *reasons])


def _cell(lacks: Mapping[A, str], ability: A) -> str:
    return "-" if ability in lacks else "✓"


def _reasons(abilities: type[A], lacks: Mapping[A, str]) -> list[str]:
    by_reason = {why: [each.name.lower() for each in abilities if lacks.get(each) == why] for why in lacks.values()}
    return [f"{', '.join(names)} ({why})" for why, names in by_reason.items()]
