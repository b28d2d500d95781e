"""What is kept of a process's output: its beginning and its end, and a word that something is missing in between."""

from __future__ import annotations

HEAD_PART = 4
"""One in so many characters that are kept are of the beginning."""

CUT_MARK = "\n[... {count:,} characters are not kept ...]\n"


class Output:
    """Collects text up to a limit."""

    __slots__ = ("_dropped", "_head", "_head_max", "_tail", "_tail_max")

    def __init__(self, limit: int) -> None:
        """Keep at most so many characters, besides the mark."""
        self._head_max = limit // HEAD_PART
        self._tail_max = limit - self._head_max
        self._head = ""
        self._tail = ""
        self._dropped = 0

    def feed(self, text: str) -> None:
        """Add what came. Zero bytes are left out: SQLite ends a text at the first one when it cuts it."""
        text = text.replace("\0", "")
        room = self._head_max - len(self._head)
        self._head += text[:room]
        self._tail += text[room:]
        if len(self._tail) > 2 * self._tail_max:  # Not for each line: copying is what costs.
            self._cut()

    def text(self) -> str:
        """Give all that is kept."""
        self._cut()
        mark = CUT_MARK.format(count=self._dropped) if self._dropped else ""
        return f"{self._head}{mark}{self._tail}"

    def _cut(self) -> None:
        over = len(self._tail) - self._tail_max
        if over > 0:
            self._tail = self._tail[over:]
            self._dropped += over


def keep_ends(text: str, most: int) -> str:
    """Keep at most so many characters of a whole text, its beginning and its end, and say how many are missing.

    >>> keep_ends("It went well.", 100)
    'It went well.'
    """
    kept = Output(most)
    kept.feed(text)
    return kept.text()


def last_of(text: str, count: int | None) -> str:
    """Give the last so many characters; all for None."""
    return text if count is None else text[-count:] if count > 0 else ""
