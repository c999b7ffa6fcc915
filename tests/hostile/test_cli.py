"""Bad command lines and inputs: an exit code, one sentence that names input and remedy, nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

USAGE, DATA, UNSUPPORTED, DIVERGED = 2, 3, 4, 5
FAST = "--epochs 4 --hidden 16 --no-attack"


@pytest.fixture(scope="module")
def files(tmp_path_factory, write_texts) -> Path:
    """Return a folder with a small ring of text ids, and with files that are wrong in many ways."""
    folder = tmp_path_factory.mktemp("hostile")
    ids = [f"u{i}" for i in range(40)]
    ring = [f"u{i},u{(i + step) % 40}" for i in range(40) for step in (1, 2)]
    rng = np.random.default_rng(1)
    rows = [",".join([key, *(f"{x:.2f}" for x in rng.random(4))]) for key in ids]
    texts = {
        "edges.csv": ["source,target", *ring],
        "ragged.csv": ["source,target", *ring[:5], "u7"],
        "x.csv": ["id,a,b,c,d", *rows],
        "nan.csv": ["id,a,b,c,d", *rows[:-1], "u39,1,nan,1,1"],
        "short.csv": ["id,a,b,c,d", *rows[:-1]],
        "y.csv": ["id,label", *(f"{key},{'ab'[i % 2]}" for i, key in enumerate(ids))],
        "gone.csv": ["source,target", "u0,u1"],
        "stranger.csv": ["source,target", "u0,u77"],
        "no_edge.csv": ["source,target", "u0,u20"],
        "nodes.csv": ["node", "u3"],
        "everything.csv": ["source,target", *ring],
        "twice.csv": ["id,a,b,c,d", *rows, rows[0]],
        "header.csv": ["node"],
        "several.json": ['{"edges": [["u0", "u1"]], "nodes": ["u3"]}'],
        "headless.csv": ["u3", "u4"],
        "gone.xlsx": ["u0,u1"],
        "broken.json": ['{"edges": [["u0", "u1"]'],
        "other.json": ['{"edge": [["u0", "u1"]]}'],
        "graph.pickle": ["cos", "system"],
    }
    write_texts(folder, texts)
    np.save(folder / "rows.npy", rng.random((40, 4)))
    (folder / "empty_model").mkdir()
    (folder / "false_model").mkdir()
    (folder / "false_model/model.json").write_text(json.dumps({"format": "something/9"}))
    (folder / "false_model/model.safetensors").write_bytes(b"no tensors")
    (folder / "full").mkdir()
    (folder / "full/thesis.tex").write_text("mine")
    return folder


GIVEN = "--features {d}/x.csv --labels {d}/y.csv"
EDGES = f"edges {{d}}/edges.csv gcn {GIVEN} {FAST}"
NODES = f"nodes {{d}}/edges.csv gcn {GIVEN} {FAST}"
UNLEARN = f"unlearn --data {{d}}/edges.csv {GIVEN} --delete {{d}}/gone.csv"

CASES = [
    # the command line itself
    ("edgs cora gcn", USAGE, 'Unknown command "edgs"', 'Did you mean "edges"?'),
    ("edges cora", USAGE, "BACKBONE", "See 'graphforget edges --help'."),
    (f"{EDGES} --fraction 0.1 --metod d2dgn", USAGE, "--metod", "Did you mean --method?"),
    (f"{EDGES} --fraction ten", USAGE, '"ten"', "See 'graphforget edges --help'."),
    (f"{EDGES} --fraction 0.1 --where inside", USAGE, '"inside" for --where', '"in", "out", "any"'),
    (f"{EDGES} --fraction 0.1 surplus", USAGE, "surplus", "--help"),
    (f"{EDGES} --count 3 --device gpu", USAGE, "--device must be auto, cpu, cuda or cuda:N", "got 'gpu'"),
    (f"{EDGES} --count 3 --device cuda:99", USAGE, "--device is cuda:99, but", "Use --device auto"),
    (f"train {{d}}/edges.csv gcn {GIVEN} --out {{d}}/new --device cuda:99", USAGE, "--device is cuda:99", "auto"),
    (f"{EDGES} --count 1.5", USAGE, '"1.5" is not a whole number', "--help"),
    (f"{EDGES} --count 1e3", USAGE, '"1e3" is not a whole number', "--help"),
    ("list everything", USAGE, '"everything"', "methods"),
    (f"{EDGES} --count 5 --users 3", USAGE, "Unknown option: --users", "See 'graphforget edges --help'."),
    (f"train {{d}}/edges.csv gcn {GIVEN} --seed x", USAGE, '"x" is not a whole number.', "See 'graphforget train"),
    # what must go
    (EDGES, USAGE, "none of them is given", "--fraction or --count or --delete FILE"),
    (f"{EDGES} --fraction 0.1 --count 5", USAGE, "more than one is given", "--fraction or --count"),
    (f"{EDGES} --fraction 5", USAGE, "got 5.", "5 % is 0.05"),
    (f"{EDGES} --fraction nan", USAGE, "got nan", "above 0 and below 1"),
    (f"{EDGES} --fraction -0.1", USAGE, "got -0.1", "above 0 and below 1"),
    (f"{EDGES} --count 0", USAGE, "--count", "at least 1"),
    (f"{EDGES} --fraction 0.0001", USAGE, "is none at all", "ask for more"),
    (f"{EDGES} --count 5000", DATA, "5,000 are wanted", "Ask for fewer"),
    (f"{EDGES} --delete {{d}}/gone.csv --where in", USAGE, "--where belongs to", "Leave it out"),
    (f"{NODES} --count 33", DATA, "33 are wanted", "Ask for fewer"),
    (f"node-class {{d}}/edges.csv gcn {GIVEN} {FAST}", USAGE, "none of them is given", "--class or --delete FILE"),
    (f"node-class {{d}}/edges.csv gcn {GIVEN} {FAST} --class A", DATA, "no class 'A'", "Its classes: a, b"),
    (f"node-class {{d}}/edges.csv gcn {GIVEN} {FAST} --class a --class b", DATA, "every class", "Delete fewer"),
    # deletion files
    (f"{EDGES} --delete {{d}}/absent.csv", DATA, "absent.csv", "Check the path"),
    (f"{EDGES} --delete {{d}}/empty.csv", DATA, "empty.csv: the file is empty", "fetch or write it again"),
    (f"{EDGES} --delete {{d}}/stranger.csv", DATA, "no node with id 'u77'", "not in it). Take unknown ids"),
    (f"{EDGES} --delete {{d}}/no_edge.csv", DATA, "no edge between 'u0' and 'u20'", "Take them off the list"),
    (f"{EDGES} --delete {{d}}/nodes.csv", DATA, "nodes.csv: it names nodes", "use the command 'nodes'"),
    (f"{EDGES} --delete {{d}}/everything.csv", DATA, "every", "Delete"),
    (f"{NODES} --delete {{d}}/headless.csv", DATA, "headless.csv line 1", "The header says what the ids are"),
    (f"{EDGES} --delete {{d}}/gone.xlsx", USAGE, "found the ending '.xlsx'", ".json, .csv or .tsv"),
    (f"{EDGES} --delete {{d}}/broken.json", DATA, "broken.json line", "Correct that place"),
    (f"{EDGES} --delete {{d}}/other.json", DATA, "unknown key 'edge'", "Did you mean 'edges'?"),
    (f"{EDGES} --delete {{d}}/header.csv", DATA, "nothing is named", "header.csv"),
    (f"{EDGES} --delete {{d}}/full", USAGE, "found the ending ''", ".json, .csv or .tsv"),
    (
        f"{EDGES} --delete {{d}}/several.json",
        DATA,
        "it names several kinds of things",
        "each kind into a file of its own",
    ),
    # data
    ("edges {d}/edges.csv gcn --data-dir {d} --count 2", USAGE, "--data-dir is where named sets are", "Leave it out"),
    ("edges {d}/full gcn --count 2", DATA, "full is a folder without", "or a file"),
    ("edges {d}/edges.csv gcn --features {d}/twice.csv --count 2", DATA, "twice.csv line 42", "keep one"),
    ("edges {d}/edges.csv gcn --features {d}/rows.npy --count 2", DATA, "cannot be matched", "a CSV with an id column"),
    ("edges dblpp gcn --fraction 0.1", USAGE, "'dblpp'", "Did you mean 'dblp'?"),
    ("edges {d}/absent.csv gcn --fraction 0.1", DATA, "absent.csv", "Check the path"),
    ("edges {d}/graph.pickle gcn --fraction 0.1", USAGE, "graph.pickle", ".csv"),
    ("edges {d}/ragged.csv gcn --fraction 0.1", DATA, "ragged.csv line 7", "fix that line"),
    ("edges {d}/edges.csv gcn --fraction 0.1", DATA, "has no node features", "--features one-hot"),
    ("nodes {d}/edges.csv gcn --features {d}/x.csv --count 2", DATA, "has no labels", "--labels"),
    ("edges {d}/edges.csv gcn --features {d}/nan.csv --count 2", DATA, "nan.csv", "nan"),
    ("edges {d}/edges.csv gcn --features {d}/short.csv --count 2", DATA, "no features for node 'u39'", "needs a row"),
    ("edges dblp gcn --fraction 0.1 --data-dir {d}", DATA, "dblp.npz is not there", "--data-dir"),
    (f"{NODES} --count 2 --split public", USAGE, "no published split", "random"),
    # methods, models, recipes
    (f"{EDGES} --count 5 --method d2gn", USAGE, "Unknown method 'd2gn'", "Did you mean 'd2dgn'?"),
    (f"{EDGES} --count 5 --method d2dgn:alfa=1", USAGE, "'alfa' is not an option", "Did you mean 'alpha'?"),
    (f"{EDGES} --count 5 --method d2dgn:alpha=high", USAGE, "'alpha' must be a number", "got 'high'"),
    (f"{EDGES} --count 5 --method d2dgn:epochs=1.5", USAGE, "'epochs' must be an integer", "got '1.5'"),
    (f"{EDGES} --count 5 --method d2dgn:alpha=2", USAGE, "'alpha' must be a number in [0, 1]", "got 2.0"),
    (f"{EDGES} --count 5 --method d2dgn:alpha", USAGE, "'alpha' is no option=value", "Write it as"),
    (f"{EDGES} --count 5 --method d2dgn:lr=1,lr=2", USAGE, "'lr' is given twice", "Leave one"),
    (f"{EDGES} --count 5 --method unlink --method all", USAGE, "'unlink' is named twice", "Name each method once"),
    (f"{EDGES} --count 5 --method d2dgn:selection=auc", UNSUPPORTED, "'selection' is auc", "val_auc"),
    (f"{EDGES} --count 5 --selection val_accuracy", USAGE, "--selection must be one of", "val_auc"),
    (f"{EDGES} --count 5 --lr 0", USAGE, "--lr must be above 0", "got 0.0"),
    (f"{EDGES} --count 5 --lr inf", USAGE, "--lr must be above 0", "above 0 and finite; got inf"),
    (f"{EDGES} --count 5 --weight-decay -1", USAGE, "--weight-decay must be at least 0", "finite; got -1.0"),
    (f"{EDGES} --count 5 --weight-decay inf", USAGE, "--weight-decay must be at least 0", "finite; got inf"),
    (f"{EDGES} --count 5 --lr-decay 0", USAGE, "--lr-decay must be above 0", "got 0.0"),
    (f"{EDGES} --count 5 --max-grad-norm nan", USAGE, "--max-grad-norm must be above 0", "got nan"),
    (f"{EDGES} --count 5 --holdout nan", USAGE, "--holdout must be above 0 and below 0.5", "got nan"),
    (f"{EDGES} --count 5 --holdout 0.5", USAGE, "--holdout must be above 0 and below 0.5", "got 0.5"),
    (f"train {{d}}/edges.csv gcn {GIVEN} --batch 5", USAGE, "--batch is 5", "trains on full batches. Leave it out"),
    (f"train {{d}}/edges.csv gcn {GIVEN} --batch 5 --dry-run", USAGE, "--batch is 5", "Leave it out"),
    (f"{EDGES} --count 5 --out {{d}}/gone.csv/sub", USAGE, "gone.csv is no folder", "Name a folder somewhere else"),
    (f"train {{d}}/edges.csv gcn {GIVEN} --out {{d}}/x.csv/m", USAGE, "x.csv is no folder", "somewhere else"),
    (f"{EDGES} --count 5 --lr 1e30", DIVERGED, "The loss became", "Lower the learning rate"),
    (f"{EDGES} --count 5 --validate-every 0", USAGE, "--validate-every must be", "at least 1"),
    (f"{EDGES} --count 5 --patience 0", USAGE, "--patience must be", "at least 1"),
    (f"{EDGES} --count 5 --layers 99", USAGE, "'layers' must be", "got 99"),
    (f"edges {{d}}/edges.csv gccn {GIVEN} --count 5", USAGE, "'gccn'", "Did you mean 'gcn'?"),
    (f"{NODES} --count 2 --hop undirected", USAGE, "--hop is not an option of the node task", "It has --split,"),
    (f"{NODES} --count 2 --out-width 7", USAGE, "--out-width is 7", "Leave --out-width out"),
    # seeds and resources
    (f"{EDGES} --count 5 --seeds 1;2", USAGE, "'1;2'", "with commas between"),
    (f"{EDGES} --count 5 --seeds 1,1", USAGE, "Seeds must be different", "got 1, 1"),
    (f"{EDGES} --count 5 --seeds 99999999999", USAGE, "from 0 to 4294967295", "got 99999999999"),
    (f"{EDGES} --count 5 --gold-runs 0", USAGE, "Gold runs must be at least 1", "got 0"),
    (f"{EDGES} --count 5 --jobs 0", USAGE, "--jobs must be at least 1", "got 0"),
    (f"{EDGES} --count 5 --threads 4096", USAGE, "--threads must be from 1 to", "got 4096"),
    # own models
    (f"{UNLEARN} --model {{d}}/nowhere --no-attack", USAGE, "belong to the evidence of --gold", "or leave them out"),
    (f"{UNLEARN} --model {{d}}/gone.csv", DATA, "gone.csv: not a model folder", "it must hold"),
    (f"{UNLEARN} --model {{d}}/nowhere", DATA, "nowhere: not a model folder", "model.json and model.safetensors"),
    (f"{UNLEARN} --model {{d}}/empty_model", DATA, "empty_model: not a model folder", "it must hold"),
    (f"{UNLEARN} --model {{d}}/false_model", DATA, "false_model: the model cannot be read", "Save it again"),
    (f"train {{d}}/edges.csv gcn {GIVEN} --seed -1", USAGE, "Seeds must be", "got -1"),
]


@pytest.mark.parametrize(("line", "code", "names", "remedy"), CASES, ids=[case[0][:60] for case in CASES])
def test_a_bad_command_ends_in_a_sentence_and_writes_nothing(refuse_command, files, line, code, names, remedy):
    assert not refuse_command(files, line, code, names, remedy)


@pytest.mark.parametrize("command", ["train", "edges"])
def test_a_folder_with_other_things_in_it_is_left_alone(files, ask, command):
    words = f"{command} {{d}}/edges.csv gcn {GIVEN} {FAST.replace('--no-attack', '')} --out {{d}}/full"
    words += " --count 5" if command == "edges" else ""
    code, _, stderr = ask(words.format(d=files).split())
    assert code == USAGE
    assert "full: " in stderr
    assert "Name a" in stderr
    assert [path.name for path in (files / "full").iterdir()] == ["thesis.tex"]


def test_a_file_where_the_folder_must_go_is_left_alone(files, ask):
    words = f"{EDGES} --count 5 --out {{d}}/gone.csv".format(d=files).split()
    code, _, stderr = ask(words)
    assert code == USAGE
    assert "a file is in the way" in stderr
    assert (files / "gone.csv").read_text() == "source,target\nu0,u1\n"


@pytest.mark.parametrize("command", ["train", "unlearn"])
def test_out_is_needed_where_a_model_is_made(files, ask, command):
    line = f"train {{d}}/edges.csv gcn {GIVEN}" if command == "train" else f"{UNLEARN} --model {{d}}/empty_model"
    code, _, stderr = ask(line.format(d=files).split())
    assert code == USAGE
    assert "--out is missing" in stderr


def test_with_json_an_error_leaves_stdout_empty(files, ask):
    words = f"{EDGES} --count 5000 --json".format(d=files).split()
    assert ask(words)[:2] == (DATA, "")


def test_there_are_enough_bad_commands():
    assert len(CASES) >= 25
