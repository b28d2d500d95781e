"""Whose edits and removals count: what a home server hands on of other servers, and looks at for nobody."""

from pathlib import Path
from typing import Any, cast

import pytest

from greenroom.actors.model import Attachment, Change, Inbound, InboxId, Receipt, SessionId, SessionKey
from greenroom.actors.ports import RefusedError
from greenroom.platforms.chats.matrix.events import File, read_event
from greenroom.platforms.chats.matrix.hearing import Hearing, Taken
from greenroom.platforms.chats.matrix.homeserver import Homeserver
from greenroom.platforms.chats.matrix.own import OwnMessages, Recent
from greenroom.platforms.chats.matrix.settings import MatrixSettings

ME, ANN, EVE = "@bot:x", "@ann:x", "@eve:elsewhere"
HOME, OTHER = "!home:x", "!other:elsewhere"


class Rooms:
    """What a home server tells of its rooms: three people in each, and the events that were put there."""

    user = ME

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.people: dict[str, str | None] = {ME: "bot", ANN: "Ann", EVE: "Eve"}

    async def names(self, room: str) -> dict[str, str | None]:
        assert room in {HOME, OTHER}
        return self.people

    async def event(self, room: str, event_id: str) -> dict[str, Any]:
        assert room in {HOME, OTHER}
        return self.events[event_id]


class Ears:
    """A platform's ears with the rooms before them, and what they took to the door behind."""

    def __init__(self) -> None:
        self.server, self.taken = Rooms(), list[Inbound]()
        self.begin_again()

    def begin_again(self) -> None:
        """Know nothing any more, as a new process."""
        settings = MatrixSettings.model_validate({"homeserver": "https://x", "user": ME, "password": "x"})
        known: Recent[tuple[str, str], Taken] = Recent()
        self._hearing = Hearing(cast("Homeserver", self.server), self, settings, OwnMessages(), known, self.save)

    def allows(self, _: SessionKey) -> bool:
        return True

    def connected(self) -> None:
        """Nobody asks."""

    def disconnected(self, why: str) -> None:
        """Nobody asks."""

    async def accept(self, inbound: Inbound) -> Receipt:
        for number, known in enumerate(self.taken):
            if known.update_id == inbound.update_id:
                if known.text != inbound.text:
                    raise RefusedError("it was stored before with another text")
                return Receipt(InboxId(number), SessionId(1), inbound.key, repeated=True)
        self.taken.append(inbound)
        return Receipt(InboxId(len(self.taken)), SessionId(1), inbound.key)

    async def save(self, file: File) -> Attachment:
        return Attachment(str(Path("/kept") / (file.name or "")), file.media_type)

    async def hear(self, event: dict[str, Any]) -> None:
        """Hear it, and have it on the server from then on."""
        self.server.events[event["event_id"]] = event
        heard = read_event(event, ME)
        assert heard is not None
        await self._hearing.take(event["room_id"], heard)

    @property
    def changes(self) -> list[tuple[Change | None, str | None, str]]:
        return [(each.change, each.reply_to, each.text) for each in self.taken[1:]]


def event(event_id: str, sender: str, content: dict[str, Any], room: str = HOME, **more: Any) -> dict[str, Any]:
    told = {"event_id": event_id, "room_id": room, "type": "m.room.message", "sender": sender, "content": content}
    return {**told, "origin_server_ts": 1000, **more}


def said(event_id: str, sender: str, text: str, room: str = HOME) -> dict[str, Any]:
    return event(event_id, sender, {"msgtype": "m.text", "body": text}, room)


def edit(event_id: str, sender: str, target: str, text: str, room: str = HOME) -> dict[str, Any]:
    new = {"msgtype": "m.text", "body": text}
    relation = {"rel_type": "m.replace", "event_id": target}
    return event(event_id, sender, {**new, "body": f"* {text}", "m.new_content": new, "m.relates_to": relation}, room)


def removal(event_id: str, sender: str, target: str, room: str = HOME) -> dict[str, Any]:
    return event(event_id, sender, {}, room, type="m.room.redaction", redacts=target)


FORGED = {
    "an edit by another": edit("$2", EVE, "$1", "buy a thousand"),
    "an edit in another room": edit("$2", ANN, "$1", "buy a thousand", OTHER),
    "an edit by another in another room": edit("$2", EVE, "$1", "buy a thousand", OTHER),
    "a removal in another room": removal("$2", EVE, "$1", OTHER),
}


@pytest.fixture(params=["this process", "an earlier process"])
async def ears(request: pytest.FixtureRequest) -> Ears:
    """Somebody wrote to us: this process took it, or one before it."""
    made = Ears()
    await made.hear(said("$1", ANN, "bot: buy one"))
    if request.param == "an earlier process":
        made.begin_again()
    return made


@pytest.mark.parametrize("what", FORGED)
async def test_what_may_not_change_a_message_is_left_out(ears: Ears, what: str) -> None:
    await ears.hear(FORGED[what])
    assert ears.changes == []


async def test_the_author_may_edit_and_whoever_the_server_lets_may_remove(ears: Ears) -> None:
    await ears.hear(edit("$2", ANN, "$1", "buy two"))
    await ears.hear(removal("$3", EVE, "$1"))
    assert ears.changes == [(Change.EDIT, "$1", "buy two"), (Change.DELETE, "$1", "")]


async def test_an_edit_of_an_edit_or_of_what_is_ours_or_of_no_message_is_left_out(ears: Ears) -> None:
    ears.server.events |= {
        "$edit": edit("$edit", ANN, "$1", "bot: buy two"),
        "$ours": said("$ours", ME, "bought"),
        "$state": {**said("$state", ANN, "bot: a state"), "state_key": ""},
        "$reaction": event("$reaction", ANN, {"body": "bot: no message"}, type="m.reaction"),
        "$sealed": event("$sealed", ANN, {}, type="m.room.encrypted"),
    }
    for number, target in enumerate(("$edit", "$ours", "$state", "$reaction", "$sealed")):
        await ears.hear(edit(f"$x{number}", ANN, target, "buy a thousand"))
    assert ears.changes == []


async def test_that_a_message_of_ours_was_removed_is_told_nobody() -> None:
    ears = Ears()
    del ears.server.people[EVE]
    ears.server.events["$ours"] = event("$ours", ME, {}, unsigned={"redacted_because": {}})
    await ears.hear(removal("$2", ANN, "$ours"))
    assert ears.taken == []


async def test_the_words_of_an_edit_are_those_of_a_message(ears: Ears) -> None:
    await ears.hear(edit("$2", ANN, "$1", "bot: buy two"))
    await ears.hear(edit("$3", ANN, "$1", "bot: !stop"))
    assert ears.changes == [(Change.EDIT, "$1", "buy two"), (Change.EDIT, "$1", "/stop")]


async def test_an_edit_that_calls_us_makes_a_message_of_what_was_not_for_us() -> None:
    ears = Ears()
    thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": "$0"}}
    await ears.hear(event("$1", ANN, {"msgtype": "m.text", "body": "buy one", **thread}))
    await ears.hear(edit("$2", ANN, "$1", "buy two"))
    await ears.hear(edit("$3", EVE, "$1", "bot: buy a thousand"))
    assert ears.taken == []
    await ears.hear(edit("$4", ANN, "$1", "bot: buy three"))
    await ears.hear(edit("$5", ANN, "$1", "buy four"))
    message, change = ears.taken
    assert (message.update_id, message.text, message.reply_to, message.change) == ("$1", "buy three", "$1", None)
    assert (change.text, change.change, change.key) == ("buy four", Change.EDIT, message.key)
    assert message.key.thread == "$0"
    ears.begin_again()
    await ears.hear(edit("$6", ANN, "$1", "bot: buy five"))
    assert (ears.taken[-1].text, ears.taken[-1].change, ears.taken[-1].key) == ("buy five", Change.EDIT, message.key)


async def test_an_edit_has_its_files(ears: Ears) -> None:
    new = {"msgtype": "m.file", "body": "bot: see here", "filename": "b.txt", "url": "mxc://x/y"}
    relation = {"rel_type": "m.replace", "event_id": "$1"}
    await ears.hear(event("$2", ANN, {**new, "m.new_content": new, "m.relates_to": relation}))
    assert ears.changes == [(Change.EDIT, "$1", "see here")]
    assert [file.where for file in ears.taken[1].attachments] == ["/kept/b.txt"]
