"""Writes the table platform x ability into docs/platforms.md: `python -m tests.platforms.conformance.table`."""

from __future__ import annotations

from tests.platforms.ability_table import Printed, lay_out
from tests.platforms.conformance.counterpart import Ability
from tests.platforms.conformance.registry import ENTRIES
from tests.tidy.source import ROOT

PRINTED = Printed(ROOT / "docs" / "platforms.md", "tests.platforms.conformance.table")


def page() -> str:
    """Lay out the table as it is true now."""
    kinds = " | ".join(f"`{entry.delivery.name.lower()}`" for entry in ENTRIES.values())
    return lay_out(
        Ability,
        {name: entry.lacks for name, entry in ENTRIES.items()},
        first_rows=[f"| delivery class | {kinds} |"],
        title="What a platform does not have:",
    )


if __name__ == "__main__":
    PRINTED.write(page())
