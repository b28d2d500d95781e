"""What `show` and `explain` print about one session."""

from collections.abc import Sequence
from dataclasses import fields

from greenroom.actors.model import Seq
from greenroom.actors.process import show_command
from greenroom.actors.why import ADVICE
from greenroom.storage.session_view import (
    DecisionRow,
    DeliveryRow,
    ProcessRow,
    QuestionRow,
    RunRow,
    SessionView,
    ToolRow,
    read_decisions,
    read_session_view,
)
from greenroom.storage.views import SessionRow, read_session
from greenroom.supervisor.cli.outcome import CommandFailed
from greenroom.supervisor.cli.pages import Views
from greenroom.supervisor.cli.paper import clean, print_json, print_table, say_age, say_time, shorten
from greenroom.supervisor.cli.session_words import (
    say_answer,
    say_called,
    say_ending,
    say_input,
    say_length,
    say_process,
    say_result,
    say_rule,
    say_speaker,
)
from greenroom.supervisor.decisions import ROW_NUMBERS

CELL_MAX = 60


def print_session(views: Views, name: str, *, last: int, before: int | None, as_json: bool) -> None:
    """Print a session and the last rows of all that belongs to it."""
    start = None if before is None else Seq(before)
    page = read_session_view(views.db, views.find(name), live=views.live, last=last, before=start)
    if page is None:
        raise CommandFailed(f"session {name!r} was just removed")
    if as_json:
        print_json(page)
        return
    _print_head(page)
    _print_transcript(page)
    _print_rest(page)


def _print_head(page: SessionView) -> None:
    row = page.session
    reason = f" ({row.reason})" if row.reason else ""
    print(clean(f"session {row.id}  {row.key}  {row.state.value}{reason}"))
    print(f"  made {say_time(row.created_at)}, last moved {say_age(row.last_at)}, generation {row.generation}")
    if row.waiting:
        print(f"  waiting: {row.waiting} not yet handed to a run")


def _print_transcript(page: SessionView) -> None:
    shown, total = len(page.messages), page.session.messages
    print(f"\ntranscript ({shown} of {total})" if shown != total else f"\ntranscript ({total})")
    for message in page.messages:
        print(f"  {message.seq:>4}  {say_time(message.at)}  {clean(say_speaker(message))}")
        for line in clean(message.text).splitlines() or [""]:
            print(f"        {line}")
        for call in message.tool_calls:
            print(clean(f"        -> {call.name}({call.args}) [{call.policy.value}]"))


def _print_rest(page: SessionView) -> None:
    run_headings = ("RUN", "BOOT", "CAUSE", "ATTEMPT", "OPENED", "TOOK", "ENDING")
    _print_part("runs", run_headings, [_run_cells(run) for run in page.runs])
    tool_headings = ("RUN", "TOOL", "ARGUMENTS", "POLICY", "CALLED", "RESULT")
    _print_part("tool calls", tool_headings, [_tool_cells(tool) for tool in page.tools])
    question_headings = ("RUN", "AT", "ASKED", "ANSWER")
    _print_part("questions", question_headings, [_question_cells(each) for each in page.questions])
    process_headings = ("RUN", "PROCESS", "COMMAND", "STATE", "STARTED", "TOOK", "LAST WORDS")
    _print_part("background processes", process_headings, [_process_cells(each) for each in page.processes])
    delivery_headings = ("RUN", "KIND", "STATE", "FAILED", "AT", "TEXT")
    _print_part("deliveries", delivery_headings, [_delivery_cells(each) for each in page.deliveries])


def _print_part(title: str, headings: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    if rows:
        print(f"\n{title}")
        print_table(headings, rows)


def _question_cells(each: QuestionRow) -> tuple[object, ...]:
    answer = shorten(say_answer(each), CELL_MAX)
    return (each.generation, say_time(each.asked_at), shorten(each.prompt, CELL_MAX), answer)


def _process_cells(each: ProcessRow) -> tuple[object, ...]:
    took = say_length(each.started_at, each.ended_at)
    command, words = shorten(show_command(each.command), CELL_MAX), each.output.strip().rpartition("\n")[2]
    return (
        each.generation,
        each.process,
        command,
        say_process(each),
        say_time(each.started_at),
        took,
        shorten(words, CELL_MAX),
    )


def _run_cells(run: RunRow) -> tuple[object, ...]:
    took = say_length(run.opened_at, run.closed_at)
    return (run.generation, run.epoch, run.cause, run.attempt, say_time(run.opened_at), took, say_ending(run))


def _tool_cells(tool: ToolRow) -> tuple[object, ...]:
    args, result = shorten(tool.args, CELL_MAX), shorten(say_result(tool), CELL_MAX)
    return (tool.generation, tool.name, args, tool.policy, say_called(tool), result)


def _delivery_cells(each: DeliveryRow) -> tuple[object, ...]:
    text = "(not written yet)" if each.text is None else shorten(each.text, CELL_MAX)
    state = each.state if each.error is None else f"{each.state}: {shorten(each.error, CELL_MAX)}"
    return (each.generation, each.kind, state, each.attempts, say_time(each.delivered_at or each.created_at), text)


def print_decisions(views: Views, name: str, *, last: int, as_json: bool) -> None:
    """Print why a session was resumed, or was not: each decision's rule and all that it was decided from."""
    session_id = views.find(name)
    session, decisions = (
        read_session(views.db, session_id, live=views.live),
        read_decisions(views.db, session_id, last=last),
    )
    if as_json:
        _print_explained(session, decisions)
        return
    if session is not None:
        print(clean(f"session {session.id}  {session.key}  {session.state.value}"))
    if not decisions:
        print("  no resume decision was ever needed: no run of this session was interrupted")
    for each in decisions:
        _print_decision(each)


def _print_explained(session: SessionRow | None, decisions: Sequence[DecisionRow]) -> None:
    from greenroom.supervisor.cli.printed import Explained, ExplainedDecision  # noqa: PLC0415 - only programs need them

    explained = []
    for each in decisions:
        found = {field.name: getattr(each, field.name) for field in fields(each)}
        explained.append(ExplainedDecision(**found, row=ROW_NUMBERS.get(each.rule), advice=ADVICE.get(each.rule)))
    print_json(Explained(session, tuple(explained)))


def _print_decision(each: DecisionRow) -> None:
    print(f"\n{say_time(each.at)}  boot {each.epoch}, run {each.generation}")
    print(clean(f"  {say_rule(each)}"))
    if advice := ADVICE.get(each.rule):
        print(f"  {advice}")
    for key, value in each.inputs.items():
        print(clean(f"    {key:<14} {say_input(key, value)}"))
