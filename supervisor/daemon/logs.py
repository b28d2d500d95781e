"""What the daemon writes to stderr. Only the daemon calls this: in a host of its own, greenroom just uses `logging`."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from greenroom.supervisor.daemon.settings import LogSection

QUIET = ("uvicorn", "uvicorn.access", "uvicorn.error", "asyncio", "filelock")
"""Loggers that speak about each request or loop; below warnings they are noise."""


def set_up_logs(section: LogSection, stream: TextIO = sys.stderr) -> None:
    """Send every log record of the process to `stream`: for people at a terminal, one JSON object a line elsewhere."""
    root = logging.getLogger()
    for attached in root.handlers[:]:
        root.removeHandler(attached)
    written = logging.StreamHandler(stream)
    written.setFormatter(_choose_formatter(section, stream))
    root.addHandler(written)
    set_level(section)
    logging.captureWarnings(capture=True)


def set_level(section: LogSection) -> None:
    """Say more or less from now on."""
    logging.getLogger().setLevel(section.level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.NOTSET if section.level == "debug" else logging.WARNING)


def _choose_formatter(section: LogSection, stream: TextIO) -> logging.Formatter:
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
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep control characters of foreign words out of the operator's terminal."""
    text = str(event.get("event", ""))
    if not text.isprintable():
        event["event"] = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return event
