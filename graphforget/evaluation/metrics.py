"""Every number of a report: its name, its direction and how it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

Direction = Literal["higher", "lower", "gold"]
Group = Literal["utility", "forgetting", "membership", "distance", "cost"]
Style = Literal["share", "signed", "number", "seconds", "times", "megabytes", "count"]

ARROWS: dict[str, str] = {"higher": "↑", "lower": "↓", "gold": "→gold"}
FORMATS: dict[str, str] = {
    "share": "{:.4f}",
    "signed": "{:+.4f}",
    "number": "{:.3f}",
    "seconds": "{:.2f}",
    "times": "{:,.1f}x",
    "megabytes": "{:,.0f}",
    "count": "{:.3g}",
}
PARTS = ("forgotten", "retained", "test")


@dataclass(frozen=True)
class Metric:
    """One number of a report.

    Attributes
    ----------
    name: key in records. label: heading in tables. meaning: one sentence.
    direction: "higher" or "lower" is better, or "gold": the target is gold's value, not an extreme.
    group: kind of evidence. tasks: tasks that have it. style: how it is written.
    headline: True for a column of the short table; the full table holds everything.
    """

    name: str
    label: str
    meaning: str
    direction: Direction
    group: Group
    tasks: tuple[str, ...] = ("link", "node")
    style: Style = "share"
    headline: bool = False

    @property
    def arrow(self) -> str:
        """Return the sign of the direction."""
        return ARROWS[self.direction]

    def show(self, value: float, spread: float | None = None) -> str:
        """Return the value as text, with its spread over seeds where there is one."""
        text = FORMATS[self.style].format(value)
        if spread is None:
            return text
        return f"{text} ± {FORMATS[self.style].format(spread).removeprefix('+')}"


def _link() -> Iterator[Metric]:
    useful = partial(Metric, direction="higher", group="utility", tasks=("link",))
    yield useful("test_auc", "test AUC", "ROC-AUC of test edges against stored negatives (Et).", headline=True)
    yield useful("test_ap", "test AP", "Average precision of test edges against stored negatives.")
    forgets = partial(Metric, group="forgetting", tasks=("link",), headline=True)
    meaning = "AUC of retained above forgotten edges, mean of 500 draws (Ed); above gold's is over-forgetting."
    yield forgets("forgotten_auc", "forgotten AUC", meaning, "gold")
    yield forgets("forgotten_auc_gap", "|f.AUC - gold|", "Distance of the forgotten AUC to gold's.", "lower")


def _node() -> Iterator[Metric]:
    useful = partial(Metric, direction="higher", group="utility", tasks=("node",))
    yield useful("test_accuracy", "test acc.", "Accuracy on test nodes.", headline=True)
    yield useful("test_micro_f1", "test micro-F1", "Micro-F1 on test nodes; with one label a node, the accuracy.")
    yield useful("test_macro_f1", "test macro-F1", "F1 on test nodes, mean over the classes that occur.")
    yield useful("rest_accuracy", "rest acc.", "Accuracy on retained training nodes.", headline=True)
    yield useful("rest_micro_f1", "rest micro-F1", "Micro-F1 on retained training nodes.")
    yield useful("other_test_accuracy", "other test acc.", "Accuracy on test nodes of other classes.", headline=True)
    forgets = partial(Metric, group="forgetting", tasks=("node",))
    meaning = "Accuracy on test nodes of the deleted classes."
    yield forgets("class_test_accuracy", "class test acc.", meaning, "gold", headline=True)
    meaning = "Accuracy on forgotten nodes, by their labels before; below gold's is over-forgetting."
    yield forgets("forgotten_accuracy", "forgotten acc.", meaning, "gold", headline=True)
    yield forgets("forgotten_micro_f1", "forgotten micro-F1", "Micro-F1 on the forgotten nodes.", "gold")
    meaning = "Distance of the forgotten accuracy to gold's."
    yield forgets("forgotten_accuracy_gap", "|f.acc. - gold|", meaning, "lower", headline=True)


def _forgetting() -> Iterator[Metric]:
    attack = partial(Metric, group="membership")
    meaning = "Mean over forgotten items of P(member | original) / P(member | unlearned), by a shadow attacker."
    yield attack("mi_ratio", "MI ratio", meaning, "higher", style="number", headline=True)
    yield attack("mi_clamped", "MI clamped", "Share of items with P(member | unlearned) clamped at 1e-6.", "lower")
    meaning = "AUC of the attacker's P(member), retained above forgotten items."
    yield attack("mi_attack_auc", "MI attack AUC", meaning, "gold", headline=True)
    meaning = "AUC of the attacker on shadow answers it was not trained on; near 0.5 it sees nothing."
    yield attack("mi_attacker_quality", "MI attacker quality", meaning, "higher")
    forgets = partial(Metric, direction="gold", group="forgetting")
    meaning = "AUC of the change of the answers, forgotten above test items (called MIA elsewhere; it is none)."
    yield forgets("update_auc", "update AUC", meaning)
    meaning = "Mean over retained items of p(right answer) minus gold's; below 0 is over-forgetting."
    yield forgets("delta_p", "delta p", meaning, style="signed", headline=True)


def _distances() -> Iterator[Metric]:
    far = partial(Metric, direction="lower", group="distance")
    for part in PARTS:
        meaning = f"Share of {part} items with gold's answer."
        yield Metric(f"agreement_{part}", f"agree {part}", meaning, "higher", "distance", headline=part != "retained")
        yield far(f"score_{part}", f"score dist. {part}", f"Mean L1 distance of probabilities to gold's, {part} items.")
        meaning = f"Mean L2 distance of logits to gold's, {part} items."
        yield far(f"logit_{part}", f"logit dist. {part}", meaning, style="number")
        yield far(f"kl_{part}", f"KL {part}", f"Mean KL(gold || model) in nats, {part} items.")
        yield far(f"js_{part}", f"JS {part}", f"Mean Jensen-Shannon divergence to gold in nats, {part} items.")
    yield far("parameter_distance", "param. dist.", "||theta - theta_gold|| / ||theta_gold||.", style="number")


def _cost() -> Iterator[Metric]:
    spent = partial(Metric, direction="lower", group="cost")
    yield spent("seconds", "seconds", "Wall time of the method.", style="seconds", headline=True)
    meaning = "Gold's wall time divided by the method's."
    yield Metric("speedup", "speed-up", meaning, "higher", "cost", style="times", headline=True)
    yield spent("peak_memory", "peak MB", "Most memory the process held, 10^6 bytes.", style="megabytes")
    yield spent("flops", "FLOPs", "Operations of one forward pass.", style="count")


_GROUPS = (_link, _node, _forgetting, _distances, _cost)
METRICS: dict[str, Metric] = {metric.name: metric for group in _GROUPS for metric in group()}
"""All metrics by name, in the order of tables."""
