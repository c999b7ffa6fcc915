"""Sentences of the library in the words of the command line; everything else stays as it is."""

from __future__ import annotations

import pytest

from graphforget.cli.words import in_cli_words


@pytest.mark.parametrize(
    ("python", "command_line"),
    [
        (
            "Ask for fewer, use another pool, or pass on_small_pool='cap'.",
            "Ask for fewer, use another pool, or pass --on-small-pool cap.",
        ),
        (
            "LinkPrediction: graph 'x' has no node features. Give some with features=, or features='one-hot'.",
            "Graph 'x' has no node features. Give some with --features, or --features one-hot.",
        ),
        (
            "LinkPrediction: 5 edges are too few; give a graph with more edges or a larger 'holdout'.",
            "5 edges are too few; give a graph with more edges or a larger --holdout.",
        ),
        ("Graph 'x' has no labels. Give some with labels=.", "Graph 'x' has no labels. Give some with --labels."),
        ("Recipe: 'lr_decay' must be above 0.", "--lr-decay must be above 0."),
        (
            "Recommendation: 'x' has no test pairs to select on; use select_on='valid'.",
            "'x' has no test pairs to select on; use --select-on valid.",
        ),
        ("'where' is in, but use where='any'.", "--where is in, but use --where any."),
        (
            "Say which, as columns={'user': 'userId', 'item': 'movieId'}, or by number: {'user': 1, 'item': 2}.",
            "Say which, as --columns user=userId,item=movieId, or by number: user=1,item=2.",
        ),
        ("as modalities={'image': 'image.npy'}.", "as --modality-file image=image.npy."),
        ("name another by data_dir.", "name another by --data-dir."),
        ("could be a or b; say which, as format='a'.", "could be a or b; say which, as --format a."),
        (
            "No event is left with 5 pairs. Lower 'core' (or 'min_rating').",
            "No event is left with 5 pairs. Lower --core (or --min-rating).",
        ),
        (
            "'seed' is for records that are divided here. Add split=...",
            "--split-seed is for records that are divided here. Add --split.",
        ),
        ("columns: two roles name the same column.", "--columns: two roles name the same column."),
        ("It has split, train, class_mode.", "It has --split, --class-mode."),
    ],
)
def test_names_of_arguments_become_options(python, command_line):
    assert in_cli_words(python) == command_line


@pytest.mark.parametrize(
    "sentence",
    [
        "d2dgn: 'epochs' must be an integer; got '1.5'.",
        "fine-tune: 'validate_every' must be an integer of at least 1; got 0.",
        "Method 'd2dgn:alpha': 'alpha' is no option=value. Write it as d2dgn:alpha=0.9,epochs=400.",
        "lightgcn: 'layers' must be an integer in [1, 16]; got 0.",
        "/data/features=one/min_rating.csv: no such file. Check the path.",
        'x.json: expected an object, as {"edges": [[4, 17]]}; found a list.',
        "x.csv line 3: user id 'abc' is not an integer (column 2).",
        "Interactions 'ratings' has no user with id 'split'.",
        "--fraction must be above 0 and below 1 (5 % is 0.05); got 5.",
    ],
)
def test_other_sentences_stay(sentence):
    assert in_cli_words(sentence) == sentence
