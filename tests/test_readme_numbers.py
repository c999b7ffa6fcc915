"""What the README's sentences repeat of the committed results is what the results say."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from statistics import mean

import pytest

ROOT = Path(__file__).resolve().parent.parent
RECALL, GAP = "test_recall@20", "forgotten_recall@20_gap"

README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())

Seeds = dict[int, float]


@cache
def report(name: str) -> list[dict]:
    return json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))["records"]


def seen(name: str, row: str, metric: str) -> float:
    """Return the mean of a report's metric over seeds."""
    return mean(one["values"][metric] for one in report(name) if one["row"] == row)


@cache
def lines(name: str) -> list[dict]:
    with (ROOT / "results" / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def seeds(name: str, row: str, metric: str, deletion: str = "", data: str = "", backbone: str = "") -> Seeds:
    """Return seed -> value of a metric of a reproduced table; `data` and `backbone` by how they begin."""
    found = {
        int(line["seed"]): float(line[metric])
        for line in lines(name)
        if line["row"] == row and line["deletion"] == deletion and line[metric]
        if line["data"].startswith(data) and line["backbone"].startswith(backbone)
    }
    assert found, (name, row, metric, deletion)
    return found


def whole(*arguments: str, **places: str) -> float:
    return mean(seeds(*arguments, **places).values())


def kept(name: str, row: str, deletion: str, seed: int | None = None, metric: str = RECALL, **places: str) -> float:
    """Return how much of gold's recall a row keeps, in per cent; of all seeds together, or of one."""
    ours, gold = (seeds(name, one, metric, deletion, **places) for one in (row, "Gold"))
    return 100 * (mean(ours.values()) / mean(gold.values()) if seed is None else ours[seed] / gold[seed])


def dot(value: float, digits: int) -> str:
    """Return a number below 1 as the README writes it: .505."""
    return f"{value:.{digits}f}".removeprefix("0")


def links() -> list[str]:
    """Return what is said of deletions of edges."""
    auc = {row: round(seen("dblp-gcn-in", row, "test_auc"), 4) for row in ("d2dgn", "gnndelete")}  # as the table has it
    gone = {row: dot(seen("dblp-gcn-in", row, "forgotten_auc"), 3) for row in ("d2dgn", "Gold", "fine-tune", "unlink")}
    fresh = {row: round(seen("dblp-gcn-in-fresh", row, "test_auc"), 4) for row in ("d2dgn", "gnndelete")}
    share = seen("dblp-gcn-in", "fine-tune", "seconds") / seen("dblp-gcn-in", "Gold", "seconds")
    edges = {row: seen("dblp-gcn-edgeprob", row, "test_auc") for row in ("Gold", "gnndelete-edgeprob")}
    attack = [
        1 - whole("utu-link", "gnndelete-utu", "mi_attack_auc", "5 %", data, backbone)
        for data in ("pubmed", "coauthor-cs")
        for backbone in ("gcn", "gin", "gat")
    ]
    return [
        f"D2DGN keeps {100 * (auc['d2dgn'] - auc['gnndelete']):.2f} points more test AUC",
        f"+{100 * (fresh['d2dgn'] - fresh['gnndelete']):.2f} points at",
        f"forgotten AUC {gone['fine-tune']} and {gone['unlink']} against gold's {gone['Gold']} +- .013",
        f"fine-tuning in a {({20: 'twentieth', 30: 'thirtieth', 40: 'fortieth'})[round(1 / share, -1)]} of gold's time",
        f"{dot(edges['gnndelete-edgeprob'], 4)}, gold {dot(edges['Gold'], 4)}: "
        f"{100 * (edges['Gold'] - edges['gnndelete-edgeprob']):.1f} points",
        f"(1 - AUC: {', '.join(dot(value, 2) for value in attack)} for PubMed and CS",
    ]


def backbones() -> list[str]:
    """Return what is said of recommenders before anything is deleted: all test pairs count."""
    music = seeds("kgat-music", "Original", "whole_recall@20", "5 % of the facts")
    ndcg = whole("kgat-music", "Original", "whole_ndcg@20", "5 % of the facts")
    mf = whole("kgat-music", "Original", "whole_recall@20", "", "", "mf")
    mgcn = seeds("mmrecun-users", "Original", "whole_recall@20", "5 % of the users")
    films = [whole("erase-tiny", "Original", f"whole_{name}@20", "1 user") for name in ("recall", "ndcg")]
    factors = [
        seeds("recur-users", "Original", f"whole_{name}@20", "low degree 5 %", "", "mf")[42]
        for name in ("recall", "ndcg")
    ]
    order = ", ".join(str(seed) for seed in (42, 21, 13) if music[seed])
    span = {name: f"{dot(min(v.values()), 4)} to {dot(max(v.values()), 4)}" for name, v in (("k", music), ("m", mgcn))}
    middle = {name: dot(mean(v.values()), 4) for name, v in (("k", music), ("m", mgcn))}
    return [
        f"KGAT is above MF with each of the three seeds ({middle['k']} against {dot(mf, 4)})",
        f"| lastfm-music | KGAT, lr 1e-3, 400 epochs | {middle['k']} ({span['k']}; seeds {order}) | {dot(ndcg, 3)} |",
        f"| tiktok | MGCN | {middle['m']} ({span['m']}; seeds {order}) |",
        f"| {dot(seen('tiktok-lightgcn-users', 'Original', 'whole_recall@20'), 4)} with training and validation pairs",
        f"recall@20 {dot(films[0], 4)}, ndcg@20 {dot(films[1], 4)} on test",
        f"{dot(factors[0], 4)} and {dot(factors[1], 4)} on test",
    ]


def users_and_items() -> list[str]:
    """Return what is said of MMRecUn beside gold on LightGCN and KGAT."""
    large, places = "lightgcn-deletions", {"data": "gowalla"}
    small = {"data": "ml-1m"}
    single = "5 % of the interactions"
    by_seed = ", ".join(f"{kept(large, 'mmrecun', single, seed, **small):.1f}" for seed in (42, 21))
    pushed = whole("kgat-music", "mmrecun", GAP, "5 % of the users")
    floor = whole("kgat-music", "Noise floor", GAP, "5 % of the users")
    return [
        f"keeps {kept(large, 'mmrecun', single, **small):.1f} % of gold's test recall ({by_seed} and "
        f"{kept(large, 'mmrecun', single, 13, **small):.1f} % by seed)",
        f"of its items nothing, as gold, with {kept(large, 'mmrecun', '5 % of the items', **places):.1f} %",
        f"with all of gold's test recall ({kept(large, 'mmrecun', '5 % of the users', **places):.1f} %)",
        f"({dot(whole(large, 'mmrecun', GAP, '5 % of the users', **places), 4)} away seed by seed, floor "
        f"{dot(whole(large, 'Noise floor', GAP, '5 % of the users', **places), 4)})",
        f"but keeps {kept(large, 'mmrecun', single, **places):.1f} % of gold's test recall",
        f"it keeps {kept(large, 'mmrecun', single, None, 'valid_recall@20', **places):.1f} %: pushing",
        f"{dot(pushed, 4)} away seed by seed, the noise floor is {dot(floor, 4)}",
        f"Of items it keeps {kept('kgat-music', 'mmrecun', '5 % of the items'):.1f} %",
        f"Of users and items it keeps {kept('kgat-music', 'mmrecun', '5 % of users and items'):.1f} %",
        f"{kept('kgat-music', 'mmrecun', single):.1f} % of gold's test recall "
        f"({kept('kgat-music', 'mmrecun', single, 42):.1f}, {kept('kgat-music', 'mmrecun', single, 21):.1f} and "
        f"{kept('kgat-music', 'mmrecun', single, 13):.1f} by seed), "
        f"{dot(whole('kgat-music', 'mmrecun', GAP, single), 4)} away from gold seed by seed "
        f"(floor {dot(whole('kgat-music', 'Noise floor', GAP, single), 4)})",
        f"keeps {kept('mmrecun-users', 'mmrecun', single, 21):.1f} % of gold's test recall",
        f"keeps {kept('mmrecun-users', 'mmrecun', single, 42):.1f} and "
        f"{kept('mmrecun-users', 'mmrecun', single, 13):.1f} %, where another gold model has "
        f"{kept('mmrecun-users', 'Noise floor', single, 42):.1f} and "
        f"{kept('mmrecun-users', 'Noise floor', single, 13):.1f} %",
        f"({kept('mmrecun-users', 'mmrecun', '5 % of the items'):.0f} % for items and for users, "
        f"{kept('mmrecun-users', 'mmrecun', '5 % of users and items'):.0f} % for both",
        f"not of MF ({kept('recur-users', 'recur', 'high degree 5 %', backbone='mf'):.0f} and "
        f"{kept('recur-users', 'recur', 'low degree 5 %', backbone='mf'):.0f} % of gold's)",
    ]


@pytest.mark.parametrize("found", [links, backbones, users_and_items])
def test_sentences_say_what_the_results_say(found):
    assert [words for words in found() if words not in README] == []
