"""People go on talking while the connection breaks and the process is killed; what they see is counted at the server."""

from pathlib import Path
from random import Random

import pytest
from tests.platforms.conformance.counterpart import GROUP
from tests.platforms.conformance.discord import DiscordCounterpart
from tests.platforms.conformance.stand import Stand, echo

from greenroom.platforms.fakes.discord import FakeDiscord

MESSAGES = 40
CHATS = ("1", "2", GROUP)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
async def test_in_a_storm_everything_is_answered_once_and_in_order(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)
    async with FakeDiscord().serving() as server:
        person = DiscordCounterpart(server, tmp_path)
        stand = Stand(person, tmp_path, echo)
        await stand.start()
        said: dict[str, list[str]] = {chat: ["hello"] for chat in CHATS}
        for chat in CHATS:
            await person.says(chat, "hello")
        await stand.until_accepted(len(CHATS))
        for number in range(MESSAGES):
            chat = dice.choice(CHATS)
            await person.says(chat, str(number))
            said[chat].append(str(number))
            blow = dice.random()
            if blow < 0.15:
                await server.gateway.cut()
            elif blow < 0.3:
                await stand.kill()
                server.gateway.forget()
                await stand.start()
        for chat in CHATS:
            await stand.until_said(chat, *(f"re: {text}" for text in said[chat]))
            assert "..." not in [each.text for each in await person.visible(chat)]
        await stand.stop()
