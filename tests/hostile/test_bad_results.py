"""Results that were damaged or made up: a sentence, no traceback, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

DATA = 3
GOOD = {"row": "a", "seed": 1, "kind": "method", "note": "", "values": {"test_auc": 0.5, "forgotten_auc": 0.4}}


def report(**changes: object) -> str:
    return whole(records=[{**GOOD, **changes}])


def whole(**changes: object) -> str:
    body = {"format": "graphforget-report/1", "task": "link", "title": "t", "records": [GOOD], **changes}
    return json.dumps({key: value for key, value in body.items() if value is not None})


CASES = {
    "empty": "",
    "deep": "[" * 200_000,
    "list": "[1, 2]",
    "binary": "\udcff\udcfe",
    "other-format": '{"format": "graphforget-report/9", "records": []}',
    "text-value": report(values={"test_auc": "high"}),
    "nan": report(values={"test_auc": float("nan")}),
    "infinite": report(values={"test_auc": float("inf")}),
    "true": report(values={"test_auc": True}),
    "list-of-values": report(values=[1, 2]),
    "unknown-metric": report(values={"__class__": 1.0}),
    "unknown-kind": report(kind="king"),
    "row-no-text": report(row=["a"]),
    "seed-no-integer": report(seed="../../etc"),
    "note-no-text": report(note=7),
    "more-fields": report(extra=1),
    "endless-number": report(values={"test_auc": 10**400}),
    "half-a-letter": report(row="\ud800"),
    "half-a-letter-in-the-title": whole(title="\ud800"),
    "no-title": whole(title=None),
    "no-such-task": whole(task="graph"),
    "no-records": whole(records=[]),
    "records-no-list": whole(records=7),
    "twice-the-same-row": whole(records=[GOOD, GOOD]),
    "a-row-of-two-kinds": whole(records=[GOOD, {**GOOD, "seed": 2, "kind": "gold"}]),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("command", ["plot", "report"])
def test_a_damaged_report_ends_in_a_sentence(ask, tmp_path, name, command):
    source = tmp_path / "report.json"
    source.write_bytes(CASES[name].encode("utf-8", "surrogateescape"))
    out = tmp_path / ("p.png" if command == "plot" else "p.html")
    code, printed, said = ask([command, str(source), "--out", str(out)])
    assert (code, printed) == (DATA, "")
    assert "report.json" in said and said.count("\n") == 1 and not out.exists()


@pytest.mark.parametrize(
    "plan",
    [
        {"seeds": ["../../x"], "methods": {}},
        {"seeds": [1], "methods": 5},
        {"seeds": {"a": 1}, "methods": {}},
        {"seeds": [1], "methods": {}, "setup": 4, "request": {}, "gold_runs": 1, "attack": True},
    ],
)
def test_a_damaged_plan_ends_in_a_sentence(ask, tmp_path, plan):
    folder = tmp_path / "run"
    (folder / "report").mkdir(parents=True)
    (folder / "report/report.json").write_text(report())
    (folder / "plan.json").write_text(json.dumps(plan))
    for stage in ("original", "gold-1"):
        (folder / "seed-1" / stage).mkdir(parents=True)
        (folder / "seed-1" / stage / "model.json").write_text("{}")
    code, _, said = ask(["report", str(folder), "--out", str(tmp_path / "p.html")])
    assert code == DATA and said.count("\n") == 1 and "Repeat the comparison" in said
    assert [path.name for path in Path(tmp_path).iterdir()] == ["run"]
