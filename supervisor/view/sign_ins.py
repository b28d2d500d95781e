"""Who is signed in to the live view, and who guesses. Kept in memory: the end of the process signs everybody out."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from pydantic import SecretStr

IDLE_S = 12 * 3600.0
"""How long a sign-in lasts that nobody uses."""

SIGN_INS_MAX = 64
"""Browsers signed in at once; one more signs out whoever was not seen for longest."""

GUESSES_MAX, GUESSES_S = 5, 60.0
"""Wrong tokens that an address may send within this time; then it has to wait, with a right one, too."""

ADDRESSES_MAX = 1_000

NAME_MAX = 40


@dataclass(slots=True)
class SignIn:
    """One browser. `proof` stands in each of its forms: a page of another site cannot know it."""

    who: str  # as the log names it
    proof: str
    seen_at: float
    told: list[str] = field(default_factory=list)
    """What came of the last orders, for the next page to say."""


@dataclass(frozen=True, slots=True)
class TryLater:
    """Too many wrong tokens came from this address."""

    wait_s: float


class SignIns:
    """Used on one loop. `now` only goes forward; `draw` gives texts that nobody can guess."""

    def __init__(self, token: SecretStr, *, now: Callable[[], float], draw: Callable[[], str]) -> None:
        """Begin with nobody."""
        self._token, self._now, self._draw = token, now, draw
        self._known: OrderedDict[str, SignIn] = OrderedDict()
        self._guesses: OrderedDict[str, list[float]] = OrderedDict()

    def sign_in(self, token: str, *, address: str, name: str) -> str | TryLater | None:
        """Let a browser in: its key, which only it may know. None for a wrong token."""
        match self.judge(token, address=address):
            case TryLater() as later:
                return later
            case False:
                return None
        while len(self._known) >= SIGN_INS_MAX:
            self._known.popitem(last=False)
        key = self._draw()
        self._known[_kept(key)] = SignIn(_say_who(name, address), self._draw(), self._now())
        return key

    def judge(self, token: str, *, address: str) -> bool | TryLater:
        """Say whether this is the token; where it is not, that counts as a guess of that address."""
        now = self._now()
        recent = [at for at in self._guesses.get(address, ()) if now - at < GUESSES_S]
        if len(recent) >= GUESSES_MAX:
            return TryLater(GUESSES_S - (now - recent[0]))
        if hmac.compare_digest(_digest(token), _digest(self._token.get_secret_value())):
            return True
        self._guesses[address] = [*recent, now]
        self._guesses.move_to_end(address)
        while len(self._guesses) > ADDRESSES_MAX:
            self._guesses.popitem(last=False)
        return False

    def find(self, key: str | None) -> SignIn | None:
        """The sign-in that a cookie names, if it is still good."""
        kept = _kept(key or "")
        found, now = self._known.get(kept), self._now()
        if found is None:
            return None
        if now - found.seen_at > IDLE_S:
            del self._known[kept]
            return None
        found.seen_at = now
        self._known.move_to_end(kept)
        return found

    def sign_out(self, key: str | None) -> None:
        """Forget a browser; its cookie is worth nothing from now on."""
        self._known.pop(_kept(key or ""), None)


def _digest(text: str) -> bytes:
    """Of one length whatever is given, so that comparing tells nothing of it."""
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _kept(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _say_who(name: str, address: str) -> str:
    plain = "".join(char for char in name if char.isprintable()).strip()[:NAME_MAX]
    return f"{plain} ({address})" if plain else address
