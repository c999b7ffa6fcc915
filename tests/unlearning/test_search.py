"""What of a method can be tuned, and what is written of it."""

from __future__ import annotations

import pytest

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget.unlearning.search import Axis, axes_of, with_fields
from graphforget.unlearning.specs import methods, parse_method

TUNABLE = [cls.name for cls in methods().classes() if cls.search]


@pytest.mark.parametrize(
    ("values", "whole", "scale", "middle"),
    [
        ((1e-4, 1e-2), False, "log", 0.001),
        ((5, 200), True, "log", 32),
        ((0.5, 0.995), False, "log-to-one", 0.95),
        ((0.9, 0.99), False, "log-to-one", 0.9684),
        ((0.3, 0.7), False, "linear", 0.5),
        ((0, 5), True, "linear", 3),
        ((1.0, 5.0), False, "linear", 3.0),
    ],
)
def test_an_axis_is_logarithmic_where_its_ends_span_a_decade(values, whole, scale, middle):
    axis = Axis.over("x", values, whole)
    assert axis.scale == scale
    assert [axis.value(0.0), axis.value(0.5), axis.value(1.0)] == [values[0], middle, values[1]]
    assert all(isinstance(axis.value(place / 7), int) == whole for place in range(8))


def test_every_integer_of_a_linear_axis_has_the_same_room():
    axis = Axis.over("hops", (0, 3), True)
    assert [axis.value(place / 8 + 1e-9) for place in range(8)] == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("name", TUNABLE)
def test_what_a_method_declares_can_be_searched_and_holds_its_defaults(name):
    method = parse_method(name).method
    for axis in axes_of(name):
        values = method.search[axis.name]
        assert len({type(value) for value in values}) == 1 and axis.whole == isinstance(values[0], int)
        for value in values:
            assert axis.value(axis.position(value)) == pytest.approx(value, rel=2e-3)
        usual = method.options()[axis.name]
        assert usual is None or axis.low <= usual <= axis.high, axis
        written = with_fields(name, {axis.name: axis.value(0.37)})
        assert getattr(parse_method(written).method, axis.name) == axis.value(0.37), "text and number are the same"


def test_fields_that_are_written_are_held_and_ranges_go_before_what_is_declared():
    assert [axis.name for axis in axes_of("d2dgn:lr=0.01")] == ["alpha", "epochs"]
    alpha, lr, epochs, temperature = axes_of("d2dgn", {"epochs": "30,20", "temperature": "0.5,2"})
    assert (epochs.low, epochs.high, epochs.whole) == (20, 30, True)
    assert (temperature.name, temperature.low, temperature.whole) == ("temperature", 0.5, False)
    assert with_fields("d2dgn:lr=0.01", {"epochs": 25}) == "d2dgn:lr=0.01,epochs=25"
    assert with_fields("d2dgn-local", {}) == "d2dgn-local"


@pytest.mark.parametrize(
    ("text", "ranges", "error", "phrase"),
    [
        ("unlink", {}, UnsupportedError, "unlink has nothing to tune: it declares no field.*Compare it as it is"),
        ("retrain", {}, UnsupportedError, "retrain has nothing to tune"),
        ("sisa:shards=5", {}, UnsupportedError, "every field that it declares for that is given. Compare it"),
        ("gradient-ascent:epochs=5,lr=0.1", {}, UnsupportedError, r"Name one with --range \(max_grad_norm\)"),
        ("d2dgn", {"alhpa": "0,1"}, UsageError, "has no field 'alhpa'. Did you mean 'alpha'"),
        ("d2dgn:alpha=0.5", {"alpha": "0,1"}, UsageError, "'alpha' is given in --method, too"),
        ("d2dgn", {"knowledge": "0,1"}, UsageError, "'knowledge' of d2dgn is no number"),
        ("d2dgn", {"resample_negatives": "0,1"}, UsageError, "is no number"),
        ("d2dgn", {"epochs": "1.5,3"}, UsageError, "give two different integers"),
        ("d2dgn", {"alpha": "0.5"}, UsageError, "give two different numbers"),
        ("d2dgn", {"alpha": "0.5,nan"}, UsageError, "give two different numbers"),
        ("d2dgn", {"alpha": "0.5,2"}, UsageError, r"'alpha' must be a number in \[0, 1\], or left out; got 2.0"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_a_sentence(text, ranges, error, phrase):
    with pytest.raises(error, match=phrase):
        axes_of(text, ranges)
