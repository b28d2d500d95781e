"""Slack's words, as values: what is a message, what it says, how an answer looks, what an error means."""

from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from greenroom.actors.model import Change
from greenroom.actors.ports import (
    Choices,
    MisconfiguredError,
    NotSentError,
    RetryLaterError,
    SendRefusedError,
    TargetGoneError,
)
from greenroom.platforms.chats.slack.blocks import SECTION_MAX, TEXT_MAX, asked_in, layout
from greenroom.platforms.chats.slack.codec import (
    Me,
    Rules,
    Told,
    UnreadableError,
    for_us,
    hangs_on_thread,
    look,
    read_event,
    read_press,
    to_inbound,
)
from greenroom.platforms.chats.slack.markup import escape, readable, unescape
from greenroom.platforms.chats.slack.mrkdwn import as_mrkdwn
from greenroom.platforms.chats.slack.troubles import RETRY_AFTER_S, SlackTroubleError, of_call, of_start

ME = Me("UBOT", "BBOT", "greenroom")
MESSAGE: dict[str, Any] = {"type": "message", "channel": "C1", "user": "U1", "text": "hello", "ts": "1.000001"}
FORWARD: dict[str, Any] = {**MESSAGE, "attachments": [{"is_share": True, "text": 7}]}


def read(*, bots: bool = False, **fields: Any) -> Told | None:
    return read_event({**MESSAGE, **fields}, ME, bots=bots)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "reaction_added"},
        {"subtype": "channel_join"},
        {"subtype": "message_replied"},
        {"user": None},
        {"ts": ""},
        {"user": "UBOT"},
        {"user": None, "bot_id": "BBOT"},
        {"bot_id": "BOTHER"},
        {"subtype": "bot_message", "user": None, "bot_id": "BOTHER"},
        {"subtype": "message_changed"},
        {"subtype": "message_changed", "message": {**MESSAGE, "edited": {}}, "previous_message": MESSAGE},
        {
            "subtype": "message_changed",
            "message": {**MESSAGE, "bot_id": "BBOT", "text": "x"},
            "previous_message": MESSAGE,
        },
        {"subtype": "message_deleted", "deleted_ts": "1.000001", "previous_message": {**MESSAGE, "bot_id": "BBOT"}},
    ],
)
def test_what_no_person_said_is_nothing(fields: dict[str, Any]) -> None:
    assert read(**fields) is None


@pytest.mark.parametrize("subtype", [None, "file_share", "me_message", "thread_broadcast"])
def test_what_a_person_says_is_named_by_its_channel_and_time(subtype: str | None) -> None:
    told = read(subtype=subtype)
    assert told is not None
    assert (told.update_id, told.user, told.text, told.change) == ("C1/1.000001", "U1", "hello", None)


def test_the_two_events_of_a_mention_are_one() -> None:
    twin = read_event({**MESSAGE, "type": "app_mention"}, ME, bots=False)
    assert twin == read(channel_type="channel")


def test_other_bots_are_heard_where_that_is_wanted() -> None:
    told = read(bots=True, subtype="bot_message", user=None, bot_id="BOTHER")
    assert told is not None
    assert told.user == "BOTHER"


def test_what_began_a_thread_is_not_in_it() -> None:
    root, reply = read(thread_ts="1.000001"), read(thread_ts="0.000009")
    assert root is not None
    assert reply is not None
    assert (root.thread, reply.thread) == (None, "0.000009")


def test_a_root_whose_thread_goes_on_is_removed_by_becoming_a_tombstone() -> None:
    stone = {"subtype": "tombstone", "user": "USLACKBOT", "text": "This message was deleted.", "ts": "1.000001"}
    told = read(subtype="message_changed", user=None, text=None, message=stone, previous_message=MESSAGE)
    assert told is not None
    assert (told.change, told.text, told.before) == (Change.DELETE, "", "hello")


def test_two_edits_of_one_message_are_two_inbound() -> None:
    edits = [
        read(subtype="message_changed", ts=ts, message={**MESSAGE, "text": "other"}, previous_message=MESSAGE)
        for ts in ("2.000001", "3.000001")
    ]
    assert [each.update_id for each in edits if each] == ["C1/1.000001/edit/2.000001", "C1/1.000001/edit/3.000001"]


@pytest.mark.parametrize(
    "event", [{"type": "message"}, {"type": "message", "channel": 7}, {**MESSAGE, "files": [{}]}, FORWARD]
)
def test_what_is_not_as_documented_is_unreadable(event: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        read_event(event, ME, bots=False)


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "view_submission"},
        {"type": "block_actions", "container": {"type": "view"}},
        {
            "type": "block_actions",
            "container": {"type": "message", "channel_id": "C1", "message_ts": "1"},
            "user": {"id": "U1"},
            "actions": [{"block_id": "someone-elses", "action_ts": "2"}],
        },
    ],
)
def test_interactions_that_are_no_press_of_ours_are_nothing(payload: dict[str, Any]) -> None:
    assert read_press(payload) is None


def test_a_press_without_its_parts_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        read_press({"type": "block_actions", "container": {"type": "message"}})


SHARED = {"is_share": True, "is_msg_unfurl": True, "text": "the words of <@U2>\n&lt;all&gt;", "author_name": "Bob"}
UNFURL = {"is_msg_unfurl": True, "text": "what the link leads to", "author_name": "Bob", "files": [{"id": "F2"}]}


def words(told: Told | None) -> str:
    assert told is not None
    return to_inbound(told, Rules("me"), ME, names={"U2": "Cleo"}).text


def test_a_forwarded_message_is_read_as_a_quotation_below_the_words_with_its_files() -> None:
    told = read(text="", files=[{"id": "F1"}], attachments=[{**SHARED, "files": [{"id": "F2"}]}])
    assert words(told) == "> Bob: the words of @Cleo\n> <all>"
    assert told is not None
    assert [file.id for file in told.files] == ["F1", "F2"]
    assert words(read(text="<@UBOT> see", attachments=[SHARED])).startswith("see\n> Bob: the words")


@pytest.mark.parametrize(
    "shared, quoted",
    [
        ({"text": "", "fallback": "[a picture]", "author_id": "U2"}, "> @Cleo: [a picture]"),
        ({"text": "hi", "author_name": None}, "> hi"),
        ({"files": [{"id": "F1"}], "author_name": "Bob"}, ""),
    ],
)
def test_what_slack_does_not_tell_of_a_forwarded_message_is_left_out(shared: dict[str, Any], quoted: str) -> None:
    assert words(read(text="", attachments=[{"is_share": True, **shared}])) == quoted


def test_the_preview_of_a_link_is_nobodys_words() -> None:
    told = read(attachments=[UNFURL])
    assert words(told) == "hello"
    assert told is not None
    assert told.files == ()


def test_a_mention_in_what_was_forwarded_addresses_nobody() -> None:
    told = read(text="", attachments=[{**SHARED, "text": "<@UBOT> do it"}])
    assert told is not None
    assert for_us(told, Rules("me"), ME, follows=False) is None
    assert words(told) == "> Bob: @greenroom do it"


def test_what_was_forwarded_later_is_an_edit_and_a_preview_is_none() -> None:
    with_share, with_preview = ({**MESSAGE, "attachments": [each]} for each in (SHARED, UNFURL))
    changed: dict[str, Any] = {"subtype": "message_changed", "ts": "2.000001", "previous_message": MESSAGE}
    assert read(**changed, message=with_preview) is None
    assert words(read(**changed, message=with_share)).startswith("hello\n> Bob: the words")
    gone = read(subtype="message_deleted", deleted_ts="1.000001", previous_message=with_share)
    assert words(gone) == ""


def test_whether_a_thread_must_be_asked_after() -> None:
    told = Told("C1/2", "C1", "2", "U1", "hello", direct=False, thread="1", parent="U2")
    assert hangs_on_thread(told, Rules("me"), ME)
    mentioned = Told("C1/2", "C1", "2", "U1", "<@UBOT> hello", direct=False, thread="1", parent="U2")
    assert not hangs_on_thread(mentioned, Rules("me"), ME)


def test_a_speaker_without_a_name_goes_by_the_id() -> None:
    told = Told("D1/2", "D1", "2.5", "U1", "hello", direct=True)
    inbound = to_inbound(told, Rules("me"), ME, names={}, remarks=("[a remark]",))
    assert (inbound.author, inbound.text, inbound.sent_at) == ("U1", "hello\n[a remark]", 2.5)


@pytest.mark.parametrize(
    "text, says",
    [
        ("<@UBOT>: /stop", "/stop"),
        ("ask <@UBOT>", "ask @greenroom"),
        ("<@U7> and <@U9|old>", "@Bob & Co and @old"),
        ("<#C1|general> <#C2>", "#general #C2"),
        ("<!here> <!subteam^S1|@devs> <!subteam^S1>", "@here @devs @subteam"),
        ("<!date^1392734382^{date}|yesterday>", "yesterday"),
        ("<https://a.example> <https://a.example|a.example>", "https://a.example https://a.example"),
        ("<https://a.example?x=1&amp;y=2|here>", "here (https://a.example?x=1&y=2)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2 &amp;lt;", "1 < 2 && 3 > 2 &lt;"),
    ],
)
def test_what_a_person_wrote_is_read_as_words(text: str, says: str) -> None:
    assert readable(text, {"U7": "Bob & Co", "UBOT": "greenroom"}, me="UBOT") == says


@given(st.text(alphabet="<>&@!#|;amplt U1\n"))
def test_what_we_write_is_read_as_it_was_written(text: str) -> None:
    assert unescape(escape(text)) == text
    assert readable(escape(text), {}, me="UBOT") == text


@given(st.text(alphabet="<&ab. \n*_~`#|-", min_size=1, max_size=3 * TEXT_MAX).map(lambda text: text[:TEXT_MAX]))
def test_whatever_is_said_slack_takes_it(text: str) -> None:
    said = layout(text, None)
    assert len(said["text"]) <= TEXT_MAX
    sections = [block["text"]["text"] for block in said.get("blocks", ())]
    assert all(0 < len(section) <= SECTION_MAX for section in sections)
    assert "blocks" in said or said["text"] == as_mrkdwn(text)


def test_a_limit_counts_what_is_sent_and_each_part_has_whole_marks() -> None:
    text = "".join(f"**{number} & more**\n" for number in range(250))
    assert len(text) < TEXT_MAX < len(as_mrkdwn(text))
    sections = [block["text"]["text"] for block in layout(text, None)["blocks"]]
    assert "".join(sections) == as_mrkdwn(text)
    assert all(section.count("*") % 2 == 0 for section in sections)


def test_what_is_plain_is_only_escaped() -> None:
    assert look("**a** < *b*", None, Rules("me", markdown=False)) == {"text": "**a** &lt; *b*"}
    assert look("**a** < *b*", None, Rules("me")) == {"text": "*a* &lt; _b_"}


def test_many_choices_stand_in_several_rows_that_all_answer_one_question() -> None:
    said = layout("Which?", Choices("1.1.answer", tuple(f"{number}" for number in range(60))))
    rows = [block for block in said["blocks"] if block["type"] == "actions"]
    assert [len(row["elements"]) for row in rows] == [25, 25, 10]
    assert {asked_in(row["block_id"]) for row in rows} == {"1.1.answer"}
    assert len({row["block_id"] for row in rows}) == 3


def failed(status: int, data: Any, headers: dict[str, str] | None = None) -> SlackApiError:
    answer: dict[str, Any] = {
        "http_verb": "POST",
        "api_url": "",
        "req_args": {},
        "data": data,
        "headers": headers or {},
    }
    response = AsyncSlackResponse(client=None, status_code=status, **answer)
    return SlackApiError("failed", response)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "status, data, error",
    [
        (200, {"ok": False, "error": "channel_not_found"}, SendRefusedError),
        (200, {"ok": False, "error": "msg_too_long"}, SendRefusedError),
        (200, {"ok": False, "error": "message_not_found"}, TargetGoneError),
        (200, {"ok": False, "error": "invalid_auth"}, NotSentError),
        (200, {"ok": False, "error": "internal_error"}, SlackTroubleError),
        (200, {"ok": False, "error": "never_heard_of"}, SlackTroubleError),
        (503, "<html>", SlackTroubleError),
        (429, {"ok": False, "error": "ratelimited"}, RetryLaterError),
    ],
)
def test_each_answer_has_its_meaning(status: int, data: Any, error: type[Exception]) -> None:
    assert type(of_call(failed(status, data))) is error


@pytest.mark.parametrize("header, wait_s", [("17", 17.0), ("-3", 0.0), ("soon", RETRY_AFTER_S), (None, RETRY_AFTER_S)])
def test_slack_says_how_long_to_wait(header: str | None, wait_s: float) -> None:
    told = of_call(failed(429, {"error": "ratelimited"}, {} if header is None else {"Retry-After": header}))
    assert isinstance(told, RetryLaterError)
    assert told.retry_after_s == wait_s


def test_where_we_connect_a_wrong_token_is_a_matter_for_a_person() -> None:
    told = of_start(failed(200, {"ok": False, "error": "token_revoked"}))
    assert isinstance(told, MisconfiguredError)
    assert "install the app again" in str(told)
    assert isinstance(of_start(failed(200, {"ok": False, "error": "internal_error"})), SlackTroubleError)


def test_only_a_connection_that_was_never_made_is_certain() -> None:
    never = aiohttp.ClientConnectorError(
        aiohttp.client_reqrep.ConnectionKey("a", 1, False, True, None, None, None), OSError(111, "x")
    )
    assert isinstance(of_call(never), NotSentError)
    assert isinstance(of_call(aiohttp.ServerDisconnectedError()), SlackTroubleError)
    assert isinstance(of_call(TimeoutError()), TimeoutError)
