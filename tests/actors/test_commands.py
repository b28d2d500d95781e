"""What counts as an order, and what is meant for the agent."""

import pytest

from greenroom.actors.commands import OPERATORS, USES, Command, Words, read_text
from greenroom.actors.inbound import read_order, stored_inbound
from greenroom.actors.model import Attachment, InboxId
from greenroom.actors.rules import Busy
from greenroom.actors.why import RULES
from greenroom.supervisor.decisions import RESTARTS_EXHAUSTED
from greenroom.supervisor.resume import TABLE


@pytest.mark.parametrize("command", USES)
def test_an_order_is_its_word_behind_a_slash(command: Command) -> None:
    for text in (f"/{command}", f"  /{command}  ", f"/{command.upper()}", f"/{command}@greenroom_bot\n"):
        assert read_text(text) is command


@pytest.mark.parametrize(
    "text",
    ["stop", "/ stop", "/stopp", "//stop", "/stop that now", "see /stop", "/", "", "  ", "/stop/new", "/etc/motd"],
)
def test_what_is_no_order_goes_to_the_agent_as_it_is(text: str) -> None:
    assert read_text(text) == Words(text)


@pytest.mark.parametrize("word, busy", [("queue", Busy.QUEUE), ("steer", Busy.STEER)])
def test_a_text_behind_queue_or_steer_is_a_message_without_the_prefix(word: str, busy: Busy) -> None:
    assert read_text(f" /{word}@bot  two lines\nof it  ") == Words("two lines\nof it", busy)


def test_what_carries_something_is_a_message() -> None:
    photo = Attachment("photos/1", "image/jpeg", 3)
    assert read_order("/stop", (photo,), None) == Words("/stop")
    kept = stored_inbound(InboxId(1), "/queue look", "Ann", 1.0, None, (photo,), None, None, ordered=None)
    assert (kept.text, kept.busy, kept.command, kept.attachments) == ("look", Busy.QUEUE, None, (photo,))


@pytest.mark.parametrize("command", OPERATORS)
def test_what_only_an_operator_may_order_is_no_order_in_a_message(command: Command) -> None:
    assert read_text(f"/{command}") == Words(f"/{command}")
    ordered = stored_inbound(InboxId(1), "/stop", None, 1.0, None, (), None, None, ordered=command)
    assert (ordered.command, ordered.by_operator, ordered.text) == (command, True, "/stop")


def test_a_button_that_was_pressed_is_a_message_whatever_it_says() -> None:
    assert read_order("/stop", (), "1.1.answer") == Words("/stop")


def test_every_order_is_listed_and_every_rule_has_words() -> None:
    assert set(USES) == set(Command) - OPERATORS
    assert {row.rule for row in TABLE} | {RESTARTS_EXHAUSTED} == set(RULES)
