"""Unlink to unlearn: the graph forgets, the weights do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten, Task
from graphforget.unlearning.method import KINDS, Method, Problem


@dataclass(frozen=True)
class Unlink(Method[Task]):
    """Drop the forgotten part from the graph and keep the weights (UtU, Tan et al. 2024).

    The control of every experiment: utility of the original, forgetting by the graph alone. The weights still hold
    what they learned from the forgotten part. For a recommender the graph are the interactions, the knowledge graph
    and the item features; one that passes no messages (MF) answers as before.
    """

    name: ClassVar[str] = "unlink"
    title: ClassVar[str] = "Unlink (weights unchanged)"
    source: ClassVar[str] = "Tan et al. 2024, arXiv 2402.10695"
    reads: ClassVar[frozenset[str]] = frozenset()
    changes: ClassVar[frozenset[str]] = frozenset({"graph"})
    kinds: ClassVar[tuple[str, ...]] = KINDS
    clears: ClassVar[bool] = False

    def refusal(self, task: Task, gone: Forgotten) -> str | None:
        """Return why a deletion that takes nothing from the graph is not for unlink."""
        del task
        parts = (gone.edges, gone.nodes, gone.features, gone.held_out, gone.triples, *gone.modalities.values())
        if any(part.size for part in parts):
            return None
        return (
            f"it changes the graph alone, and this deletion ({gone.describe()}) leaves the graph as it was. Take a "
            "method that changes weights."
        )

    def unlearn(self, problem: Problem[Task]) -> Model:
        """Return the original's weights; the caller drops the forgotten part from the graph."""
        return problem.original
