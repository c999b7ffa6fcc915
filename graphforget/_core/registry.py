"""Names for classes: adding a method or a backbone is adding a file to a folder."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import ModuleType, UnionType
from typing import Any, Generic, TypeVar

from graphforget._core.errors import UsageError, nearest, unknown

T = TypeVar("T")


def _modules(package: str) -> Iterator[ModuleType]:
    folder = importlib.import_module(package)
    for info in sorted(pkgutil.iter_modules(folder.__path__), key=lambda info: info.name):
        yield importlib.import_module(f"{package}.{info.name}")


def _listed(module: ModuleType, base: type | UnionType) -> Iterator[type]:
    for value in vars(module).values():
        if not (isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__):
            continue
        if isinstance(vars(value).get("name"), str) and not inspect.isabstract(value):
            yield value


def _name(cls: type) -> str:
    return vars(cls)["name"]


def _presets(cls: type) -> dict[str, dict[str, Any]]:
    return vars(cls).get("presets", {})


def _options(cls: type) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(cls).parameters)


class Registry(Generic[T]):
    """The classes of a package folder, found by their `name`.

    Every module of `package` is imported at the first question asked. A class counts when it is defined there
    as a concrete subclass of `base` with its own `name: ClassVar[str]`; a class without one is not listed.
    Its `presets: ClassVar[dict[str, dict]]`, preset name -> keyword arguments, adds names for the same class.

    Parameters
    ----------
    package : dotted name of the folder, as "graphforget.unlearning.methods".
    base : the class that all entries derive from, or several as `One | Other`.
    kind : what one entry is called in messages, as "method".

    Raises
    ------
    RuntimeError
        At the first question: two entries share a name, or a preset sets an option its class does not have.
    """

    def __init__(self, package: str, base: type[T] | UnionType, kind: str = "method") -> None:
        self.package = package
        self.base = base
        self.kind = kind

    @cached_property
    def _entries(self) -> dict[str, tuple[type[T], Mapping[str, Any]]]:
        entries: dict[str, tuple[type[T], Mapping[str, Any]]] = {}
        for module in _modules(self.package):
            for cls in _listed(module, self.base):
                for name, values in [(_name(cls), {}), *_presets(cls).items()]:
                    self._add(entries, name, cls, values)
        return dict(sorted(entries.items()))

    def _add(
        self, entries: dict[str, tuple[type[T], Mapping[str, Any]]], name: str, cls: type[T], values: Mapping[str, Any]
    ) -> None:
        if name in entries:
            other = entries[name][0]
            raise RuntimeError(
                f"Two entries are called '{name}': {other.__module__}.{other.__qualname__} and "
                f"{cls.__module__}.{cls.__qualname__}. A {self.kind} needs a name of its own."
            )
        stray = sorted(set(values) - set(_options(cls)))
        if stray:
            raise RuntimeError(f"Preset '{name}' of {cls.__qualname__} sets '{stray[0]}', not an option.")
        entries[name] = (cls, values)

    def names(self) -> list[str]:
        """Return the names of all classes and presets, sorted."""
        return list(self._entries)

    def classes(self) -> list[type[T]]:
        """Return every class once, in the order of their names."""
        return [cls for name, (cls, _) in self._entries.items() if name == _name(cls)]

    def find(self, name: str) -> tuple[type[T], dict[str, Any]]:
        """Return the class behind `name` and the values its preset sets (none for a class name).

        Raises
        ------
        UsageError
            When nothing has that name; the message says which name is closest.
        """
        if name not in self._entries:
            raise UsageError(unknown(self.kind, name, self.names()))
        cls, values = self._entries[name]
        return cls, dict(values)

    def get(self, name: str, **overrides: Any) -> T:
        """Return an instance of the class called `name`, with its preset's values and then `overrides`.

        Raises
        ------
        UsageError
            When nothing has that name, an override is not an option of it, or a required option is missing.
        """
        cls, values = self.find(name)
        options = _options(cls)
        for option in overrides:
            if option not in options:
                raise UsageError(
                    f"{name}: '{option}' is not an option of this {self.kind}.{nearest(option, options)} "
                    f"Options: {', '.join(options) or 'none'}."
                )
        given = values | overrides
        missing = [o for o, p in options.items() if p.default is inspect.Parameter.empty and o not in given]
        if missing:
            raise UsageError(f"{name}: the option '{missing[0]}' must be given; it has no default.")
        return cls(**given)
