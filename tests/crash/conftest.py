"""The helpers of the tests that kill commands."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def stores(module_at) -> ModuleType:
    """The module `stores.py` beside this file."""
    return module_at(Path(__file__).with_name("stores.py"))
