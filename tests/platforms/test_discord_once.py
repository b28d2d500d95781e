"""Why words come by edits on Discord: it forgets nonces after some minutes, and its history shows none."""

from pathlib import Path

import pytest
from tests.platforms.conformance.discord import DiscordCounterpart
from tests.platforms.conformance.stand import Stand, echo
from tests.platforms.conformance.wire import Steps

from greenroom.actors.model import DeliveryClass
from greenroom.actors.ports import Traits
from greenroom.platforms.chats.discord import chat
from greenroom.platforms.fakes.discord import FakeDiscord


async def shown_after_a_kill(folder: Path, *, minutes_later: bool) -> list[str]:
    """What a person sees when a process dies right after its first post, before that is written down."""
    async with FakeDiscord().serving() as server:
        person = DiscordCounterpart(server, folder)
        stand, steps = Stand(person, folder, echo), Steps(stop_at=4)
        await stand.start(steps)
        await person.says("1", "hello")
        await stand.until_stopped(steps)
        assert steps.names == ["before accept", "after accept", "before send", "after send"]
        await stand.kill()
        if minutes_later:
            server.forget_nonces()
        await stand.start()
        try:
            await stand.until_visible("1", "re: hello")
            await stand.until(stand.rests)
        finally:
            await stand.stop()
        return [each.text for each in await person.visible("1")]


async def test_at_once_after_a_crash_not_even_a_placeholder_is_doubled(tmp_path: Path) -> None:
    assert await shown_after_a_kill(tmp_path, minutes_later=False) == ["re: hello"]


async def test_minutes_after_a_crash_the_answer_is_shown_once_beside_a_placeholder(tmp_path: Path) -> None:
    assert await shown_after_a_kill(tmp_path, minutes_later=True) == ["...", "re: hello"]


async def test_minutes_after_a_crash_the_nonce_alone_would_show_it_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat.DiscordChat, "traits", Traits(DeliveryClass.NATIVE_KEY, text_max=2000, edits=False))
    assert await shown_after_a_kill(tmp_path, minutes_later=True) == ["re: hello", "re: hello"]
