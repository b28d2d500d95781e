"""Slack by socket mode, against the fake workspace on loopback."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.platforms.slack_stage import ACK_S, ANN, BOB, DM, GROUP, connected, until, workspace
from tests.platforms.stage import Stage

from greenroom.actors.model import Change, SessionKey
from greenroom.actors.ports import (
    BusyError,
    Choices,
    NotSentError,
    Outgoing,
    RefusedError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)
from greenroom.platforms.fakes.platform import Fault
from greenroom.platforms.fakes.slack import BOT_USER, FakeSlack
from greenroom.platforms.fakes.slack_wire import FakeSlackServer

HOME = SessionKey("slack", "me", DM)
ROOM = SessionKey("slack", "me", GROUP)


@pytest.fixture
def slack() -> FakeSlack:
    return workspace()


@pytest.fixture
async def server(slack: FakeSlack) -> AsyncIterator[FakeSlackServer]:
    async with FakeSlackServer(slack, ack_s=ACK_S, slow_s=0.0) as server:
        yield server


async def test_what_a_person_says_is_taken_and_then_acknowledged(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        ts = slack.say(DM, "fish &amp; chips", user=ANN)
        await until(lambda: not server.envelopes.pending)
    (inbound,) = stage.accepted
    assert inbound.key == HOME
    assert (inbound.text, inbound.author, inbound.update_id) == ("fish & chips", "Ann", f"{DM}/{ts}")
    assert (inbound.reply_to, inbound.sent_at) == (ts, float(ts))


async def test_what_cannot_be_stored_is_not_acknowledged_and_is_stored_later_before_what_came_after(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        stage.open_for_business = BusyError("the disk is full")
        slack.say(DM, "one", user=ANN)
        await until(lambda: server.envelopes.repeats > 0)
        slack.say(DM, "two", user=ANN)
        assert len(server.envelopes.pending) == 2
        stage.open_for_business = None
        await until(lambda: not server.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["one", "two"]


async def test_what_is_refused_is_acknowledged(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        stage.open_for_business = RefusedError("not allowed")
        slack.say(DM, "one", user=ANN)
        await until(lambda: not server.envelopes.pending)
    assert stage.accepted == []


async def test_what_was_not_acknowledged_by_a_process_that_died_comes_to_the_next_one(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    slack.say(DM, "while you were away", user=ANN)
    async with connected(server, stage, tmp_path):
        await until(lambda: not server.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["while you were away"]


async def test_a_mention_that_comes_as_two_events_is_one_inbound(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        ts = slack.say(GROUP, f"<@{BOT_USER}> hello", user=ANN)
        slack.redeliver(GROUP, ts)
        assert len(server.envelopes.pending) == 4
        await until(lambda: not server.envelopes.pending)
    assert [(each.text, each.key) for each in stage.accepted] == [("hello", ROOM)]


async def test_in_a_channel_only_what_is_addressed_is_heard(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path) as chat:
        slack.say(GROUP, "not for you", user=BOB)
        asked = slack.say(GROUP, "a thread among us", user=BOB)
        slack.say(GROUP, "still among us", user=ANN, thread=asked)
        ours = await chat.send(Outgoing(ROOM, "k", "mine"))
        slack.say(GROUP, "for you, for you began it", user=BOB, thread=ours)
        called = slack.say(GROUP, f"<@{BOT_USER}> come here", user=BOB, thread=asked)
        await until(lambda: len(stage.accepted) == 2)
        await chat.send(Outgoing(SessionKey("slack", "me", GROUP, asked), "k2", "here"))
        slack.say(GROUP, "for you, for you are here", user=ANN, thread=asked)
        await until(lambda: not server.envelopes.pending)
    assert called
    assert [(each.text, each.author, each.key.thread) for each in stage.accepted] == [
        ("for you, for you began it", "Bob", ours),
        ("come here", "Bob", asked),
        ("for you, for you are here", "Ann", asked),
    ]


async def test_after_a_restart_slack_is_asked_which_threads_are_ours(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    asked = slack.say(GROUP, f"<@{BOT_USER}> hello", user=ANN)
    async with connected(server, stage, tmp_path) as chat:
        await chat.send(Outgoing(SessionKey("slack", "me", GROUP, asked), "k", "hello"))
    server.fail("conversations.replies", Fault.NOT_SENT)
    async with connected(server, stage, tmp_path):
        slack.say(GROUP, "and again", user=ANN, thread=asked)
        slack.say(GROUP, "and again", user=ANN, thread=asked)
        await until(lambda: not server.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["hello", "and again", "and again"]
    assert [name for name, _ in server.calls].count("conversations.replies") == 2


async def test_our_own_messages_and_those_of_other_bots_are_not_heard(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path) as chat:
        slack.say(DM, "by another hand", user=BOT_USER)
        message_id = await chat.send(Outgoing(HOME, "k", "..."))
        await chat.edit(HOME, message_id, "an answer")
        await until(lambda: not server.envelopes.pending)
    assert stage.accepted == []
    assert len(slack.visible(DM)) == 2


async def test_edits_and_deletions_are_told_with_what_they_change(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        ts = slack.say(DM, "one", user=ANN)
        slack.edit(DM, ts, "two")
        slack.delete(DM, ts)
        await until(lambda: not server.envelopes.pending)
    assert [(each.text, each.change, each.reply_to) for each in stage.accepted] == [
        ("one", None, ts),
        ("two", Change.EDIT, ts),
        ("", Change.DELETE, ts),
    ]
    assert len({each.update_id for each in stage.accepted}) == 3


async def test_an_edit_that_first_addresses_us_is_a_message_and_one_that_never_does_is_nothing(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path):
        ts = slack.say(GROUP, "hello", user=ANN)
        slack.edit(GROUP, ts, "hello you")
        slack.edit(GROUP, ts, f"<@{BOT_USER}> hello you")
        await until(lambda: not server.envelopes.pending)
    assert [(each.text, each.change, each.update_id) for each in stage.accepted] == [
        ("hello you", None, f"{GROUP}/{ts}")
    ]


async def test_a_question_has_buttons_and_a_press_answers_it(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    choices = Choices("7.1.answer", ("yes & no", "n" * 100))
    async with connected(server, stage, tmp_path) as chat:
        ts = await chat.send(Outgoing(HOME, "k", "..."))
        await chat.edit(HOME, ts, "Which?", choices)
        (line,) = slack.visible(DM)
        assert [len(button["text"]["text"]) for button in line.buttons] == [8, 75]
        slack.press(DM, ts, "yes & no", user=ANN)
        await until(lambda: not server.envelopes.pending)
        slack.press(DM, ts, "n" * 74 + "…", user=ANN)
        await until(lambda: not server.envelopes.pending)
        await chat.edit(HOME, ts, "Thank you.")
    assert [(each.text, each.answers, each.author) for each in stage.accepted] == [
        ("yes & no", "7.1.answer", "Ann"),
        ("n" * 100, "7.1.answer", "Ann"),
    ]
    assert line.buttons == ()


async def test_with_threads_opened_each_message_of_a_channel_is_a_conversation_in_its_thread(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path, open_threads=True) as chat:
        ts = slack.say(GROUP, f"<@{BOT_USER}> hello", user=ANN)
        slack.say(DM, "hello", user=ANN)
        await until(lambda: not server.envelopes.pending)
        await chat.send(Outgoing(stage.accepted[0].key, "k", "hi"))
    assert {each.key for each in stage.accepted} == {SessionKey("slack", "me", GROUP, ts), HOME}
    assert [line.thread_ts for line in slack.visible(GROUP)] == [ts]


async def test_each_of_several_persons_may_have_a_conversation_in_one_channel(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path, sessions_per="user") as chat:
        slack.say(GROUP, f"<@{BOT_USER}> hello", user=ANN)
        slack.say(GROUP, f"<@{BOT_USER}> hello", user=BOB)
        await until(lambda: not server.envelopes.pending)
        for inbound in stage.accepted:
            await chat.send(Outgoing(inbound.key, "k", f"hello {inbound.author}"))
    assert len({each.key for each in stage.accepted}) == 2
    assert {line.text for line in slack.visible(GROUP)} == {"hello Ann", "hello Bob"}


async def test_a_slash_command_is_an_order_whichever_word_the_app_registered(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path, open_threads=True):
        for command, text in (("/stop", ""), ("/bot", "stop"), ("/queue", "then this"), ("/bot", "what &amp; why?")):
            slack.order(GROUP, command, text, user=ANN)
            await until(lambda: not server.envelopes.pending)
    assert [each.text for each in stage.accepted] == ["/stop", "/stop", "/queue then this", "what & why?"]
    assert {(each.key, each.author, each.reply_to) for each in stage.accepted} == {(ROOM, "Ann", None)}
    assert len({each.update_id for each in stage.accepted}) == 4


async def test_a_file_is_fetched_with_the_token_and_kept_beside_the_database(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    file = slack.attach("notes.txt", b"buy milk", "text/plain", server.base_url)
    lost = {**file, "id": "FLOST", "url_private_download": f"{server.base_url}/files/FLOST", "name": "lost.txt"}
    elsewhere = {**file, "id": "FELSE", "url_private_download": "https://drive.example/doc", "mode": "external"}
    async with connected(server, stage, tmp_path):
        slack.say(DM, "see", user=ANN, files=[file, lost, elsewhere])
        await until(lambda: not server.envelopes.pending)
    (inbound,) = stage.accepted
    kept, link = inbound.attachments
    path = Path(kept.where)
    assert (path.parent, path.read_bytes()) == (tmp_path / "attachments", b"buy milk")  # noqa: ASYNC240 - a small file
    assert (kept.name, kept.media_type, kept.size) == ("notes.txt", "text/plain", 8)
    assert link.where == "https://drive.example/doc"
    assert inbound.text.startswith("see\n[the file lost.txt could not be fetched: status 404")


async def test_a_file_of_another_organisation_is_asked_for_and_then_fetched(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    file = slack.attach_from_elsewhere("notes.txt", b"buy milk", "text/plain", server.base_url)
    server.fail("files.info", "ratelimited")
    async with connected(server, stage, tmp_path):
        slack.say(DM, "see", user=ANN, files=[file])
        await until(lambda: not server.envelopes.pending)
    (inbound,) = stage.accepted
    (kept,) = inbound.attachments
    assert (inbound.text, kept.name, kept.media_type, kept.size) == ("see", "notes.txt", "text/plain", 8)
    assert Path(kept.where).read_bytes() == b"buy milk"  # noqa: ASYNC240 - a small file


async def test_a_file_that_slack_does_not_show_costs_no_message(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    file = slack.attach_from_elsewhere("notes.txt", b"buy milk", "text/plain", server.base_url)
    slack.files_told[file["id"]]["size"] = "large"
    async with connected(server, stage, tmp_path):
        slack.say(DM, "see", user=ANN, files=[{**file, "id": "FLOST"}, file])
        await until(lambda: not server.envelopes.pending)
    assert [name for name, _ in server.calls].count("files.info") == 2, "asking again tells no more"
    (inbound,) = stage.accepted
    assert inbound.text.startswith(
        "see\n[the file FLOST could not be fetched: Slack does not show it: file_not_found]\n"
    )
    assert "what Slack tells of it cannot be read" in inbound.text


async def test_a_forwarded_message_comes_with_its_words_and_its_files(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    file = slack.attach("notes.txt", b"buy milk", "text/plain", server.base_url)
    said = slack.say(GROUP, f"the list, <@{ANN}>", user=BOB, files=[file])
    async with connected(server, stage, tmp_path):
        slack.forward(GROUP, said, to=DM, user=ANN)
        await until(lambda: not server.envelopes.pending)
    (inbound,) = stage.accepted
    assert (inbound.text, inbound.author) == ("> Bob: the list, @Ann", "Ann")
    assert [kept.name for kept in inbound.attachments] == ["notes.txt"]


async def test_nothing_is_fetched_for_a_stranger(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    stage.refuse[DM] = RefusedError("not allowed here")
    file = slack.attach("big.bin", b"x" * 1000, "application/octet-stream", server.base_url)
    async with connected(server, stage, tmp_path):
        slack.say(DM, "", user=ANN, files=[file])
        await until(lambda: not server.envelopes.pending)
    assert list(tmp_path.rglob("*.bin")) == []  # noqa: ASYNC240 - a small folder
    assert not (tmp_path / "attachments").exists()
    assert stage.accepted == []


async def test_text_means_in_slack_what_it_says_here(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path
) -> None:
    async with connected(server, stage, tmp_path) as chat:
        ts = await chat.send(Outgoing(HOME, "k", "..."))
        await chat.edit(HOME, ts, "<@UANN> & <!channel>")
        (line,) = slack.visible(DM)
        assert line.text == "&lt;@UANN&gt; &amp; &lt;!channel&gt;"
        await chat.edit(HOME, ts, "# A **plan**\n[see](https://example.org) *this*")
        assert line.text == "*A plan*\n<https://example.org|see> _this_"
        await chat.edit(HOME, ts, "<" * 4_000)
        assert sum(block["text"]["text"].count("&lt;") for block in line.blocks) == 4_000


@pytest.mark.parametrize(
    "fault, error",
    [
        (Fault.REFUSED, SendRefusedError),
        (Fault.GONE, TargetGoneError),
        (Fault.BREAKS_BEFORE, Exception),
        (Fault.BREAKS_AFTER, Exception),
        (Fault.NOT_SENT, Exception),
        ("is_archived", SendRefusedError),
        ("not_in_channel", SendRefusedError),
        ("ratelimited", RetryLaterError),
        ("token_revoked", NotSentError),
        ("fatal_error", Exception),
    ],
)
async def test_each_refusal_has_its_meaning(
    server: FakeSlackServer, stage: Stage, tmp_path: Path, fault: Fault | str, error: type[Exception]
) -> None:
    async with connected(server, stage, tmp_path) as chat:
        server.fail("chat.postMessage", fault)
        with pytest.raises(Exception) as failed:  # noqa: PT011 - which one is the case
            await chat.send(Outgoing(HOME, "k", "..."))
        known = (SendRefusedError, RetryLaterError, NotSentError, TargetGoneError)
        assert isinstance(failed.value, error)
        assert isinstance(failed.value, known) == (error is not Exception)
        assert "xoxb-fake" not in str(failed.getrepr())
        assert [name for name, _ in server.calls].count("chat.postMessage") == 1, "the library repeats nothing"


async def test_who_is_told_to_wait_says_how_long(server: FakeSlackServer, stage: Stage, tmp_path: Path) -> None:
    async with connected(server, stage, tmp_path) as chat:
        server.fail("chat.update", Fault.RETRY_LATER)
        with pytest.raises(RetryLaterError) as told:
            await chat.edit(HOME, "1.000001", "words")
    assert told.value.retry_after_s == 1.0


@pytest.mark.parametrize("thread", [None, "root"])
async def test_a_message_of_unknown_outcome_is_found_by_its_key(
    server: FakeSlackServer, slack: FakeSlack, stage: Stage, tmp_path: Path, thread: str | None
) -> None:
    asked = slack.say(GROUP, "question", user=ANN)
    session = SessionKey("slack", "me", GROUP, asked if thread else None)
    async with connected(server, stage, tmp_path, delivery="reconcile") as chat:
        for number in range(250):
            slack.say(GROUP, f"chatter {number}", user=BOB, thread=asked if thread else None)
        message = Outgoing(session, "uid-1.1.answer-0", "answer", reply_to=asked)
        assert await chat.find(message) is None
        server.fail("chat.postMessage", Fault.BREAKS_AFTER)
        with pytest.raises(Exception):  # noqa: B017, PT011 - ambiguous is whatever is not in the port
            await chat.send(message)
        for number in range(250):
            slack.say(GROUP, f"more {number}", user=BOB, thread=asked if thread else None)
        (line,) = slack.visible(GROUP)
        assert await chat.find(message) == line.ts
        await chat.edit(session, line.ts, "edited")
        assert await chat.find(message) == line.ts, "an edit keeps the key"
        assert await chat.find(Outgoing(session, "other", "answer", reply_to=asked)) is None
