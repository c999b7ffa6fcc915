"""The page in a browser: no complaints, nothing wider than a phone, letters drawn, paper printed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from graphforget.evaluation.document import Report
from graphforget.evaluation.page import NARROW, Facts, Picture, page
from graphforget.evaluation.plots.embedding_map import draw_map, mapped

ROOT = Path(__file__).resolve().parents[2]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE = 375
MEASURE = """<body style="margin:0">
<iframe id="f" src="page.html" style="border:0;width:{width}px;height:900px"></iframe>
<script>document.getElementById('f').onload = function () {{
  const page = this.contentDocument.documentElement;
  document.title = [page.scrollWidth, page.scrollHeight, this.contentDocument.querySelectorAll('svg').length].join(' ');
}};</script></body>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on the PATH; on Debian: apt install chromium"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    text = (ROOT / "results" / "tiktok-lightgcn-users.json").read_text(encoding="utf-8")
    points = np.random.default_rng(0).standard_normal((80, 3))
    places = mapped(["before", "after"], [points, points + 1], np.arange(5))
    drawn = Picture("Map", draw_map(places, np.empty((2, 0), int), "forgotten", width=NARROW), "a map")
    (folder / "page.html").write_text(page(Report.from_json(text), Facts(pictures=[drawn])), encoding="utf-8")
    return folder


def browse(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the browser on a folder of its own; its own log is on stderr."""
    common = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--hide-scrollbars"]
    own = f"--user-data-dir={folder / 'profile'}"
    command = [BROWSER, *common, own, "--allow-file-access-from-files", "--virtual-time-budget=3000", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_the_console_stays_empty(folder):
    done = browse(folder, "--dump-dom", (folder / "page.html").as_uri())
    assert "<h2>Verdict</h2>" in done.stdout
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []


@pytest.mark.parametrize("width", [PHONE, 1200])
def test_nothing_is_wider_than_the_screen(folder, width):
    (folder / f"frame{width}.html").write_text(MEASURE.format(width=width))
    done = browse(folder, "--dump-dom", f"--window-size={width + 100},900", (folder / f"frame{width}.html").as_uri())
    wide, high, pictures = map(int, re.search(r"<title>(\d+) (\d+) (\d+)</title>", done.stdout).groups())
    assert wide == width and high > 2000 and pictures == 3


def test_it_prints(folder):
    browse(folder, f"--print-to-pdf={folder / 'page.pdf'}", "--no-pdf-header-footer", (folder / "page.html").as_uri())
    pdf = (folder / "page.pdf").read_bytes()
    assert pdf.startswith(b"%PDF") and 3 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 20
