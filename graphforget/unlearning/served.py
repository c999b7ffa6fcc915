"""Whether a method serves a task and a deletion."""

from __future__ import annotations

from graphforget._core.errors import UnsupportedError
from graphforget.models.base import Model
from graphforget.models.ensemble import backbone_of
from graphforget.models.recommender import Recommender
from graphforget.models.zoo import backbones
from graphforget.tasks.base import Forgotten, Task
from graphforget.unlearning.data_alone import takes_data_alone
from graphforget.unlearning.method import SIDE_KINDS, Method
from graphforget.unlearning.specs import methods


def check_supported(method: Method, task: Task, gone: Forgotten) -> None:
    """Raise UnsupportedError when the method does not serve the task or the kind of deletion."""
    if task.name not in method.tasks:
        raise UnsupportedError(
            f"{method.name} serves {' and '.join(method.tasks)} tasks; this is a {task.name} task. "
            + _instead(task, gone)
        )
    if gone.kind not in method.kinds:
        raise UnsupportedError(
            f"{method.name} deletes {', '.join(method.kinds)}; asked for was a deletion of {gone.kind}. "
            + _instead(task, gone)
        )
    selection = getattr(method, "selection", "auto")
    if selection not in ("auto", "last", *task.selections):
        elsewhere = "" if task.name == "link" else ", or a link task"
        raise UnsupportedError(
            f"{method.name}: 'selection' is {selection}, which a {task.name} task does not measure; "
            f"use auto, last, {', '.join(task.selections)}{elsewhere}."
        )
    if "forgotten" in method.reads and not gone.count:
        raise UnsupportedError(
            f"{method.name} learns from the forgotten part, but the deletion ({gone.describe()}) holds nothing that "
            f"the model was trained on. {_hint(task, gone)}"
        )
    if method.leaks and not gone.count:
        raise UnsupportedError(
            f"{method.name}: selection=val_released reads the forgotten part, but the deletion ({gone.describe()}) "
            "holds nothing that the model was trained on. Use selection=auto or last."
        )
    refused = method.refusal(task, gone)
    if refused is not None:
        raise UnsupportedError(f"{method.name}: {refused}")


def check_reads(model: Model, gone: Forgotten) -> None:
    """Raise UnsupportedError when side information is to be deleted that the model does not read."""
    backbone = backbone_of(model)
    if gone.kind not in SIDE_KINDS or not isinstance(backbone, Recommender):
        return
    why = "so it has learned nothing from them and has nothing to forget."
    if gone.kind not in backbone.reads_side:
        others = [cls.name for cls in backbones().classes() if gone.kind in getattr(cls, "reads_side", ())]
        raise UnsupportedError(f"{backbone.name} does not read {gone.kind}, {why} Use one of {', '.join(others)}.")
    chosen = getattr(backbone, "modalities", None)
    if gone.modalities and chosen is not None and not set(gone.modalities) & set(chosen.split(",")):
        named = ", ".join(sorted(gone.modalities))
        raise UnsupportedError(f"This {backbone.name} reads of the modalities {chosen} alone, not {named}, {why}")


def _hint(task: Task, gone: Forgotten) -> str:
    """Return which method carries out a deletion that there is nothing to learn from."""
    if takes_data_alone(task, gone):
        return f"Use unlink, which takes them out of the data{'; the weights never saw them' if task.whole else ''}."
    return "Use unlink or retrain."


def _instead(task: Task, gone: Forgotten) -> str:
    """Return a sentence with the methods that serve a deletion of this kind on such a task."""
    able = [cls.name for cls in methods().classes() if task.name in cls.tasks and gone.kind in cls.kinds]
    if not able:
        return f"No method does that on a {task.name} task; delete one kind after the other."
    return f"Methods that serve it: {', '.join(able)}."
