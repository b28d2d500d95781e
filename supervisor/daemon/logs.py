"""What the daemon writes to stderr. Only the daemon calls this: in a host of its own, greenroom just uses `logging`."""

import json
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TextIO
from urllib.parse import quote

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from greenroom.platforms.chats.secret import FileSecret
from greenroom.supervisor.daemon.settings import LogSection

HIDDEN = "**********"
"""Stands where a secret stood, as pydantic has it."""

SECRET_MIN = 6
"""Shortest secret that is hidden in logs, in characters."""

QUIET = ("uvicorn", "uvicorn.access", "uvicorn.error", "asyncio", "filelock")
"""Loggers that speak about each request or loop; below warnings they are noise."""


def set_up_logs(section: LogSection, stream: TextIO = sys.stderr, secrets: Sequence[SecretStr] = ()) -> None:
    """Send every log record of the process to `stream`: for people at a terminal, one JSON object a line elsewhere.

    Whoever logs them, `secrets` are stars: a library or a server may repeat what it was given.
    """
    root = logging.getLogger()
    for attached in root.handlers[:]:
        root.removeHandler(attached)
    written = logging.StreamHandler(stream)
    written.setFormatter(_choose_formatter(section, stream, partial(_hide, secrets)))
    root.addHandler(written)
    set_level(section)
    logging.captureWarnings(capture=True)


def set_level(section: LogSection) -> None:
    """Say more or less from now on."""
    logging.getLogger().setLevel(section.level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET if section.level == "debug" else logging.WARNING)


def _choose_formatter(section: LogSection, stream: TextIO, hide: Callable[[str], str]) -> logging.Formatter:
    for_people = section.format == "console" or (section.format == "auto" and stream.isatty())
    if for_people:
        shared: list[Processor] = [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)]
        last: list[Processor] = [structlog.dev.ConsoleRenderer(colors=stream.isatty())]
    else:
        shared = [structlog.processors.TimeStamper(fmt="iso", utc=True)]
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    before: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        *shared,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*before, _one_line],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *last,
            lambda _logger, _method, line: hide(str(line)),
        ],
    )


def _hide(secrets: Sequence[SecretStr], line: str) -> str:
    for secret in secrets:
        value = secret.known if isinstance(secret, FileSecret) else secret.get_secret_value()
        if len(value) < SECRET_MIN:
            continue  # So short a word stands everywhere.
        for written in _ways_to_write(value):
            line = line.replace(written, HIDDEN)
    return line


def _ways_to_write(value: str) -> Iterator[str]:
    """As Python, a URL and JSON have it, and what a line of JSON makes of those."""
    for written in (repr(value)[1:-1], quote(value, safe=""), value):
        yield json.dumps(written, ensure_ascii=False)[1:-1]
        yield written


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep control characters of foreign words out of the operator's terminal."""
    text = str(event.get("event", ""))
    if not text.isprintable():
        event["event"] = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return event
