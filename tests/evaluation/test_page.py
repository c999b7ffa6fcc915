"""The page of a report: whole, escaped, without a network."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from graphforget.evaluation.document import Report
from graphforget.evaluation.page import Facts, page
from graphforget.evaluation.records import Record, metrics_of

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = ("dblp-gcn-in", "tiktok-lightgcn-users", "cora-gcn-class")
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}&amp;'
VOID = {"meta", "path", "use", "br", "image", "rect"}


class Looker(HTMLParser):
    """Collects tags, attributes and the text of cells; fails on a tag that is closed before it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.cells: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def look(text: str) -> Looker:
    found = Looker()
    found.feed(text)
    assert found.open == []
    return found


@pytest.fixture(scope="module", params=COMMITTED)
def report(request) -> Report:
    return Report.from_json((ROOT / "results" / f"{request.param}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def text(report) -> str:
    return report.to_html()


def test_every_record_every_metric_and_every_note_is_on_the_page(report, text):
    found, plain = look(text), unescape(text)
    assert {record.row for record in report.records} <= set(found.cells)
    lines = [found.cells[i : i + 2] for i in range(len(found.cells))]
    assert all([record.row, str(record.seed)] in lines for record in report.records)
    for metric in metrics_of(report.records):
        assert f"{metric.label} {metric.arrow}".strip() in found.cells and metric.meaning in plain
        for row in report.rows:
            assert metric.name not in row.cells or any(
                cell.startswith(metric.show(*row.cells[metric.name])) for cell in found.cells
            )
    assert all(note in plain for note in report.notes)


def test_a_page_asks_for_nothing_from_elsewhere(text):
    found = look(text)
    assert not {"script", "link", "iframe", "object", "form", "a"} & set(found.tags)
    assert "//" not in re.sub(r"data:image/png;base64,[^\"']*", "", text)
    sources = [value for name, value in found.attributes if name.rpartition(":")[2] in ("href", "src", "srcset")]
    assert all(value.startswith(("#", "data:image/png")) for value in sources)
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "@import" not in text and "default-src 'none'" in text


def test_the_same_report_gives_the_same_bytes(report, text):
    assert text == Report.from_json(report.to_json()).to_html()


def test_pictures_on_one_page_share_no_ids(text):
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) > 20
    used = {a or b for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)}
    assert used and used <= set(ids)


def test_hostile_names_are_text_and_nothing_else():
    values = {"test_auc": 0.5, "forgotten_auc": 0.4, "seconds": 1.0}
    records = tuple(Record(f"{HOSTILE}{kind}", 1, values, kind, HOSTILE) for kind in ("gold", "floor", "method"))
    facts = Facts(
        {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE}, {HOSTILE: HOSTILE}, HOSTILE, HOSTILE, ids={HOSTILE: [HOSTILE]}
    )
    text = page(Report("link", HOSTILE, records), facts)
    found = look(text)
    assert "script" not in found.tags and "img" not in found.tags
    assert f"{HOSTILE}method" in found.cells and "49" not in found.cells
    assert "<script" not in text.replace("<!--", "") and "onerror=alert(2)>" not in text


def test_ids_are_shown_only_where_they_are_given():
    report = Report("link", "t", (Record("a", 1, {"test_auc": 0.5}),))
    assert "What was deleted, by id" not in report.to_html()
    shown = page(report, Facts(ids={"seed 1": ["nodes: anna"]}))
    assert "What was deleted, by id" in shown and "nodes: anna" in shown


def test_a_picture_that_cannot_be_drawn_is_explained():
    text = unescape(Report("link", "t", (Record("a", 1, {"test_auc": 0.5, "seconds": 1.0}),)).to_html())
    assert "No picture of forgetting beside quality: This report has no metric that says 'forgetting'." in text
    assert "No picture of time beside distance to gold: This report holds no distance to gold" in text


def test_plain_sentences_stand_before_the_figures(text):
    order = [text.index(f"<h2>{name}</h2>") for name in ("Verdict", "What the evidence does not show", "Figures")]
    assert order == sorted(order) and text.index("<h2>Figures") < text.index("<svg")
