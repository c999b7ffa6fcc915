"""The index says what the files say, follows them, and is made anew from them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.experiments import index
from graphforget.experiments.index import FILE, ask
from graphforget.experiments.run_folder import FORMAT

COUNT = "select count(*) from runs"
MEAN = "select row, avg(value) from numbers where metric = 'test_auc' group by row order by row"


def write_run(root: Path, name: str, seed: int, auc: float) -> None:
    """Write the result of a run."""
    record = {"row": "unlink", "seed": seed, "kind": "method", "note": "", "values": {"test_auc": auc}}
    fields = {"data": "d", "backbone": "gcn", "method": "unlink", "seed": seed, "fraction": 0.05}
    result = {"format": FORMAT, "id": name, "unit": "method", "fields": fields, "needs": {}, "records": [record]}
    (root / name).mkdir()
    (root / name / "result.json").write_text(json.dumps({**result, "cost": {"rows": {"unlink": {"seconds": 2.0}}}}))


@pytest.fixture
def root(tmp_path) -> Path:
    """A folder with two runs."""
    write_run(tmp_path, "a", 1, 0.5)
    write_run(tmp_path, "b", 2, 0.7)
    return tmp_path


def test_a_folder_that_cannot_be_written_to_answers_all_the_same(root, monkeypatch):
    def refuse(path: Path, data: bytes) -> None:
        raise DataError(f"{path}: cannot be written.")

    monkeypatch.setattr(index, "atomic_write", refuse)
    assert ask(root, COUNT) == [(2,)] and not (root / FILE).exists()


def test_it_answers_from_the_files(root):
    assert ask(root, MEAN) == [("unlink", pytest.approx(0.6))]
    assert ask(root, "select value from numbers where metric = 'seconds' and run = ?", "a") == [(2.0,)]
    assert ask(root, "select json_extract(fields, '$.fraction') from runs where id = 'b'") == [(0.05,)]


def test_it_follows_the_files(root):
    assert ask(root, COUNT) == [(2,)]
    write_run(root, "c", 3, 0.9)
    assert ask(root, MEAN) == [("unlink", pytest.approx(0.7))]
    shutil.rmtree(root / "a")
    write_run(root, "a", 1, 0.8)
    shutil.rmtree(root / "b")
    assert ask(root, COUNT) == [(2,)] and ask(root, MEAN) == [("unlink", pytest.approx(0.85))]


def test_a_run_that_is_being_written_is_not_read(root):
    shutil.copytree(root / "a", root / ".graphforget-0.tmp")
    assert ask(root, COUNT) == [(2,)]


def test_a_copy_under_another_name_is_a_sentence(root):
    shutil.copytree(root / "a", root / "a-before")
    with pytest.raises(DataError, match="a-before: holds the run a, and the folder of a run has its name. Move"):
        ask(root, COUNT)


def test_an_unchanged_folder_is_not_written_again(root):
    ask(root, COUNT)
    before = (root / FILE).stat().st_mtime_ns
    assert ask(root, MEAN) and (root / FILE).stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [b"", b"not a database at all, not even nearly so", "cut", "gone"])
def test_a_damaged_index_is_made_anew(root, damage):
    before = ask(root, MEAN)
    whole = (root / FILE).read_bytes()
    if damage == "gone":
        (root / FILE).unlink()
    else:
        (root / FILE).write_bytes(whole[: len(whole) // 2] if damage == "cut" else damage)
    assert ask(root, MEAN) == before and ask(root, COUNT) == [(2,)]


def test_a_folder_without_runs_has_no_index(tmp_path):
    with pytest.raises(UsageError, match="no folder of runs"):
        ask(tmp_path, COUNT)
    assert not list(tmp_path.iterdir())
