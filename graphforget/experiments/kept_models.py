"""The models of one method and seed with their task, found again in a comparison's folder or in a store's runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import read_json
from graphforget.experiments.events import silent
from graphforget.experiments.plan import Plan
from graphforget.experiments.plan_again import plan_again
from graphforget.experiments.prepare import ORIGINAL, Prepared, gold_stage, method_stage, prepare
from graphforget.experiments.published import read_preset
from graphforget.experiments.reproduce import GRIDS
from graphforget.experiments.run_folder import CONFIG
from graphforget.experiments.sources import Found
from graphforget.experiments.stages import Stages
from graphforget.experiments.store import Store
from graphforget.experiments.units import unit_id, with_run_digests
from graphforget.models.base import Model
from graphforget.unlearning.run import Result
from graphforget.unlearning.specs import parse_method

GOLD = gold_stage(0)


@dataclass(frozen=True)
class Trio:
    """The model before, after and under gold, and what was forgotten."""

    prepared: Prepared
    original: Model
    result: Result
    gold: Result


def kept_models(source: Found, label: str, seed: int) -> Trio:
    """Return the models of a method and a seed that a source keeps.

    Raises DataError where one is not there, or was made from other data or by another version.
    """
    if source.runs:
        plan, prepared, store = _in_store(source.runs[label, seed], seed)
    else:
        plan, prepared, store = _in_comparison(source, label, seed)
    spec = parse_method(label)
    for stage in (ORIGINAL, GOLD, method_stage(spec)):
        if not store.finished(stage, prepared.digests[stage]):
            raise DataError(f"{source.place}: the model '{stage}' of seed {seed} is not there. Repeat the command.")
    bench = Stages(plan.setup, prepared, store, silent)
    original = bench.original()
    return Trio(prepared, original, bench.method(original, spec), bench.gold(original, 0))


def _in_comparison(source: Found, label: str, seed: int) -> tuple[Plan, Prepared, Store]:
    assert source.folder is not None and source.plan is not None
    plan = plan_again(source.plan, (label,))
    return plan, prepare(plan, plan.setup.source.load(), seed), Store(source.folder / f"seed-{seed}")


def _in_store(folder: Path, seed: int) -> tuple[Plan, Prepared, Store]:
    """Return plan, preparation and models of a method's run, from the grid that its folder holds."""
    (grid,) = read_preset(folder / CONFIG).grids
    (cell,) = grid.cells(_data_dir(folder))
    prepared = with_run_digests(prepare(cell.plan, cell.plan.setup.source.load(), seed), cell.plan.attack)
    names = {stage: unit_id(digest) for stage, digest in prepared.digests.items()}
    (spec,) = cell.plan.specs()
    if names[method_stage(spec)] != folder.name:
        raise DataError(
            f"{folder}: the run was made from other data, or by another version. Reproduce the table with this one."
        )
    return cell.plan, prepared, Store(folder.parent, names)


def _data_dir(folder: Path) -> str | None:
    """Return the folder of the named sets that a run was made from, as its store remembers it."""
    records = map(read_json, sorted((folder.parent / GRIDS).glob("*.json")))
    mine = (one for one in records if any(unit["id"] == folder.name for unit in one["units"]))
    return next((one["data_dir"] for one in mine if one["data_dir"] is not None), None)


def chosen(source: Found, row: str | None, seed: int | None) -> tuple[str, int]:
    """Return the method and the seed that are meant: by default those of the run that was named, where one was.

    Else they are the method closest to gold, or the first, and its first seed. Raises DataError for a source without
    models, UsageError for a method or seed that it does not hold.
    """
    held = _held(source)
    labels = list(dict.fromkeys(label for label, _ in held))
    named_row, named_seed = source.named or (None, None)
    if row is not None and row not in labels:
        raise UsageError(f"--method '{row}': {source.place} holds {', '.join(labels)}. Name one of them.")
    best = source.report.closest
    label = row or named_row or (best.row if best is not None and best.row in labels else labels[0])
    seeds = [one for name, one in held if name == label]
    if seed is not None and seed not in seeds:
        raise UsageError(f"--seed {seed}: {source.place} holds the seeds {', '.join(map(str, seeds))}. Name one.")
    usual = named_seed if named_seed in seeds else seeds[0]
    return label, usual if seed is None else seed


def _held(source: Found) -> list[tuple[str, int]]:
    """Return every method and seed whose models may be there."""
    if source.runs:
        return sorted(source.runs, key=lambda one: one[1])
    if source.folder is None or source.plan is None or not source.plan["methods"]:
        raise DataError(
            f"{source.place}: holds no models, so there are no embeddings to draw. Make the comparison with --out "
            "FOLDER, which keeps them, and name that folder, or name a folder of runs in which a method is finished."
        )
    return [(label, int(seed)) for label in source.plan["methods"] for seed in source.plan["seeds"]]
