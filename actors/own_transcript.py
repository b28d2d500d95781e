"""What an agent may ask of the transcript that it writes itself; `transcript.py` is how that is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Transcript(Protocol):
    """The transcript of a session, as the agent of one run writes it."""

    async def append_many(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Append rows of its own, in order; returns how many of them are new, when they are on disk.

        A row has `role` (assistant, tool or system), `text` and `key`, and may have `finish`, `tool_calls` (each with
        `key`, `name`, `args`) and, for a tool's row, `tool_key`. A key is one row's for ever: what was appended under
        it before, also by another attempt or process, is left as it is, so that everything may be flushed again.

        An assistant's row with words and a finish such as `stop` concludes: it is the answer, and the run is over with
        it. What the agent says or returns afterwards is shown as a message of its own, unless the answer says it
        already. Without such a row, what it said and returned becomes the answer.

        Raises TypeError and ValueError for what is no row, is too much, or contradicts what is stored; RuntimeError
        for new rows after the one that concluded.
        """
