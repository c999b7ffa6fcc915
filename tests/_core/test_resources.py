"""The dataset cards are found in a checkout and in an installed package, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphforget._core import resources
from graphforget._core.errors import DataError
from graphforget._core.resources import datasets_folder


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """Return an empty package folder that `datasets_folder` takes for its own."""
    folder = tmp_path / "site" / "graphforget"
    (folder / "_core").mkdir(parents=True)
    monkeypatch.setattr(resources, "__file__", str(folder / "_core" / "resources.py"))
    return folder


def test_this_checkout_has_cards_and_samples():
    assert (datasets_folder() / "sample").is_dir()


def test_an_installed_package_carries_its_own(package):
    (package / "datasets").mkdir()
    assert datasets_folder() == package / "datasets"


def test_a_checkout_has_them_beside_the_package(package):
    (package.parent / "datasets").mkdir()
    (package.parent / "pyproject.toml").touch()
    assert datasets_folder() == package.parent / "datasets"


def test_another_package_called_datasets_is_not_taken(package):
    (package.parent / "datasets").mkdir()
    with pytest.raises(DataError, match="The dataset cards are missing"):
        datasets_folder()
