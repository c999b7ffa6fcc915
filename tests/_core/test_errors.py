"""Exit codes and the sentences that suggest a name."""

from __future__ import annotations

import pytest

from graphforget._core import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.GraphforgetError, 1),
        (errors.UsageError, 2),
        (errors.DataError, 3),
        (errors.UnsupportedError, 4),
        (errors.DivergedError, 5),
        (errors.NoForgettingError, 5),
        (errors.Interrupted, 130),
    ],
)
def test_each_error_has_its_exit_code(error, code):
    assert error.exit_code == code
    assert issubclass(error, errors.GraphforgetError)


def test_nearest_suggests_the_closest_name():
    assert errors.nearest("pubmd", ["cora", "pubmed", "dblp"]) == " Did you mean 'pubmed'?"


def test_nearest_is_silent_when_nothing_is_close():
    assert errors.nearest("xyz", ["cora", "pubmed"]) == ""
    assert errors.nearest("xyz", []) == ""


def test_nearest_takes_integers():
    assert errors.nearest(1234567, [1234568, 99]) == " Did you mean '1234568'?"


def test_unknown_says_what_was_asked_and_what_there_is():
    assert errors.unknown("dataset", "coar", ["cora", "dblp"]) == (
        "Unknown dataset 'coar'. Did you mean 'cora'? Known: cora, dblp."
    )
