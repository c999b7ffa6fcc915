"""Downloads, against a server on this machine alone."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from graphforget._core.errors import DataError
from graphforget.data import load as load_module
from graphforget.data.cards import Card
from graphforget.data.download import cache_folder, cached


def npz() -> bytes:
    """Return a graph of two nodes and one edge."""
    buffer = io.BytesIO()
    np.savez(buffer, adj_data=[1.0], adj_indices=[1], adj_indptr=[0, 1, 1], adj_shape=[2, 2], labels=[0, 1])
    return buffer.getvalue()


CONTENT = npz()


class Handler(BaseHTTPRequestHandler):
    """Serves /good.npz whole, /cut.npz half of it, and nothing else."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path not in ("/good.npz", "/cut.npz"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/good.npz" else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """A server on a free local port; `asked` lists what it was asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.asked = []
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http
        http.shutdown()


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A cache folder of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("GRAPHFORGET_DATA", raising=False)
    return cache_folder()


def card(server, file: str = "good.npz", sha256: str | None = None, edges: int = 2) -> Card:
    """Return a card whose one file is at the server."""
    return Card(
        name="tiny",
        title="t",
        format="npz",
        licence="l",
        citation="c",
        expected={"nodes": 2, "edges": edges, "features": 0, "classes": 2},
        files=[{"path": f"raw/{file}", "url": f"http://127.0.0.1:{server.server_port}/{file}", "sha256": sha256}],
    )


def left(home) -> list[str]:
    """Return what is in the cache but locks."""
    return [path.name for path in home.rglob("*") if path.suffix != ".lock"] if home.exists() else []


def named(monkeypatch, card: Card):
    """Load the card as `load` does a named set."""
    monkeypatch.setattr(load_module, "find_card", lambda name: card)
    return load_module.load("tiny")


def test_a_good_file_is_fetched_once(monkeypatch, server, home):
    good = card(server, sha256=hashlib.sha256(CONTENT).hexdigest())
    first, second = named(monkeypatch, good), named(monkeypatch, good)
    assert first.digest == second.digest and first.n_edges == 1
    assert server.asked == ["/good.npz"]
    assert sorted(left(home)) == ["good.npz", "raw", "tiny"]


def test_a_wrong_digest_leaves_nothing(monkeypatch, server, home):
    with pytest.raises(DataError, match="sha256 is not 0000.*data_dir"):
        named(monkeypatch, card(server, sha256="0" * 64))
    assert left(home) == []


def test_a_missing_file_leaves_nothing(monkeypatch, server, home):
    with pytest.raises(DataError, match="absent.npz.*404.*Nothing was kept"):
        named(monkeypatch, card(server, file="absent.npz"))
    assert left(home) == []


def test_a_file_cut_short_leaves_nothing(monkeypatch, server, home):
    with pytest.raises(DataError, match="cut.npz.*download failed"):
        named(monkeypatch, card(server, file="cut.npz"))
    assert left(home) == []


def test_wrong_counts_leave_nothing(monkeypatch, server, home):
    with pytest.raises(DataError, match="tiny: the files hold 2 edges where 8 are expected"):
        named(monkeypatch, card(server, edges=8))
    assert left(home) == []


def test_no_server_leaves_nothing(monkeypatch, server, home):
    dead = card(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="download failed"):
        named(monkeypatch, dead)
    assert left(home) == []


def test_a_bad_graph_is_not_published(server, home):
    def refuse(folder):
        raise DataError(f"{folder} is no good")

    with pytest.raises(DataError, match="no good"):
        cached(card(server), refuse)
    assert left(home) == []
