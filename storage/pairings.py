"""Chats that were let in by a code, and those that have one."""

from collections.abc import Callable
from typing import Any

import apsw

from greenroom.actors.model import Receipt, SessionKey
from greenroom.actors.pairing import GUESSES_MAX, Pairing
from greenroom.actors.pairing_facts import ChatPaired, ChatUnpaired, CodeMissed, CodeOffered
from greenroom.storage.rows import Contradiction, one_row


def read_pairings(db: apsw.Connection) -> tuple[Pairing, ...]:
    """All of them, the oldest first."""
    rows = db.execute(
        "SELECT platform, account, chat, offered_at, expires_at, salt, code_hash, author, guesses, approved_at"
        " FROM pairings ORDER BY offered_at, id"
    )
    return tuple(Pairing(SessionKey(*row[:3]), *row[3:]) for row in rows)


def code_offered(db: apsw.Connection, fact: CodeOffered) -> None:
    pairing, (platform, account, chat) = fact.pairing, _name(fact.pairing.chat)
    db.execute(
        "DELETE FROM pairings WHERE platform = ? AND account = ? AND approved_at IS NULL AND expires_at <= ?",
        (platform, account, pairing.offered_at),
    )
    db.execute(
        "INSERT INTO pairings (platform, account, chat, offered_at, expires_at, salt, code_hash, author)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (platform, account, chat) DO UPDATE SET"
        " offered_at = excluded.offered_at, expires_at = excluded.expires_at, salt = excluded.salt,"
        " code_hash = excluded.code_hash, author = excluded.author, guesses = 0 WHERE approved_at IS NULL",
        (
            platform,
            account,
            chat,
            pairing.offered_at,
            pairing.expires_at,
            pairing.salt,
            pairing.code_hash,
            pairing.author,
        ),
    )


def code_missed(db: apsw.Connection, fact: CodeMissed) -> None:
    db.execute(
        "UPDATE pairings SET guesses = max(guesses, ?)"
        " WHERE platform = ? AND account = ? AND chat = ? AND approved_at IS NULL",
        (fact.guesses, *_name(fact.chat)),
    )


def chat_paired(db: apsw.Connection, fact: ChatPaired) -> None:
    name = _name(fact.chat)
    db.execute(
        "UPDATE pairings SET approved_at = ?, salt = '', code_hash = '' WHERE platform = ? AND account = ? AND chat = ?"
        " AND approved_at IS NULL AND code_hash = ? AND offered_at <= ? AND expires_at > ? AND guesses < ?",
        (fact.at, *name, fact.code_hash, fact.at, fact.at, GUESSES_MAX),
    )
    if not db.changes():
        where = "SELECT approved_at FROM pairings WHERE platform = ? AND account = ? AND chat = ?"
        if one_row(db, where, name) != (fact.at,):
            raise Contradiction(f"the code of {fact.chat} was used, or is over")


def chat_unpaired(db: apsw.Connection, fact: ChatUnpaired) -> None:
    db.execute("DELETE FROM pairings WHERE platform = ? AND account = ? AND chat = ?", _name(fact.chat))


def _name(chat: SessionKey) -> tuple[str, str, str]:
    return chat.platform, chat.account, chat.chat


PAIRING_STATEMENTS: dict[type, Callable[[apsw.Connection, Any], Receipt | None]] = {
    CodeOffered: code_offered,
    CodeMissed: code_missed,
    ChatPaired: chat_paired,
    ChatUnpaired: chat_unpaired,
}
