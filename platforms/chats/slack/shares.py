"""What people share in a message: files, and messages that they forward. Pure.

A forwarded message is an entry of `attachments` with `is_share`, and the message's own text may be empty
(https://github.com/slackapi/slack-skills-plugin/issues/149). The preview of a link that somebody wrote has no such
mark: it is nobody's words to us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from greenroom.platforms.chats.slack.markup import escape

_QUOTED = escape("> ")


class File(Struct, frozen=True):
    """A file as Slack tells of it. `url_private` opens only with the bot's token."""

    id: str
    name: str | None = None
    mimetype: str | None = None
    size: int | None = None
    mode: str | None = None
    file_access: str | None = None
    url_private: str | None = None
    url_private_download: str | None = None

    @property
    def must_be_asked_for(self) -> bool:
        """Whether this is only its name: what comes through Slack Connect is told by `files.info`.

        See https://docs.slack.dev/reference/objects/file-object/.
        """
        return self.file_access == "check_file_info"


class Forward(Struct, frozen=True):
    """A message of somebody else, as it was forwarded."""

    text: str | None = None
    fallback: str | None = None  # how Slack tells of it where it cannot be shown
    author_name: str | None = None
    author_id: str | None = None
    files: tuple[File, ...] | None = None


def is_forward(attachment: Mapping[str, Any]) -> bool:
    """Whether an entry of `attachments` is a `Forward`."""
    return attachment.get("is_share") is True


def quote(forwards: Sequence[Forward]) -> str:
    r"""Write forwarded messages in Slack's words, each line as a quotation.

    >>> quote([Forward("one\ntwo", author_name="Ann")])
    '&gt; Ann: one\n&gt; two'
    """
    said = filter(None, map(_words, forwards))
    return "\n".join(_QUOTED + line for words in said for line in words.split("\n"))


def _words(forward: Forward) -> str:
    said = forward.text or forward.fallback or ""
    author = forward.author_name or (f"<@{forward.author_id}>" if forward.author_id else "")
    return f"{author}: {said}" if author and said else said


def files_of(files: Sequence[File] | None, forwards: Sequence[Forward]) -> tuple[File, ...]:
    """Find all files, those of forwarded messages included. Of a deleted file only a tombstone is left."""
    found = [*(files or ()), *(file for each in forwards for file in each.files or ())]
    return tuple(each for each in found if each.mode != "tombstone")
