"""Orders of whoever is on call: a page that says what each does, and what came of it. Who gave which is logged.

Each form has a number of its own, which names the order: sent twice, it is carried out once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from greenroom.actors.model import SessionId
from greenroom.storage.letters import read_delivery_named
from greenroom.storage.session_names import read_current
from greenroom.storage.views import SessionRow, read_session
from greenroom.supervisor.drain import Intent
from greenroom.supervisor.view.numbers import number_in
from greenroom.supervisor.view.offers import OF_LETTERS, OF_SESSIONS, Offer

if TYPE_CHECKING:
    import apsw
    from starlette.requests import Request

    from greenroom.supervisor.view.desk import Desk
    from greenroom.supervisor.view.rendering import Pages

logger = logging.getLogger("greenroom.view")


def routes(desk: Desk, pages: Pages) -> list[BaseRoute]:
    """The forms, and where they are sent to."""
    orders = _Orders(desk, pages)
    return [
        Route("/sessions/{number}/order/{word}", orders.ask_of_session),
        Route("/sessions/{number}/order/{word}", orders.order_session, methods=["POST"]),
        Route("/letters/order/{word}", orders.ask_of_letter),
        Route("/letters/order/{word}", orders.order_letter, methods=["POST"]),
        Route("/drain", orders.ask_to_drain),
        Route("/drain", orders.drain, methods=["POST"]),
    ]


class Form(NamedTuple):
    """An order of a session that is about to be given. Its name is given to it once."""

    offer: Offer
    row: SessionRow
    moved: int | None  # the session that its chat leads to now, where that is another
    name: str
    text: str = ""
    wrong: str | None = None


class _Orders:
    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk, self._pages = desk, pages

    async def ask_of_session(self, request: Request) -> Response:
        offer, row, moved = await self._find_session(request)
        return self._ask(request, Form(offer, row, moved, self._desk.draw()))

    async def order_session(self, request: Request) -> Response:
        offer, row, _ = await self._find_session(request)
        form = request.state.form
        text, name = form.get("text", "").strip(), form.get("name", "") or self._desk.draw()
        if offer.worded and not 0 < len(text) <= self._desk.text_max:
            wrong = f"Write what is to be said: at most {self._desk.text_max:,} characters, not {len(text):,}."
            return self._ask(request, Form(offer, row, None, name, text, wrong))
        if offer.word == "release":
            order: dict[str, Any] = {"order": "release", "session": int(row.id)}
        else:
            order = {"order": offer.word, "chat": row.key, "id": name, "text": text if offer.worded else ""}
        answer = await self._give(request, f"{offer.word} of session {row.id} ({row.key})", order)
        return self._tell(request, f"{offer.button}: {_say(answer)}", f"/sessions/{row.id}")

    def _ask(self, request: Request, form: Form) -> Response:
        status = 200 if form.wrong is None else 400
        return self._pages.show(request, "order_session.html", status=status, form=form, offer=form.offer, row=form.row)

    async def ask_of_letter(self, request: Request) -> Response:
        offer, key = _known(OF_LETTERS, request), request.query_params.get("delivery", "")
        found = await self._desk.reading.answer(("delivery", key), partial(read_delivery_named, key=key))
        if found is None:
            raise HTTPException(404, "there is no such delivery (any more)")
        return self._pages.show(request, "order_letter.html", offer=offer, delivery=found)

    async def order_letter(self, request: Request) -> Response:
        offer, key = _known(OF_LETTERS, request), request.state.form.get("delivery", "")
        answer = await self._give(request, f"{offer.word} of delivery {key}", {"order": offer.word, "delivery": key})
        return self._tell(request, f"{offer.button}: {_say(answer)}", "/letters")

    async def ask_to_drain(self, request: Request) -> Response:
        return self._pages.show(request, "order_drain.html", intents=Intent)

    async def drain(self, request: Request) -> Response:
        intent = request.state.form.get("intent", "")
        if intent not in set(Intent):
            raise HTTPException(400, "say whether it will be started again: restart or shutdown")
        answer = await self._give(request, f"drain ({intent})", {"order": "stop", "intent": intent})
        return self._tell(request, f"Drain: {_say(answer)}", "/platforms")

    async def _find_session(self, request: Request) -> tuple[Offer, SessionRow, int | None]:
        """What is ordered, of which session, and which one its chat leads to now, where that is another."""
        offer, number = _known(OF_SESSIONS, request), SessionId(number_in(request, "number"))
        row, current = await self._desk.reading.answer(("session to order", number), partial(_read, number=number))
        if row is None:
            raise HTTPException(404, f"there is no session {number} (any more)")
        return offer, row, None if current in {None, number} else current

    async def _give(self, request: Request, what: str, order: dict[str, Any]) -> Mapping[str, Any]:
        who = request.state.sign_in.who
        logger.warning("the live view: %s orders: %s", who, what)
        answer = await self._desk.obey(order)
        self._desk.reading.forget()
        if "problem" in answer:
            logger.warning("the live view: nothing came of what %s ordered (%s): %s", who, what, answer["problem"])
        return answer

    def _tell(self, request: Request, words: str, to: str) -> Response:
        request.state.sign_in.told.append(words)
        return RedirectResponse(to, 303)


def _known(offers: Mapping[str, Offer], request: Request) -> Offer:
    if (offer := offers.get(request.path_params["word"])) is None:
        raise HTTPException(404, f"there is no such order; there are {', '.join(offers)}")
    return offer


def _say(answer: Mapping[str, Any]) -> str:
    """What came of an order."""
    match answer:
        case {"problem": problem}:
            return f"nothing was done: {problem}"
        case {"said": str(said)} if said:
            return said
        case {"said": None}:
            return "it is stored, and will be carried out as soon as the session can"
        case {"stopping": _}:
            return "no new work begins; what runs may finish, then greenroom ends"
        case _:
            return "done"


def _read(db: apsw.Connection, *, number: SessionId) -> tuple[SessionRow | None, SessionId | None]:
    return read_session(db, number, live=True), read_current(db, number)
