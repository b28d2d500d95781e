"""Which rooms are followed where they go on: rooms of others are not entered, and none is left for what another says."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from mautrix.errors import MForbidden, MLimitExceeded, MUnknownToken

from greenroom.platforms.chats.matrix.events import Moved
from greenroom.platforms.chats.matrix.following import follow
from greenroom.platforms.chats.matrix.homeserver import Homeserver

OLD, NEW, ANN = "!old:x", "!new:y", "@ann:y"
SUCCEEDS: Mapping[str, Any] = {"predecessor": {"room_id": OLD}}
OTHERS: Mapping[str, Any] = {"creator": "@eve:z"}


class Server:
    """A home server with one room besides: `inside` says that we are in it, `open` that we may come."""

    def __init__(self, created: Mapping[str, Any], *, inside: bool = False, public: bool = True) -> None:
        self.inside, self.asked = inside, list[str]()
        self._created, self._public = created, public

    async def created(self, room: str) -> Mapping[str, Any]:
        assert room == NEW
        if not self.inside:
            raise MForbidden(403, "not in the room")
        return self._created

    async def follow(self, room: str, server: str) -> None:
        assert room == NEW
        self.asked.append(server)
        if not self._public and not self.inside:
            raise MForbidden(403, "not invited")
        self.inside = True

    async def leave(self, room: str) -> None:
        assert room == NEW
        self.inside = False


async def followed(server: Server, *invites: str) -> None:
    await follow(cast("Homeserver", server), OLD, Moved(ANN, NEW), invites or ("@*:y",))


async def test_it_comes_by_the_server_of_who_says_where_it_goes_on() -> None:
    server = Server(SUCCEEDS)
    await followed(server)
    assert (server.inside, server.asked) == (True, ["y"])


@pytest.mark.parametrize("invites", ["@ben:*", "!another:x"])
async def test_who_may_not_invite_is_not_followed(invites: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    server = Server(SUCCEEDS)
    await followed(server, invites)
    assert (server.inside, server.asked) == (False, [])
    assert "see `invites`" in caplog.text


async def test_a_room_that_names_another_or_none_is_not_stayed_in() -> None:
    for created in ({"predecessor": {"room_id": "!another:x"}}, OTHERS, {"predecessor": 3}):
        server = Server(created)
        await followed(server)
        assert (server.inside, server.asked) == (False, ["y"])


async def test_a_room_in_which_it_is_already_is_not_left_for_what_another_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Server(OTHERS, inside=True)
    await followed(server)
    assert (server.inside, server.asked) == (True, [])
    assert "does not go on" in caplog.text


async def test_told_again_it_stays() -> None:
    server = Server(SUCCEEDS, inside=True, public=False)
    await followed(server)
    assert server.inside


async def test_into_a_room_that_is_closed_it_wants_to_be_invited(caplog: pytest.LogCaptureFixture) -> None:
    await followed(Server(SUCCEEDS, public=False))
    assert "invite me there" in caplog.text


@pytest.mark.parametrize("error", [MLimitExceeded(503, "later"), MUnknownToken(401, "signed out")])
async def test_what_passes_is_for_whoever_tries_again(error: Exception) -> None:
    class Failing(Server):
        async def follow(self, room: str, server: str) -> None:
            raise error

    with pytest.raises(type(error)):
        await followed(Failing(SUCCEEDS))
