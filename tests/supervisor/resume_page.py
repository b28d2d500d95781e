"""Prints docs/resume.md from the table itself: `python -m tests.supervisor.resume_page > docs/resume.md`."""

from __future__ import annotations

import sys

from greenroom.actors.why import ADVICE
from greenroom.supervisor.decisions import RESTARTS_EXHAUSTED
from greenroom.supervisor.resume import TABLE
from greenroom.supervisor.view.saying import say_decided

HEAD = """# Why a session was resumed, or was not

This page is printed from the table by `tests/supervisor/resume_page.py`, and a test fails when it is not current.

When a run was interrupted, by a crash of its actor, a restart or a lost machine, the rows below are asked from the top, and the first
that fits decides. What `greenroom explain` and the live view call "row 10, STALE" is a line of this table. The row and all that it was
asked about are stored with the decision: the tail of the transcript, the run and its attempt, why it was interrupted, its age, whether
the chat may write and its platform is connected, and the policy's limits at that time: the decision can be made again from what is
stored with it, and the simulator does so for each. The limits are `fresh_s` (row 10), `attempts_max` (row 11),
`unclean_boots_max` within `unclean_window_s` (row 12), `auto_resume` (row 9), `allow` (row 13).

| row | rule | what it says | what you can do |
|---|---|---|---|
"""

BESIDE = """
Beside the table stands one rule, `{rule}`: {what}
(`restarts_max` within `restarts_window_s`, without any progress in between). The session is set aside, whatever its
transcript says. What you can do: {advice}.
"""


def page() -> str:
    """The page as it should be."""
    rows = ""
    for row in TABLE:
        advice = ADVICE[row.rule]
        rows += f"| {row.number} | `{row.rule}` | {say_decided(row.rule).removesuffix(f'; {advice}')} | {advice} |\n"
    advice = ADVICE[RESTARTS_EXHAUSTED]
    what = say_decided(RESTARTS_EXHAUSTED).removesuffix(f"; {advice}")
    return HEAD + rows + BESIDE.format(rule=RESTARTS_EXHAUSTED, what=what, advice=advice)


if __name__ == "__main__":
    sys.stdout.write(page())
