"""A draft of a state to which nothing was done is that state."""

from typing import Any

from msgspec.structs import fields

from greenroom.actors.acts import Effects
from greenroom.actors.draft import Draft
from greenroom.actors.state import Session


def test_every_field_of_a_session_survives_a_draft_in_its_own_place() -> None:
    told_apart: dict[str, Any] = {field.name: f"the {field.name}" for field in fields(Session)}
    session = Session(**told_apart)
    assert Draft(session, 0.0).result() == (session, Effects())
