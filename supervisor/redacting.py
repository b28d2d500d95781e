"""Secrets that somebody pasted into a chat: found by their form, and taken out before anything is stored. Pure."""

from __future__ import annotations

import re

FORMS: dict[str, str] = {
    "private key": r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
    "API key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})",
    "GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "Slack token": r"\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}",
    "Telegram token": r"\b\d{8,10}:[A-Za-z0-9_-]{35}\b",
    "Discord token": r"\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}",
    "AWS key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "Google key": r"\bAIza[A-Za-z0-9_-]{35}",
    "Stripe key": r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{16,}",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI token": r"\bpypi-[A-Za-z0-9_-]{50,}",
    "signed token": r"\beyJ[A-Za-z0-9_-]{8,1000}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
}
"""What is looked for, by the words that stand for it afterwards. Passwords have no form, and are not found.

Where a form can begin anew in the middle of itself (behind each `-`), what comes before its first dot has a limit: else
a text of nothing but beginnings would be read to its end for each of them.
"""

_ANY = re.compile("|".join(f"(?P<f{number}>{form})" for number, form in enumerate(FORMS.values())))
_NAMES = {f"f{number}": name for number, name in enumerate(FORMS)}


def redact(text: str) -> str:
    """Put words in the place of each secret that is recognised.

    >>> redact("my key is AKIAIOSFODNN7EXAMPLE, use it")
    'my key is [AWS key taken out], use it'
    """
    return _ANY.sub(lambda found: f"[{_NAMES[str(found.lastgroup)]} taken out]", text)
