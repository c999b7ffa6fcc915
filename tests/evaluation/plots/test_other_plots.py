"""Trajectories, embedding maps and scaling: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.evaluation.plots.canvas import figure_bytes, save_figure
from graphforget.evaluation.plots.embedding_map import MOST, MOST_PAIRS, draw_map, mapped
from graphforget.evaluation.plots.scaling import draw_scaling, exponent
from graphforget.evaluation.plots.trajectory import History, chosen_metrics, draw_trajectories


def entries(*values: float, every: int = 10) -> tuple[dict[str, float], ...]:
    return tuple({"epoch": every * (i + 1), "val_auc": v, "loss": -v} for i, v in enumerate(values))


@pytest.fixture
def histories() -> list[History]:
    return [
        History("Original", "original", 1, entries(0.1, 0.9, 0.2), kept=20),
        History("Original", "original", 2, entries(0.1, 0.7, 0.2), kept=20),
        History("slow", "method", 1, entries(0.5, 0.6, 0.7)),
        History("slow", "method", 2, entries(0.7, 0.8)),
        History("unlink", "method", 1, ()),
    ]


def lines(ax) -> dict[str, tuple[list, list]]:
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.get_lines()}


def test_a_line_is_the_mean_over_the_epochs_that_all_seeds_have(histories):
    (ax,) = draw_trajectories(histories).axes
    found = lines(ax)
    assert found["row slow"][0] == [10, 20]
    assert found["row slow"][1] == pytest.approx([0.6, 0.7])
    assert found["seed 1 slow"] == ([10, 20, 30], [0.5, 0.6, 0.7])
    assert found["row Original"][1] == pytest.approx([0.8, 0.8])
    assert not any("unlink" in name for name in found)


def test_what_is_drawn_as_a_level_is_a_level_in_the_legend(histories):
    baseline = History("Popularity", "baseline", 1, entries(0.3), kept=10)
    legend = draw_trajectories([*histories, baseline]).legends[0]
    names = [text.get_text() for text in legend.get_texts()]
    markers = dict(zip(names, [line.get_marker() for line in legend.get_lines()], strict=True))
    assert markers == {"Original": "None", "slow": "o", "Popularity": "None"}


def test_losses_are_drawn_only_when_asked_for(histories):
    assert chosen_metrics(histories) == ["val_auc"]
    axes = draw_trajectories(histories, ["loss", "val_auc"]).axes
    assert lines(axes[0])["seed 2 slow"][1] == [-0.7, -0.8]
    with pytest.raises(UsageError, match="No history holds 'val_acu'. Measured were val_auc, loss"):
        chosen_metrics(histories, ["val_acu"])


def test_without_any_evaluation_the_way_to_get_one_is_said():
    with pytest.raises(DataError, match="Make the comparison with --out FOLDER and a method that learns"):
        draw_trajectories([History("unlink", "method", 1, ())])


def test_a_turned_and_moved_copy_lies_where_the_first_lies():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((60, 5)) * [5, 3, 1, 1, 1]
    turn, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    found = mapped(["before", "after"], [z, z @ turn + 7.0], np.array([3, 1]))
    np.testing.assert_allclose(found.places[0], found.places[1], atol=1e-8)
    assert found.explained[0] > found.explained[1] > 0.1
    assert found.forgotten.tolist() == [1, 3] and len(found.shown) == 58


def test_what_only_the_forgotten_nodes_do_is_not_turned_away():
    rng = np.random.default_rng(1)
    z = rng.standard_normal((40, 3)) * [5, 3, 0.1]
    moved = z.copy()
    moved[0] += [10.0, 0.0, 0.0]
    found = mapped(["before", "after"], [z, moved], np.array([0]))
    shift = found.places[1] - found.places[0]
    assert np.linalg.norm(shift[0]) == pytest.approx(10.0, rel=0.05)
    assert np.abs(shift[1:]).max() < 1e-8


def test_the_map_draws_the_places_and_marks_the_forgotten():
    z = np.random.default_rng(2).standard_normal((30, 4))
    found = mapped(["before", "after", "gold"], [z, z + 1, z[:, :2]], np.array([2, 5, 9]))
    axes = draw_map(found, np.array([[2], [5]]), "forgotten: 1 edge").axes
    for ax, place in zip(axes, found.places, strict=True):
        marked = next(line for line in ax.get_lines() if line.get_label() == "forgotten")
        np.testing.assert_array_equal(marked.get_xydata(), place[[2, 5, 9]])
        assert len(next(line for line in ax.get_lines() if line.get_label() == "others").get_xdata()) == 27


def test_a_copy_is_laid_onto_the_first_where_every_node_is_forgotten():
    z = np.random.default_rng(2).standard_normal((8, 3))
    found = mapped(["before", "after"], [z, z[:, [1, 2, 0]] - 2.0], np.arange(8))
    np.testing.assert_allclose(found.places[0], found.places[1], atol=1e-8)
    with pytest.raises(DataError, match="A map needs two nodes or more; there is 1"):
        mapped(["before"], [z[:1]], np.array([0]))


def test_pairs_that_are_left_out_are_counted_below_the_map():
    found = mapped(["a"], [np.random.default_rng(2).standard_normal((30, 4))], np.arange(2))
    pairs = np.tile([[0], [1]], MOST_PAIRS + 1)
    few, many = (draw_map(found, pairs[:, :count], "x").legends[0] for count in (MOST_PAIRS, MOST_PAIRS + 1))
    assert few.get_title().get_text() == "" and many.get_title().get_text() == "Lines: the first 200 of 201 pairs."


def test_a_large_map_is_a_sample_that_keeps_every_forgotten_node():
    z = np.random.default_rng(2).standard_normal((MOST + 500, 2))
    gone = np.arange(0, 900, 3)
    one, again = (mapped(["a"], [z], gone, seed=4) for _ in range(2))
    assert len(one.shown) == MOST and not set(one.shown) & set(gone) and len(one.forgotten) == 300
    np.testing.assert_array_equal(one.shown, again.shown)


def test_cost_against_size_draws_the_points_and_knows_the_power():
    series = {"a": [(10.0, 3.0), (100.0, 30.0), (1000.0, 300.0)], "b": [(10.0, 1.0), (10.0, 3.0)]}
    (ax,) = draw_scaling(series, "edges", "seconds").axes
    found = lines(ax)
    assert found["points a"] == ([10.0, 100.0, 1000.0], [3.0, 30.0, 300.0])
    assert found["mean b"] == ([10.0], [2.0])
    assert exponent([1, 10, 100], [2, 200, 20000]) == pytest.approx(2.0)
    assert exponent([1, 10, 10], [1, 2, 3]) is None
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == ["a (size^1.00)", "b"]


@pytest.mark.parametrize(
    ("costs", "labels"), [((2.0, 3.0, 8.0), ["2", "4", "6", "8"]), ((0.5, 20.0, 30000.0), ["1", "10", "100", "1,000"])]
)
def test_an_axis_has_numbers_whatever_the_costs_range_over(costs, labels):
    figure = draw_scaling({"a": list(zip((10.0, 100.0, 1000.0), costs, strict=True))}, "edges", "seconds")
    figure.canvas.draw()
    axis = figure.axes[0].yaxis
    low, high = axis.get_view_interval()
    ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
    assert set(labels) <= {text.get_text() for place, text in ticks if low <= place <= high}


def test_the_way_of_finding_the_power_is_told_only_where_there_is_one():
    three, two = ({"a": [(10.0**i, 2.0**i) for i in range(1, count)]} for count in (4, 3))
    titles = [draw_scaling(one, "edges", "seconds").legends[0].get_title().get_text() for one in (three, two)]
    assert titles == ["size^b: least squares on logarithms, over all sizes", ""]


@pytest.mark.parametrize(("series", "phrase"), [({}, "no seconds against edges"), ({"a": []}, "'a' has no pair")])
def test_nothing_to_draw_is_a_sentence(series, phrase):
    with pytest.raises(DataError, match=phrase):
        draw_scaling(series, "edges", "seconds")


def test_a_cost_of_zero_has_no_logarithm():
    with pytest.raises(DataError, match="'a': edges 10 with seconds 0 has no place on logarithmic axes"):
        draw_scaling({"a": [(10.0, 0.0)]}, "edges", "seconds")


def test_a_map_and_trajectories_have_the_same_bytes_twice(histories):
    z = np.random.default_rng(2).standard_normal((30, 4))
    for kind in ("svg", "png"):
        maps = [draw_map(mapped(["a"], [z], np.array([1])), np.empty((2, 0), int), "x") for _ in range(2)]
        assert figure_bytes(maps[0], kind) == figure_bytes(maps[1], kind)
        assert len({figure_bytes(draw_trajectories(histories), kind) for _ in range(2)}) == 1


def test_another_ending_than_svg_and_png_is_refused(histories, tmp_path):
    with pytest.raises(UsageError, match="found the ending '.pdf'; a picture ends in .png or .svg"):
        save_figure(draw_trajectories(histories), tmp_path / "x.pdf")
    assert list(tmp_path.iterdir()) == []


def test_many_forgotten_nodes_do_not_hide_the_others():
    z = np.random.default_rng(0).standard_normal((900, 4))
    looks = []
    for number in (50, 200, 700):
        figure = draw_map(mapped(["a", "b"], [z, z], np.arange(number)), np.empty((2, 0), np.int64), "some")
        marked = next(line for line in figure.axes[0].get_lines() if line.get_label() == "forgotten")
        looks.append((marked.get_markersize(), marked.get_markeredgewidth() > 0, marked.get_alpha()))
    assert looks == [(4.5, True, 1.0), (3.0, True, 1.0), (2.0, False, 0.5)]
