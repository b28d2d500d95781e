"""The Markdown that agents write, as the HTML that Matrix clients show. Pure."""

from __future__ import annotations

from html import escape

from markdown_it import MarkdownIt

_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"]).disable("image")
)
"""HTML is shown as it was written; a line's end is one. Pictures elsewhere are not shown by clients: links remain."""


def as_html(text: str) -> str | None:
    r"""Format a text; None if there is nothing to format.

    >>> as_html("say *hello*")
    '<p>say <em>hello</em></p>'
    >>> as_html("1 < 2") is None
    True
    """
    html: str = _MARKDOWN.render(text).strip()
    plain = escape(text.strip(), quote=False).replace('"', "&quot;")
    return None if html == f"<p>{plain}</p>" else html
