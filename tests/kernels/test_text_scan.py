"""Text as bytes: Python's own split, csv module and float as oracles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphforget.kernels.text_scan import cell_decimals, cell_integers, integer_rows, table_cells


def as_bytes(text: str) -> np.ndarray:
    """Return a text as uint8."""
    return np.frombuffer(text.encode(), dtype=np.uint8)


def cells_of(text: str, mark: str, n_cells: int, columns: list[int], first: int = 0):
    """Return the cells of some columns as text, with what `table_cells` says of faults."""
    data = as_bytes(text)
    spans, lines, fault, found = table_cells(data, as_bytes(mark), n_cells, np.array(columns), first)
    cells = [[data[start:end].tobytes().decode() for start, end in row] for row in spans]
    return cells, lines.tolist(), fault, found


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "end"])
def test_rows_of_integers(end, last):
    lines = ["0 10 200", "", "  7\t8  ", "999999999999999999"]
    values, indptr, fault = integer_rows(as_bytes(end.join(lines) + (end if last else "")))
    assert values.tolist() == [0, 10, 200, 7, 8, 999999999999999999]
    assert indptr.tolist() == [0, 3, 3, 5, 6] and fault == -1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 10**17), max_size=4), min_size=1, max_size=6), st.sampled_from(" \t"))
def test_integers_equal_python(rows, blank):
    values, indptr, fault = integer_rows(as_bytes("".join(blank.join(map(str, row)) + "\n" for row in rows)))
    assert fault == -1
    assert [values[a:b].tolist() for a, b in zip(indptr[:-1], indptr[1:], strict=True)] == rows


@pytest.mark.parametrize(
    ("text", "position"),
    [("1 x\n", 2), ("-1\n", 0), ("1\n2 3.0\n", 4), ("1 1000000000000000000", 2), ("12a", 0), ("1,2", 0), ("1 +2", 2)],
)
def test_the_first_word_that_is_no_number_is_found(text, position):
    assert integer_rows(as_bytes(text))[2] == position


def test_no_text_has_no_numbers():
    values, indptr, fault = integer_rows(as_bytes(""))
    assert len(values) == 0 and indptr.tolist() == [0] and fault == -1


@pytest.mark.parametrize("mark", [",", "\t", "::", "\x1f"])
def test_cells_are_found_and_trimmed(mark):
    text = mark.join(["a", " b ", "", "dd"]) + "\r\n\n" + mark.join(["1", "2", "3", "4"])
    cells, lines, fault, _ = cells_of(text, mark, 4, [3, 1, 2])
    assert cells == [["dd", "b", ""], ["4", "2", "3"]]
    assert lines == [1, 3] and fault == 0


def test_blanks_between_cells_count_once():
    cells, lines, fault, _ = cells_of("  a   b\t c \nd e f", "", 3, [0, 2])
    assert cells == [["a", "c"], ["d", "f"]] and lines == [1, 2] and fault == 0


@pytest.mark.parametrize(("text", "fault", "found"), [("a,b\nc\n", 2, 1), ("a,b\n\nc,d,e\n", 3, 3), ("a,b,\n", 1, 3)])
def test_a_row_of_another_width_is_named(text, fault, found):
    assert cells_of(text, ",", 2, [0])[2:] == (fault, found)


def test_lines_above_the_first_are_passed_over():
    assert cells_of("x\na,b\n", ",", 2, [1], first=1)[:2] == ([["b"]], [2])


def spans_of(words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return words joined by blanks, and where each stands."""
    data = as_bytes(" ".join(words))
    ends = np.cumsum([len(word.encode()) + 1 for word in words]) - 1
    return data, np.stack([ends - [len(word.encode()) for word in words], ends], axis=1)


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_cells_as_integers(numbers):
    values, bad = cell_integers(*spans_of([str(number) for number in numbers]))
    assert bad == -1 and values.tolist() == numbers


@pytest.mark.parametrize(
    "word", ["", "007", "-0", "+1", "1.0", "9223372036854775808", "a", "-", "12345678901234567890"]
)
def test_cells_that_are_no_integers(word):
    assert cell_integers(*spans_of(["1", word]))[1] == 1


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-10000, max_value=10000, places=5))
@settings(max_examples=100, deadline=None)
def test_decimals_equal_python(number):
    values, bad = cell_decimals(*spans_of([f"{number:f}"]))
    assert bad == -1 and values[0] == float(number)


@pytest.mark.parametrize("word", ["", ".", "-", "1e5", "nan", "1.2.3", "1234567890.1234567", "٣"])
def test_what_is_no_plain_decimal(word):
    assert cell_decimals(*spans_of(["1.5", word]))[1] == 1
