"""How the Agent Client Protocol's words become greenroom's, and greenroom's its."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from acp import (
    plan_entry,
    resource_link_block,
    start_tool_call,
    text_block,
    update_agent_message,
    update_agent_message_text,
    update_agent_thought_text,
    update_plan,
    update_tool_call,
)
from acp.schema import AgentMessageChunk, Cost, PermissionOption, ToolCallLocation, ToolCallUpdate, UsageUpdate
from pydantic import ValidationError

from greenroom.actors.model import Attachment, Generation, Message, MessageKind, Role, Seq
from greenroom.platforms.agents.acp.narrator import REMARK_MAX, THINKING, Narrator, Remark, Said, Spent
from greenroom.platforms.agents.acp.permits import INPUT_MAX, Option, Verdict, judge, pick_allowed, read_permit
from greenroom.platforms.agents.acp.prompts import AGAIN, NOTHING, PAST, PAST_MAX, Occasion, compose
from greenroom.platforms.agents.acp.settings import AcpSettings

say = update_agent_message_text


def heard(*updates: Any) -> list[Any]:
    narrator = Narrator()
    return [deed for update in updates if (deed := narrator.hear(update)) is not None]


def said(*updates: Any) -> str:
    return "".join(deed.text for deed in heard(*updates) if isinstance(deed, Said))


def chunk(text: str, message: str) -> AgentMessageChunk:
    return AgentMessageChunk(session_update="agent_message_chunk", content=text_block(text), message_id=message)


def test_words_are_said_as_they_come() -> None:
    assert said(say("On"), say("e "), say("two")) == "One two"


def test_a_tool_and_another_message_begin_a_paragraph() -> None:
    look = start_tool_call("1", "look")
    assert said(look, say("Look."), look, update_tool_call("1", status="completed"), say("Done")) == "Look.\n\nDone"
    assert said(say("Look."), look, say("\nDone")) == "Look.\nDone"
    assert said(chunk("a", "1"), chunk("b", "1"), chunk("c", "2"), say("d")) == "ab\n\ncd"


def test_after_a_question_words_begin_anew() -> None:
    narrator = Narrator()
    narrator.hear(say("Look."))
    narrator.hear(start_tool_call("1", "look"))
    narrator.pause()
    assert narrator.hear(say("Done")) == Said("Done")


def test_what_is_no_text_is_named() -> None:
    assert said(update_agent_message(resource_link_block("a\nfile", "file:///a"))) == "[a file](file:///a)"


def test_what_it_does_is_remarked_upon() -> None:
    assert heard(
        update_agent_thought_text("hm"),
        start_tool_call("1", "read\n a.txt " + "x" * REMARK_MAX),
        start_tool_call("2", "list"),
        update_tool_call("2", status="completed"),
        update_tool_call("2", status="failed"),
        update_tool_call("3", status="in_progress"),
        update_plan([plan_entry("a", status="completed"), plan_entry("b"), plan_entry("c", status="in_progress")]),
        update_plan([plan_entry("a", status="completed")]),
        UsageUpdate(session_update="usage_update", used=1, size=2, cost=Cost(amount=0.5, currency="USD")),
        UsageUpdate(session_update="usage_update", used=1, size=2),
    ) == [
        Remark(THINKING),
        Remark("read a.txt " + "x" * (REMARK_MAX - 14) + "..."),
        Remark("list"),
        Remark("list: failed"),
        Remark("2 of 3: c"),
        Spent(0.5),
    ]


OPTIONS = [
    PermissionOption(option_id="a", name="Always", kind="allow_always"),
    PermissionOption(option_id="y", name="Allow", kind="allow_once"),
    PermissionOption(option_id="z", name="allow", kind="allow_once"),
    PermissionOption(option_id="n", name="Reject", kind="reject_once"),
]


def call(title: str | None = "Write a.txt", **more: Any) -> ToolCallUpdate:
    return ToolCallUpdate(tool_call_id="1", title=title, **more)


def test_a_request_is_a_question_that_shows_what_the_tool_is_given() -> None:
    permit = read_permit(
        call(raw_input={"text": "x" * INPUT_MAX}, locations=[ToolCallLocation(path="/a")]), OPTIONS, ""
    )
    what, path, given = permit.prompt.split("\n")
    assert (what, path, len(given)) == ("May I? Write a.txt", "- /a", INPUT_MAX)
    assert permit.choices == ("Always", "Allow", "allow (2)", "Reject")
    assert read_permit(call(None), OPTIONS, "what it was called").prompt == "May I? what it was called"
    assert read_permit(call("ls -l", raw_input="ls -l"), OPTIONS, "").prompt == "May I? ls -l"


@pytest.mark.parametrize(
    "answer, verdict",
    [
        ("Allow", Verdict(Option("y", "Allow", "allow_once"))),
        (" ALLOW (2)", Verdict(Option("z", "allow (2)", "allow_once"))),
        ("always", Verdict(Option("a", "Always", "allow_always"))),
        ("yes", Verdict(Option("y", "Allow", "allow_once"))),
        ("reject", Verdict(Option("n", "Reject", "reject_once"))),
        ("not now", Verdict(Option("n", "Reject", "reject_once"), "not now")),
    ],
)
def test_only_a_choice_or_a_yes_allows(answer: str, verdict: Verdict) -> None:
    assert judge(read_permit(call(), OPTIONS, ""), answer) == verdict


def test_where_nothing_rejects_other_words_choose_nothing() -> None:
    assert judge(read_permit(call(), OPTIONS[:1], ""), "no") == Verdict(None, "no")


def test_no_more_is_allowed_than_was_asked_for() -> None:
    assert pick_allowed(read_permit(call(), OPTIONS, "")) == Option("y", "Allow", "allow_once")
    assert pick_allowed(read_permit(call(), OPTIONS[:1], "")) == Option("a", "Always", "allow_always")
    assert pick_allowed(read_permit(call(), OPTIONS[3:], "")) is None


def row(seq: int, text: str, role: Role = Role.USER, **more: Any) -> Message:
    return Message(Seq(seq), Generation(1), f"key {seq}", role, text, 1.0, **more)


def texts(occasion: Occasion, past: list[Message], *, remembers: bool, upto: int = 0, again: bool = False) -> list[str]:
    blocks = compose(occasion, past, remembers=remembers, upto=upto, again=again)
    return [str(getattr(block, "text", "")) for block in blocks]


def occasion(*new: Message, news: tuple[Message, ...] = (), note: str | None = None) -> Occasion:
    return Occasion(new, news, note)


def test_one_without_memory_is_told_the_end_of_what_was_said() -> None:
    past = [row(1, "x" * PAST_MAX), row(2, "hello", Role.ASSISTANT), row(3, "tool", Role.TOOL), row(4, "now?")]
    told, now = texts(occasion(past[-1]), past, remembers=False)
    assert told.startswith(PAST)
    assert told.endswith("\nyou: hello")
    assert len(told) == len(PAST) + 1 + PAST_MAX
    assert now == "now?"


def test_one_that_remembers_is_told_what_reached_the_log_without_it() -> None:
    past = [
        row(1, "hi"),
        row(2, "old", Role.SYSTEM, kind=MessageKind.OPERATOR),
        row(3, "hello", Role.ASSISTANT),
        row(4, "closed at 5", Role.SYSTEM, kind=MessageKind.OPERATOR),
        row(5, "now?"),
    ]
    assert texts(occasion(past[-1]), past, remembers=True, upto=2) == ["[Note: closed at 5]", "now?"]


def test_what_befell_it_is_told_before_the_words() -> None:
    news = row(3, "[process] it is done", Role.SYSTEM, kind=MessageKind.PROCESS)
    again = occasion(row(1, "go"), news=(news,), note="You were interrupted.")
    assert texts(again, [row(1, "go"), news], remembers=True, upto=1, again=True) == [
        "[Note: You were interrupted.]",
        "[process] it is done",
        "go",
    ]
    assert texts(occasion(row(1, "go")), [row(1, "go")], remembers=True, again=True) == [f"[Note: {AGAIN}]", "go"]
    assert texts(occasion(), [], remembers=True) == [NOTHING]


def test_who_speaks_is_named_where_several_people_did_ever() -> None:
    past = [row(1, "hi", author="Ann"), row(2, "hello", Role.ASSISTANT), row(3, "and me?", author="Bob")]
    assert texts(occasion(past[-1]), past, remembers=True) == ["Bob: and me?"]
    assert texts(occasion(past[0]), past[:1], remembers=True) == ["hi"]


def test_what_comes_with_words_is_pointed_to() -> None:
    files = (Attachment("/tmp/a b.txt", "text/plain", 3), Attachment("https://example.org/b.png", name="a picture"))
    path, url = compose(occasion(row(1, "", attachments=files)), [], remembers=True, upto=0, again=False)
    assert path.model_dump(exclude_none=True) == {
        "type": "resource_link",
        "uri": "file:///tmp/a%20b.txt",
        "name": "a b.txt",
        "mime_type": "text/plain",
        "size": 3,
    }
    assert (getattr(url, "uri", ""), getattr(url, "name", "")) == ("https://example.org/b.png", "a picture")


def test_paths_count_from_the_configuration_and_secrets_are_read_when_it_starts(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("one")
    table = {"command": ["agent"], "cwd": "work", "home": "its home", "env": {"KEY": f"file:{tmp_path / 'key'}"}}
    settings = AcpSettings.model_validate(table, context={"folder": tmp_path})
    (tmp_path / "key").write_text("two")
    program = settings.program(tmp_path / "db" / "acp")
    assert (program.cwd, program.home, program.env) == (tmp_path / "work", tmp_path / "its home", {"KEY": "two"})
    assert "two" not in repr(settings)


@pytest.mark.parametrize("table", [{}, {"command": []}, {"command": "agent"}, {"command": ["a"], "obey_s": 0}])
def test_a_table_that_means_nothing_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AcpSettings.model_validate(table)
