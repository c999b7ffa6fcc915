"""The helpers of the tests that kill commands."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def stores() -> ModuleType:
    """The module `stores.py` beside this file."""
    spec = importlib.util.spec_from_file_location("crash_stores", Path(__file__).with_name("stores.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
