"""Which platforms the suite runs against. To join: write a counterpart, and add a line to `ENTRIES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tests.platforms.conformance.counterpart import Ability, Counterpart, Lacks
from tests.platforms.conformance.discord import DISCORD_LACKS, discord
from tests.platforms.conformance.fake import FAKE_LACKS, fake
from tests.platforms.conformance.folder import FOLDER_LACKS, folder
from tests.platforms.conformance.matrix import MATRIX_LACKS, matrix
from tests.platforms.conformance.slack import POSTED_LACKS as SLACK_POSTED_LACKS
from tests.platforms.conformance.slack import SLACK_LACKS, slack, slack_posted
from tests.platforms.conformance.telegram import TELEGRAM_LACKS, WEBHOOK_LACKS, telegram_polled, telegram_posted
from tests.platforms.conformance.terminal import TERMINAL_LACKS, terminal
from tests.platforms.conformance.web import WEB_LACKS, web
from tests.platforms.conformance.webhook import ASKED_LACKS, POSTED_LACKS, webhook

from greenroom.actors.model import DeliveryClass


@dataclass(frozen=True, slots=True)
class Entry:
    """A counterpart. `opens` is given a folder of its own; what it yields has its server running."""

    opens: Callable[[Path], AbstractAsyncContextManager[Counterpart]]
    delivery: DeliveryClass
    lacks: Lacks = field(default_factory=dict)

    def has(self, ability: Ability) -> bool:
        """Whether the suite proves it."""
        return ability not in self.lacks


ENTRIES: Mapping[str, Entry] = {
    **{f"fake, {each.name.lower()}": Entry(fake(each), each, FAKE_LACKS[each]) for each in DeliveryClass},
    "discord": Entry(discord, DeliveryClass.EDIT_ANCHOR, DISCORD_LACKS),
    "folder (the example)": Entry(folder, DeliveryClass.NATIVE_KEY, FOLDER_LACKS),
    "matrix": Entry(matrix, DeliveryClass.NATIVE_KEY, MATRIX_LACKS),
    "slack": Entry(slack("edit_anchor"), DeliveryClass.EDIT_ANCHOR, SLACK_LACKS),
    "slack, posted": Entry(slack_posted, DeliveryClass.EDIT_ANCHOR, SLACK_POSTED_LACKS),
    "slack, reconcile": Entry(slack("reconcile"), DeliveryClass.RECONCILE, SLACK_LACKS),
    "telegram": Entry(telegram_polled, DeliveryClass.EDIT_ANCHOR, TELEGRAM_LACKS),
    "telegram, webhook": Entry(telegram_posted, DeliveryClass.EDIT_ANCHOR, WEBHOOK_LACKS),
    "terminal": Entry(terminal, DeliveryClass.EDIT_ANCHOR, TERMINAL_LACKS),
    "webhook": Entry(webhook(posts=True), DeliveryClass.NONE, POSTED_LACKS),
    "webhook, ids known": Entry(webhook(posts=True, knows_ids=True), DeliveryClass.NATIVE_KEY, POSTED_LACKS),
    "webhook, asked": Entry(webhook(posts=False), DeliveryClass.NATIVE_KEY, ASKED_LACKS),
    "web": Entry(web, DeliveryClass.EDIT_ANCHOR, WEB_LACKS),
}
"""By the name that the table shows."""
