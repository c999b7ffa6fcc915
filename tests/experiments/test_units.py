"""A grid becomes units whose ids follow everything that decides their bytes; what is shared stands once."""

from __future__ import annotations

import tomllib
from collections import Counter
from itertools import combinations

import pytest
from pydantic import ValidationError

from graphforget._core.errors import UsageError
from graphforget.experiments.grid import Grid
from graphforget.experiments.run_folder import config_of
from graphforget.experiments.units import expand

SEVEN = {"name": "seven", "kind": "edges", "count": 7}
NINE = {"name": "nine", "kind": "edges", "count": 9}


@pytest.fixture
def make_grid(source):
    """Build a grid on the ring of 50 nodes; keyword arguments are its fields."""

    def build(**fields) -> Grid:
        given = {"methods": ("unlink", "fine-tune:epochs=2"), "deletions": (SEVEN,), "attack": False, **fields}
        place = {"data": (source.data,), "features": source.features, "labels": source.labels}
        small = {"recipe": {"epochs": 4, "validate_every": 2}, "architecture": {"hidden": 8}}
        return Grid(**place, **small, backbones=("gcn",), **given)

    return build


def ids(grid: Grid) -> dict[tuple, str]:
    """Return (kind, label, deletion, seed) -> id."""
    return {(u.kind, u.label, u.cell.deletion, u.seed): u.id for u in expand([grid])}


def test_a_grid_has_each_shared_unit_once(make_grid):
    units = expand([make_grid(deletions=(SEVEN, NINE), seeds=(1, 2, 3))])
    assert Counter(u.kind for u in units) == {"original": 3, "gold": 12, "references": 6, "method": 12}
    assert len({u.id for u in units}) == len(units)
    seen = set()
    for unit in units:
        assert set(unit.needs) <= seen, "every unit stands after those it needs"
        seen.add(unit.id)


def test_two_grids_share_what_is_the_same(make_grid):
    units = expand([make_grid(seeds=(1,)), make_grid(seeds=(1,), deletions=(SEVEN, NINE))])
    assert Counter(u.kind for u in units) == {"original": 1, "gold": 4, "references": 2, "method": 4}


def test_the_attacker_is_one_for_all_deletions_of_a_seed(make_grid):
    units = expand([make_grid(attack=True, deletions=(SEVEN, NINE), seeds=(1,))])
    (attacker,) = [u for u in units if u.kind == "attacker"]
    assert all(attacker.id in u.needs for u in units if u.kind in ("references", "method"))
    features = {"name": "f", "kind": "features", "count": 5, "pool": "all"}
    assert not [u for u in expand([make_grid(attack=True, deletions=(features,))]) if u.kind == "attacker"]


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"seeds": (6,)}, set()),
        ({"recipe": {"epochs": 5, "validate_every": 2}}, set()),
        ({"architecture": {"hidden": 9}}, set()),
        ({"task_options": {"hop": "directed_compat"}}, set()),
        ({"deletions": (NINE,)}, {"original"}),
        ({"gold_runs": 3}, {"original", "gold"}),
        ({"attack": True}, {"original", "gold"}),
        ({"methods": ("unlink", "fine-tune:epochs=3")}, {"original", "gold", "references", "unlink"}),
        (
            {"deletions": ({**SEVEN, "name": "another name"},)},
            {"original", "gold", "references", "unlink", "fine-tune"},
        ),
    ],
)
def test_an_id_follows_what_decides_the_bytes(make_grid, change, kept):
    grid = make_grid(seeds=(5,))
    changed = Grid(**{**grid.model_dump(), **change})
    there = {u.id for u in expand([changed])}
    same = {u.kind if u.kind != "method" else u.label.partition(":")[0] for u in expand([grid]) if u.id in there}
    assert same == kept


def test_without_a_deletion_only_originals_are_made(make_grid):
    units = expand([make_grid(deletions=(), methods=(), seeds=(1, 2))])
    assert [u.kind for u in units] == ["original", "original"]
    both = {u.id for u in expand([make_grid(seeds=(1, 2))])}
    assert {u.id for u in units} <= both, "an original is the same with and without a deletion"


def test_the_config_of_every_unit_leads_to_the_same_unit(make_grid):
    for unit in expand([make_grid(deletions=(SEVEN, NINE), seeds=(1, 2))]):
        again = [Grid(**table) for table in tomllib.loads(config_of(unit))["grids"]]
        assert unit.id in {u.id for u in expand(again)}


def test_methods_without_a_deletion_and_unknown_fields_are_refused(make_grid):
    with pytest.raises(ValidationError, match="extra"):
        make_grid(seed=3)
    with pytest.raises(UsageError, match="not an option"):
        expand([make_grid(task_options={"hops": 2})])
    with pytest.raises(UsageError, match="Unknown method"):
        expand([make_grid(methods=("unlnk",))])


def test_false_labels_train_an_original_of_their_own():
    shop = {"data": ("sample-shop",), "backbones": ("mf:dim=8",), "task": "recommend", "methods": ("unlink",)}
    drawn = {"name": "x", "kind": "interactions", "count": 9}
    flipped = {**drawn, "sampling": "label-flipped"}
    plain, false = (
        next(u for u in expand([Grid(**shop, deletions=(d,))]) if u.kind == "original") for d in (drawn, flipped)
    )
    assert plain.id != false.id and (plain.cell.deletion, false.cell.deletion) == ("", "x")


def test_all_kinds_of_ids_differ(make_grid):
    found = ids(make_grid(deletions=(SEVEN, NINE), seeds=(1, 2), attack=True))
    assert all(a != b for a, b in combinations(found.values(), 2))
