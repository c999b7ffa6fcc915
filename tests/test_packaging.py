"""What is built can be installed and used away from the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "datasets").rglob("*")
    if path.is_file() and (path.suffix == ".toml" or "sample" in path.parts)
)

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed and return what it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """Build wheel and source archive of this checkout into a folder, without the network."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """Install the wheel into a fresh environment that borrows only the dependencies of this one."""
    folder = tmp_path_factory.mktemp("install") / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    wheel = next(built.glob("*.whl"))
    offline = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    run(sys.executable, "-m", "pip", "--python", python, "install", *offline, wheel, cwd=folder)
    libraries = Path(sysconfig.get_paths()["purelib"])
    own = next((folder / "lib").glob("python*/site-packages"))
    (own / "borrowed.pth").write_text(f"{libraries}\n")
    return folder


def test_there_are_cards_and_a_sample_to_ship():
    assert any(name.startswith("datasets/sample/") for name in SHIPPED)
    assert sum(Path(name).parent.name == "datasets" for name in SHIPPED) >= 2


def test_the_wheel_holds_the_package_the_cards_and_the_samples(built):
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"graphforget/{name}" for name in SHIPPED} <= names
    presets = {path.relative_to(ROOT).as_posix() for path in (ROOT / "graphforget").rglob("presets/*.toml")}
    assert presets and presets <= names
    assert {"graphforget/__init__.py", "graphforget/py.typed", "graphforget/cli/main.py"} <= names
    assert "graphforget/evaluation/page.html.jinja" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"graphforget", "graphforget-0.1.0.dist-info"}
    assert not [name for name in names if "__pycache__" in name]


def test_the_source_archive_holds_what_a_build_and_a_test_need(built):
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "pyproject.toml",
        "constraints.txt",
        "LICENSE",
        "README.md",
        "scripts/test",
        "tests/test_packaging.py",
    }
    assert wanted | set(SHIPPED) <= names
    assert not [name for name in names if name.startswith((".venv", ".git/"))]


def test_the_source_archive_builds_the_same_wheel(built, tmp_path):
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "again", cwd=unpacked)
    (first,), (second,) = built.glob("*.whl"), (tmp_path / "again").glob("*.whl")
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        assert {i.filename: i.CRC for i in one.infolist()} == {i.filename: i.CRC for i in two.infolist()}


def test_the_installed_package_is_the_one_imported_and_finds_its_cards(installed, tmp_path):
    code = "from graphforget._core.resources import datasets_folder; print(datasets_folder())"
    folder = Path(run(installed / "bin" / "python", "-c", code, cwd=tmp_path).strip())
    assert folder.is_relative_to(installed.resolve())
    assert (folder / "sample").is_dir()


def test_the_installed_command_lists_the_datasets_outside_the_checkout(installed, tmp_path):
    listing = run(installed / "bin" / "graphforget", "list", "datasets", cwd=tmp_path)
    cards = [Path(name).stem for name in SHIPPED if Path(name).parent.name == "datasets"]
    assert [name for name in cards if name not in listing] == []
