"""The limits that a session lives by, each with a name and a default."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LateChange(StrEnum):
    """What an edit or a deletion means that comes when a run has the message already."""

    TELL = "tell"  # the agent reads of it in the transcript, with its next run
    IGNORE = "ignore"  # it is kept with what came in, and nothing else


class Reset(StrEnum):
    """When a conversation begins anew by itself, at its user's next message."""

    NONE = "none"  # only when its user says `/new`
    IDLE = "idle"  # when nothing was said for `reset_after_s`
    DAILY = "daily"  # when a new day has begun, at `reset_hour` in `zone`


class Busy(StrEnum):
    """What becomes of a user's message that comes while a run works."""

    QUEUE = "queue"  # it waits; all that waits is answered together by the next run
    INTERRUPT = "interrupt"  # the run is ended, and the next run of the same work handles both
    STEER = "steer"  # the agent is handed it when it asks for such messages; if it does not, it waits


@dataclass(frozen=True, slots=True)
class Rules:
    """What a session needs to know of its host's policy. Times in seconds; 0 switches a limit off where noted."""

    placeholder_after_s: float = 1.0  # the answer's anchor is posted at the first words, a tool, or after this
    notice_first_s: float = 60.0  # the first "Still working" is shown after this
    notice_every_s: float = 180.0  # the next ones are shown this far apart
    typing_every_s: float = 4.0  # how often a platform shows that somebody is typing; 0: never
    silent_max_s: float = 900.0  # a run without any sign of life for this long has failed; 0: never
    run_max_s: float = 21_600.0  # a run that lasts longer, awake, is ended, however lively; 0: never
    provider_backoff_s: float = 2.0  # wait before what the agent could not reach is tried again; then doubled each time
    provider_backoff_max_s: float = 120.0  # the longest of these waits, unless the provider asks for more
    provider_max_s: float = 900.0  # waiting for a provider in sum, then the person is told; 0: told at once
    tool_calls_max: int = 500  # tool calls of one piece of work, in all its attempts; 0: no limit
    repeats_max: int = 20  # calls of one tool with the same arguments in one run; 0: no limit
    model_calls_max: int = 0  # model calls of one piece of work, as its agent reports them; 0: no limit
    cost_max: float = 0.0  # what one piece of work may cost, in the agent's own currency; 0: no limit
    fresh_s: float = 3600.0  # interrupted work older than this does not go on by itself; 0 or less: never too old
    idle_s: float = 300.0  # the actor of a session in which nothing happens leaves memory after this
    late_s: float = 300.0  # an answer to a message that waited longer begins with a word about it
    question_timeout_s: float = 0.0  # how long a question waits that does not say so itself; 0: for ever
    busy: Busy | str = Busy.QUEUE  # what becomes of a message that comes while a run works
    inbox_batch_max: int = 100  # the most waiting messages that are handed to one run
    transcript_window: int = 200  # rows of its transcript that an agent reads unless it asks for more
    append_max: int = 1_000  # rows an agent appends to its transcript at once
    summary_every: int = 50  # rows more that a window leaves out, then the summary that stands for them is made again
    summary_max: int = 20_000  # characters of one summary; the rest is cut
    summary_max_s: float = 60.0  # a summariser that takes longer has failed, and the window goes without
    progress_every_s: float = 10.0  # how often a sign of life is written down while words stream
    answer_max: int = 1_000_000  # characters of one answer; the rest is cut, and said so
    question_max: int = 20_000  # characters of one question with its choices; a longer one is refused to whoever asks
    late_change: LateChange | str = LateChange.TELL  # edits and deletions of what a run has already
    reset: Reset | str = Reset.NONE  # when a conversation begins anew by itself, at its user's next message
    reset_after_s: float = 86_400.0  # the silence after which it begins anew, with `idle`
    reset_hour: int = 4  # the hour at which a new day begins, with `daily`
    zone: str = ""  # the time zone of `reset_hour` and of times that people are told; empty: as the host's clock is set
    processes_max: int = 16  # background processes of one session at the same time
    process_output_max: int = 64_000  # characters kept of a process's output: of its beginning, and more of its end
    process_end_s: float = 5.0  # time between asking a background process to end and ending it
    watch_window_s: float = 2.0  # matches in a process's output within so long are told as one
    watch_strikes_max: int = 3  # so many windows with several matches, one after the other, end the watch
    tool_result_max: int = 1_000_000  # characters of one stored tool result
