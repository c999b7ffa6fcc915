"""A module imports only from its own floor and the floors below."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FRONT_DOOR = "graphforget"  # graphforget/__init__.py, the public names
FLOORS = (
    "_core",
    "kernels",
    "data",
    "tasks",
    "models",
    "training",
    "unlearning",
    "evaluation",
    "experiments",
    FRONT_DOOR,
    "cli",
)
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "graphforget").rglob("*.py"))


def floor_of(dotted: str) -> str:
    """Return the floor a dotted name belongs to; `graphforget` and its attributes are the front door."""
    second = (dotted.split(".") + [""])[1]
    return second if second in FLOORS else FRONT_DOOR


def home_of(module: str) -> str:
    """Return the floor of a file given as `graphforget/<floor>/...py`."""
    parts = Path(module).parts
    fronts = {("__init__.py",): FRONT_DOOR, ("__main__.py",): "cli"}
    return fronts.get(parts[1:]) or parts[1].removesuffix(".py")


def absolute(node: ast.ImportFrom, module: str) -> str:
    """Return the dotted name that an import is from, relative ones resolved."""
    if node.level == 0:
        return node.module or ""
    folder = Path(module).parent.parts
    base = folder[: len(folder) - node.level + 1]
    return ".".join([*base, *(node.module.split(".") if node.module else [])])


def imported(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted name) of all of graphforget that is imported, or named in a string."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, module)
            names = [f"{source}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value] if re.fullmatch(r"graphforget(\.\w+)+", node.value) else []
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "graphforget")


def upward_imports(source: str, module: str) -> list[str]:
    """Return one sentence for each import of `module` that goes up."""
    home = home_of(module)
    if home not in FLOORS:
        return [f"{module}: '{home}' is not a floor. Put the module on one of {', '.join(FLOORS)}."]
    return [
        f"{module}:{line} imports {name}, from a higher floor than {home}."
        for line, name in imported(ast.parse(source), module)
        if FLOORS.index(floor_of(name)) > FLOORS.index(home)
    ]


def test_there_are_modules_to_check():
    assert "graphforget/_core/errors.py" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    assert upward_imports((ROOT / module).read_text(encoding="utf-8"), module) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("graphforget/kernels/csr.py", "from graphforget.data.graph import Graph"),
        ("graphforget/kernels/csr.py", "import graphforget.data.graph as graph"),
        ("graphforget/kernels/csr.py", "from graphforget import data"),
        ("graphforget/kernels/csr.py", "from graphforget import Graph"),
        ("graphforget/kernels/csr.py", "import graphforget"),
        ("graphforget/kernels/csr.py", "from ..data.graph import Graph"),
        ("graphforget/kernels/csr.py", "from .. import data"),
        ("graphforget/data/formats/csv.py", "from ...tasks import link"),
        ("graphforget/tasks/__init__.py", "def f():\n    from graphforget.models.gcn import GCN"),
        ("graphforget/tasks/link.py", "if TYPE_CHECKING:\n    from graphforget.training import loop"),
        ("graphforget/data/load.py", "import importlib\nimportlib.import_module('graphforget.cli.main')"),
        ("graphforget/__init__.py", "from graphforget.cli.main import main"),
        ("graphforget/helpers/things.py", "import os"),
        ("graphforget/things.py", "import os"),
    ],
)
def test_an_upward_import_is_found(module, source):
    assert len(upward_imports(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("graphforget/tasks/link.py", "from graphforget.data.graph import Graph\nimport torch, os.path"),
        ("graphforget/data/load.py", "from graphforget import _core\nfrom .graph import Graph"),
        (
            "graphforget/data/formats/csv.py",
            "from ..graph import Graph\nfrom ..._core.errors import DataError",
        ),
        ("graphforget/unlearning/run.py", "METHODS = Registry('graphforget.unlearning.methods', Method)"),
        ("graphforget/__init__.py", "from graphforget.evaluation.report import evaluate"),
        ("graphforget/cli/main.py", "import graphforget as gf\nfrom graphforget.experiments import plan"),
    ],
)
def test_downward_and_level_imports_pass(module, source):
    assert upward_imports(source, module) == []
