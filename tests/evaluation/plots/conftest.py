"""Records and committed reports to draw."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphforget.evaluation.document import Report
from graphforget.evaluation.records import Record

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def committed() -> Callable[[str], Report]:
    """Read a report of results/ by its name."""
    return lambda name: Report.from_json((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def drawn() -> Callable[[Any], dict[str, tuple[float, float]]]:
    """Return row -> the place of its marker on an axes."""

    def rows(ax: Any) -> dict[str, tuple[float, float]]:
        lines = [line for line in ax.get_lines() if str(line.get_label()).startswith("row ")]
        return {line.get_label()[4:]: (line.get_xdata()[0], line.get_ydata()[0]) for line in lines}

    return rows


@pytest.fixture
def hand_made() -> list[Record]:
    """Records of two seeds whose means, noise floor and front are known by heart."""

    def of(row: str, kind: str, seed: int, auc: float, forgotten: float, seconds: float, far: float | None) -> Record:
        values = {"test_auc": auc, "forgotten_auc": forgotten, "seconds": seconds}
        if far is not None:
            values |= {f"js_{part}": far for part in ("forgotten", "retained", "test")}
        return Record(row, seed, values, kind)

    return [
        record
        for seed, shift in ((1, 0.0), (2, 0.02))
        for record in (
            of("Gold", "gold", seed, 0.90 + shift, 0.50 + shift, 100.0, None),
            of("Noise floor", "floor", seed, 0.91 + shift, 0.54 + shift, 100.0, 0.010),
            of("fast", "method", seed, 0.80 + shift, 0.60 + shift, 1.0, 0.030),
            of("near", "method", seed, 0.90 + shift, 0.50 + shift, 10.0, 0.005),
            of("beaten", "method", seed, 0.85 + shift, 0.55 + shift, 11.0, 0.006),
        )
    ]
