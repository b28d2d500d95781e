from greenroom.actors.events import Alarm
from greenroom.actors.session_actor import IDLE, RETRY
from greenroom.actors.why import ADVICE, RULES
from greenroom.storage.views import SessionState
from greenroom.supervisor.resume import TABLE
from greenroom.supervisor.view.saying import STATES, TIMERS, say_chat, say_decided, say_given, say_iso, say_plain


def test_every_state_and_every_rule_of_the_resume_table_has_words() -> None:
    assert set(STATES) == set(SessionState)
    assert {row.rule for row in TABLE} < set(RULES) == set(ADVICE)
    for rule, found in RULES.items():
        assert say_decided(rule) == f"{found}; {ADVICE[rule]}"


def test_every_timer_of_a_session_has_words() -> None:
    assert set(TIMERS) == {*Alarm, IDLE, RETRY}


def test_a_rule_of_another_release_is_told_by_its_name() -> None:
    assert say_decided("OF_TOMORROW") == "OF_TOMORROW"


def test_what_a_decision_was_made_from_is_told_as_people_say_it() -> None:
    assert say_given("connected", False) == "no"
    assert say_given("reason", None) == "-"
    assert say_given("tail", {"kind": "USER", "seq": 3}) == "the user waits for an answer (seq 3)"
    assert say_given("tail", {"kind": "OF_TOMORROW", "seq": 3}) == "kind OF_TOMORROW, seq 3"


def test_what_cannot_be_seen_is_not_shown() -> None:
    assert say_plain("a\x1b[2J\n\u202eb") == "a [2J b"
    assert say_chat("no key at all") == "no key at all"
    assert say_iso(float("inf")) == ""
