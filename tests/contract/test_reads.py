"""A method reads what it declares, and declares what it reads."""

from __future__ import annotations

import pytest

from graphforget.unlearning.method import Problem, UndeclaredRead
from graphforget.unlearning.run import methods


def problem(problems, reads, task="link", kind="edges"):
    """Return the problem that `unlearn` would give to a method which declares `reads`."""
    model, full, deletion = problems("gcn", task, kind)
    gone = full.resolve(deletion)
    return Problem(model.frozen(), 5, frozenset(reads), full, full.without(gone), gone)


BOTH = {"forgotten", "retained"}
PARTS = [("full", BOTH), ("gone", {"forgotten"}), ("retained", {"retained"})]


@pytest.mark.parametrize(("part", "missing"), [(part, need) for part, needs in PARTS for need in sorted(needs)])
def test_reading_a_part_without_declaring_it_is_an_error(problems, part, missing):
    with pytest.raises(UndeclaredRead, match=missing):
        getattr(problem(problems, BOTH - {missing}), part)


@pytest.mark.parametrize(("part", "needs"), PARTS)
def test_what_is_declared_can_be_read(problems, part, needs):
    assert getattr(problem(problems, needs), part) is not None


GRAPH = [cls for cls in methods().classes() if "link" in cls.tasks]
NEEDS = [(cls.name, part) for cls in GRAPH for part in sorted(cls.reads)]


@pytest.mark.parametrize(("name", "part"), NEEDS)
def test_it_reads_every_part_it_declares(problems, short, name, part):
    method = short(name)
    with pytest.raises(UndeclaredRead, match=part):
        method.unlearn(problem(problems, method.reads - {part}))


@pytest.mark.parametrize("name", [cls.name for cls in GRAPH])
@pytest.mark.parametrize("task", ["link", "node"])
def test_it_reads_nothing_it_does_not_declare(problems, short, name, task):
    method = short(name)
    assert method.unlearn(problem(problems, method.reads, task)) is not None
