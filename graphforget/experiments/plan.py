"""A plan: what one comparison of methods consists of, before anything is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphforget._core.errors import UsageError
from graphforget.experiments.request import Request
from graphforget.experiments.setup import Setup
from graphforget.experiments.specs import Spec, chosen_methods

MOST_SEED = 2**32 - 1


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
    request: what is to be deleted; None trains the original alone.
    methods: texts as `chosen_methods` reads them, "all" included; none at all gives the original and gold alone.
    seeds: one run each; a run's seed decides split, deletion, initial weights and negatives.
    gold_runs: gold models of each seed; the first is the gold, the others (other seeds) give the noise floor.
    attack: also run the membership attack.
    out: folder that keeps models and checkpoints, so that the run can be resumed; None keeps nothing.

    Raises UsageError for a value that cannot be.
    """

    setup: Setup
    request: Request | None
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
        if self.request is None and self.methods:
            raise UsageError(f"Method '{self.methods[0]}' has nothing to forget: name a deletion, or no method.")
        if self.request is None or not self.methods:
            return ()
        mode = self.setup.task_options.get("class_mode", "label")
        same_graph = self.request.kind == "classes" and mode == "label"
        return chosen_methods(self.methods, self.setup.task, self.request.kind, same_graph)

    def names(self, spec: Spec) -> bool:
        """Return whether a method was named itself, and did not come with "all"."""
        return spec.label in {text.strip() for text in self.methods}

    def as_dict(self) -> dict[str, Any]:
        """Return what decides the numbers, for JSON."""
        return {
            "setup": self.setup.as_dict(),
            "request": None if self.request is None else self.request.as_dict(),
            "methods": {spec.label: spec.method.config() for spec in self.specs()},
            "seeds": list(self.seeds),
            "gold_runs": self.gold_runs,
            "attack": self.attack,
        }
