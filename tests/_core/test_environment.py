"""What a result was computed with: versions, and nothing that names a person or a place."""

from __future__ import annotations

import getpass
import platform
from importlib.metadata import version
from pathlib import Path

from graphforget._core import environment as module
from graphforget._core.environment import environment


def test_versions_are_those_that_are_installed():
    found = environment()
    assert found["torch"] == version("torch") and found["python"] == platform.python_version()


def test_no_person_and_no_place_is_named():
    text = " ".join(environment().values())
    assert platform.node() not in text and str(Path.home()) not in text and getpass.getuser() not in text.split()


def test_a_library_that_is_not_installed_is_said_to_be_none(monkeypatch):
    monkeypatch.setattr(module, "LIBRARIES", ("graphforget-of-nowhere",))
    assert environment()["graphforget-of-nowhere"] == "run from its source, not installed"
