"""DiffMM's pickled SciPy matrices: `trnMat.pkl`, perhaps `valMat.pkl` and `tstMat.pkl`, users x items.

Jiang et al., "DiffMM: multi-modal diffusion model for recommendation", MM 2024. Every stored entry that is not zero is
an interaction, whatever its value. The pickles are read without running them (`pickled_arrays`); features of items,
`<modality>_feat.npy` with row i for item i, stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.formats.adjacency_list import FILES as LISTS
from graphforget.data.formats.adjacency_list import feature_files, feature_tables
from graphforget.data.formats.base import existing
from graphforget.data.formats.pickled_arrays import read_pickled
from graphforget.data.formats.raw_interactions import ALL, InteractionFormat, RawInteractions, Reading
from graphforget.data.formats.scipy_matrix import matrix_interactions

FILES = {"train": "trnMat.pkl", "valid": "valMat.pkl", "test": "tstMat.pkl"}


def read_pickled_matrix(path: Path) -> Any:
    """Return the sparse matrix in a pickle; raises DataError when it holds anything else."""
    value = read_pickled(existing(path))
    if sp.issparse(value):
        return value
    raise DataError(
        f"{path}: holds a {type(value).__name__}, but a SciPy matrix of users x items is expected. Save one with "
        "scipy.sparse.save_npz, or write a table 'user,item'."
    )


class PickledMatrices(InteractionFormat):
    """Reader of one pickled matrix per part, with `<modality>_feat.npy` beside them."""

    name = "scipy-pickle"
    suffixes = (".pkl",)
    heeds: ClassVar[frozenset[str]] = frozenset({"n_users", "parts"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a path is a .pkl file, or a folder with `trnMat.pkl` and without the lists of `train.txt`."""
        if not path.is_dir():
            return path.suffix.lower() in cls.suffixes
        return (path / FILES["train"]).is_file() and not (path / LISTS["train"]).is_file()

    def locate(self, path: Path) -> dict[str, Path]:
        """Return the files of a folder; of a single file, that file as undivided records."""
        if not path.is_dir():
            return {ALL: existing(path)}
        found = {part: path / name for part, name in FILES.items() if (path / name).is_file()}
        return found | feature_files(path)

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the entries as interactions; raises DataError for files that hold more than matrices or less."""
        raw = matrix_interactions(files, read_pickled_matrix, how.n_users)
        return replace(raw, modalities=feature_tables(files))
