"""Bad recommender command lines: an exit code, one sentence that names input and remedy, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphforget.cli.main import main

USAGE, DATA, UNSUPPORTED = 2, 3, 4
FAST = "--epochs 1 --dim 4 --no-attack"


@pytest.fixture(scope="module")
def files(tmp_path_factory, write_texts) -> Path:
    """Return a folder with ratings of text ids, with files that are wrong in many ways, and with a trained model."""
    folder = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(1)
    rows = [f"p{p},t{t},5,{p + t}" for p in range(20) for t in rng.permutation(12)[:6]]
    mine = [row.split(",") for row in rows if row.startswith("p0,")]
    texts = {
        "ratings.csv": ["person,thing,stars,when", *rows],
        "ragged.csv": ["user,item", "a,b", "a"],
        "words.csv": ["user,item,rating", "a,b,5", "a,c,five"],
        "people.csv": ["user", "p3"],
        "stranger.csv": ["user", "p33"],
        "twice.csv": ["user", "p3", "p3"],
        "everyone.csv": ["user", *(f"p{n}" for n in range(20))],
        "half.csv": ["user,itm", "p3,t1"],
        "things.csv": ["item", "t3"],
        "no_pair.csv": ["user,item", *(f"p0,t{n}" for n in range(12) if f"t{n}" not in {row[1] for row in mine})],
        "all_of_one.csv": ["user,item", *(f"{row[0]},{row[1]}" for row in mine)],
        "facts.csv": ["head,relation,tail", "7,0,121"],
        "thin.csv": ["user,item", *(f"u{n},i{(n + step) % 20}" for n in range(20) for step in (1, 2))],
        "fact.csv": ["head,relation,tail", "0,0,120"],
        "bare.csv": ["0,1,121", "2,1,120"],
        "no_head.csv": ["head,relation,tail", "999,0,121"],
        "sound.csv": ["modality,item", "sound,3"],
        "broken.json": ['{"users": ["p3"'],
        "text.csv": ["id,a", *(f"t{n},{n}" for n in range(11)), "t11,nan"],
        "short.csv": ["id,a", "t99,1"],
    }
    write_texts(folder, texts)
    np.save(folder / "rows.npy", np.zeros((5, 2), np.float32))
    assert main(["train", "sample-shop", "mf", *FAST.split()[:4], "--out", str(folder / "model")]) == 0
    assert main(["train", "sample-citations", "gcn", "--epochs", "1", "--out", str(folder / "gcn")]) == 0
    (folder / "sizeless").mkdir()
    text = json.loads((folder / "model/model.json").read_text())
    (folder / "sizeless/model.json").write_text(json.dumps({**text, "sizes": {"n_users": 3}}))
    (folder / "sizeless/model.safetensors").write_bytes((folder / "model/model.safetensors").read_bytes())
    return folder


COLUMNS = "--columns user=person,item=thing,rating=stars,time=when"
OWN = f"{{d}}/ratings.csv mf {COLUMNS} {FAST}"
SHOP = f"sample-shop mf {FAST}"
ASK = "recommend --model {d}/model"

CASES = [
    # the command line itself
    (f"user {SHOP} --count 2", USAGE, 'Unknown command "user"', "Did you mean"),
    (f"users {SHOP}", USAGE, "none of them is given", "--fraction or --count or --delete FILE"),
    (f"users {SHOP} --count 2 --fraction 0.1", USAGE, "more than one is given", "named once"),
    (f"users {SHOP} --count 2 --sampling cores", USAGE, '"cores" for --sampling', "core"),
    (f"users {SHOP} --count 2 --sampling label-flipped", USAGE, '"label-flipped"', "--sampling"),
    (f"users {SHOP} --count 2 --mask valid", USAGE, '"valid" for --mask', "train+valid"),
    (f"users {SHOP} --count 2 --ndcg kgat --map-at full", USAGE, "--ndcg kgat reads lists of 100", "Use --map-at m"),
    (f"users {SHOP} --count 2 --batch 1.5", USAGE, '"1.5" is not a whole number', "--help"),
    (f"users {SHOP} --delete {{d}}/people.csv --sampling core", USAGE, "--sampling belongs to", "Leave it out"),
    (f"users+items {SHOP} --users {{d}}/people.csv", USAGE, "--users and --items go together", "give both lists"),
    (f"modality {SHOP}", USAGE, "none of them is given", "--modality"),
    (f"modality {SHOP} --modality image --delete {{d}}/sound.csv", USAGE, "more than one is given", "named once"),
    (f"modality {SHOP} --items {{d}}/things.csv", USAGE, "--modality is missing", "as --modality image"),
    (
        f"interactions {SHOP} --count 9 --sampling label-flipped --on-small-pool cap",
        USAGE,
        "makes what it draws",
        "Leave",
    ),
    (f"users {SHOP} --count -3", USAGE, "--count must be at least 1", "got -3"),
    # what must go
    (f"users {SHOP} --count 2000", DATA, "2,000 are wanted", "--on-small-pool cap"),
    (f"users {SHOP} --fraction 0.001", USAGE, "is none at all", "ask for more"),
    (f"users {OWN} --delete {{d}}/stranger.csv", DATA, "no user with id 'p33'", "not in it). Take unknown ids"),
    (f"users {OWN} --delete {{d}}/everyone.csv", DATA, "takes every user", "Delete fewer"),
    (f"users {OWN} --delete {{d}}/things.csv", DATA, "it names items", "use the command 'items'"),
    (
        f"triples sample-shop kgat {FAST} --delete {{d}}/bare.csv",
        DATA,
        "it names edges",
        "put the header head,relation,tail above",
    ),
    (f"users {OWN} --delete {{d}}/half.csv", DATA, "half.csv line 1", "Did you mean"),
    (f"users {OWN} --delete {{d}}/empty.csv", DATA, "empty.csv: the file is empty", "fetch or write it again"),
    (f"users {OWN} --delete {{d}}/broken.json", DATA, "broken.json line", "Correct that place"),
    (f"interactions {OWN} --delete {{d}}/no_pair.csv", DATA, "has no interaction with item", "Take them off the list"),
    (f"interactions {SHOP} --count 99999 --sampling label-flipped", DATA, "99,999 pairs", "Ask for fewer"),
    (f"triples {OWN} --count 2", DATA, "no knowledge graph", "Load one"),
    (f"triples {SHOP} --delete {{d}}/no_head.csv", DATA, "The head of a triple", "999"),
    (f"modality {SHOP} --modality imag", DATA, "Unknown modality 'imag'", "Did you mean 'image'?"),
    (f"modality {SHOP} --delete {{d}}/sound.csv", DATA, "no modality 'sound'", "Known: image, text"),
    (f"modality {OWN} --modality image", DATA, "modality", "'image'"),
    # data
    ("users gowala mf --count 2", USAGE, "'gowala'", "Did you mean 'gowalla'?"),
    ("users cora mf --count 2 --min-rating 4", USAGE, "min", "cora is a graph"),
    (f"users sample-citations mf --count 2 {FAST}", USAGE, "a graph without users and items", "name its columns"),
    ("edges sample-shop gcn --count 2", USAGE, "holds users and items", "Delete users, items or interactions"),
    (f"users {{d}}/ratings.csv mf --columns user=preson,item=thing --count 2 {FAST}", DATA, "'preson'", "'person'"),
    (
        f"users {{d}}/ratings.csv mf --columns user=person --count 2 {FAST}",
        USAGE,
        "'item' column is not named",
        "--columns",
    ),
    (f"users {{d}}/ratings.csv mf --columns person --count 2 {FAST}", USAGE, "is no name=value", "user=userId"),
    (f"users {{d}}/ragged.csv mf --count 2 {FAST}", DATA, "ragged.csv line 3", "line"),
    (f"users {{d}}/words.csv mf --min-rating 4 --count 2 {FAST}", DATA, "words.csv line 3", "five"),
    (f"users {OWN} --min-rating 6 --count 2", DATA, "rated 6 or more", "Lower --min-rating"),
    (f"users {OWN} --core 99 --count 2", DATA, "99", "Lower --core"),
    (f"users {OWN} --core 5,x --count 2", USAGE, "--core must be a number", "got '5,x'"),
    (f"users {OWN} --split timed --count 2", USAGE, '"timed" for --split', "user-time"),
    (f"users {OWN} --valid-share 0.6 --test-share 0.6 --count 2", USAGE, "0.6", "together below 1"),
    (f"users {OWN} --modality-file text={{d}}/text.csv --count 2", DATA, "text.csv line 13", "Fix the line"),
    (f"users {OWN} --modality-file text={{d}}/rows.npy --count 2", DATA, "rows.npy", "as a CSV with an id column"),
    (f"users {OWN} --modality-file {{d}}/text.csv --count 2", USAGE, "--modality-file", "image=image.npy"),
    ("users sample-shop mf --count 2 --min-rating 4", USAGE, "--min-rating", "ratings"),
    (
        f"users {{d}}/ratings.csv mf {COLUMNS},colour=x --count 2",
        USAGE,
        "Unknown role 'colour'",
        "Known: user, item, rating, time",
    ),
    (f"users {SHOP} --count 2 --valid-share 0.2", USAGE, "these files give their parts", "Add --split."),
    (f"users {OWN} --count 2 --data-dir {{d}}", USAGE, "--data-dir is where named sets are", "Leave it out"),
    # models, tasks, methods
    (f"users sample-shop gcn --count 2 {FAST}", UNSUPPORTED, "gcn serves link and node tasks", "Use one of"),
    ("edges sample-citations lightgcn --count 2", UNSUPPORTED, "lightgcn serves recommend tasks", "Use one of gat"),
    (f"users sample-shop lightgnc --count 2 {FAST}", USAGE, "'lightgnc'", "Did you mean 'lightgcn'?"),
    (f"users sample-shop mf:dims=3 --count 2 {FAST}", USAGE, "'dims' is not an option", "Did you mean 'dim'?"),
    (f"users sample-shop mf:dim=3 --count 2 {FAST}", USAGE, "'dim' is given as an option", "Leave one of them out"),
    (f"users sample-shop lightgcn --layers two --count 2 {FAST}", USAGE, "'layers' must be an integer", "got 'two'"),
    (f"users sample-shop mf --layers 2 --count 2 {FAST}", USAGE, "'layers' is not an option", "Options:"),
    (f"users {{d}}/ratings.csv vbpr {COLUMNS} --count 2 {FAST}", DATA, "reads item features", "use a backbone without"),
    (f"users {SHOP} --count 2 --method d2gn", USAGE, "Unknown method 'd2gn'", "Did you mean 'd2dgn'?"),
    (f"triples {SHOP} --count 2 --method mmrecun", UNSUPPORTED, "mmrecun deletes users", "triples"),
    (f"users {SHOP} --count 2 --selection val_auc", USAGE, "--selection must be one of last, val_recall", "val_auc"),
    (f"users {OWN} --valid-share 0 --count 2 --holdout 1", USAGE, "--holdout must be at least 0", "got 1.0"),
    (f"users {SHOP} --count 2 --holdout 0.2", USAGE, "'sample-shop' has a validation part", "Leave it out"),
    (f"users {SHOP} --count 2 --holdout 0.2 --select-on test", USAGE, "no epoch is selected on it", "Leave it out"),
    (f"users {{d}}/thin.csv mf --count 2 {FAST}", DATA, "which selects the epoch, holds no pair", "--valid-share"),
    (f"users {SHOP} --count 2 --reg -1", USAGE, "'reg' must be a number of at least 0", "got -1.0"),
    (f"users {SHOP} --count 2 --lr -1", USAGE, "--lr must be above 0", "got -1.0"),
    (f"users {SHOP} --count 2 --patience 0", USAGE, "--patience must be an integer of at least 1", "got 0"),
    (f"triples {SHOP} --count 2", UNSUPPORTED, "mf does not read triples", "Use one of kgat"),
    (f"modality {SHOP} --modality image", UNSUPPORTED, "mf does not read modalities", "mgcn, pinsage, vbpr"),
    ("users sample-shop ngcf --layers 8,,8 --count 2", USAGE, "'layers' must list the widths", "got '8,,8'"),
    ("users sample-shop kgat:pretrained={d}/model --count 2", DATA, "model is a folder", "name a file in it"),
    (f"users {SHOP} --count 2 --method mmrecun:lr=-1", USAGE, "'lr' must be a number above 0", "got -1.0"),
    (f"users {SHOP} --count 2 --lr-decay 2", USAGE, "--lr-decay must be above 0", "got 2.0"),
    (f"users {SHOP} --count 2 --batch 0", USAGE, "--batch must be an integer of at least 1", "got 0"),
    # own models
    (f"{ASK} --users p3", DATA, "user ids are integers 0 to 199", "'p3'"),
    (f"{ASK} --users 3,,4", USAGE, "--users must list ids", "as 12,40"),
    (f"{ASK} --users 3 -k 0", USAGE, "-k must be an integer of at least 1", "got 0"),
    (
        f"{ASK} --users 3 --data {{d}}/ratings.csv {COLUMNS}",
        DATA,
        "not the data that the model in",
        "Give the same files",
    ),
    (f"{ASK} --users 3 --delete {{d}}/people.csv", USAGE, "has forgotten nothing", "Leave it out"),
    (f"{ASK} --users 3 -k 1.5", USAGE, '"1.5" is not a whole number', "See 'graphforget recommend --help'."),
    (f"{ASK} --users 999", DATA, "no user with id 999", "Take it off the list"),
    ("unlearn --model {d}/model --delete {d}/facts.csv --method fine-tune", DATA, "'121'", "Take them off the list"),
    ("unlearn --model {d}/model --delete {d}/fact.csv", UNSUPPORTED, "mf does not read triples", "Use one of kgat"),
    ("unlearn --model {d}/gcn --delete {d}/people.csv", UNSUPPORTED, "holds nodes and edges", "or load interactions"),
    ("recommend --model {d}/gcn --users 3", UNSUPPORTED, "has no items to recommend", "gcn"),
    ("recommend --model {d} --users 3", DATA, "not a model folder", "model.json"),
    ("recommend --model {d}/sizeless --users 3", DATA, "the model cannot be read", "Save it again"),
    ("unlearn --model {d}/model --delete {d}/people.csv", DATA, "user ids are integers 0 to 199", "'p3'"),
    (
        "unlearn --model {d}/model --delete {d}/facts.csv --method mmrecun",
        DATA,
        "('7', '0', '121')",
        "Take them off the list",
    ),
    (
        f"train sample-shop mf --hop undirected {FAST[:-12]}",
        USAGE,
        "--hop is not an option of the recommend task",
        "--sampler",
    ),
    ("train sample-citations gcn --dim 4", USAGE, "'dim' is not an option of this backbone", "Options: hidden"),
]


@pytest.mark.parametrize(("line", "code", "names", "remedy"), CASES, ids=[case[0][:70] for case in CASES])
def test_a_bad_command_ends_in_a_sentence_and_writes_nothing(refuse_command, files, line, code, names, remedy):
    assert not refuse_command(files, line, code, names, remedy)


def test_a_user_named_twice_counts_once(files, ask):
    words = f"users {OWN} --delete {{d}}/twice.csv --dry-run --json".format(d=files).split()
    code, stdout, _ = ask(words)
    run = json.loads(stdout)["runs"][0]
    assert code == 0 and "1 of the listed users are repeats; each counts once" in run["notes"]
    assert "1 user" in run["deletion"]


def test_all_items_of_a_user_may_go_and_it_is_said(files, ask):
    words = f"interactions {OWN} --delete {{d}}/all_of_one.csv --dry-run --json".format(d=files).split()
    code, stdout, _ = ask(words)
    assert code == 0
    assert "1 users that are not named lose all their train pairs" in json.loads(stdout)["runs"][0]["notes"]


def test_there_are_enough_bad_commands():
    assert len(CASES) >= 60
