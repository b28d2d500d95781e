"""What a person sent that is neither words nor a file, as one line of words: a place, a contact, a poll. Pure."""

from __future__ import annotations

from telegram import Contact, Location, Message, Poll, Venue


def words_for(message: Message) -> str:
    """Write it in brackets; nothing for what there are no words for (a sticker, a service message)."""
    if message.venue is not None:  # Its location is told beside it once more.
        return _bracketed("venue", _venue(message.venue))
    if message.location is not None:
        return _bracketed("location", _location(message.location))
    if message.contact is not None:
        return _bracketed("contact", _contact(message.contact))
    if message.poll is not None:
        return _bracketed("poll", _poll(message.poll))
    return ""


def _bracketed(kind: str, what: str) -> str:
    return f"[{kind}: {' '.join(what.split())}]"


def _location(location: Location) -> str:
    return f"{location.latitude}, {location.longitude}"


def _venue(venue: Venue) -> str:
    return f"{venue.title}, {venue.address} ({_location(venue.location)})"


def _contact(contact: Contact) -> str:
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    return f"{name}, {contact.phone_number}"


def _poll(poll: Poll) -> str:
    return f"{poll.question} " + " / ".join(option.text for option in poll.options)
