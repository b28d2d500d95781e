"""What a child writes to its standard error: logged line by line up to a limit, its end kept, never shown in a chat."""

from __future__ import annotations

import asyncio
import logging
from codecs import getincrementaldecoder

logger = logging.getLogger("greenroom.child")

CHUNK = 65_536
LINE_SHOWN_MAX = 500
"""Characters of a line in the log."""

LINES_LOGGED_MAX = 500
"""Lines of one child that are logged."""

KEPT_MAX = 4_000
"""Characters that are kept of its end."""


class Murmur:
    """Listens to one child until it has ended."""

    def __init__(self, who: str) -> None:
        """`who` is named in the log."""
        self._who = who
        self._kept = ""
        self._logged = 0
        self._line = ""

    @property
    def last_words(self) -> str:
        """The end of what was said so far."""
        return self._kept

    async def listen(self, words: asyncio.StreamReader) -> None:
        """Hear all of it; nobody is ever held up by it."""
        decoder = getincrementaldecoder("utf-8")("replace")
        while chunk := await words.read(CHUNK):
            self._hear(decoder.decode(chunk))
        self._log(self._line)

    def _hear(self, text: str) -> None:
        self._kept = (self._kept + text)[-KEPT_MAX:]
        *lines, self._line = (self._line + text).split("\n")
        self._line = self._line[: LINE_SHOWN_MAX + 1]
        for line in lines:
            self._log(line)

    def _log(self, line: str) -> None:
        shown = "".join(each if each.isprintable() else " " for each in line[:LINE_SHOWN_MAX]).strip()
        if not shown or self._logged > LINES_LOGGED_MAX:
            return
        self._logged += 1
        if self._logged > LINES_LOGGED_MAX:
            logger.warning("%s writes much to its standard error: no more of it is logged", self._who)
        else:
            logger.info("%s: %s%s", self._who, shown, "..." if len(line) > LINE_SHOWN_MAX else "")
