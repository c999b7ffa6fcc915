"""Ids of users on a command line."""

from __future__ import annotations

import pytest

from graphforget._core.errors import UsageError
from graphforget.experiments.own_recommending import listed_users


@pytest.mark.parametrize(
    ("text", "users"),
    [("12,40", ["12", "40"]), (" ann , bob", ["ann", "bob"]), ('"Doe, J",40', ["Doe, J", "40"]), ("7", ["7"])],
)
def test_ids_stand_between_commas_and_may_hold_them_in_quotes(text, users):
    assert listed_users(text) == users


@pytest.mark.parametrize("text", ["", "12,,40", "12,", '"Doe, J', '"a"b,c'])
def test_what_names_no_user_is_a_sentence(text):
    with pytest.raises(UsageError, match="--users must list ids with commas between, as 12,40"):
        listed_users(text)
