"""What makes pages tell themselves anew: they ask with the number of the last entry they know.

Mostly they hear that there is nothing, which is answered from memory. Only where something was committed the part is
made again, once for all who look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from starlette.responses import Response

from greenroom.supervisor.view.reading import STANDS_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from greenroom.actors.model import SessionId
    from greenroom.supervisor.view.desk import Desk

POLL_S = 1.0
"""How old an answer of the database may be for a page that tells itself anew."""


class Seen(NamedTuple):
    """What a page knows: everything up to an entry of the feed, at a moment."""

    number: int
    at: float

    @classmethod
    def now(cls, desk: Desk) -> Self:
        """What whoever asks now is told."""
        return cls(desk.feed.last, desk.now())

    @classmethod
    def read(cls, request: Request) -> Self | None:
        """What a page says that it knows."""
        number, _, at = request.query_params.get("seen", "").partition("-")
        try:
            return cls(int(number), float(at))
        except ValueError:
            return None

    def asked(self) -> Mapping[str, str]:
        """As an address says it."""
        return {"seen": f"{self.number}-{self.at:.0f}"}


def nothing_new(request: Request, desk: Desk, *, about: SessionId | None = None) -> Response | None:
    """The answer for a page that knows everything (`about` a session); None where it is to be made again.

    That it is after a while without any news, too: ages grow.
    """
    seen = Seen.read(request)
    if seen is None or not 0 <= desk.now() - seen.at < STANDS_S:
        return None
    news = desk.feed.since(seen.number) if seen.number <= desk.feed.last else ()
    missed = seen.number > desk.feed.last or len(news) < desk.feed.last - seen.number  # More than is kept.
    concerned = [each for each in news if about is None or each.session in {about, None}]
    return None if missed or concerned else Response(status_code=204)
