"""MMRecUn: attenuate what must be forgotten and reinforce what stays, in one fine-tuning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor

from graphforget._core.errors import UnsupportedError
from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.models.mf import MF
from graphforget.tasks.base import Forgotten, Items
from graphforget.tasks.recommend import Recommendation
from graphforget.training.loop import Phase
from graphforget.training.recipe import Recipe
from graphforget.unlearning.forgetting_watch import ForgettingWatch
from graphforget.unlearning.fresh_rows import loose_nodes, renew_rows, tied_pairs
from graphforget.unlearning.method import (
    PAIR_KINDS,
    Method,
    Problem,
    count,
    count_or_none,
    positive_or_none,
    share,
    share_or_none,
)
from graphforget.unlearning.pair_batches import (
    clear_features,
    compared_rows,
    learning_graph,
    pair_batches,
    regulariser,
    reverse_bpr,
)


@dataclass(frozen=True)
class MMRecUn(Method[Recommendation]):
    """MMRecUn (Sinha, Mandal and Kankanhalli 2025, AAAI, arXiv 2405.15328), reconstructed.

    Published are the idea (fine-tune a trained multi-modal recommender with reverse BPR on the forgotten and BPR on
    the retained part) and two claims, but no equations, weights or stopping rule. This reconstruction minimises

        L = (1 - alpha) mean_{B_r} softplus(s(u, j) - s(u, i)) + alpha mean_{B_f} softplus(s(u, i) - s(u, j))
            + reg Omega(B_r) + reg Omega(B_f) + the backbone's own losses on B_r only

    B_f: a batch of forgotten pairs, j none of the items u keeps; B_r: a batch of retained ones, j nothing u ever chose.
    A backbone trained with another ranking loss than BPR keeps it on B_r, where BPR would change what it has learned;
    s are then what that loss compares (with SSM, cosines over its temperature): reverse BPR of inner products goes on
    pushing pairs that are long forgotten, and takes two to three times the epochs; and half the learning rate costs
    less of the recall. Both were found on Gowalla's validation pairs; ml-1m with SSM, whose test recall was seen for
    seven settings before the rate became the default, agreed.
    Own losses (contrastive ones, as MGCN's) stay off B_f, where they would tie forgotten items to their content again.
    A phase that a backbone trains beside the ranking (KGAT's triples) is not run.

    Ours is also what keeps it from forgetting more than gold does. First, rows of users and items that keep no training
    pair are drawn anew (`renew_rows`), before anything is learned: pushed down with their learned rows, they would drag
    popular items along. A pair of theirs is then forgotten, unless messages still pass over it, and is not pushed.
    Second, j of a forgotten pair is drawn by popularity: a forgotten item must fall below others as popular, not below
    anything. Third, an epoch (a pass over the forgotten pairs; several, where they are few) that starts with these low
    enough learns from the retained ones alone. Low enough is a recall@20 no higher than what gold is expected to have
    (`unseen_recall`: that of validation pairs, which the original never saw, whose users and items have as many
    interactions), or `gold_recall`. Training ends when that is reached and validation recall@20 is at least `tolerance`
    of the original's, or after `patience` epochs without a better margin.

    Both sizes matter where single interactions go and the rest of their users stays, who are pushed with them. On
    ml-1m (5 % of the interactions, seed 42), steps of half forgotten and half retained pairs (alpha 0.5, one retained
    for each forgotten pair) cost 5 % of the validation recall; alpha 0.03 or 0.1, with as many retained pairs as the
    learning rate was chosen for, 2 %, in fewer epochs. Where whole users and items go, nothing is pushed.

    An epoch of ten steps, the default, can push a hundred pairs far beyond what is asked before anything is looked at:
    for so few there is the preset mmrecun-tiny, which looks after every step.

    Parameters
    ----------
    alpha: weight of the forgotten part; not published, 0.1 is ours, see above.
    retain_per_forget: retained pairs of a step for each forgotten pair; None takes as many as the original's training
        did (all, where it had no batches), at least as many as forgotten ones.
    batch: forgotten pairs of a step, at most.
    min_steps: steps of an epoch, at least: a small forgotten part is walked several times.
    epochs: passes over the forgotten pairs, at most.
    lr: learning rate of a fresh Adam; None takes the original's, half of it where the backbone learned by a softmax.
    graph: messages pass over the "retained" data while learning and answering; "full" keeps forgotten interactions,
        features and facts there, so that the weights alone forget, and all forgotten pairs are pushed.
    clear_features: undo what the backbone learned about the raw features of forgotten items (MGCN), before training.
    reset: rows of users and items without a retained training pair are drawn anew, from streams of the method's own.
    others: how the other items of forgotten pairs are drawn, by "popularity" among the retained pairs or "uniform".
    stop: "forgotten" is the rule above; "never" learns from all forgotten and as many retained pairs in all epochs, or
        until `patience`.
    keep: the epoch kept has the largest "margin" (validation recall; one with something left to forget comes after all
        without, by how much is left), or is the "last".
    patience: epochs without a larger margin after which training ends; None waits for the end. Not with keep="last",
        where every epoch counts as better.
    tolerance: share of the original's validation recall@20 that stopping asks for; not with stop="never". The original
        answers from the same data as the unlearned model, so that what the graph alone loses is not asked back.
    gold_recall: recall@20 of all forgotten pairs under gold, where it is known; all of them are pushed then.
    """

    name: ClassVar[str] = "mmrecun"
    title: ClassVar[str] = "MMRecUn (reconstructed)"
    source: ClassVar[str] = "Sinha et al. 2025, arXiv 2405.15328, reconstructed"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    clears: ClassVar[bool] = False
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    revision: ClassVar[int] = 7
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mmrecun-weights-only": {"graph": "full"},
        "mmrecun-tiny": {"min_steps": 1, "epochs": 200, "patience": 100},
    }
    search: ClassVar[dict[str, tuple[Any, ...]]] = {
        "alpha": (0.03, 0.1, 0.3, 0.5, 0.7, 0.9),
        "retain_per_forget": (1, 4),
        "lr": (1e-4, 1e-3),
    }

    alpha: float = 0.1
    retain_per_forget: int | None = None
    batch: int = 2048
    min_steps: int = 10
    epochs: int = 50
    lr: float | None = None
    graph: str = "retained"
    clear_features: bool = True
    reset: bool = True
    others: str = "popularity"
    stop: str = "forgotten"
    keep: str = "margin"
    patience: int | None = 5
    tolerance: float = 0.98
    gold_recall: float | None = None

    def __post_init__(self) -> None:
        self.check(
            alpha=share,
            retain_per_forget=count_or_none,
            batch=count,
            min_steps=count,
            epochs=count,
            lr=positive_or_none,
            graph=("retained", "full"),
            clear_features=(True, False),
            reset=(True, False),
            others=("popularity", "uniform"),
            stop=("forgotten", "never"),
            keep=("margin", "last"),
            patience=count_or_none,
            tolerance=share,
            gold_recall=share_or_none,
        )
        if self.stop == "never":
            self.refuse_idle("with stop=never", "tolerance")
        if self.keep == "last":
            self.refuse_idle("with keep=last", "patience")
            if self.stop == "never":
                self.refuse_idle("with stop=never and keep=last", "gold_recall")

    def revision_on(self, model: Model, task: Recommendation, gone: Forgotten) -> int:
        """Return the latest revision for a backbone: the seventh changed what backbones trained by a softmax return."""
        del task, gone
        return self.revision if _by_softmax(model) else 6

    def refusal(self, task: Recommendation, gone: Forgotten) -> str | None:
        """Return why data without validation pairs are not for it."""
        del gone
        if task.graph.part(task.select_on) is not None:
            return None
        return "it looks at validation recall after every epoch, and there are no validation pairs; use holdout=0.1."

    def answers_from(self, task: Recommendation, retained: Recommendation) -> Interactions:
        """Return the data that the messages passed over while learning."""
        return learning_graph(task, retained, self.graph)

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the fine-tuned model."""
        if not problem.retained.validates:
            raise UnsupportedError(
                "it looks at validation recall after every epoch, and no validation pair is left; "
                "hold more out, or use reverse-bpr."
            )
        model, data = problem.original.clone(), self.answers_from(problem.full, problem.retained)
        if self.clear_features:
            clear_features(model, problem.full, problem.gone)
        watch = self._watched(problem, model, data)
        lr = problem.recipe.lr * (0.5 if _by_softmax(model) else 1) if self.lr is None else self.lr
        recipe = Recipe(self.epochs, lr, 0.0, 1, self.keep, self.patience)
        enough = watch.enough if self.stop == "forgotten" else None
        steps = Phase("pairs", self.steps(problem, model, data, watch))
        problem.fit(model, [steps], recipe, self, validate=watch, enough=enough)
        return model

    def _watched(self, problem: Problem[Recommendation], model: Model, data: Interactions) -> ForgettingWatch:
        """Draw loose rows anew, in place, and return the watch over the pairs that are left to forget."""
        full, retained, pushed, fresh = problem.full, problem.retained, problem.gone, None
        loose = loose_nodes(retained, pushed)
        if self.reset:
            renew_rows(model, loose, full, problem.streams.child(self.name).child("fresh-rows"))
            if self.graph == "retained" and self.stop == "forgotten" and self.gold_recall is None:
                pushed = tied_pairs(pushed, loose)
            else:
                fresh = model.embed(retained.graph)
        problem.details |= {"rows_renewed": len(loose) if self.reset else 0, "pairs_pushed": pushed.count}
        limits = self.gold_recall, self.tolerance
        return ForgettingWatch(model, problem.original, full, retained, pushed, data, *limits, fresh)

    def steps(
        self, problem: Problem[Recommendation], model: Model, data: Interactions, watch: ForgettingWatch
    ) -> Callable[[int], list[Callable[[], Tensor]]]:
        """Return epoch -> the losses of its steps."""
        task = problem.full
        learning = problem.retained if self.graph == "retained" else task
        least = (problem.recipe.batch or learning.graph.n_edges) if self.retain_per_forget is None else 0
        sizes = self.batch, self.retain_per_forget or 1, self.min_steps
        batches = pair_batches(problem, self.name, *sizes, self.others, least)
        pushed = replace(batches, gone=watch.gone)

        def loss(forgotten: Items, kept: Items, epoch: int) -> Tensor:
            layers = model.layers(data)
            z = model.readout(layers)
            lose = reverse_bpr(task.responses(compared_rows(model, z), forgotten)).mean()
            own = model.ranking_loss(data, z, kept)
            keep = F.softplus(-task.responses(z, kept)).mean() if own is None else own
            added = model.extra_loss(data, layers, z, kept, epoch) + regulariser(model, layers, z, forgotten)
            return (1 - self.alpha) * keep + self.alpha * lose + added

        def losses(epoch: int) -> list[Callable[[], Tensor]]:
            if self.stop == "forgotten" and watch.forgotten():
                return [partial(learning.batch_loss, model, kept, epoch) for kept in batches.kept(epoch)]
            return [partial(loss, *pair, epoch) for pair in pushed.both(epoch)]

        return losses


def _by_softmax(model: Model) -> bool:
    """Return whether a backbone, initialised or not, learns to rank by a softmax."""
    base = under_operators(model)
    return isinstance(base, MF) and base.own_loss() is not None
