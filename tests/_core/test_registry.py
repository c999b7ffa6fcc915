"""A class is in the registry because its file is in the folder."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from graphforget._core.errors import UsageError
from graphforget._core.registry import Registry

BASE = """
    from abc import ABC, abstractmethod

    class Base(ABC):
        @abstractmethod
        def act(self): ...
"""

EXACT = """
    from dataclasses import dataclass
    from typing import ClassVar
    from PACKAGE.base import Base

    @dataclass(frozen=True)
    class Exact(Base):
        name: ClassVar[str] = "exact"
        presets: ClassVar[dict[str, dict]] = {"exact-long": {"epochs": 500}}
        epochs: int = 100
        rate: float = 0.1

        def act(self):
            return self.epochs
"""

FAST = """
    from dataclasses import dataclass
    from typing import ClassVar
    from PACKAGE.base import Base
    from PACKAGE.exact import Exact

    class Unlisted(Base):
        def act(self):
            return 0

    @dataclass(frozen=True)
    class Fast(Base):
        name: ClassVar[str] = "fast"
        steps: int

        def act(self):
            return self.steps
"""


@pytest.fixture
def build(tmp_path: Path, monkeypatch) -> Callable[..., Registry]:
    """Return a function that writes a package of the given files and gives its registry."""
    package = f"registry_of_{tmp_path.name}"
    monkeypatch.syspath_prepend(tmp_path)

    def make(**files: str) -> Registry:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        for name, source in {"base": BASE, **files}.items():
            text = textwrap.dedent(source).replace("PACKAGE", package)
            (tmp_path / package / f"{name}.py").write_text(text)
        __import__(f"{package}.base")
        return Registry(package, sys.modules[f"{package}.base"].Base, kind="method")

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def test_names_are_those_of_classes_and_presets(build):
    registry = build(exact=EXACT, fast=FAST)
    assert registry.names() == ["exact", "exact-long", "fast"]
    assert [cls.__name__ for cls in registry.classes()] == ["Exact", "Fast"]


def test_an_imported_class_is_not_listed_twice_and_an_abstract_one_never(build):
    registry = build(exact=EXACT, fast=FAST)
    assert [cls.__module__.rpartition(".")[2] for cls in registry.classes()] == ["exact", "fast"]


def test_modules_are_imported_at_the_first_question(build):
    registry = build(exact=EXACT)
    assert f"{registry.package}.exact" not in sys.modules
    assert registry.names() == ["exact", "exact-long"]
    assert f"{registry.package}.exact" in sys.modules


def test_a_new_file_is_a_new_entry(build):
    copy = EXACT.replace("exact", "other").replace("Exact", "Other")
    assert build(exact=EXACT, other=copy).names() == ["exact", "exact-long", "other", "other-long"]


def test_get_gives_defaults_then_preset_then_overrides(build):
    registry = build(exact=EXACT)
    assert (registry.get("exact").epochs, registry.get("exact").rate) == (100, 0.1)
    assert (registry.get("exact-long").epochs, registry.get("exact-long").rate) == (500, 0.1)
    assert registry.get("exact-long", rate=0.5).rate == 0.5
    assert registry.get("exact-long", epochs=7).epochs == 7
    assert registry.get("exact-long").epochs == 500


def test_find_gives_a_copy_of_the_preset(build):
    registry = build(exact=EXACT)
    registry.find("exact-long")[1]["epochs"] = 1
    assert registry.find("exact-long") == (registry.classes()[0], {"epochs": 500})


def test_an_unknown_name_suggests_the_nearest(build):
    with pytest.raises(UsageError, match="Unknown method 'exat'. Did you mean 'exact'. Known: exact, exact-long"):
        build(exact=EXACT).get("exat")


def test_an_unknown_option_suggests_the_nearest(build):
    with pytest.raises(UsageError) as caught:
        build(exact=EXACT).get("exact", epoch=3)
    assert str(caught.value) == (
        "exact: 'epoch' is not an option of this method. Did you mean 'epochs'? Options: epochs, rate."
    )


def test_a_missing_option_is_named(build):
    registry = build(exact=EXACT, fast=FAST)
    with pytest.raises(UsageError, match="fast: the option 'steps' must be given"):
        registry.get("fast")
    assert registry.get("fast", steps=3).act() == 3


@pytest.mark.parametrize("twin", [EXACT, EXACT.replace('"exact"', '"exact-long"').replace('{"exact-long"', '{"b"')])
def test_two_entries_of_one_name_are_an_error(build, twin):
    registry = build(exact=EXACT, twin=twin)
    with pytest.raises(RuntimeError, match=r"Two entries are called 'exact(-long)?': .*exact\.Exact and .*twin\.Exact"):
        registry.names()


def test_a_preset_that_sets_no_option_of_its_class_is_an_error(build):
    with pytest.raises(RuntimeError, match="Preset 'exact-long' of Exact sets 'epoch', not an option"):
        build(exact=EXACT.replace('{"epochs": 500}', '{"epoch": 500}')).names()
