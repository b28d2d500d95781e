"""Choices where there is nothing to press: they are numbered, and a number that is typed is a press. Pure."""

from __future__ import annotations

from greenroom.actors.ports import Choices

DIGITS_MAX = 4
"""Nobody offers more choices than this many digits count."""


def number_choices(text: str, choices: Choices) -> str:
    r"""List what may be answered under a question.

    >>> number_choices("Deploy?", Choices("1.1.answer", ("yes", "no")))
    'Deploy?\n  1. yes\n  2. no'
    """
    return "\n".join((text, *(f"  {number}. {choice}" for number, choice in enumerate(choices.texts, 1))))


def read_choice(text: str, choices: Choices | None) -> tuple[str, str | None]:
    """Read what was typed after a question: the choice that it means and the question it answers, or just the words.

    A choice that is itself a number is meant by its words.

    >>> read_choice("2", Choices("1.1.answer", ("yes", "no")))
    ('no', '1.1.answer')
    """
    typed = text.strip()
    if choices is None:
        return text, None
    if typed in choices.texts:
        return typed, choices.question
    if len(typed) <= DIGITS_MAX and typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(choices.texts):
        return choices.texts[int(typed) - 1], choices.question
    return text, None
