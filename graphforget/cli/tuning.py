"""`graphforget tune`: search the fields of a method, with a command for every kind of deletion."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from graphforget.cli.command import words_of
from graphforget.cli.options import BackboneName, Data, Device, FolderOptions, SomeWhole, Whole, option_group, seeds
from graphforget.cli.output import print_json, print_pairs, print_table
from graphforget.cli.places import pairs
from graphforget.cli.progress import shown
from graphforget.cli.settings import (
    BothDeletion,
    ClassDeletion,
    EdgeDeletion,
    InteractionDeletion,
    ModalityDeletion,
    NodeDeletion,
    SampledDeletion,
    Setting,
    TripleDeletion,
)

if TYPE_CHECKING:
    from graphforget.experiments.tuning import Search
    from graphforget.experiments.tuning_journal import Journal, Trial

SUBJECTS: dict[str, tuple[str, Callable[[], Setting]]] = {
    "edges": ("edges", EdgeDeletion),
    "nodes": ("nodes", NodeDeletion),
    "features": ("features", NodeDeletion),
    "node-class": ("classes", ClassDeletion),
    "users": ("users", SampledDeletion),
    "items": ("items", SampledDeletion),
    "users+items": ("users+items", BothDeletion),
    "interactions": ("interactions", InteractionDeletion),
    "triples": ("triples", TripleDeletion),
    "modality": ("modalities", ModalityDeletion),
}
"""Command -> kind of deletion, and its options."""
SHARE = 0.025
"""Share that is drawn where nothing says what goes."""
NAMED = ("fraction", "count", "file", "classes", "users_file", "items_file", "modality")
SHOWN = 5
OBJECTIVE = (
    "What is made large: utility - weight * gap. Utility is measured on the validation part (links val_auc, nodes "
    "val_accuracy, recommenders val_recall at 20). The gap is the distance to the gold model's forgotten AUC (links), "
    "accuracy on forgotten training nodes, or recall@20 of forgotten interactions; for facts and modalities, the mean "
    "distance to gold's preferences on validation pairs. Nothing is measured on the test part."
)
HELP = (
    "Search a method's own fields for a kind of deletion, on the validation part alone.\n\n"
    f"{OBJECTIVE}\n\nOriginal and gold are trained once and kept. The same command goes on where it was stopped, and "
    "the same seeds give the same trials. Needs the extra graphforget[tune] (optuna)."
)
tune = App(name="tune", help=HELP, help_format="plaintext")


@option_group("Search")
class Tuning:
    """What is tuned, and how long."""

    method: Annotated[
        str | None,
        Parameter(
            help="Method to tune; what is written is held, as epochs in d2dgn:epochs=100. By default d2dgn; for "
            "recommenders mmrecun, for facts and modalities fine-tune."
        ),
    ] = None
    trials: Annotated[Whole, Parameter(help="Choices that are tried, besides the method as it is named.")] = 50
    range: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            show_default=False,
            help="Search a field between two numbers, as alpha=0.9,0.999, in place of or besides what the method "
            "declares; may repeat.",
        ),
    ] = ()
    weight: Annotated[float, Parameter(help="Weight of the gap: utility - weight * gap is made large.")] = 1.0
    seeds: Annotated[str, Parameter(help="Seeds, as 42,21; a trial counts by its mean over them.")] = "42"
    threads: Annotated[SomeWhole, Parameter(help="Threads; results do not depend on it.")] = None
    device: Device = "auto"


DEFAULTS, KEPT = Tuning(), FolderOptions()
EMPTY = {group: group() for _, group in SUBJECTS.values()}


def _command(name: str, kind: str, group: Callable[[], Setting]) -> Callable[..., int]:
    """Return the command that tunes for one kind of deletion."""

    def command(
        data: Data,
        backbone: BackboneName,
        /,
        *,
        asked: Setting = EMPTY[group],
        how: Tuning = DEFAULTS,
        output: FolderOptions = KEPT,
    ) -> int:
        return _tune(data, backbone, kind, asked, how, output)

    command.__annotations__["asked"] = group
    command.__doc__ = (
        f"Tune a method for the deletion that 'graphforget {name}' makes.\n\n{OBJECTIVE}\n\nWithout an amount, "
        f"{100 * SHARE:g} % are drawn at random."
    )
    if kind == "classes":
        command.__doc__ = command.__doc__.rpartition("\n\n")[0]
    return command


for _name, (_kind, _group) in SUBJECTS.items():
    tune.command(_command(_name, _kind, _group), name=_name)


def _tune(data: str, backbone: str, kind: str, asked: Setting, how: Tuning, output: FolderOptions) -> int:
    """Carry out the search that the options describe, and return the exit code."""
    from graphforget.experiments.plan import Plan
    from graphforget.experiments.request import Request
    from graphforget.experiments.specs import default_method
    from graphforget.experiments.tuning import Search, run_search

    given = asked.gone.request()
    if kind != "classes" and not any(given.get(key) for key in NAMED):
        given["fraction"] = SHARE
    method = how.method or default_method(asked.task, kind)
    setup = asked.setup(data, backbone, how.device)
    plan = Plan(setup, Request(kind, **given), (method,), seeds(how.seeds), 1, False, output.out)
    ranges = pairs("--range", how.range, "alpha=0.9,0.999")
    search = Search.of(plan, ranges, how.trials, how.weight)
    if output.dry_run:
        return _dry_run(search, output.json)
    with shown(quiet=output.json, total=len(plan.seeds) * (3 + search.trials)) as listen:
        journal = run_search(search, listen, threads=how.threads)
    if output.json:
        print_json(_described(search) | {"file": str(journal.file), **_found(journal)})
    else:
        _print(search, journal)
    return 0


def _described(search: Search) -> dict[str, Any]:
    axes = {axis.name: axis.describe() for axis in search.axes}
    return {"plan": search.plan.as_dict(), "axes": axes, "trials_wanted": search.trials, "weight": search.weight}


def _found(journal: Journal) -> dict[str, Any]:
    best = journal.ranked()
    trials = {"references": [vars(one) for one in journal.references], "trials": [vars(one) for one in journal.trials]}
    return {"best": best[0].label if best else None, **trials}


def _dry_run(search: Search, json: bool) -> int:
    from graphforget.experiments.prepare import outline
    from graphforget.experiments.tuning import prepare_search

    prepared = prepare_search(search, search.plan.setup.source.load())
    done = max(len(search.journal(prepared).trials) - 1, 0)
    ranges = [f"{axis.name} {axis.describe()}" for axis in search.axes]
    facts: dict[str, Any] = {"method": search.spec.label, "searched": ranges}
    facts |= {"trials": search.trials, "finished": done, "objective": OBJECTIVE, "out": str(search.out)}
    if json:
        print_json({**_described(search), "finished": done, "runs": [outline(one) for one in prepared]})
        return 0
    print_pairs(facts)
    for one in prepared:
        print()
        print_pairs(outline(one))
    print("\nA dry run: nothing was trained and nothing was written.")
    return 0


def _print(search: Search, journal: Journal) -> None:
    """Print the best trials beside the method as it is, gold and the original, and what to do with them."""
    from graphforget.experiments.tuning_score import FORGOTTEN, UTILITY

    best = journal.ranked()
    known = best[:SHOWN] + [one for one in best[SHOWN:] if not one.number]
    task = search.plan.setup.task
    names = [axis.name for axis in search.axes]
    rows = [_row(one, names) for one in (*known, *reversed(journal.references))]
    heading = ["trial", *names, "score ↑", f"{UTILITY[task]} ↑", f"{FORGOTTEN[task]} →gold", "gap to gold ↓", "seconds"]
    failed = [one for one in journal.trials if one.score is None]
    made = len(journal.trials) - 1
    print_table(f"{search.spec.label}: the best of {made} trials on the validation part", heading, rows, left=1)
    if failed:
        print(f"{len(failed)} gave no model, the first of them because: {failed[0].error}")
    if not best:
        print(f"No trial gave a model. All are in {journal.file}.")
        return
    plan = replace(search.plan, methods=(best[0].label,), gold_runs=2, attack=True, out=None)
    print(f"The best, ready to paste:\n  --method {shlex.quote(best[0].label)}")
    print("Nothing was measured on the test part. How good it is there says, best with other seeds:")
    print(f"  {shlex.join(['graphforget', *words_of(plan)])}")
    print(f"All trials are in {journal.file}.")


def _row(one: Trial, names: list[str]) -> list[str]:
    label = {-1: one.label, 0: "as it is"}.get(one.number, str(one.number))
    fields = [str(one.fields.get(name, "")) for name in names]
    values = ["–" if value is None else f"{value:.4f}" for value in (one.score, one.utility, one.forgotten, one.gap)]
    return [label, *fields, *values, f"{one.seconds:.2f}" if one.number >= 0 else ""]
