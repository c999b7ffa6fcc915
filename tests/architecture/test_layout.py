"""How files are cut: one method one file, documented, short, and free of the machine it was written on."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "graphforget").rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py"))
METHODS = "graphforget/unlearning/methods"
MODELS = "graphforget/models"
LONGEST = 350


def sets_name(statement: ast.stmt) -> bool:
    """Return whether a statement of a class body sets `name` for the class, not a field called so."""
    if isinstance(statement, ast.AnnAssign):
        is_class_variable = "ClassVar" in ast.unparse(statement.annotation) and statement.value is not None
        return is_class_variable and ast.unparse(statement.target) == "name"
    return isinstance(statement, ast.Assign) and any(ast.unparse(t) == "name" for t in statement.targets)


def listed(source: str) -> list[ast.ClassDef]:
    """Return the classes of a module that a registry lists."""
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return [cls for cls in classes if any(sets_name(statement) for statement in cls.body)]


def misplaced(source: str, module: str) -> list[str]:
    """Return a sentence when a file of the methods folder does not define exactly one method."""
    folder, _, file = module.rpartition("/")
    if folder != METHODS or file.startswith("_"):
        return []
    names = [cls.name for cls in listed(source)]
    return [] if len(names) == 1 else [f"{module} defines {names or 'no method'}; one method, one file."]


def undocumented(source: str, module: str) -> list[str]:
    """Return the methods and backbones of a module that have no docstring."""
    if module.rpartition("/")[0] not in {METHODS, MODELS}:
        return []
    return [f"{module}: {cls.name} has no docstring." for cls in listed(source) if not ast.get_docstring(cls)]


def machine_paths(text: str) -> list[str]:
    """Return what in `text` ties it to one machine: absolute paths of home or work folders, package hosts."""
    paths = r"(?<![\w.\-/~])/(?:work|tmp|home|root|Users|mnt|opt|scratch)/\w+|\b[A-Z]:\\Users"
    hosts = r"\bpypi\.org\b|\bpythonhosted\.org\b|\bdownload\.pytorch\.org\b"
    return re.findall(f"{paths}|{hosts}", text)


def tracked_files() -> list[str]:
    """Return the files under version control and those about to be; none outside a checkout."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def read(module: str) -> str:
    """Return the text of a file of this repository."""
    return (ROOT / module).read_bytes().decode("utf-8", "ignore")


def test_one_method_one_file():
    assert sum((misplaced(read(module), module) for module in MODULES), []) == []


def test_methods_and_backbones_are_documented():
    assert sum((undocumented(read(module), module) for module in MODULES), []) == []


@pytest.mark.parametrize("module", [*MODULES, *TESTS])
def test_no_file_is_too_long(module):
    lines = len(read(module).splitlines())
    assert lines <= LONGEST, f"{module} has {lines} lines; divide it (at most {LONGEST})"


def test_no_tracked_file_names_a_machine():
    files = [name for name in tracked_files() if (ROOT / name).is_file()]
    if not files:
        pytest.skip("not a git checkout: there are no tracked files to look at")
    assert {name: hits for name in files if (hits := machine_paths(read(name)))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    name = 'a'\n\nclass B:\n    name: ClassVar[str] = 'b'",
        "x = 1",
        "class A:\n    name: str = 'a field, not the name of the class'",
        "class A:\n    name: ClassVar[str]",
    ],
)
def test_a_method_file_without_exactly_one_method_is_found(source):
    assert len(misplaced(source, f"{METHODS}/some.py")) == 1


def test_a_method_file_may_hold_helpers():
    source = "class _Part:\n    pass\n\nclass A:\n    name: ClassVar[str] = 'a'"
    assert misplaced(source, f"{METHODS}/a.py") == []
    assert misplaced("x = 1", f"{METHODS}/_shared.py") == []


def test_a_missing_docstring_is_found():
    bare, documented = "class A:\n    name = 'a'", "class A:\n    'Does a.'\n    name = 'a'"
    for folder in (METHODS, MODELS):
        assert undocumented(bare, f"{folder}/a.py") == [f"{folder}/a.py: A has no docstring."]
        assert undocumented(documented, f"{folder}/a.py") == []


@pytest.mark.parametrize(
    "text",
    [
        "see /" + "work/main",
        "'/" + "tmp/x'",
        "cd /" + "home/me",
        "C:" + "\\Users",
        "https://pypi." + "org/simple",
    ],
)
def test_a_machine_path_is_found(text):
    assert len(machine_paths(text)) == 1


def test_other_paths_pass():
    text = "https://example.org/home/data.zip ./tmp/x ~/work/x docs/work/x /usr/bin/env #!/bin/bash"
    assert machine_paths(text) == []
