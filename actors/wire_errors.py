"""What a platform raises when it is called or run, and what its door raises. Reached through `ports.py`."""

from __future__ import annotations


class SendRefusedError(Exception):
    """The platform will never take this: the chat is gone, the bot is blocked. Not retried; a dead letter."""


class RetryLaterError(Exception):
    """The platform did not take it and says when to come back. It had no effect."""

    def __init__(self, retry_after_s: float, detail: str = "rate limited") -> None:
        """Remember how long to wait, in seconds."""
        super().__init__(f"{detail}; retry after {retry_after_s:g} s")
        self.retry_after_s = retry_after_s


class NotSentError(Exception):
    """It certainly had no effect (no connection, 5xx before the effect). Tried again with back-off."""


class TargetGoneError(Exception):
    """The message that was to be edited does not exist any more. It is posted anew."""


class MisconfiguredError(Exception):
    """Raised by `Platform.run`: trying again soon cures nothing (a wrong token, another process uses the account).

    The words say what is wrong and what to do, without secrets; they are shown once, and in `greenroom status`. The
    platform is run again after the longest back-off, and goes on by itself once it is cured.
    """


class RefusedError(Exception):
    """This inbound will never be taken; the message says why and what to do. Acknowledge it to the platform."""


class BusyError(Exception):
    """This inbound cannot be stored now (disk, flood). Do not acknowledge: the platform must send it again."""
