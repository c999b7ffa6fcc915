"""Files appear whole or not at all, and every refusal is a sentence."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import atomic_folder, atomic_write, file_lock, is_held, read_json, write_json


def run_until_killed(code: str, *arguments: str) -> None:
    """Run `code`, which kills itself, in a Python of its own."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), *arguments], check=False)
    assert done.returncode == -signal.SIGKILL


def test_atomic_write_writes_bytes_and_text(tmp_path):
    atomic_write(tmp_path / "a.bin", b"\x00\xff\n")
    atomic_write(tmp_path / "deep" / "er" / "b.txt", "naïve\r\nline\n")
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\xff\n"
    assert (tmp_path / "deep" / "er" / "b.txt").read_bytes() == "naïve\r\nline\n".encode()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "deep"]


def test_atomic_write_replaces_and_leaves_no_temporary_file(tmp_path):
    target = tmp_path / "report.json"
    for text in ("old", "newer"):
        atomic_write(target, text)
    assert target.read_text() == "newer"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_atomic_write_keeps_permissions_and_follows_links(tmp_path):
    target, link = tmp_path / "private.csv", tmp_path / "link.csv"
    target.touch(mode=0o600)
    link.symlink_to(target)
    atomic_write(link, "user-17\n")
    assert link.is_symlink()
    assert target.read_text() == "user-17\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_atomic_write_gives_a_new_file_the_usual_permissions(tmp_path):
    (tmp_path / "usual").touch()
    atomic_write(tmp_path / "new", b"")
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("write", [atomic_write, write_json])
def test_text_that_utf_8_has_no_form_for_is_a_sentence_and_leaves_nothing(tmp_path, write):
    name = os.fsdecode(b"caf\xe9.csv")  # as Latin-1 wrote it
    with pytest.raises(
        DataError, match=r"x\.json: cannot be written: UTF-8 has no form for '\\udce9', which stands in"
    ):
        write(tmp_path / "x.json", name)
    assert not list(tmp_path.iterdir())


def test_atomic_write_refused_by_the_system_is_a_sentence_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder: cannot be written \(Is a directory\)"):
        atomic_write(tmp_path / "folder", "text")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written"):
        atomic_write(tmp_path / "file" / "below", "text")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_kill_between_writing_and_renaming_leaves_the_old_file(tmp_path):
    target = tmp_path / "weights.bin"
    atomic_write(target, b"old and whole")
    run_until_killed(
        """
        import os, signal, sys
        from graphforget._core.files import atomic_write
        os.replace = lambda source, target: os.kill(os.getpid(), signal.SIGKILL)
        atomic_write(sys.argv[1], b"new " * 100_000)
        """,
        str(target),
    )
    assert target.read_bytes() == b"old and whole"
    atomic_write(target, b"written again")
    assert target.read_bytes() == b"written again"


def test_the_file_is_on_disk_before_its_name_and_the_folder_after(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace

    def recorded_fsync(descriptor):
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        calls.append(f"fsync {kind}")
        fsync(descriptor)

    def recorded_replace(source, target):
        assert Path(source).parent == Path(target).parent
        calls.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    atomic_write(tmp_path / "a", b"1")
    assert calls == ["fsync file", "rename", "fsync folder"]


def test_atomic_folder_appears_at_the_end_of_the_block(tmp_path):
    target = tmp_path / "runs" / "one"
    with atomic_folder(target) as folder:
        atomic_write(folder / "a" / "b.txt", "b")
        assert not target.exists()
        assert folder.parent == target.parent
    assert (target / "a" / "b.txt").read_text() == "b"
    assert [path.name for path in target.parent.iterdir()] == ["one"]


def test_atomic_folder_leaves_nothing_when_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "one") as folder:
        atomic_write(folder / "half", "h")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_atomic_folder_refuses_a_full_folder_and_takes_an_empty_one(tmp_path):
    (tmp_path / "empty").mkdir()
    with atomic_folder(tmp_path / "empty") as folder:
        atomic_write(folder / "x", "first")
    with pytest.raises(DataError, match="exists and is not empty"), atomic_folder(tmp_path / "empty"):
        pytest.fail("the block must not run")
    assert (tmp_path / "empty" / "x").read_text() == "first"


def test_atomic_folder_replaces_as_a_whole_when_asked(tmp_path):
    for name in ("first", "second"):
        with atomic_folder(tmp_path / "run", replace=True) as folder:
            atomic_write(folder / name, name)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["second"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_atomic_folder_refuses_a_file_even_to_replace_it(tmp_path):
    (tmp_path / "run").touch()
    with pytest.raises(DataError, match="is a file where a folder must go"):
        with atomic_folder(tmp_path / "run", replace=True):
            pytest.fail("the block must not run")


def test_a_kill_inside_atomic_folder_leaves_no_folder_of_that_name(tmp_path):
    run_until_killed(
        """
        import os, signal, sys
        from graphforget._core.files import atomic_folder, atomic_write
        os.rename = lambda source, target: os.kill(os.getpid(), signal.SIGKILL)
        with atomic_folder(sys.argv[1]) as folder:
            atomic_write(folder / "a", "a")
        """,
        str(tmp_path / "run"),
    )
    assert not (tmp_path / "run").exists()


def test_file_lock_keeps_others_out_and_lets_them_in_afterwards(tmp_path):
    with file_lock(tmp_path / "store"):
        with pytest.raises(UsageError, match=r"store: another process is using it \(waited 0.05 s\)"):
            with file_lock(tmp_path / "store", timeout=0.05):
                pytest.fail("two holders")
    with file_lock(tmp_path / "store", timeout=0):
        pass


def test_those_who_share_a_lock_keep_out_the_one_who_wants_it_alone(tmp_path):
    with file_lock(tmp_path / "store", shared=True), file_lock(tmp_path / "store", timeout=0, shared=True):
        with pytest.raises(UsageError, match="another process is using it"):
            with file_lock(tmp_path / "store", timeout=0):
                pytest.fail("held alone and shared")
    with file_lock(tmp_path / "store", timeout=0), pytest.raises(UsageError, match="another process is using it"):
        with file_lock(tmp_path / "store", timeout=0, shared=True):
            pytest.fail("held alone and shared")


def test_a_look_at_a_lock_writes_nothing(tmp_path, monkeypatch):
    """Of a store that may be read alone, too, it is told what runs."""
    real = os.open

    def read_only(path, flags, *rest, **named):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *rest, **named)

    with file_lock(tmp_path / "store"):
        monkeypatch.setattr(os, "open", read_only)
        assert is_held(tmp_path / "store")
    assert not is_held(tmp_path / "store") and not is_held(tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["store.lock"]


def test_a_file_system_without_locks_is_a_sentence(tmp_path, monkeypatch):
    def refused(descriptor, kind):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refused)
    with pytest.raises(DataError, match=r"store: cannot be locked \(No locks available\)"):
        with file_lock(tmp_path / "store"):
            pytest.fail("the block must not run")
    with pytest.raises(DataError, match=r"store.lock: cannot be looked at \(No locks available\)"):
        is_held(tmp_path / "store")


def test_a_killed_holder_gives_the_lock_back(tmp_path):
    run_until_killed(
        """
        import os, signal, sys
        from graphforget._core.files import file_lock
        with file_lock(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        """,
        str(tmp_path / "store"),
    )
    assert (tmp_path / "store.lock").exists()  # so it was held until the end
    with file_lock(tmp_path / "store", timeout=0):
        with pytest.raises(UsageError), file_lock(tmp_path / "store", timeout=0):
            pytest.fail("two holders")


def test_json_is_the_same_bytes_for_the_same_value(tmp_path):
    write_json(tmp_path / "a.json", {"b": np.float32(0.5), "a": np.arange(2), "ü": None})
    write_json(tmp_path / "b.json", {"ü": None, "a": [0, 1], "b": 0.5})
    data = (tmp_path / "a.json").read_bytes()
    assert data == (tmp_path / "b.json").read_bytes()
    assert data == '{\n  "a": [\n    0,\n    1\n  ],\n  "b": 0.5,\n  "ü": null\n}\n'.encode()
    assert read_json(tmp_path / "a.json") == {"a": [0, 1], "b": 0.5, "ü": None}


@pytest.mark.parametrize("value", [{"x": float("nan")}, {"x": float("inf")}, {"x": {1, 2}}, {1: 0, "a": 1}])
def test_write_json_refuses_what_json_has_no_form_for(tmp_path, value):
    with pytest.raises(DataError, match="cannot be written as JSON"):
        write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"a": 1,\n "b": }', r"a\.json line 2, column 7: not JSON"),
        (b"", r"a\.json line 1, column 1: not JSON"),
        (b'{"a": "\xff"}', r"a\.json: byte 7 is not UTF-8"),
        (b"9" * 5000, r"a\.json: cannot be read .*limit .*digits"),
        (b"[" * 200_000, r"a\.json: is nested too deeply"),
    ],
)
def test_read_json_says_where_the_fault_is(tmp_path, data, sentence):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(DataError, match=sentence):
        read_json(tmp_path / "a.json")


def test_read_json_names_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: cannot be read \(No such file or directory\)"):
        read_json(tmp_path / "none.json")


def test_json_round_trip_of_a_report(tmp_path):
    report = {"method": "d2dgn", "seeds": [0, 1], "auc": {"mean": 0.9312, "std": 0.0021}, "gold": None}
    write_json(tmp_path / "report.json", report)
    assert read_json(tmp_path / "report.json") == report == json.loads((tmp_path / "report.json").read_text())
