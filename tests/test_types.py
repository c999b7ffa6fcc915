"""What a user's type checker makes of the package: its types travel with it, and the public names are exported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parent.parent / "README.md"

HEAD = "from typing import assert_type\n\n"
KINDS = """
assert_type(result, gf.Result)
assert_type(report, gf.Report)
"""
WRONG = """
import graphforget as gf

gf.LinkPrediction(gf.load("sample-citations"), sed=0)
gf.Deletion(users=12)
gf.GCN(hidden="wide")
gf.trian
"""


@pytest.fixture(scope="module")
def check(tmp_path_factory):
    """Check a program strictly, outside the repository; returns the wrong lines with their errors."""
    folder = tmp_path_factory.mktemp("types")

    def run(program: str) -> list[str]:
        (folder / "program.py").write_text(program, encoding="utf-8")
        words = [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--follow-imports=silent",
            "--no-error-summary",
            "program.py",
        ]
        return subprocess.run(words, cwd=folder, capture_output=True, text=True).stdout.splitlines()

    return run


def test_the_readmes_python_passes_a_strict_check(check):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    assert check(HEAD + "\n".join(blocks) + KINDS) == []


def test_wrong_calls_are_seen(check):
    wrong = [re.match(r"program\.py:(\d+): error: .*\[(.*)\]$", line) for line in check(WRONG)]
    assert [found and (int(found[1]), found[2]) for found in wrong if found] == [
        (4, "call-arg"),
        (5, "arg-type"),
        (6, "arg-type"),
        (7, "attr-defined"),
    ]
