"""Slack: socket mode or the Events API, and the Web API. Needs `greenroom[slack]`."""

from pathlib import Path

from greenroom.platforms.chats.slack.chat import SlackChat as SlackChat
from greenroom.platforms.chats.slack.settings import SlackSettings as SlackSettings


def make(settings: SlackSettings, folder: Path) -> SlackChat:
    """Make the platform of one account."""
    return SlackChat(settings, folder)
