"""Recommender files of every other format, and options that do not fit them: each ends in a sentence."""

from __future__ import annotations

import pytest

from graphforget._core.errors import DataError, UsageError

GOOD = {"train.txt": "0 0 1\n1 2\n"}
TABLE = "user,item,rating,time\n1,10,4,100\n2,20,5,200\n"
RATINGS = {"r.csv": TABLE}
INTER = "user_id:token\titem_id:token\n1\t2\n"
KG = "head_id:token\trelation_id:token\ttail_id:token\nm.1\tr\tm.2\n"
LINK = "item_id:token\tentity_id:token\n2\tm.1\n"
MMREC = "userID\titemID\tx_label\n"
RECORDS = {"user_artists.dat": "userID\tartistID\tweight\n1\t2\t3\n"}

FILES = {
    "u.data of three columns": ({"u.data": "1\t2\t3\n"}, "u.data", {}, "u.data line 1 | user, movie, rating and time"),
    "a rating of u.data": ({"u.data": "1\t2\tx\t4\n"}, "u.data", {}, "u.data line 1 | rating 'x'"),
    "ratings.dat with tabs": ({"ratings.dat": "1\t2\t3\t4\n"}, "ratings.dat", {}, "ratings.dat line 1 | MovieLens"),
    "a text id in ratings.dat": ({"ratings.dat": "1::2::3::4\n1::b::3::4\n"}, "ratings.dat", {}, "line 2 | 'b'"),
    "a header without types": (
        {"s.inter": "user_id\titem_id\n1\t2\n"},
        "s.inter",
        {"format": "recbole"},
        "line 1 | 'user_id' | name:type",
    ),
    "an unknown type": (
        {"s.inter": "user_id:id\titem_id:token\n1\t2\n"},
        "s.inter",
        {},
        "s.inter line 1 | 'user_id:id' | token_seq",
    ),
    "commas in .inter": ({"s.inter": "user_id:token,item_id:token\n1,2\n"}, "s.inter", {}, "s.inter line 1 | tabs"),
    "a field that is not there": (
        {"s.inter": "user:token\titem_id:token\n1\t2\n"},
        "s.inter",
        {},
        "no field 'user_id' | Fields: user, item_id",
    ),
    "a ragged .inter": ({"s.inter": INTER + "1\n"}, "s.inter", {}, "s.inter line 3 | 1 column(s)"),
    "an empty token": ({"s.inter": INTER + "1\t\n"}, "s.inter", {}, "s.inter line 3 | column 2 is empty"),
    "an item with two entities": (
        {"s.inter": INTER, "s.kg": KG, "s.link": LINK + "2\tm.9\n"},
        "s.inter",
        {},
        "s.link line 3 | linked to 'm.1' already",
    ),
    "facts without tails": (
        {"s.inter": INTER, "s.kg": "head_id:token\trelation_id:token\n1\t2\n", "s.link": LINK},
        "s.inter",
        {},
        "s.kg line 1 | 'tail_id'",
    ),
    "a label of 3": ({"b.inter": MMREC + "0\t0\t0\n0\t1\t3\n"}, "b.inter", {}, "b.inter line 3 | label '3' | 2 (test)"),
    "a negative item of MMRec": ({"b.inter": MMREC + "0\t-1\t0\n"}, "b.inter", {}, "b.inter line 2 | '-1' | from 0"),
    "a huge user of MMRec": ({"b.inter": MMREC + "9000000\t1\t0\n"}, "b.inter", {}, "b.inter line 2 | '9000000'"),
    "MMRec without items": (
        {"b.inter": "userID\titem\tx_label\n0\t1\t0\n"},
        "b.inter",
        {},
        "b.inter line 1 | no column 'itemID' | Did you mean 'item'?",
    ),
    "a label of text": ({"b.inter": MMREC + "0\t1\ttrain\n"}, "b.inter", {}, "label 'train' is not an integer"),
    "a third label": (
        {"ratings_final.txt": "0 1 1\n0 2 7\n"},
        "ratings_final.txt",
        {},
        "line 2 | label 7 is not 1 or 0",
    ),
    "negatives alone": ({"ratings_final.txt": "0 1 0\n"}, "ratings_final.txt", {}, "no row has label 1"),
    "labelled pairs without labels": (
        {"ratings_final.txt": "0 1\n"},
        "ratings_final.txt",
        {},
        "line 1 | but 3 are due",
    ),
    "links without facts": (
        RECORDS | {"item_index2entity_id.txt": "2\t0\n"},
        "",
        {},
        "none of kg.txt, kg_rehashed.txt",
    ),
    "an entity of two artists": (
        RECORDS | {"item_index2entity_id.txt": "2\t0\n3\t0\n", "kg.txt": "0\tr\t1\n"},
        "",
        {},
        "item_index2entity_id.txt line 2 | entity '0' | Keep one",
    ),
    "artists of another set": (
        RECORDS | {"item_index2entity_id.txt": "9\t0\n", "kg.txt": "0\tr\t1\n"},
        "",
        {},
        "none of its items is in item_index2entity_id.txt",
    ),
    "a text head": (
        RECORDS | {"item_index2entity_id.txt": "2\t0\n", "kg.txt": "a\tr\t1\n"},
        "",
        {},
        "kg.txt line 1 | head 'a' is not an integer",
    ),
    "a folder of nothing": ({"readme.md": "x"}, "", {}, "is a folder without train.txt | one of them, or a file."),
    "a folder of files": (
        {"a.csv": "user,item\n1,2\n", "test.inter": "user_id:token\n", "u.data": "1\t2\t3\t4\n"},
        "",
        {},
        "is a folder without train.txt | test.inter (recbole).",
    ),
    "a folder with a part to train on": (
        {"s.test.inter": "user_id:token\n", "s.train.inter": "user_id:token\n", "a.csv": "user,item\n1,2\n"},
        "",
        {},
        "one of them, or a file, as | s.train.inter (recbole).",
    ),
    "a missing part": (RATINGS, "r.csv", {"parts": {"test": "@t.csv"}}, "t.csv | no such file"),
    "a missing file": ({}, "s.inter", {}, "s.inter | no such file"),
    "facts about other items": (
        RATINGS | {"f.csv": "a,b,c\n"},
        "r.csv",
        {"triples": "@f.csv"},
        "f.csv | no head or tail is the id of an item (as '10')",
    ),
    "facts of two columns": (
        RATINGS | {"f.csv": "10,20\n"},
        "r.csv",
        {"triples": "@f.csv"},
        "f.csv line 1 | 2 column(s) | head, relation, tail",
    ),
    "an empty relation": (
        RATINGS | {"f.csv": "10,,20\n"},
        "r.csv",
        {"triples": "@f.csv"},
        "f.csv line 1 | relation in column 2 is empty",
    ),
    "text among numbered facts": (
        GOOD | {"f.txt": "0 r 1\n"},
        "",
        {"triples": "@f.txt"},
        "f.txt line 1 | 'r' is not a whole number",
    ),
    "movies of another header": (
        RATINGS | {"movies.csv": "id,title\n1,A\n"},
        "r.csv",
        {"modalities": {"text": "@movies.csv"}},
        "movies.csv line 1 | movieId,title,genres",
    ),
    "movies alone by their header": (
        RATINGS | {"movies.csv": "movieId,title,genres\n"},
        "r.csv",
        {"modalities": {"text": "@movies.csv"}},
        "movies.csv | no movies",
    ),
    "a movie of text": (
        RATINGS | {"movies.csv": "movieId,title,genres\nx,A,B\n"},
        "r.csv",
        {"modalities": {"text": "@movies.csv"}},
        "movies.csv line 2 | movie id 'x'",
    ),
    "features of other items": (
        RATINGS | {"x.csv": "id,f\n7,1\n8,2\n"},
        "r.csv",
        {"modalities": {"image": "@x.csv"}},
        "x.csv | none of its 2 ids (as '7') is an item (as '10')",
    ),
    "features of text": (RATINGS | {"x.csv": "id,f\n10,red\n"}, "r.csv", {"modalities": {"image": "@x.csv"}}, "x.csv"),
    "missing features": (RATINGS, "r.csv", {"modalities": {"image": "@none.npy"}}, "none.npy | no such file"),
}


@pytest.mark.parametrize("case", FILES)
def test_files(refuse_load, case):
    files, name, options, words = FILES[case]
    assert not refuse_load(files, name, options, DataError, words)


USAGE = {
    "a role that is none": (
        RATINGS,
        "r.csv",
        {"columns": {"users": "user", "item": "item"}},
        "role 'users' | Did you mean 'user'?",
    ),
    "no item column": (RATINGS, "r.csv", {"columns": {"user": "user"}}, "the 'item' column is not named"),
    "names and numbers": (RATINGS, "r.csv", {"columns": {"user": "user", "item": 2}}, "not both"),
    "one column twice": (RATINGS, "r.csv", {"columns": {"user": "user", "item": "user"}}, "same column"),
    "a time split without times": (
        {"r.csv": "user,item\n1,2\n"},
        "r.csv",
        {"split": "user-time"},
        "needs times | use 'user'",
    ),
    "a threshold without ratings": (
        {"r.csv": "user,item\n1,2\n"},
        "r.csv",
        {"min_rating": 3},
        "has no ratings | Name that column",
    ),
    "a share of leave-one-out": (
        RATINGS,
        "r.csv",
        {"split": "leave-one-out", "test": 0.2},
        "'test' is a share | has none",
    ),
    "shares of more than all": (RATINGS, "r.csv", {"valid": 0.6, "test": 0.5}, "together below 1 | 0.6 and 0.5"),
    "a share of text": (RATINGS, "r.csv", {"test": "much"}, "'test' must be a number | 'much'"),
    "a core of zero": (RATINGS, "r.csv", {"core": 0}, "'core' must be an integer of at least 1"),
    "a core of given parts": (GOOD, "", {"core": 2}, "'core' would change the parts | split='user'"),
    "a seed of given parts": (GOOD, "", {"seed": 2}, "'seed' is for records that are divided here | split="),
    "columns of numbered lists": (
        GOOD,
        "",
        {"columns": {"user": 1, "item": 2}},
        "'columns' means nothing | 'adjacency-list'",
    ),
    "n_users of a table": (RATINGS, "r.csv", {"n_users": 2}, "'n_users' means nothing"),
    "parts of MMRec": (
        {"b.inter": MMREC + "0\t1\t0\n"},
        "b.inter",
        {"parts": {"test": "@b.inter"}},
        "'parts' means nothing",
    ),
    "a part that is there": (
        GOOD | {"test.txt": "0 2\n", "x.txt": "0 2\n"},
        "",
        {"parts": {"test": "@x.txt"}},
        "the test part was found at",
    ),
    "an unknown format": (GOOD, "", {"format": "adjacency"}, "Unknown interaction format 'adjacency' | adjacency-list"),
    "facts given twice": (
        GOOD | {"kg_final.txt": "0 0 1\n", "f.txt": "0 0 1\n"},
        "",
        {"triples": "@f.txt"},
        "facts of their own | Leave f.txt out",
    ),
    "own columns of RecBole": ({"s.inter": INTER}, "s.inter", {"columns": {"reader": "user_id"}}, "role 'reader'"),
    "text ids of lists": (GOOD, "", {"ids": "text"}, "ids='text' means nothing | adjacency-list | give ids='original'"),
    "original ids of a table": (RATINGS, "r.csv", {"ids": "original"}, "ids='original' means nothing | ids='text'"),
    "ids of atomic files": ({"s.inter": INTER}, "s.inter", {"ids": "text"}, "ids='text' means nothing | 'recbole'"),
    "columns of RecBole by number": (
        {"s.inter": INTER},
        "s.inter",
        {"columns": {"user": 1, "item": "2"}},
        "the user column is given by its number (1) | s.inter line 1 names the columns | user_id, item_id",
    ),
    "columns of MMRec by number": (
        {"s.inter": "userID\titemID\tx_label\n0\t0\t0\n"},
        "s.inter",
        {"columns": {"label": 3}},
        "the label column is given by its number (3) | userID, itemID, x_label",
    ),
    "an unknown .inter": ({"s.inter": "a b\n"}, "s.inter", {}, "not recognised | columns={ | recbole"),
    "node features": (GOOD, "", {"features": "x.npy"}, "belong to the nodes of a graph | modalities={"),
    "node labels": (RATINGS, "r.csv", {"labels": [1]}, "belong to the nodes of a graph"),
    "an option that is none": (
        RATINGS,
        "r.csv",
        {"colums": {"user": 1}},
        "option of load 'colums' | Did you mean 'columns'?",
    ),
    "two formats of one file": (
        {
            "ratings.csv": "userId,movieId,rating,timestamp\n1,2,3,4\n",
            "item_index2entity_id.txt": "2\t0\n",
            "kg.txt": "0\tr\t1\n",
        },
        "ratings.csv",
        {},
        "could be kgcn or movielens | format='kgcn'",
    ),
}


@pytest.mark.parametrize("case", USAGE)
def test_options(refuse_load, case):
    files, name, options, words = USAGE[case]
    assert not refuse_load(files, name, options, UsageError, words)
