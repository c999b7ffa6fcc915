"""What the README prints is what the results say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def refresh(*arguments: str, root: Path = ROOT) -> int:
    script = root / "scripts" / "refresh_tables"
    return subprocess.run([sys.executable, str(script), *arguments], check=False).returncode


def test_the_tables_are_those_of_the_committed_results():
    assert "<!-- table " in (ROOT / "README.md").read_text(encoding="utf-8")
    assert refresh("--check") == 0


def test_a_changed_number_is_noticed(tmp_path):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    before, marker, tables = text.partition("<!-- table ")
    stale = before + marker + re.sub(r"(\| Gold .*?0\.\d)\d", r"\g<1>x", tables, count=1)
    assert stale != text
    (tmp_path / "README.md").write_text(stale, encoding="utf-8")
    (tmp_path / "results").symlink_to(ROOT / "results")
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "refresh_tables", tmp_path / "scripts")
    assert refresh("--check", root=tmp_path) == 4


def test_the_first_python_block_uses_public_names_only():
    import graphforget as gf

    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    names = set(re.findall(r"gf\.(\w+)", block[1]))
    assert names and names <= set(gf.__all__)
