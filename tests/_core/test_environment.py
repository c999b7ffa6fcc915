"""What a result was computed with: versions, and nothing that names a person or a place."""

from __future__ import annotations

import getpass
import platform
from importlib.metadata import version
from pathlib import Path

import torch

from graphforget._core import environment as module
from graphforget._core.environment import environment, processor


def test_versions_are_those_that_are_installed():
    found = environment()
    assert found["torch"] == version("torch") and found["python"] == platform.python_version()


def test_no_person_and_no_place_is_named():
    text = " ".join(environment().values())
    assert platform.node() not in text and str(Path.home()) not in text and getpass.getuser() not in text.split()


def test_a_library_that_is_not_installed_is_said_to_be_none(monkeypatch):
    monkeypatch.setattr(module, "LIBRARIES", ("graphforget-of-nowhere",))
    assert environment()["graphforget-of-nowhere"] == "run from its source, not installed"


def test_the_kind_of_processor_is_told_apart_by_its_numbers(monkeypatch):
    capability = torch.backends.cpu.get_cpu_capability()
    one = {"model name": "Some Processor", "cpu family": "6", "model": "167"}
    monkeypatch.setattr(module, "listed_first", lambda: one)
    assert environment()["processor"] == f"Some Processor, family 6, model 167, {capability}"
    monkeypatch.setattr(module, "listed_first", dict)
    assert processor().endswith(f", {capability}") and len(processor()) > len(capability) + 2


def test_the_first_processor_of_several_is_read(tmp_path):
    listed = "processor\t: 0\nmodel name\t: A: B\nmodel\t\t: 7\n\nprocessor\t: 1\nmodel\t\t: 8\n"
    (tmp_path / "cpuinfo").write_text(listed)
    assert module.listed_first(tmp_path / "cpuinfo") == {"processor": "0", "model name": "A: B", "model": "7"}
    assert module.listed_first(tmp_path / "nowhere") == {}
