"""How the parts of a session are told, to people at a terminal and in a browser alike. Pure."""

from greenroom.actors.model import Message
from greenroom.storage.session_view import DecisionRow, ProcessRow, QuestionRow, RunRow, ToolRow
from greenroom.supervisor.cli.paper import say_duration, say_time
from greenroom.supervisor.decisions import ROW_NUMBERS


def say_speaker(message: Message) -> str:
    """Who a row of a transcript is of, in which run, and what it answers."""
    kind = "" if message.kind == "text" else f" {message.kind.value.replace('_', ' ')}"
    author = f" {message.author}" if message.author else ""
    upto = "" if message.answers_upto is None else f", answers up to {message.answers_upto}"
    return f"{message.role.value}{kind}{author}  (run {message.generation}{upto})"


def say_ending(run: RunRow) -> str:
    """How a run ended, or what became of it until now."""
    ending = run.ending or ("open" if run.open else "-")
    if run.interrupted_by:
        ending += f" (interrupted: {run.interrupted_by})"
    if run.failed_by:
        ending += f" ({run.failed_by.replace('_', ' ')})"
    return ending


def say_answer(question: QuestionRow) -> str:
    """What a question was answered, or why it was not."""
    waits = "(open)" if question.lapsed is None else f"({question.lapsed.value.replace('_', ' ')})"
    return waits if question.answer is None else question.answer


def say_result(tool: ToolRow) -> str:
    """What a tool answered."""
    if tool.result is None:
        return "(not known)"
    return ("failed: " if tool.failed else "") + tool.result


def say_called(tool: ToolRow) -> str:
    """How often a tool was called."""
    return "once" if tool.attempts == 1 else f"{tool.attempts} times"


def say_process(process: ProcessRow) -> str:
    """How a background process stands."""
    return process.state.value if process.exit_code is None else f"{process.state.value}, exit code {process.exit_code}"


def say_length(start: float, end: float | None) -> str:
    """How long something took, or that it goes on."""
    return "still open" if end is None else say_duration(end - start)


def say_rule(decision: DecisionRow) -> str:
    """What was decided, by which row of the table."""
    row = ROW_NUMBERS.get(decision.rule)
    return f"{decision.outcome}: {'' if row is None else f'row {row}, '}{decision.rule}"


def say_input(key: str, value: object) -> str:
    """What something was that a decision was made from."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {say_input(name, part)}" for name, part in value.items() if part is not None)
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, int | float) and not isinstance(value, bool) and (key.endswith("at") or key == "now"):
        return say_time(value)
    if isinstance(value, float):
        return f"{value:.1f}"
    return "-" if value is None else str(value)
