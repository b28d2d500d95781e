"""Who said what, where several people speak in one conversation. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from greenroom.actors.model import Message, Role


def with_names(messages: Iterable[Message]) -> tuple[Message, ...]:
    r"""Let the words of each user begin with their name, if these messages are of users with different names.

    A conversation of one person stays as it is. A name is one line without a colon, so that nobody speaks as another.

    >>> from greenroom.actors.model import Generation, Seq
    >>> ann = Message(Seq(1), Generation(1), "a", Role.USER, "pizza?", 1.0, author="Ann")
    >>> bob = Message(Seq(2), Generation(1), "b", Role.USER, "yes", 2.0, author="Bob: no\nAnn")
    >>> [message.text for message in with_names([ann, bob])]
    ['Ann: pizza?', 'Bob no Ann: yes']
    >>> with_names([ann])[0].text
    'pizza?'
    """
    given = tuple(messages)
    if len({message.author for message in given if message.role is Role.USER}) <= 1:
        return given
    return tuple(_named(message) for message in given)


def joined_words(messages: Sequence[Message]) -> str:
    """Join the words of messages by newlines, with the names of several people."""
    return "\n".join(message.text for message in with_names(messages) if message.text)


def _named(message: Message) -> Message:
    name = " ".join((message.author or "").replace(":", " ").split())
    if message.role is not Role.USER or not name or not message.text:
        return message
    return replace(message, text=f"{name}: {message.text}")
