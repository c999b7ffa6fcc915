"""GFEraser: filter what a model of the forgotten pairs knows out of the embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.base import Hook, Model, fan_in
from graphforget.models.mgcn import info_nce
from graphforget.models.recommender import triple_rows
from graphforget.models.shifted import Shifted
from graphforget.tasks.base import Items
from graphforget.tasks.recommend import Recommendation
from graphforget.training.loop import Phase
from graphforget.unlearning.method import PAIR_KINDS, Method, Problem, count, metric_name, not_negative, positive
from graphforget.unlearning.pair_batches import pair_batches, reverse_bpr


class _Filtered(Model[Interactions]):
    """Trainable embeddings E and N; answers are the attention fusion of E and filter(E).

    E starts from the original on the retained graph, N, the negative model, from the original on the full one.
    """

    def __init__(self, base: Model[Interactions], kept: Tensor, full: Tensor, streams: Streams) -> None:
        super().__init__()
        self.base, width = base, kept.shape[1]
        self.kept, self.negative = nn.Parameter(kept.clone()), nn.Parameter(full.clone())
        sizes = [width, 2 * width, 2 * width, width]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for number, (wide, narrow) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            generator = streams("init", layer=number).torch()
            self.weights.append(fan_in(wide, (wide, narrow), generator))
            self.biases.append(fan_in(wide, (1, narrow), generator))
        generator = streams("init-attention").torch()
        self.mix, self.query = fan_in(width, (width, width), generator), fan_in(width, (width, 1), generator)

    def layers(self, graph: Interactions, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the fused embeddings; they were taken from the graph once and for all."""
        del graph, hook, first
        both = torch.stack([self.kept, self.filtered()])
        attention = torch.softmax(torch.tanh(both @ self.mix) @ self.query, dim=0)
        return [(attention * both).sum(dim=0)]

    def filtered(self) -> Tensor:
        """Return the filter's output: three layers, ReLU between them, on top of what goes in."""
        h = self.kept
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = (torch.relu(h) if number else h) @ weight + bias
        return self.kept + h

    def fresh(self, streams: Streams) -> Model[Interactions]:
        """Return the model underneath with new parameters."""
        return self.base.fresh(streams)

    def flops(self, graph: Interactions) -> int:
        """Return the operations of filter and attention, and of the model underneath."""
        width = self.kept.shape[1]
        return self.base.flops(graph) + 2 * len(self.kept) * (8 * width**2 + 2 * width**2)


@dataclass(frozen=True)
class GFEraser(Method[Recommendation]):
    """GFEraser, the guided filtering eraser (TOIS 2024, doi 10.1145/3706633), reconstructed from a summary of its code.

        Z = attention over (E, E + MLP(E)),   MLP of widths d - 2d - 2d - d
        L = bpr * BPR(Z; B_r) + bpr * reverse BPR(Z; B_f) + contrast * InfoNCE(Z, E0; nodes of B_r)
            - divergence * JS(Z, N; nodes of B_f) + BPR(N; B_f)

    E0 are the original's embeddings over the retained graph, where E starts; N is a negative model, which learns the
    forgotten pairs from the original's embeddings over the full graph; JS is between softmaxes over the
    embedding's entries, in [0, log 2]. The result is the original with its embeddings shifted to Z.

    The parts, widths and weights are the summary's; how they join is ours, and so is the reverse BPR term: in the
    release the forgotten pairs act through N alone. Its "JS" feeds probabilities where logarithms are due and comes
    out negative; ours is the divergence. N is held fixed in the divergence, so that it cannot run away from Z.

    Parameters
    ----------
    bpr: weight of the ranking terms, 0.001 to 0.02 in the release.
    contrast: weight of InfoNCE, 0.4 to 1 in the release. temperature: of its cosines.
    divergence: weight of the divergence from the negative model.
    epochs: passes over the forgotten pairs. lr: of Adam.
    batch: forgotten pairs of a step, at most, beside as many retained ones.
    validate_every, selection: see `Recipe`; "auto" is the task's own metric, "last" takes the last epoch.
    """

    name: ClassVar[str] = "gferaser"
    title: ClassVar[str] = "GFEraser (reconstructed)"
    source: ClassVar[str] = "GFEraser, TOIS 2024, doi 10.1145/3706633, reconstructed"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    search: ClassVar[dict[str, tuple[Any, ...]]] = {
        "bpr": (0.001, 0.02, 1.0),
        "contrast": (0.4, 1.0),
        "divergence": (0.1, 1.0),
        "epochs": (20, 50),
    }

    bpr: float = 0.02
    contrast: float = 0.4
    temperature: float = 1.0
    divergence: float = 0.1
    epochs: int = 20
    lr: float = 1e-3
    batch: int = 1024
    validate_every: int = 5
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(
            bpr=not_negative,
            contrast=not_negative,
            temperature=positive,
            divergence=not_negative,
            epochs=count,
            lr=positive,
            batch=count,
            validate_every=count,
            selection=metric_name,
        )

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the original with shifted embeddings."""
        full, retained = problem.full, problem.retained
        start = problem.original.embed(retained.graph)
        streams = problem.streams.child(self.name)
        model = _Filtered(problem.original, start, problem.original.embed(full.graph), streams).to(start.device)
        recipe = problem.recipe_for(self, self.validate_every)
        problem.fit(model, [Phase("filter", self.steps(problem, model, start))], recipe, self)
        with torch.no_grad():
            return Shifted(problem.original, model(retained.graph) - start)

    def steps(
        self, problem: Problem[Recommendation], model: _Filtered, start: Tensor
    ) -> Callable[[int], list[Callable[[], Tensor]]]:
        """Return epoch -> the losses of its steps."""
        task, batches = problem.full, pair_batches(problem, self.name, self.batch)

        def loss(forgotten: Items, kept: Items) -> Tensor:
            z = model(problem.retained.graph)
            rank = F.softplus(-task.responses(z, kept)).mean() + reverse_bpr(task.responses(z, forgotten)).mean()
            near, far = _named(kept, z.device), _named(forgotten, z.device)
            total = self.bpr * rank + F.softplus(-task.responses(model.negative, forgotten)).mean()
            here, before = z.index_select(0, near), start.index_select(0, near)
            total = total + self.contrast * info_nce(here, before, self.temperature)
            negative = model.negative.detach().index_select(0, far)
            return total - self.divergence * js_divergence(z.index_select(0, far), negative)

        return lambda epoch: [partial(loss, *pair) for pair in batches.both(epoch)]


def _named(items: Items, device: torch.device) -> Tensor:
    """Return the users and chosen items of triples, each once."""
    users, chosen, _ = triple_rows(items, device)
    return torch.cat([users, chosen]).unique()


def js_divergence(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean Jensen-Shannon divergence of softmax(a_i) and softmax(b_i), in [0, log 2]."""
    p, q = F.log_softmax(a, dim=1), F.log_softmax(b, dim=1)
    middle = torch.logaddexp(p, q) - torch.log(torch.tensor(2.0))
    kl = [F.kl_div(middle, side, reduction="batchmean", log_target=True) for side in (p, q)]
    return 0.5 * (kl[0] + kl[1])
