"""Every number of a report: its name, its direction and how it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

Direction = Literal["higher", "lower", "gold", "none"]
Group = Literal["case", "utility", "forgetting", "membership", "distance", "cost"]
Style = Literal["share", "signed", "number", "seconds", "times", "megabytes", "count", "whole"]

ARROWS: dict[str, str] = {"higher": "↑", "lower": "↓", "gold": "→gold", "none": ""}
FORMATS: dict[str, str] = {
    "share": "{:.4f}",
    "signed": "{:+.4f}",
    "number": "{:.3f}",
    "seconds": "{:.2f}",
    "times": "{:,.1f}x",
    "megabytes": "{:,.0f}",
    "count": "{:.3g}",
    "whole": "{:,.0f}",
}
PARTS = ("forgotten", "retained", "test")
GRAPHS = ("link", "node")
SHARES = {
    "deleted_share": "interactions",
    "deleted_triple_share": "triples",
    "deleted_feature_share": "feature rows of items",
}
"""Metric that says how much a deletion takes -> of what."""
NAMED = {"named_trained": "trained on", "named_held_out": "held out"}
"""Metric that says how many of the named edges or interactions were in a part -> which."""
EVERY = (*GRAPHS, "recommend")


@dataclass(frozen=True)
class Metric:
    """One number of a report.

    Attributes
    ----------
    name: key in records. label: heading in tables. meaning: one sentence.
    direction: "higher" or "lower" is better, "gold": the target is gold's value, not an extreme, or "none": it says
        something of the case, not of a model.
    group: kind of evidence. tasks: tasks that have it. style: how it is written.
    headline: tasks whose short table has it as a column; the full table holds everything.
    open_ended: whether its direction, the published one, leads beyond gold's value, so that a row may be the best by
        over-forgetting.
    """

    name: str
    label: str
    meaning: str
    direction: Direction
    group: Group
    tasks: tuple[str, ...] = EVERY
    style: Style = "share"
    headline: tuple[str, ...] = ()
    open_ended: bool = False

    @property
    def arrow(self) -> str:
        """Return the sign of the direction."""
        return ARROWS[self.direction]

    @property
    def aim(self) -> Direction:
        """Return the direction in which a best row is looked for: none where over-forgetting would win."""
        return "none" if self.open_ended else self.direction

    def show(self, value: float, spread: float | None = None) -> str:
        """Return the value as text, with its spread over seeds where there is one."""
        text = FORMATS[self.style].format(value)
        if spread is None:
            return text
        return f"{text} ± {FORMATS[self.style].format(spread).removeprefix('+')}"


def _named() -> Iterator[Metric]:
    for name, what in NAMED.items():
        meaning = f"Edges or interactions among the named that were {what}, where some of them were held out."
        yield Metric(name, f"named, {what}", meaning, "none", "case", ("link", "recommend"), style="whole")


def _link() -> Iterator[Metric]:
    useful = partial(Metric, direction="higher", group="utility", tasks=("link",))
    yield useful("test_auc", "test AUC", "ROC-AUC of test edges against stored negatives (Et).", headline=("link",))
    yield useful("test_ap", "test AP", "Average precision of test edges against stored negatives.")
    forgets = partial(Metric, group="forgetting", tasks=("link",), headline=("link",))
    meaning = "AUC of retained above forgotten edges, mean of 500 draws (Ed); above gold's is over-forgetting."
    yield forgets("forgotten_auc", "forgotten AUC", meaning, "gold")
    yield forgets("forgotten_auc_gap", "|f.AUC - gold|", "Distance of the forgotten AUC to gold's.", "lower")


def _node() -> Iterator[Metric]:
    useful = partial(Metric, direction="higher", group="utility", tasks=("node",))
    yield useful("test_accuracy", "test acc.", "Accuracy on test nodes.", headline=("node",))
    yield useful("test_micro_f1", "test micro-F1", "Micro-F1 on test nodes; with one label a node, the accuracy.")
    yield useful("test_macro_f1", "test macro-F1", "F1 on test nodes, mean over the classes that occur.")
    yield useful("rest_accuracy", "rest acc.", "Accuracy on retained training nodes.", headline=("node",))
    yield useful("rest_micro_f1", "rest micro-F1", "Micro-F1 on retained training nodes.")
    yield useful(
        "other_test_accuracy", "other test acc.", "Accuracy on test nodes of other classes.", headline=("node",)
    )
    forgets = partial(Metric, group="forgetting", tasks=("node",))
    meaning = "Accuracy on test nodes of the deleted classes."
    yield forgets("class_test_accuracy", "class test acc.", meaning, "gold", headline=("node",))
    meaning = "Accuracy on forgotten nodes, by their labels before; below gold's is over-forgetting."
    yield forgets("forgotten_accuracy", "forgotten acc.", meaning, "gold", headline=("node",))
    yield forgets("forgotten_micro_f1", "forgotten micro-F1", "Micro-F1 on the forgotten nodes.", "gold")
    meaning = "Distance of the forgotten accuracy to gold's."
    yield forgets("forgotten_accuracy_gap", "|f.acc. - gold|", meaning, "lower", headline=("node",))


RANKING = {
    "recall@10": "Share of {what} found in the first 10 places",
    "recall@20": "Share of {what} found in the first 20 places",
    "recall@50": "Share of {what} found in the first 50 places",
    "ndcg@20": "Discounted gain of {what} in the first 20 places, divided by the ideal one",
    "precision@20": "Share of the first 20 places that are {what}",
    "hit@20": "Share of users with one of {what} in the first 20 places",
    "map@20": "Average precision of {what} in the first 20 places",
    "mrr@20": "1 / place of the first of {what} within 20",
}
"""What is measured of a ranked list, with what is to be found left open; means over users."""


def _ranked(part: str, what: str, direction: Direction, group: Group, leading: tuple[str, ...]) -> Iterator[Metric]:
    for name, meaning in RANKING.items():
        sentence = f"{meaning.format(what=what)}; mean over users."
        headline = ("recommend",) if name in leading else ()
        yield Metric(f"{part}_{name}", f"{part} {name}", sentence, direction, group, ("recommend",), headline=headline)


def _recommend() -> Iterator[Metric]:
    useful = partial(Metric, direction="higher", group="utility", tasks=("recommend",))
    for name, of in SHARES.items():
        meaning = f"Share of the {of} of the training data that a deletion of some takes."
        yield Metric(name, f"share of {of} deleted", meaning, "none", "case", ("recommend",))
    what = "a user's test items (deleted users and items left out)"
    yield from _ranked("test", what, "higher", "utility", ("recall@20", "ndcg@20"))
    meaning = "Share of the candidates that stand in some user's first 20 places."
    yield useful("test_coverage@20", "coverage@20", meaning, direction="none")
    meaning = "Distance of the test recall@20 to gold's."
    yield useful("test_recall@20_gap", "|test recall - gold|", meaning, direction="lower")
    yield from _ranked("valid", "a user's validation items (training items hidden)", "higher", "utility", ())
    meaning = "Recall@20 of {} on the whole test part before the deletion, as published numbers count."
    yield useful("whole_recall@20", "whole test recall@20", meaning.format("the original"))
    yield useful("whole_ndcg@20", "whole test ndcg@20", meaning.format("the original").replace("Recall", "NDCG"))
    meaning = "Recall@20 on test with deleted items left among the candidates."
    yield useful("open_recall@20", "test recall@20, deleted items in", meaning)


def _forgotten_ranking() -> Iterator[Metric]:
    what = "a user's forgotten items (never hidden)"
    yield from _ranked("forgotten", what, "gold", "forgetting", ("recall@20",))
    near = partial(Metric, direction="lower", group="forgetting", tasks=("recommend",))
    meaning = "Distance of the forgotten recall@20 to gold's."
    yield near("forgotten_recall@20_gap", "|f.recall - gold|", meaning, headline=("recommend",))
    yield near("forgotten_ndcg@20_gap", "|f.ndcg - gold|", "Distance of the forgotten ndcg@20 to gold's.")
    aims = partial(Metric, direction="gold", group="forgetting", tasks=("recommend",))
    meaning = "AUC of forgotten triples above corrupted ones by TransR's energy (models with such a phase)."
    yield aims("forgotten_triple_auc", "forgotten triple AUC", meaning, headline=("recommend",))
    yield near("forgotten_triple_auc_gap", "|f.triple AUC - gold|", "Distance of the triple AUC to gold's.")
    meaning = "Recall@20 of retained training items, nothing hidden, at most 2,000 users."
    yield aims("train_recall@20", "train recall@20", meaning)
    meaning = "Places that deleted items take in the first 20 of all retained users, when they stay candidates."
    yield aims("exposure@20", "exposure@20", meaning, style="whole", headline=("recommend",))
    yield aims("exposed_users@20", "exposed users@20", "Share of retained users who are shown a deleted item so.")


def _forgetting() -> Iterator[Metric]:
    attack = partial(Metric, group="membership", tasks=GRAPHS)
    meaning = (
        "Mean over forgotten items of P(member | original) / P(member | unlearned), by a shadow attacker; far above "
        "gold's is over-forgetting."
    )
    yield attack("mi_ratio", "MI ratio", meaning, "higher", style="number", headline=GRAPHS, open_ended=True)
    yield attack("mi_clamped", "MI clamped", "Share of items with P(member | unlearned) clamped at 1e-6.", "lower")
    meaning = "AUC of the attacker's P(member), retained above forgotten items."
    yield attack("mi_attack_auc", "MI attack AUC", meaning, "gold", headline=GRAPHS)
    meaning = "AUC of the attacker on shadow answers it was not trained on; near 0.5 it sees nothing."
    yield attack("mi_attacker_quality", "MI attacker quality", meaning, "higher")
    yield from _pair_attack()
    forgets = partial(Metric, direction="gold", group="forgetting")
    meaning = "AUC of the change of the answers, forgotten above test items (called MIA elsewhere; it is none)."
    yield forgets("update_auc", "update AUC", meaning)
    meaning = "Mean over retained items of p(right answer) minus gold's; below 0 is over-forgetting."
    yield forgets("delta_p", "delta p", meaning, style="signed", headline=GRAPHS)


def _pair_attack() -> Iterator[Metric]:
    attack = partial(Metric, group="membership", tasks=("recommend",))
    meaning = "AUC of an attack by score, rank and margin, forgotten above unseen test pairs."
    yield attack("pair_mi_auc", "MI AUC", meaning, "gold", headline=("recommend",))
    yield attack("pair_mi_auc_gap", "|MI AUC - gold|", "Distance of the membership AUC to gold's.", "lower")
    meaning = "AUC of that attack, training pairs it was not fitted on above the same test pairs; near 0.5 it is blind."
    yield attack("pair_mi_quality", "MI attack quality", meaning, "none")


def _distances() -> Iterator[Metric]:
    far = partial(Metric, direction="lower", group="distance")
    for part in PARTS:
        meaning = f"Share of {part} items with gold's answer."
        headline = GRAPHS if part != "retained" else ()
        yield Metric(f"agreement_{part}", f"agree {part}", meaning, "higher", "distance", headline=headline)
        yield far(f"score_{part}", f"score dist. {part}", f"Mean L1 distance of probabilities to gold's, {part} items.")
        meaning = f"Mean L2 distance of logits to gold's, {part} items."
        yield far(f"logit_{part}", f"logit dist. {part}", meaning, style="number")
        yield far(f"kl_{part}", f"KL {part}", f"Mean KL(gold || model) in nats, {part} items.")
        yield far(f"js_{part}", f"JS {part}", f"Mean Jensen-Shannon divergence to gold in nats, {part} items.")
    yield from _list_distances()
    yield from _floor_gaps()
    yield far("parameter_distance", "param. dist.", "||theta - theta_gold|| / ||theta_gold||.", style="number")


def _list_distances() -> Iterator[Metric]:
    near = partial(Metric, direction="higher", group="distance", tasks=("recommend",))
    for part in ("test", "forgotten"):
        whose = f"the top 20 of users with {part} pairs"
        headline = ("recommend",) if part == "test" else ()
        meaning = f"Share of {whose} that stands in gold's."
        yield near(f"overlap_{part}", f"overlap@20 {part}", meaning, headline=headline)
        meaning = f"Rank-biased overlap (p = 0.9, cut at 20) of {whose} with gold's."
        yield near(f"rbo_{part}", f"RBO {part}", meaning)


def _floor_gaps() -> Iterator[Metric]:
    near = partial(Metric, direction="lower", group="distance")
    for name, label, tasks in (
        ("test_auc", "test AUC", ("link",)),
        ("test_accuracy", "test acc.", ("node",)),
        ("other_test_accuracy", "other test acc.", ("node",)),
        ("class_test_accuracy", "class test acc.", ("node",)),
        ("mi_attack_auc", "MI attack AUC", GRAPHS),
    ):
        meaning = f"Distance of the {label} to gold's, the mean over several other gold models."
        yield near(f"{name}_gap", f"|{label} - gold|", meaning, tasks=tasks)


def _cost() -> Iterator[Metric]:
    spent = partial(Metric, direction="lower", group="cost")
    yield spent("seconds", "seconds", "Wall time of the method.", style="seconds", headline=EVERY)
    meaning = "Gold's wall time divided by the method's."
    yield Metric("speedup", "speed-up", meaning, "higher", "cost", style="times", headline=EVERY)
    meaning = "Wall time of what a method needs once, before any deletion (shards and their models)."
    yield spent("preparation", "prep. s", meaning, style="seconds")
    yield spent(
        "shards_touched", "shards redone", "Share of its shards that a method trained anew.", tasks=("recommend",)
    )
    yield spent("peak_memory", "peak MB", "Most memory the process held, 10^6 bytes.", style="megabytes")
    yield spent("flops", "FLOPs", "Operations of one forward pass.", style="count")


_GROUPS = (_named, _link, _node, _recommend, _forgotten_ranking, _forgetting, _distances, _cost)
METRICS: dict[str, Metric] = {metric.name: metric for group in _GROUPS for metric in group()}
"""All metrics by name, in the order of tables."""
