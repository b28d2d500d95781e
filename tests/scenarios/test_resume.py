"""Whether interrupted work goes on by itself: S001 to S013, S031 to S033, S046, S047."""

import json

import pytest
from tests.scenarios.stage import HOUR_S, causes, interrupt, listened, rules, said

from greenroom.actors.model import Message, Role, Seq, TailKind, ToolCall, ToolPolicy
from greenroom.actors.ports import Conclusion, QuestionTimedOutError, Turn
from greenroom.actors.simulation import WALL
from greenroom.actors.tail import classify_tail
from greenroom.actors.times import read_time
from greenroom.supervisor.sandbox.scenario import DeliveryClass, Intent, Policy, Scenario, SessionKey

TRUSTING = Policy(unclean_boots_max=1000, attempts_max=1000)
"""Neither safe mode nor attempts end the story."""


def test_s001_a_run_that_a_restart_cut_off_goes_on_by_one_resume_without_words_of_the_user() -> None:
    """S001. The internal turn is a typed recovery note, never a user row; the agent is given the unanswered words."""
    room, agent = listened(policy=Policy(drain_s=1.0))
    with room:
        room.says("m1 doze answer")
        room.advance(1)
        room.drain(Intent.RESTART)
        assert room.runs()[-1].interrupted_by == "restart_timeout"
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert causes(room) == ["inbound", "resume"]
        assert said(room) == ["m1 doze answer"]
        assert [row.kind for row in room.transcript()].count("recovery_note") == 1
        assert "restarted before you had finished" in (agent.heard[-1].note or "")
        assert room.broken() == []


def test_s002_a_run_that_a_crash_cut_off_goes_on_too() -> None:
    """S002."""
    with Scenario() as room:
        interrupt(room)
        room.boot()
        room.rest()
        decision = room.of_session("decisions")[-1]
        assert decision.rule == "RESUME"
        assert json.loads(decision.inputs)["reason"] == "restart_interrupted"
        assert room.visible() == ["answer <m1>"]


def test_s003_what_is_older_than_the_window_is_not_resumed_and_the_person_is_told_once() -> None:
    """S003. The design closes the run as expired, with one line, where others keep a marker."""
    room, agent = listened()
    with room:
        interrupt(room)
        room.stays_down(2 * HOUR_S)
        for _ in range(2):
            room.boot()
            room.rest()
            assert len(agent.heard) == 1
            assert [row.ending for row in room.runs()] == ["expired"]
            (line,) = room.visible()
            assert "was interrupted; /retry runs it again" in line
            room.crash()
        assert rules(room) == ["STALE"]
        room.boot()
        room.says("/retry")
        room.rest()
        assert room.visible()[-1] == "answer <m1>"
        assert room.broken() == []


def test_s003_who_has_written_since_is_not_told_of_an_order_that_would_run_the_newer_request() -> None:
    """S003. Neighbour: the last request is the one that waited behind it."""
    with Scenario() as room:
        room.says("m1 nap answer")
        room.advance(0.5)
        room.says("m2 answer")
        room.advance(0.5)
        room.crash()
        room.stays_down(2 * HOUR_S)
        room.boot()
        room.rest()
        line, answer = room.visible()
        assert "was interrupted; send it again" in line
        assert answer.endswith("answer <m2>")


@pytest.mark.parametrize(
    "given, rule",
    [("UPDATE sessions SET suspended_at = 1", "SUSPENDED"), ("DELETE FROM routes", "NO_ROUTE")],
)
def test_s004_suspended_and_originless_sessions_are_skipped(given: str, rule: str) -> None:
    """S004."""
    room, agent = listened()
    with room:
        interrupt(room)
        room.given(given)
        room.boot()
        room.rest()
        assert rules(room) == [rule]
        assert len(agent.heard) == 1


def test_s005_an_unknown_reason_is_kept_for_the_users_message() -> None:
    """S005."""
    with Scenario() as room:
        interrupt(room)
        room.given("UPDATE runs SET interrupted_by = 'comet'")
        room.boot()
        room.rest()
        assert rules(room) == ["REASON_NOT_ALLOWED"]
        assert room.runs()[-1].open
        room.says("m2 answer")
        room.rest()
        assert room.visible() == ["answer <m1> <m2>"]
        assert room.broken() == []


def test_s006_a_marker_over_an_answered_transcript_starts_nothing_and_is_cleared() -> None:
    """S006. Answer and close are one transaction here; the marker is forged, as another version might leave it."""
    room, agent = listened()
    with room:
        room.says("m1 answer")
        room.rest()
        room.crash()
        room.given(
            "UPDATE runs SET open = 1, ending = NULL, closed_at = NULL, interrupted_by = 'restart_timeout',"
            " tail_kind = 'FINAL', tail_seq = 2, answered_upto = 1, tail_at = ?, last_progress_at = ?",
            room.world.wall,
            room.world.wall,
        )
        room.boot()
        room.rest()
        assert rules(room) == ["ANSWERED"]
        assert not room.runs()[-1].open
        assert len(agent.heard) == 1
        assert room.visible() == ["answer <m1>"]


def test_s007_repeated_restarts_do_not_keep_old_work_fresh() -> None:
    """S007. Each boot resumes a run that shows no progress; the third finds the work older than an hour."""
    with Scenario(policy=TRUSTING) as room:
        interrupt(room, "m1 hang")
        for _ in range(3):
            room.stays_down(0.4 * HOUR_S)
            room.boot()
            room.advance(60)
            room.crash()
        room.stays_down(10)
        room.boot()
        room.rest()
        assert rules(room) == ["RESUME", "RESUME", "STALE"]
        assert not room.runs()[-1].open


def test_s008_age_is_read_from_the_rows_when_the_marker_has_no_time() -> None:
    """S008."""
    with Scenario() as room:
        interrupt(room)
        room.given("UPDATE runs SET last_progress_at = 0, opened_at = 0")
        room.stays_down(2 * HOUR_S)
        room.boot()
        room.rest()
        assert rules(room) == ["STALE"]


def test_s009_nothing_but_our_own_note_since_a_failed_resume_starts_nothing() -> None:
    """S009."""
    room, agent = listened(policy=TRUSTING)
    with room:
        interrupt(room, "m1 hang")
        room.boot()
        room.advance(60)
        room.crash()
        assert room.transcript()[-1].kind == "recovery_note"
        room.given("UPDATE runs SET ending = 'empty' WHERE open = 1")
        room.boot()
        room.rest()
        assert rules(room) == ["RESUME", "ALREADY_TRIED"]
        assert len(agent.heard) == 2
        assert not room.runs()[-1].open
        assert len(room.visible()) == 1


def ask_and_time_out(room: Scenario) -> None:
    """Leave behind a question, and a tool row that says that nobody answered it."""
    interrupt(room, "m1 question answer")
    (question,) = room.of_session("questions")
    room.given(
        "INSERT INTO messages (session_id, seq, epoch, generation, key, role, kind, text, at, tool_key)"
        " SELECT session_id, seq + 1, epoch, generation, 'timed-out', 'tool', 'text',"
        " 'The user did not respond within the time limit.', at, ? FROM messages ORDER BY seq DESC LIMIT 1",
        question.key,
    )
    room.given("UPDATE runs SET tail_seq = tail_seq + 1")


def test_s010_a_question_that_nobody_answered_waits_for_its_user() -> None:
    """S010. A question that timed out is a user-wait boundary; it stays open, where others clear a marker."""
    room, agent = listened()
    with room:
        ask_and_time_out(room)
        room.boot()
        room.rest()
        assert rules(room) == ["AWAITING_USER"]
        assert len(agent.heard) == 1


def test_s011_the_users_next_message_is_handled_without_a_note_about_tools() -> None:
    """S011. The design takes it as the answer to the open question."""
    room, agent = listened()
    with room:
        ask_and_time_out(room)
        room.boot()
        room.says("m2 something else")
        room.rest()
        assert agent.heard[-1].note is None
        assert causes(room)[-1] == "answered_question"
        assert room.visible()[-1] == "answer <m1> <m2>"


def test_s011_what_is_said_after_a_time_out_is_a_message_and_no_answer() -> None:
    """S011. Neighbour: the question had a time-out, and it passed while nothing ran."""
    heard: list[tuple[str, str | None]] = []

    async def agent(turn: Turn) -> str:
        heard.append((turn.text, turn.recovery_note))
        try:
            return f"answered {await turn.ask_user('Which?', timeout_s=60)}"
        except QuestionTimedOutError:
            return f"unanswered: {turn.text}"

    with Scenario(agent) as room:
        room.says("m1 paint")
        room.advance(5)
        room.crash()
        room.stays_down(120)
        room.boot()
        room.rest()
        assert (rules(room), len(heard)) == (["AWAITING_USER"], 1)
        room.says("m2 something else")
        room.rest()
        assert "timed out" in (heard[-1][1] or "")
        assert causes(room)[-1] == "inbound"
        assert room.visible() == ["Which?", "unanswered: m1 paint\nm2 something else"]


@pytest.mark.parametrize("finish", ["stop", "end_turn", "tool_calls", None])
def test_s012_tool_calls_are_never_a_conclusion_whatever_the_finish_says(finish: str | None) -> None:
    """S012."""
    call = ToolCall("k", "lookup", "{}", ToolPolicy.PURE)
    row = _row(Role.ASSISTANT, "I will look that up.", finish=finish, tool_calls=(call,))
    assert classify_tail([_row(Role.USER, "?"), row]).kind is TailKind.TOOL_CALLS
    with Scenario() as room:
        interrupt(room, "m1 pure answer", after_s=0.2)
        room.given("UPDATE messages SET finish = ?, text = 'I will.' WHERE tool_calls IS NOT NULL", finish)
        room.boot()
        room.rest()
        assert rules(room) == ["RESUME"]
        assert room.visible() == ["answer <m1>"]


@pytest.mark.parametrize(
    "text, finish", [("Half a sen", None), ("Half a sen", "length"), ("", "stop"), (" \n", "stop")]
)
def test_s013_text_without_a_finish_and_blanks_with_one_are_not_complete(text: str, finish: str | None) -> None:
    """S013. A run that ends so is told to the chat as incomplete; it never counts as an answer."""
    tail = classify_tail([_row(Role.USER, "?"), _row(Role.ASSISTANT, text, finish=finish)])
    assert tail.kind is TailKind.PARTIAL
    assert tail.unanswered

    async def agent(_: Turn) -> Conclusion:
        return Conclusion(text, finish)

    with Scenario(agent) as room:
        room.says("Go on")
        room.rest()
        assert room.runs()[-1].ending == "failed"
        assert room.visible()[0].startswith(text.strip())
        assert room.visible()[0].endswith(")")


def _row(role: Role, text: str, **more: object) -> Message:
    seq = Seq(1 if role is Role.USER else 2)
    return Message(seq, 1, f"k{seq}", role, text, WALL, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fresh_s, tail_at, rule",
    [
        (0.0, WALL, "RESUME"),
        (3600.0, 0.0, "RESUME"),
        (3600.0, WALL * 1000, "STALE"),
        (3600.0, (WALL + 7 * 24 * HOUR_S) * 1000, "RESUME"),
    ],
)
def test_s031_freshness_reads_every_kind_of_time(fresh_s: float, tail_at: float, rule: str) -> None:
    """S031."""
    with Scenario(policy=Policy(fresh_s=fresh_s)) as room:
        interrupt(room)
        room.given("UPDATE runs SET tail_at = ?, last_progress_at = 0, opened_at = 0", tail_at)
        room.stays_down(7 * 24 * HOUR_S)
        room.boot()
        room.rest()
        assert rules(room) == [rule]
    assert read_time("2023-11-14T22:13:20Z", now=WALL + 1) == WALL


def fails(_: SessionKey) -> bool:
    raise RuntimeError("the member list cannot be read")


@pytest.mark.parametrize("policy", [Policy(allow=("p1:bot:chat2",)), Policy(allow=fails)], ids=["removed", "raises"])
def test_s032_a_chat_that_is_not_allowed_any_more_is_not_resumed(policy: Policy) -> None:
    """S032."""
    room, agent = listened()
    with room:
        interrupt(room)
        room.policy = policy
        room.boot()
        room.rest()
        assert rules(room) == ["NOT_ALLOWED"]
        assert len(agent.heard) == 1


def test_s033_what_waits_for_its_platform_is_resumed_when_that_connects_once_and_only_that() -> None:
    """S033."""
    platforms = [DeliveryClass.EDIT_ANCHOR] * 2
    with Scenario(platforms=platforms) as room:
        other = SessionKey("p2", "bot", "chat1")
        room.says("m1 nap answer")
        room.says("m2 nap answer", other)
        room.advance(1)
        room.crash()
        room.boot(unreachable=[1])
        room.rest()
        assert room.decisions() == ["NOT_CONNECTED"]
        assert rules(room, other) == ["RESUME"]
        assert room.visible(other) == ["answer <m2>"]
        room.connects(1)
        room.rest()
        room.disconnects(1)
        room.connects(1)
        room.rest()
        assert room.decisions() == ["NOT_CONNECTED", "RESUME"]
        assert causes(room) == ["inbound", "resume"]
        assert causes(room, other) == ["inbound", "resume"]
        assert room.visible() == ["answer <m1>"]


def test_s046_the_unfinished_job_itself_goes_on() -> None:
    """S046."""
    with Scenario() as room:
        interrupt(room, "m1 once nap once answer", after_s=2.0)
        room.boot()
        room.rest()
        assert room.effects("once") == 2
        assert room.visible() == ["answer <m1>"]


def test_s047_a_tail_of_tool_results_goes_on_without_a_word_of_the_user() -> None:
    """S047."""
    with Scenario() as room:
        interrupt(room, "m1 once nap answer", after_s=2.0)
        assert room.transcript()[-1].role == "tool"
        room.boot()
        room.rest()
        assert room.visible() == ["answer <m1>"]
        assert room.effects("once") == 1
        assert said(room) == ["m1 once nap answer"]
