"""A grid as units of work: originals, attackers, gold models, references and methods, each made once.

A unit's id is a digest of everything that decides its bytes: data and split, deletion, backbone, recipe, method with
its fields, seed, the revisions of the code and torch's version. Threads and processes are not among them, because
nothing depends on them. Units of different grids with one id are one unit, so the originals and the gold models of a
store are shared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.evaluation.membership import attackable
from graphforget.evaluation.report import revision_of
from graphforget.experiments.events import Listen, silent, tell_of
from graphforget.experiments.grid import Cell, Grid
from graphforget.experiments.prepare import ORIGINAL, Prepared, gold_stage, method_stage, prepare
from graphforget.experiments.setup import Source
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import digest_of
from graphforget.unlearning.sampling_recommend import FLIPPED

Kind = Literal["original", "attacker", "gold", "references", "method"]
ATTACKER, REFERENCES = "attacker", "references"
LENGTH = 16
"""Letters of a digest that name a unit's folder."""


@dataclass(frozen=True)
class Unit:
    """One thing to compute, and the folder that it becomes.

    Attributes
    ----------
    digest: of all that decides it. needs: ids of the units that come before it.
    stage, label: its stage in the plan, and what people call it.
    names: stage -> id, for all stages of the same cell and seed.
    cell, seed: where it belongs; a unit that several cells share stands in the first of them.
    """

    kind: Kind
    digest: str
    stage: str
    label: str
    cell: Cell
    seed: int
    needs: tuple[str, ...]
    names: dict[str, str]

    @property
    def id(self) -> str:
        """Name of the unit's folder."""
        return unit_id(self.digest)

    @property
    def case(self) -> str:
        """What units of one cell and seed have in common."""
        return self.names.get(REFERENCES, self.names[ORIGINAL])

    @property
    def title(self) -> str:
        """What the unit is called while it runs."""
        return " ".join(filter(None, (self.cell.data, self.cell.backbone, self.cell.deletion, self.label)))


def unit_id(digest: str) -> str:
    """Return the id that a digest becomes."""
    return digest[:LENGTH]


def with_run_digests(prepared: Prepared, attack: bool) -> Prepared:
    """Return the preparation with the digests of all units of a cell and seed.

    To the stages' own, those of the attacker and of the references are added; a method's covers its evaluation too.
    """
    if prepared.gone is None:
        return prepared
    stages, original = prepared.digests, prepared.digests[ORIGINAL]
    golds = [digest for stage, digest in stages.items() if stage.startswith("gold-")]
    judged, beside = (revision_of(prepared.task, prepared.gone, runs) for runs in (2, len(golds)))
    digests = {**stages, ATTACKER: digest_of(ATTACKER, judged, original)}
    digests[REFERENCES] = digest_of(REFERENCES, beside, original, golds, attack)
    made = {s: digest_of("run", digests[REFERENCES], d) for s, d in stages.items() if s.startswith("method-")}
    return replace(prepared, digests=digests | made)


def units_of(cell: Cell, seed: int, prepared: Prepared) -> Iterator[Unit]:
    """Yield the units of a cell and seed, each after those it needs; the digests are those of `with_run_digests`."""
    plan, digests = cell.plan, prepared.digests
    names = {stage: unit_id(digest) for stage, digest in digests.items()}

    def unit(kind: Kind, stage: str, label: str, *needs: str) -> Unit:
        before = tuple(names[need] for need in needs)
        return Unit(kind, digests[stage], stage, label, cell, seed, before, names)

    yield _original(cell, seed, prepared)
    if prepared.gone is None:
        return
    golds = [gold_stage(number) for number in range(plan.gold_runs)]
    yield from (unit("gold", stage, stage, ORIGINAL) for stage in golds)
    before = [ORIGINAL, *golds]
    if attacked(prepared, plan.attack):
        yield unit("attacker", ATTACKER, ATTACKER, ORIGINAL)
        before.append(ATTACKER)
    yield unit("references", REFERENCES, REFERENCES, *before)
    for spec in plan.specs():
        yield unit("method", method_stage(spec), spec.label, *before, REFERENCES)


def _original(cell: Cell, seed: int, prepared: Prepared) -> Unit:
    """Return the unit of the original, which knows of no deletion, unless false labels to be deleted train it."""
    request, digest = cell.plan.request, prepared.digests[ORIGINAL]
    own = cell if request is not None and request.sampling == FLIPPED else cell.alone()
    names = {ORIGINAL: unit_id(digest)} if own is not cell else {s: unit_id(d) for s, d in prepared.digests.items()}
    return Unit("original", digest, ORIGINAL, ORIGINAL, own, seed, (), names)


def attacked(prepared: Prepared, attack: bool) -> bool:
    """Return whether the evaluation of a cell and seed needs an attacker that is fitted once."""
    if not attack or prepared.gone is None or isinstance(prepared.task, Recommendation):
        return False
    return attackable(isinstance(prepared.task, NodeClassification), prepared.gone.kind)


def expand(grids: Iterable[Grid], data_dir: str | None = None, listen: Listen = silent) -> tuple[Unit, ...]:
    """Return the units of grids, each once, in an order that finishes one seed of a data set after the other.

    Raises whatever is wrong with the data, a deletion or a method before anything is trained.

    Parameters
    ----------
    data_dir: folder of the named sets.
    listen: told what was found in the data.
    """
    units: dict[str, Unit] = {}
    data: Graph | Interactions | None = None
    before: Source | None = None
    for grid in grids:
        for cells in _by_setup(list(grid.cells(data_dir))):
            source = cells[0].plan.setup.source
            data, before = data if data is not None and source == before else loaded(source, listen), source
            for seed in grid.seeds:
                for cell in cells:
                    prepared = with_run_digests(prepare(cell.plan, data, seed), grid.attack)
                    for unit in units_of(cell, seed, prepared):
                        units.setdefault(unit.id, unit)
    return tuple(units.values())


def loaded(source: Source, listen: Listen = silent) -> Graph | Interactions:
    """Return the data, after telling what was found in them."""
    data = source.load()
    tell_of(data, listen)
    return data


def _by_setup(cells: list[Cell]) -> list[list[Cell]]:
    """Return the cells in groups of one data set and backbone."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.data, cell.backbone), []).append(cell)
    return list(groups.values())
