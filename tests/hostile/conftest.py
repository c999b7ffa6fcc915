"""The check that every hostile case ends in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphforget._core.errors import DataError, GraphforgetError, UsageError


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its contents."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _refused(folder: Path, action: Callable[[], Any], kind: type[GraphforgetError], words: list[str]) -> None:
    """Check that `action` ends in one sentence of the right kind and leaves `folder` as it was."""
    before = snapshot(folder)
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert caught.value.exit_code == {DataError: 3, UsageError: 2}[kind]
    assert message[-1] in ".?" and "\n" not in message
    assert snapshot(folder) == before


@pytest.fixture
def refused() -> Callable[..., None]:
    """`refused(folder, action, kind, words)`: check kind, exit code and words of the error; `folder` stays."""
    return _refused
