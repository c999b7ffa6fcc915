import numpy as np
import pytest

from graphforget._core.errors import DataError
from graphforget.kernels.csr import CSR, edges_to_csr
from graphforget.kernels.row_sets import RowSets, free_column, has_column, member_mask

SIZES = [0, 1, 2, 7, 8, 9, 30, 64, 100, 299, 300]


def of_sizes(sizes, n_cols, seed=0):
    rng = np.random.default_rng(seed)
    columns = [np.sort(rng.choice(n_cols, size, replace=False)) for size in sizes]
    return edges_to_csr(np.repeat(np.arange(len(sizes)), sizes), np.concatenate(columns), len(sizes), n_cols)


@pytest.mark.parametrize("n_cols", [300, 2000, 60_000])
def test_membership_is_the_dense_lookup(n_cols, dense, same_for_any_threads):
    csr = of_sizes(SIZES, n_cols)
    rows, columns = (part.ravel() for part in np.indices((len(SIZES), n_cols)))
    assert same_for_any_threads(lambda: member_mask(RowSets.of(csr), rows, columns))
    found = member_mask(RowSets.of(csr), rows, columns)
    assert np.array_equal(found, dense(csr).ravel() > 0)


def test_short_rows_have_filters_and_long_rows_exact_bitmaps():
    sets = RowSets.of(of_sizes([1, 4, 5, 50, 500, 2500, 2501], 5000))
    shifts = sets.heads & np.uint64(255)
    assert shifts.tolist() == [64 - 6, 64 - 6, 64 - 7, 64 - 10, 0, 0, 1]
    listed = (2499 + 1) // 2
    assert np.diff(np.append(sets.heads >> np.uint64(8), len(sets.words))).tolist() == [
        1,
        1,
        2,
        16,
        79,
        79,
        79 + listed,
    ]


def test_memory_is_a_few_bytes_per_member():
    sizes = np.random.default_rng(1).integers(0, 3000, 200)
    sets = RowSets.of(of_sizes(sizes, 40_000))
    assert sets.words.nbytes <= 4 * sizes.sum() + 8 * len(sizes)


@pytest.mark.parametrize("n_cols", [1, 63, 64, 65])
def test_few_columns(n_cols, dense):
    csr = of_sizes([0, 1, n_cols], n_cols)
    rows, columns = (part.ravel() for part in np.indices((3, n_cols)))
    assert np.array_equal(member_mask(RowSets.of(csr), rows, columns), dense(csr).ravel() > 0)


def test_no_rows_and_no_columns():
    none = np.empty(0, int)
    assert len(RowSets.of(edges_to_csr(none, none, 0, 5)).heads) == 0
    assert RowSets.of(edges_to_csr(none, none, 4, 0)).largest == 0


@pytest.mark.parametrize("members", [[], [0], [5], [0, 1, 2], [3, 4, 9], [1, 3, 5, 7, 9]])
def test_free_columns_by_rank(members):
    row, free = np.array(members, np.int32), [c for c in range(10) if c not in members]
    assert [free_column(row, rank) for rank in range(len(free))] == free
    assert [c for c in range(10) if not has_column(row, c)] == free


@pytest.mark.parametrize("columns", [[3, 1], [2, 2]])
def test_rows_that_do_not_ascend_are_refused(columns):
    csr = CSR(np.array([0, 0, 2]), np.array(columns, np.int32), np.ones(2, np.float32), 5)
    with pytest.raises(DataError, match="columns of row 1 must ascend"):
        RowSets.of(csr)
