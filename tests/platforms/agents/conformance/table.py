"""Writes the table agent x property into docs/agents.md: `python -m tests.platforms.agents.conformance.table`."""

from __future__ import annotations

from tests.platforms.ability_table import Printed, lay_out
from tests.platforms.agents.conformance.counterpart import Property
from tests.platforms.agents.conformance.registry import ENTRIES
from tests.tidy.source import ROOT

PRINTED = Printed(ROOT / "docs" / "agents.md", "tests.platforms.agents.conformance.table")


def page() -> str:
    """Lay out the table as it is true now."""
    lacks = {name: entry.lacks for name, entry in ENTRIES.items()}
    return lay_out(Property, lacks, first_rows=(), title="What an agent does not have:")


if __name__ == "__main__":
    PRINTED.write(page())
