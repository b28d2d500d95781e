from typing import get_args

from tests.actors.session_table import EVENTS, PHASES, page
from tests.tidy.source import ROOT

from greenroom.actors.events import Event
from greenroom.actors.state import Phase


def test_the_page_says_what_step_does() -> None:
    hint = "run `python -m tests.actors.session_table > docs/session.md`"
    assert (ROOT / "docs" / "session.md").read_text(encoding="utf-8") == page(), hint


def test_the_page_leaves_out_no_event_and_no_phase() -> None:
    assert {type(event) for event in EVENTS.values()} == set(get_args(Event))
    assert {type(session.phase) for session in PHASES.values()} == set(get_args(Phase))
