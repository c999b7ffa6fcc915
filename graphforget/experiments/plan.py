"""A plan: what one comparison of methods consists of, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.experiments.setup import Setup
from graphforget.experiments.specs import Spec, chosen_methods
from graphforget.tasks.base import Task
from graphforget.unlearning.sampling import sample_deletion

MOST_SEED = 2**32 - 1
COMMANDS = {"edges": "edges", "nodes": "nodes", "features": "features", "classes": "node-class"}


@dataclass(frozen=True)
class Request:
    """What is to be deleted: a share, a count, classes, or what a file names.

    Parameters
    ----------
    kind: "edges", "nodes", "features" or "classes".
    fraction, count: of the edges, nodes or features drawn at random. A share of edges is one of all training edges.
    classes: names or numbers of the classes that go.
    file: a deletion file in the user's own ids.
    where, pool, on_small_pool: see `sample_deletion`; None leaves its default.
    """

    kind: str
    fraction: float | None = None
    count: int | None = None
    classes: tuple[str, ...] = ()
    file: str | None = None
    where: str | None = None
    pool: str | None = None
    on_small_pool: str | None = None

    def __post_init__(self) -> None:
        amount = "--class" if self.kind == "classes" else "--fraction or --count"
        given = [self.fraction is not None, self.count is not None, bool(self.classes), self.file is not None]
        if sum(given) != 1:
            found = "none of them is" if not any(given) else "more than one is"
            raise UsageError(f"What must go is named once, by {amount} or --delete FILE; here {found} given.")
        if self.fraction is not None and not 0 < self.fraction < 1:
            raise UsageError(f"--fraction must be above 0 and below 1 (5 % is 0.05); got {self.fraction:g}.")
        if self.count is not None and self.count < 1:
            raise UsageError(f"--count must be at least 1; got {self.count}.")
        stray = [key for key in ("where", "pool", "on_small_pool") if getattr(self, key) is not None]
        if stray and self.fraction is None and self.count is None:
            option = stray[0].replace("_", "-")
            raise UsageError(f"--{option} belongs to a deletion drawn at random (--fraction or --count). Leave it out.")

    def deletion(self, task: Task, seed: int) -> Deletion:
        """Return what must go, in the user's ids; a random deletion is the seed's."""
        if self.file is not None:
            return read_deletion(self.file, self.kind)
        if self.classes:
            return Deletion(classes=self.classes)
        amount = self.fraction if self.fraction is not None else self.count
        drawn = {key: getattr(self, key) for key in ("where", "pool", "on_small_pool") if getattr(self, key)}
        return sample_deletion(task, **{self.kind: amount}, **drawn, seed=seed)

    def amount(self) -> str:
        """Return one phrase for what is asked."""
        if self.file is not None:
            return f"the {self.kind} in {self.file}"
        if self.classes:
            return f"class {', '.join(self.classes)}"
        wanted = f"{self.fraction:.4g} of the" if self.fraction is not None else f"{self.count:,}"
        return f"{wanted} {self.kind}" + (f" ({self.where})" if self.where else "")


def read_deletion(file: str, kind: str) -> Deletion:
    """Return the deletion in a file that names things of one kind; raises DataError when it names another."""
    deletion = Deletion.read(file)
    if deletion.kind != kind:
        other = COMMANDS.get(deletion.kind)
        way = f"use the command '{other}'" if other else "put each kind into a file of its own"
        raise DataError(f"{file}: it names {deletion.kind}, but this command deletes {kind}; {way}.")
    return deletion


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise UsageError unless the seeds are different integers that every generator takes."""
    inside = all(0 <= seed <= MOST_SEED for seed in seeds)
    if not seeds or len(set(seeds)) != len(seeds) or not inside:
        found = ", ".join(map(str, seeds)) or "none"
        raise UsageError(f"Seeds must be different integers from 0 to {MOST_SEED}; got {found}.")


@dataclass(frozen=True)
class Plan:
    """One comparison: a model, a deletion, methods beside the gold, over seeds.

    Parameters
    ----------
    setup: data, task, backbone, recipe.
    request: what is to be deleted.
    methods: texts as `chosen_methods` reads them, "all" included.
    seeds: one run each; a run's seed decides split, deletion, initial weights and negatives.
    gold_runs: gold models of each seed; the first is the gold, the others (other seeds) give the noise floor.
    attack: also run the membership attack.
    out: folder that keeps models and checkpoints, so that the run can be resumed; None keeps nothing.

    Raises UsageError for a value that cannot be.
    """

    setup: Setup
    request: Request
    methods: tuple[str, ...]
    seeds: tuple[int, ...] = (42,)
    gold_runs: int = 2
    attack: bool = True
    out: Path | None = None

    def __post_init__(self) -> None:
        check_seeds(self.seeds)
        if self.gold_runs < 1:
            raise UsageError(f"Gold runs must be at least 1 (2 or more give a noise floor); got {self.gold_runs}.")
        self.specs()

    def specs(self) -> tuple[Spec, ...]:
        """Return the methods."""
        mode = self.setup.task_options.get("class_mode", "label")
        same_graph = self.request.kind == "classes" and mode == "label"
        return chosen_methods(self.methods, self.setup.task, self.request.kind, same_graph)

    def as_dict(self) -> dict[str, Any]:
        """Return what decides the numbers, for JSON."""
        return {
            "setup": self.setup.as_dict(),
            "request": asdict(self.request),
            "methods": {spec.label: spec.method.config() for spec in self.specs()},
            "seeds": list(self.seeds),
            "gold_runs": self.gold_runs,
            "attack": self.attack,
        }
