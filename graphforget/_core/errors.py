"""Every error a user can meet: a sentence and an exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GraphforgetError(Exception):
    """Base of all errors raised on purpose; the command line prints its text and exits with `exit_code`."""

    exit_code = 1


class UsageError(GraphforgetError):
    """An argument or option is wrong."""

    exit_code = 2


class DataError(GraphforgetError):
    """A file or an array does not hold what it should."""

    exit_code = 3


class UnsupportedError(GraphforgetError):
    """A valid request that this method, task or backbone cannot serve."""

    exit_code = 4


class DivergedError(GraphforgetError):
    """Numbers became infinite or NaN, or a result failed its own check."""

    exit_code = 5


class NoForgettingError(DivergedError):
    """A method returned a model that the deletion did not change."""


class Interrupted(GraphforgetError):
    """The run was stopped and can be resumed."""

    exit_code = 130


def nearest(name: object, choices: Iterable[object]) -> str:
    """Return " Did you mean 'x'?" for the closest of `choices`, or the empty string."""
    close = difflib.get_close_matches(str(name), [str(choice) for choice in choices], n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""


def unknown(what: str, name: object, choices: Iterable[object]) -> str:
    """Return the sentence for a name that is not one of `choices`."""
    names = [str(choice) for choice in choices]
    return f"Unknown {what} '{name}'.{nearest(name, names)} Known: {', '.join(names)}."
