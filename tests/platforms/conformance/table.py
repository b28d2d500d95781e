"""Writes the table platform x ability into docs/platforms.md: `python -m tests.platforms.conformance.table`.

A tick stands for a test of the suite that runs against that platform: the table is true when the suite is green.
"""

from __future__ import annotations

from tests.platforms.conformance.counterpart import Ability
from tests.platforms.conformance.registry import ENTRIES
from tests.tidy.source import ROOT

BEGIN = "<!-- printed by `python -m tests.platforms.conformance.table`; a test fails when it is not current -->"
END = "<!-- the end of what is printed -->"
PAGE = ROOT / "docs" / "platforms.md"


def page() -> str:
    """Lay out the table, and below it what each platform lacks, and why."""
    head = "| | " + " | ".join(ENTRIES) + " |\n|---|" + ":-:|" * len(ENTRIES)
    rows = [f"| {each.value} | " + " | ".join(_cell(name, each) for name in ENTRIES) + " |" for each in Ability]
    kinds = " | ".join(f"`{entry.delivery.name.lower()}`" for entry in ENTRIES.values())
    lacks = [f"- {name}: {'; '.join(_reasons(name))}" for name, entry in ENTRIES.items() if entry.lacks]
    return "\n".join([head, f"| delivery class | {kinds} |", *rows, "", "What a platform does not have:", "", *lacks])


def _cell(name: str, ability: Ability) -> str:
    return "✓" if ENTRIES[name].has(ability) else "-"


def _reasons(name: str) -> list[str]:
    lacks = ENTRIES[name].lacks
    by_reason = {why: [each.name.lower() for each in Ability if lacks.get(each) == why] for why in lacks.values()}
    return [f"{', '.join(abilities)} ({why})" for why, abilities in by_reason.items()]


def shown_table() -> str:
    """Read what stands in the docs now."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip()


def write() -> None:
    """Bring the docs up to date."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{page()}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    write()
