"""Pages from templates. Whatever is put into one is escaped; there is no way around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.responses import HTMLResponse

from greenroom.supervisor.version import VERSION

if TYPE_CHECKING:
    from starlette.requests import Request

TEMPLATES = "templates"

NAVIGATION = (
    ("Sessions", "/"),
    ("Feed", "/feed"),
    ("Letters", "/letters"),
    ("Platforms", "/platforms"),
    ("Storage", "/storage"),
    ("Restarts", "/restarts"),
)
"""The pages that each page leads to."""


class Pages:
    """Makes pages. `words` are the filters that templates may use."""

    def __init__(self, words: Mapping[str, Callable[..., str]]) -> None:
        """Read all templates, once."""
        folder = files(__package__) / TEMPLATES
        texts = {
            each.name: each.read_text(encoding="utf-8") for each in folder.iterdir() if each.name.endswith(".html")
        }
        self._made = Environment(
            loader=DictLoader(texts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._made.filters.update(words)
        self._made.globals.update(version=VERSION, navigation=NAVIGATION)

    def show(self, request: Request, template: str, *, status: int = 200, **given: object) -> HTMLResponse:
        """Make a page. What came of the reader's last orders is told on it, once."""
        sign_in = request.state.sign_in
        told: list[str] = []
        if sign_in is not None and "hx-request" not in request.headers:
            told, sign_in.told = sign_in.told, []
        text = self._made.get_template(template).render(
            path=request.scope["path"],
            proof="" if sign_in is None else sign_in.proof,
            signed_in=sign_in,
            told=told,
            **given,
        )
        return HTMLResponse(text, status)
