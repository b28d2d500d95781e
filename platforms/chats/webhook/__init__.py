"""Webhooks: a program of yours says things by signed HTTP, and is told the answers, or asks for them."""

from pathlib import Path

from greenroom.actors.ports import History
from greenroom.platforms.chats.webhook.chat import Webhook as Webhook
from greenroom.platforms.chats.webhook.settings import WebhookSettings

__all__ = ["Webhook", "make"]


def make(settings: WebhookSettings, _folder: Path, history: History) -> Webhook:
    """Make the platform of one account."""
    return Webhook(settings, history)
