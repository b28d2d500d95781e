"""How platform accounts stand: reached or not, since when, and why not. Pure."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from greenroom.actors.model import DeliveryClass


class Connection(Struct, frozen=True):
    """One platform account. Not connected and without a reason: it has not had its first chance yet."""

    platform: str  # its kind, such as telegram
    account: str  # which of ours it is
    since: float  # when it last changed between connected and not, in UTC epoch seconds
    connected: bool = False  # whether it is reached
    why_not: str | None = None  # why it is not reached; null if it is, or had no chance yet
    delivery: DeliveryClass | None = None  # what it offers against doubled messages; null if nobody says

    @property
    def name(self) -> str:
        return f"{self.platform}:{self.account}"

    @property
    def known(self) -> bool:
        """Whether anything can be said of it yet."""
        return self.connected or self.why_not is not None


def turned(before: Connection, why_not: str | None, now: float) -> Connection:
    """Say how it stands after it was reached, or was not for a reason.

    >>> lost = turned(Connection("telegram", "me", 5.0, connected=True), "no route to host", 9.0)
    >>> lost.since, turned(lost, "time-out", 12.0).since
    (9.0, 9.0)
    """
    connected = why_not is None
    since = before.since if before.connected is connected and before.known else now
    return replace(before, connected=connected, why_not=why_not, since=since)


def describe_connection(connection: Connection) -> str:
    """Say how it stands, after its name.

    >>> describe_connection(Connection("telegram", "me", 0.0, why_not="the token is wrong"))
    'telegram:me is not connected: the token is wrong'
    """
    if connection.connected:
        return f"{connection.name} is connected"
    if connection.why_not is None:
        return f"{connection.name} is still connecting"
    return f"{connection.name} is not connected: {connection.why_not}"
