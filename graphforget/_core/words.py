"""Numbers with their nouns."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless there is one.

    Example
    -------
    >>> counted(1, "class"), counted(1200, "held-out edge")
    ('1 class', '1,200 held-out edges')
    """
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"
