"""What a person sees on a terminal: the rows that the bytes written to it leave, scrolled away or not. Pure."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder

_SEQUENCE = re.compile(r"\x1b\[(\d*)([AJm])|\x1b(?!\[\d*$|$)|[\r\n]|[^\x1b\r\n]+")


class Glass:
    """A terminal whose rows never end: it knows what the chat and the kernel's echo write, and refuses the rest."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")()
        self._rest = ""  # the beginning of a sequence, until the rest of it comes
        self._rows, self._row, self._column = [""], 0, 0

    @property
    def rows(self) -> tuple[str, ...]:
        """What stands there, from the top."""
        return tuple(self._rows)

    def write(self, chunk: bytes) -> None:
        """Take bytes, cut wherever the kernel cut them.

        >>> glass = Glass()
        >>> glass.write("> hi\\r\\n…\\r\\n> ".encode() + b"\\r\\x1b[2")
        >>> glass.write("A\\x1b[J\\x1b[1m> hi\\x1b[0m  ✓ saved\\r\\n> ".encode())
        >>> glass.rows
        ('> hi  ✓ saved', '> ')
        """
        text, at = self._rest + self._decoder.decode(chunk), 0
        while found := _SEQUENCE.match(text, at):
            self._take(found)
            at = found.end()
        self._rest = text[at:]

    def _take(self, found: re.Match[str]) -> None:
        match found[2] or found[0]:
            case "A":
                self._row = max(0, self._row - int(found[1] or 1))
            case "J":
                self._rows[self._row :] = [self._rows[self._row][: self._column]]
            case "m":
                return  # A colour.
            case "\r":
                self._column = 0
            case "\n":
                self._row += 1
                self._rows += [""] * (self._row + 1 - len(self._rows))
            case "\x1b":
                raise ValueError(f"no terminal was asked for {found.string[found.start() :][:8]!r} before")
            case words:
                self._put(words)

    def _put(self, words: str) -> None:
        row, self._column = self._rows[self._row], self._column + len(words)
        begins = self._column - len(words)
        self._rows[self._row] = row[:begins].ljust(begins) + words + row[self._column :]
