"""What the README prints is what the results say."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

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
    for folder in ("results", "benchmarks"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "refresh_tables", tmp_path / "scripts")
    assert refresh("--check", root=tmp_path) == 4


def test_the_pictures_are_small_and_those_that_the_commands_beside_them_draw(tmp_path, monkeypatch):
    from graphforget.cli.main import main

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [line.split()[1:] for line in re.findall(r"^graphforget plot results/.*$", text, re.MULTILINE)]
    assert len(commands) >= 3 and all(f"]({words[-1]})" in text for words in commands)
    assert all((ROOT / words[-1]).stat().st_size <= 60_000 for words in commands)
    pinned = re.search(r"^matplotlib==(.*)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    if pinned is None or pinned[1] != version("matplotlib"):
        pytest.skip("pictures are byte for byte those of the matplotlib that constraints.txt names; this is another")
    monkeypatch.chdir(ROOT)
    for words in commands:
        assert main([*words[:-1], str(tmp_path / "drawn.png")]) == 0
        stale = (tmp_path / "drawn.png").read_bytes() != (ROOT / words[-1]).read_bytes()
        assert not stale, f"{words[-1]} is stale: run graphforget {' '.join(words)}"


def test_the_first_python_block_uses_public_names_only():
    import graphforget as gf

    block = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert block is not None
    names = set(re.findall(r"gf\.(\w+)", block[1]))
    assert names and names <= set(gf.__all__)


def commands(text: str) -> list[str]:
    """Return every command of the README: of blocks line by line, without comments, and of single words in quotes."""
    fenced, prose = text.split("```")[1::2], "".join(text.split("```")[0::2])
    lines = [line.partition(" #")[0] for block in fenced for line in block.splitlines()]
    lines += re.findall(r"`(graphforget [^`]*)`", prose)
    parts = [part.strip() for line in lines for part in line.split(" ; ")]
    return [part for part in parts if part.startswith("graphforget ") and "..." not in part and part.count(" ") > 1]


def test_every_command_can_be_read():
    from graphforget.cli.main import app

    found = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(found) > 60
    for line in found:
        called, _, ignored = app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
        assert callable(called) and not ignored, line


def test_every_python_block_runs(tmp_path, monkeypatch):
    """In the order in which they stand, each with what those before it made; trained for a moment."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 3
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks:
        short = re.sub(r"epochs=\d+", "epochs=6", block).replace('method="d2dgn"', 'method="d2dgn:epochs=6"')
        exec(compile(short, "README.md", "exec"), names)
    assert len(names["ids"][0]) == 20 and str(names["report"]).count("Gold") and len(names["rows"])
