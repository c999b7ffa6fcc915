"""One metric against another: what is drawn is what the records say."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import Ellipse

from graphforget._core.errors import UsageError
from graphforget.evaluation.plots.axes import quantity
from graphforget.evaluation.plots.canvas import figure_bytes
from graphforget.evaluation.plots.points import FLOOR_LINE, NOISE, Point, draw_points, pareto, points
from graphforget.evaluation.records import Record, rows_of
from graphforget.evaluation.verdict import closest, gold_distances

ALL = ("dblp-gcn-in", "cora-gcn-class", "cora-gcn-features", "pubmed-gat-nodes", "tiktok-lightgcn-users")


@pytest.mark.parametrize("name", ALL)
def test_forgetting_against_utility_draws_every_row_at_the_means_of_its_table(committed, drawn, name):
    report = committed(name)
    x, y = (quantity(report.records, word).name for word in ("utility", "forgetting"))
    (ax,) = draw_points([("", report.records)]).axes
    rows = {row.name: (row.mean(x), row.mean(y)) for row in rows_of(report.records)}
    assert drawn(ax) == {name: place for name, place in rows.items() if None not in place}
    assert {"Original", "Gold", "Noise floor"} <= set(drawn(ax))


@pytest.mark.parametrize("name", ALL)
def test_the_distance_to_gold_is_the_one_that_the_closest_row_is_found_by(committed, drawn, name):
    records = committed(name).records
    (ax,) = draw_points([("", records)], "seconds", "gold_distance").axes
    methods = {row.name for row in rows_of(records) if row.kind == "method"}
    best = min(methods & set(drawn(ax)), key=lambda row: drawn(ax)[row][1])
    found = closest(records)
    assert (best, drawn(ax)[best][1]) == (found.row, found.divergence)
    assert "Gold" not in drawn(ax) and gold_distances(records)["Noise floor"][0] == found.floor


def test_bars_are_the_standard_deviations_of_the_table(hand_made):
    x, y = quantity(hand_made, "test_auc"), quantity(hand_made, "forgotten_auc")
    spread = np.std([0.8, 0.82], ddof=1)
    point = next(point for point in points(hand_made, x, y) if point.name == "fast")
    assert (point.x_spread, point.y_spread) == pytest.approx((spread, spread))
    (ax,) = draw_points([("", hand_made)], "test_auc", "forgotten_auc").axes
    bars = [segment for container in ax.containers for lines in container[2] for segment in lines.get_segments()]
    assert any(np.allclose(segment, [[0.81 - spread, 0.61], [0.81 + spread, 0.61]]) for segment in bars)


def test_the_ellipse_has_the_noise_floors_for_half_axes_and_gold_in_its_centre(hand_made):
    (ax,) = draw_points([("", hand_made)], "test_auc", "forgotten_auc").axes
    (ellipse,) = (patch for patch in ax.patches if isinstance(patch, Ellipse))
    assert ellipse.center == pytest.approx((0.91, 0.51))
    assert (ellipse.width / 2, ellipse.height / 2) == pytest.approx((0.01, 0.04))


def test_without_a_second_gold_there_is_no_ellipse(hand_made):
    alone = [record for record in hand_made if record.kind != "floor"]
    (ax,) = draw_points([("", alone)], "test_auc", "forgotten_auc").axes
    assert not [patch for patch in ax.patches if isinstance(patch, Ellipse)]


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_legend_names_the_ellipse_and_the_floor_only_where_they_are_drawn(hand_made):
    clamped = {"Gold": 0.001, "Noise floor": 0.002, "fast": 0.5}
    ranged = [replace(r, values={**r.values, "mi_clamped": clamped.get(r.row, 0.01)}) for r in hand_made]
    assert NOISE in legend(draw_points([("", ranged)], "test_auc", "forgotten_auc"))
    on_log = draw_points([("", ranged)], "mi_clamped", "forgotten_auc")
    assert on_log.axes[0].get_xscale() == "log" and not on_log.axes[0].patches and NOISE not in legend(on_log)
    assert FLOOR_LINE in legend(draw_points([("", hand_made)], "seconds", "gold_distance"))
    turned = draw_points([("", hand_made)], "gold_distance", "seconds")
    assert FLOOR_LINE not in legend(turned)
    assert not [line for line in turned.axes[0].get_lines() if line.get_linestyle() == "--"]


def test_every_measure_of_distance_is_explained(hand_made):
    lists = [replace(r, values={**r.values, "forgotten_recall@20_gap": 0.1}) for r in hand_made]
    note = draw_points([("a", hand_made), ("b", lists)], "seconds", "gold_distance").legends[0].get_title().get_text()
    assert "JS divergence" in note and "recall@20" in note


def test_the_front_joins_what_no_other_method_beats(hand_made):
    x, y = quantity(hand_made, "seconds"), quantity(hand_made, "gold_distance")
    assert [point.name for point in pareto(points(hand_made, x, y), x, y)] == ["fast", "near"]


@pytest.mark.parametrize("directions", list(itertools.product(["lower", "higher"], repeat=2)))
def test_the_front_is_the_set_of_undominated_points(directions, hand_made):
    rng = np.random.default_rng(3)
    values = rng.integers(0, 6, (40, 2)).astype(float)
    found = [Point(str(i), "method", a, b, None, None) for i, (a, b) in enumerate(values)]
    x, y = (
        quantity(hand_made, name) for name in [{"lower": "seconds", "higher": "test_auc"}[d] for d in directions]
    )  # only the directions matter here
    signs = np.array([1 if d == "lower" else -1 for d in directions])
    signed = values * signs
    undominated = {
        tuple(values[i])
        for i in range(40)
        if not any((other <= signed[i]).all() and (other < signed[i]).any() for other in signed)
    }
    front = pareto(found, x, y)
    assert {(p.x, p.y) for p in front} == undominated
    assert [p.x for p in front] == sorted(p.x for p in front)


def test_there_is_no_front_where_over_forgetting_would_win():
    records = [Record(row, 1, {"mi_ratio": ratio, "seconds": ratio}) for row, ratio in (("near", 2.0), ("far", 90.0))]
    x, y = quantity(records, "seconds"), quantity(records, "mi_ratio")
    assert pareto(points(records, x, y), x, y) == [] and y.title == "MI ratio"


def test_there_is_no_front_towards_a_target(hand_made):
    x, y = quantity(hand_made, "test_auc"), quantity(hand_made, "forgotten_auc")
    assert pareto(points(hand_made, x, y), x, y) == []


def test_every_report_has_a_panel_and_a_row_looks_the_same_in_all(committed, drawn):
    reports = [committed(name) for name in ("dblp-gcn-in", "dblp-gcn-out")]
    axes = draw_points([(r.title, r.records) for r in reports], width=9.0).axes
    colours = [{line.get_label(): line.get_color() for line in ax.get_lines()} for ax in axes]
    assert len(axes) == 2 and colours[0]["row d2dgn"] == colours[1]["row d2dgn"]
    assert drawn(axes[0])["Gold"] != drawn(axes[1])["Gold"]


def test_rows_differ_in_colour_and_marker_together(committed):
    (ax,) = draw_points([("", committed("tiktok-lightgcn-users").records)]).axes
    rows = [line for line in ax.get_lines() if str(line.get_label()).startswith("row ")]
    looks = {(line.get_color(), line.get_marker(), line.get_markerfacecolor()) for line in rows}
    assert len(looks) == len(rows) == 20


@pytest.mark.parametrize("name", ["$x^2$ _under <b> {brace} %", "_hidden", "\N{SNOWMAN}\u4e2d" * 30, ""])
def test_any_name_is_drawn_as_it_is_written(hand_made, name):
    records = [*hand_made, Record(name, 1, {"test_auc": 0.7, "forgotten_auc": 0.4})]
    figure = draw_points([(name, records)], "test_auc", "forgotten_auc")
    texts = [text.get_text().replace("\n", "").strip() for text in figure.legends[0].get_texts()]
    assert name.replace(" ", "") in [text.replace(" ", "") for text in texts]
    assert figure_bytes(figure, "svg").startswith(b"<?xml")


@pytest.mark.parametrize(
    ("x", "phrase"),
    [("tset_auc", "Did you mean 'test_auc'?"), ("mi_ratio", "No row of this report has 'mi_ratio'. It has utility")],
)
def test_a_metric_that_is_not_there_is_named(hand_made, x, phrase):
    with pytest.raises(UsageError, match=phrase.replace("?", r"\?")):
        draw_points([("", hand_made)], x, "forgotten_auc")


def test_panels_that_measure_the_distance_in_other_ways_say_so(committed):
    graph, shop = (("", committed(name).records) for name in ("dblp-gcn-in", "tiktok-lightgcn-users"))

    def note(*reports) -> str:
        return draw_points(reports, "seconds", "gold_distance").legends[0].get_title().get_text().replace("\n", " ")

    one, other = (quantity(records, "gold_distance").note for _, records in (graph, shop))
    assert one != other and note(graph, graph).endswith(one) and "panel" not in note(graph, graph)
    assert note(graph, shop, graph).endswith(f"{one[:-1]} (panel 1, 3). {other[:-1]} (panel 2).")


def test_without_gold_the_distance_to_it_is_refused():
    records = [Record("a", 1, {"test_auc": 0.5, "seconds": 1.0})]
    with pytest.raises(UsageError, match="no gold model stands beside its rows"):
        draw_points([("", records)], "seconds", "gold_distance")


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_records_give_the_same_bytes_and_no_date(hand_made, kind):
    made = [figure_bytes(draw_points([("title", hand_made)]), kind) for _ in range(2)]
    assert made[0] == made[1]
    assert b"date" not in made[0].lower() and b"matplotlib.org" not in made[0]


def test_the_users_own_settings_change_nothing_and_stay():
    code = (
        "import sys, matplotlib; matplotlib.rcParams['font.size'] = 31; before = matplotlib.rcParams.copy();"
        "from graphforget.evaluation.plots.points import draw_points;"
        "from graphforget.evaluation.plots.canvas import figure_bytes;"
        "from graphforget.evaluation.records import Record;"
        "r = [Record('a', 1, {'test_auc': 0.5, 'forgotten_auc': 0.4})];"
        "figure = draw_points([('', r)]); figure_bytes(figure, 'png');"
        "print(figure.axes[0].xaxis.label.get_fontsize(), 'matplotlib.pyplot' in sys.modules,"
        "all(dict.__getitem__(before, key) == dict.__getitem__(matplotlib.rcParams, key) for key in before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["9.0", "False", "True"]
