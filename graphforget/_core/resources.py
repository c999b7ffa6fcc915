"""Where the files that ship beside the code are."""

from __future__ import annotations

from pathlib import Path

from graphforget._core.errors import DataError


def datasets_folder() -> Path:
    """Return the folder of the dataset cards (`<name>.toml`) and of `sample/`.

    An installed wheel carries it inside the package; a checkout has it beside the package.

    Raises
    ------
    DataError
        When neither is there: the installation is broken.
    """
    package = Path(__file__).resolve().parents[1]
    inside, beside = package / "datasets", package.parent / "datasets"
    if inside.is_dir():
        return inside
    if beside.is_dir() and (package.parent / "pyproject.toml").is_file():
        return beside
    raise DataError(
        f"The dataset cards are missing: neither {inside} nor {beside} belongs to graphforget. "
        "Install the package again."
    )
