"""A grid: data x backbone x deletion x method x seed, as TOML says it, and as plans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from graphforget._core.errors import UnsupportedError
from graphforget.data.cards import is_card
from graphforget.experiments.plan import Plan
from graphforget.experiments.request import Request
from graphforget.experiments.setup import Setup, Source


class Strict(BaseModel):
    """A frozen value read from TOML; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class Wanted(Request):
    """A request and its name in tables; an unknown field is an error."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]

    def request(self) -> Request:
        """Return what is to be deleted, without the name: two names of one deletion make one unit."""
        return Request(**{key: value for key, value in vars(self).items() if key != "name"})


@dataclass(frozen=True)
class Cell:
    """One combination of data, backbone and deletion (the empty text for none), as a plan over methods and seeds."""

    data: str
    backbone: str
    deletion: str
    plan: Plan
    grid: Grid

    def alone(self) -> Cell:
        """Return the cell that trains the same original and deletes nothing."""
        return replace(self, deletion="", plan=replace(self.plan, request=None, methods=()))


class Grid(Strict):
    """Every combination of data, backbones, deletions, methods and seeds.

    Parameters
    ----------
    data: names or paths of data sets. features, labels, load: as in `Source`, the last being its options.
    backbones: as `Setup` reads them, with or without options.
    deletions: what goes; without any, original models are trained and nothing is unlearned.
    methods: as `Plan` reads them; without any, the original and gold alone are made.
    seeds, gold_runs, attack: as in `Plan`.
    task, task_options, architecture, recipe: as in `Setup`.
    requires: contents of files that the data's card calls optional and this grid cannot do without, as "triples".
    """

    data: tuple[str, ...] = Field(min_length=1)
    backbones: tuple[str, ...] = Field(min_length=1)
    task: str = "link"
    methods: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (42,)
    gold_runs: int = 2
    attack: bool = True
    features: str | None = None
    labels: str | None = None
    requires: tuple[str, ...] = ()
    task_options: dict[str, Any] = Field(default_factory=dict)
    architecture: dict[str, Any] = Field(default_factory=dict)
    recipe: dict[str, Any] = Field(default_factory=dict)
    load: dict[str, Any] = Field(default_factory=dict)
    deletions: tuple[Wanted, ...] = ()

    @model_validator(mode="after")
    def _names_each_deletion_once(self) -> Grid:
        names = self.names("deletions")
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice is not None:
            raise ValueError(f"two deletions are called '{twice}', and tables could not tell them apart")
        return self

    def cells(self, data_dir: str | None = None) -> Iterator[Cell]:
        """Yield every combination of data, backbone and deletion.

        data_dir: folder of the named sets.

        Raises UsageError for what cannot be, UnsupportedError for a backbone that does not serve the grid's task.
        """
        for data, backbone in product(self.data, self.backbones):
            setup = self._setup(data, backbone, data_dir)
            for wanted in self.deletions or (None,):
                request = None if wanted is None else wanted.request()
                methods = self.methods if request is not None else ()
                plan = Plan(setup, request, methods, self.seeds, self.gold_runs, self.attack)
                yield Cell(data, backbone, "" if wanted is None else wanted.name, plan, self)

    def _setup(self, data: str, backbone: str, data_dir: str | None) -> Setup:
        source = self.source(data, data_dir)
        try:
            return Setup(source, backbone, self.task, self.task_options, self.architecture, self.recipe)
        except UnsupportedError as error:
            raise UnsupportedError(
                f'{error} A grid names its task, as task = "node" or task = "recommend"; without, it is "link".'
            ) from error

    def source(self, data: str, data_dir: str | None) -> Source:
        """Return where one of the data sets comes from."""
        place = data_dir if is_card(data) else None
        options = {key: tuple(value) if isinstance(value, list) else value for key, value in self.load.items()}
        return Source(data, place, self.features, self.labels, options)

    def names(self, key: str) -> tuple[str, ...]:
        """Return the names in a field: data, backbones, methods or deletions."""
        return tuple(one.name if isinstance(one, Wanted) else one for one in getattr(self, key))

    def part(self, wanted: Mapping[str, Sequence[str]], seeds: tuple[int, ...]) -> Grid | None:
        """Return the grid with only the names wanted of some fields, and other seeds if any; None if none is left."""
        kept = {
            key: tuple(one for one, name in zip(getattr(self, key), self.names(key), strict=True) if name in names)
            for key, names in wanted.items()
        }
        return None if not all(kept.values()) else self.model_copy(update=kept | ({"seeds": seeds} if seeds else {}))

    def narrowed(self, cell: Cell, seed: int, methods: Sequence[str]) -> Grid:
        """Return the grid of one cell, one seed and the methods named."""
        kept = tuple(wanted for wanted in self.deletions if wanted.name == cell.deletion)
        one = {"data": (cell.data,), "backbones": (cell.backbone,), "deletions": kept}
        return self.model_copy(update={**one, "seeds": (seed,), "methods": tuple(methods)})

    def as_table(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, and those that decide numbers, for TOML."""
        always = {"task", "seeds"} | ({"gold_runs", "attack"} if self.deletions else set())
        kept = self.model_dump(exclude_defaults=True) | self.model_dump(include=always)
        return {name: kept[name] for name in type(self).model_fields if name in kept}
