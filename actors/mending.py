"""Text from foreign code, made fit for disk and wire: what is no character is replaced, what is no text is refused."""

from __future__ import annotations


def mend(text: object, what: str) -> str:
    r"""Replace halves of surrogate pairs, which no encoding can write. Raises TypeError for what is no text.

    >>> mend("caf\u00e9 " + chr(0xD83D), "say") == "caf\u00e9 " + chr(0xFFFD)
    True
    """
    if not isinstance(text, str):
        msg = f"{what}: must be text, got {type(text).__name__}"
        raise TypeError(msg)
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def refuse_halves(what: str, *texts: str) -> None:
    """Raise ValueError for text that would have to be mended, where other words would do something else."""
    for text in texts:
        if mend(text, what) != text:
            msg = f"{what}: {text!r:.80} holds half a character, which cannot be stored; name a file otherwise, as by *"
            raise ValueError(msg)
