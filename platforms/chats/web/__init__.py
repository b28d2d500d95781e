"""The web chat: one page, server-sent events, and a server of our own. Needs the extra `greenroom[web]`."""

from greenroom.platforms.chats.web.chat import WebChat
from greenroom.platforms.chats.web.server import ListenError, PortInUseError

__all__ = ["ListenError", "PortInUseError", "WebChat"]
