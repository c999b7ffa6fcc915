"""The checks that every hostile case ends in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from graphforget._core.errors import DataError, GraphforgetError, UnsupportedError, UsageError
from graphforget.cli.main import main

WITHOUT_OUT = ("list", "recommend", "doctor")
DIVERGED = 5


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its contents."""
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


EXIT_CODES = {DataError: 3, UsageError: 2, UnsupportedError: 4}


def _refused(folder: Path, action: Callable[[], Any], kind: type[GraphforgetError], words: list[str]) -> list[str]:
    """Return what is wrong with how `action` ends: one sentence of its kind, `folder` as it was, are right."""
    before = snapshot(folder)
    with pytest.raises(kind) as caught:
        action()
    message = str(caught.value)
    checks = {
        f"the exit code is {caught.value.exit_code}": caught.value.exit_code == EXIT_CODES[kind],
        f"no sentence: {message!r}": message[-1] in ".?" and "\n" not in message,
        "the folder was changed": snapshot(folder) == before,
    }
    return _missing(words, message) + [fault for fault, fine in checks.items() if not fine]


def _missing(words: Sequence[str], message: str) -> list[str]:
    return [f"'{word}' is not in: {message}" for word in words if word not in message]


@pytest.fixture
def refused() -> Callable[..., list[str]]:
    """`refused(folder, action, kind, words)`: what is wrong with kind, exit code and words of the error."""
    return _refused


def _in_folder(folder: Path, value: Any) -> Any:
    """Return options with "@name" as the path of a file in the folder."""
    if isinstance(value, str) and value.startswith("@"):
        return folder / value[1:]
    return {key: _in_folder(folder, item) for key, item in value.items()} if isinstance(value, dict) else value


@pytest.fixture
def refuse_load(refused, tmp_path) -> Callable[..., list[str]]:
    """`refuse_load(files, name, options, kind, words)`: write files, load `name`; what is wrong with the error.

    The name "" is the folder, an option "@name" the path of a file; words of the message are parted by " | ".
    """

    def check(files: dict[str, Any], name: str, options: dict[str, Any], kind: type, words: str) -> list[str]:
        from graphforget.data.load import load

        for file, content in files.items():
            (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        given = {key: _in_folder(tmp_path, value) for key, value in options.items()}
        return refused(tmp_path, lambda: load(tmp_path / name, **given), kind, words.split(" | "))

    return check


def _write_texts(folder: Path, texts: dict[str, list[str]]) -> None:
    """Write files of the given lines, and an empty one."""
    for name, lines in texts.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    (folder / "empty.csv").write_bytes(b"")


@pytest.fixture(scope="session")
def write_texts() -> Callable[[Path, dict[str, list[str]]], None]:
    """`write_texts(folder, texts)`: write files of the given lines, and empty.csv."""
    return _write_texts


@pytest.fixture
def ask(capsys) -> Callable[[list[str]], tuple[int, str, str]]:
    """`ask(words)`: run a command line in this process; its exit code, stdout and stderr."""

    def call(words: list[str]) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(words)
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def refuse_command(ask, tmp_path) -> Callable[..., list[str]]:
    """`refuse_command(files, line, code, *words)`: what is wrong, where one sentence and nothing written are right.

    {d} in the line is the folder `files`.
    """

    def check(files: Path, line: str, code: int, *words: str) -> list[str]:
        before, out = sorted(files.rglob("*")), tmp_path / "out"
        typed = line.format(d=files).split()
        typed += [] if typed[0] in WITHOUT_OUT or "--out" in typed else ["--out", str(out)]
        found, stdout, stderr = ask(typed)
        sentences = [text for text in stderr.splitlines() if text.startswith("graphforget: ")]
        checks = {
            f"the exit code is {found}: {stderr}": found == code,
            f"stdout has {stdout!r}": stdout == "",
            f"not one sentence: {stderr}": len(sentences) == 1 and sentences[0][-1] in ".?",
            f"a traceback: {stderr}": "Traceback" not in stderr,
            "the files were changed": sorted(files.rglob("*")) == before,
            "--out was written": code == DIVERGED or not out.exists(),
        }
        return _missing(words, stderr) + [fault for fault, fine in checks.items() if not fine]

    return check
