"""The front door: every public name is there, and importing it waits for nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

import graphforget as gf

RECOMMENDERS = {
    "Interactions",
    "TripleGraph",
    "Recommendation",
    "MF",
    "LightGCN",
    "NGCF",
    "KGAT",
    "VBPR",
    "MGCN",
    "PinSage",
}
ERRORS = {"GraphforgetError", "UsageError", "DataError", "UnsupportedError", "DivergedError", "NoForgettingError"}


@pytest.mark.parametrize("name", gf.__all__)
def test_a_public_name_is_the_thing_it_names(name):
    value = getattr(gf, name)
    assert value.__name__ == name and value.__doc__


def test_recommenders_and_errors_are_public():
    assert set(gf.__all__) >= RECOMMENDERS | ERRORS
    assert all(issubclass(getattr(gf, name), gf.GraphforgetError) for name in ERRORS)
    assert set(gf.__all__) <= set(dir(gf))


def test_the_package_is_imported_without_torch():
    code = "import sys, graphforget; print([m for m in ('torch', 'numba', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'LightGNC'"):
        gf.LightGNC  # noqa: B018
