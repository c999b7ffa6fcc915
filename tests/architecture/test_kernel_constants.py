"""No test changes a constant that a compiled function reads.

Numba compiles the value in, and keeps the result on disk under a key that does not know of it: whoever ran that test
would draw other numbers ever after.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNELS = "graphforget.kernels"


def compiled_names(source: str) -> set[str]:
    """Return all names that functions under `njit` read."""
    return {
        name.id
        for function in ast.walk(ast.parse(source))
        if isinstance(function, ast.FunctionDef)
        and any("njit" in ast.unparse(decorator) for decorator in function.decorator_list)
        for name in ast.walk(function)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Load)
    }


def patched_constants(source: str) -> Iterator[tuple[str, str]]:
    """Return the kernel and the name of every constant that a test sets: `monkeypatch.setattr(module, "TRIES", 1)`."""
    tree = ast.parse(source)
    kernels = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == KERNELS
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr") and len(node.args) == 3:
            where, name = (ast.unparse(part) for part in node.args[:2])
            if where in kernels and ast.literal_eval(name).isupper():
                yield kernels[where], ast.literal_eval(name)


def test_no_test_changes_a_constant_of_a_compiled_function():
    sources = [path.read_text() for path in sorted((ROOT / "tests").rglob("*.py"))]
    patched = {found for source in sources for found in patched_constants(source)}
    assert ("negatives", "TRIES") in patched, "the search finds what there is"
    folder = ROOT.joinpath(*KERNELS.split("."))
    assert not [(k, name) for k, name in sorted(patched) if name in compiled_names((folder / f"{k}.py").read_text())]


def test_the_search_sees_what_a_kernel_reads():
    source = "TRIES = 3\n@njit(cache=True)\ndef f(x):\n    return x + TRIES\ndef g():\n    return LIMIT\n"
    assert "TRIES" in compiled_names(source) and "LIMIT" not in compiled_names(source)
    test = f'from {KERNELS} import negatives as module\nmonkeypatch.setattr(module, "TRIES", 1)\n'
    assert list(patched_constants(test)) == [("negatives", "TRIES")]
