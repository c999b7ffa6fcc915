"""Sentences of the library in the words of the command line: `features='one-hot'` becomes `--features one-hot`."""

from __future__ import annotations

import re
from dataclasses import fields

from graphforget.cli.amounts import Edges, Interactions, Nodes
from graphforget.cli.places import RENAMED, AnyData
from graphforget.cli.trained import AnyModel, AnyTask, GraphTask

OWNERS = (
    *("Recipe", "LinkPrediction", "NodeClassification", "Recommendation"),
    *("sample_deletion", "flip_labels", "load", "parts", "triples", "modalities", "recommend"),
)
"""What stands before a sentence about options of its own, which are options of the command line, too."""
OTHER = {
    **{name: option.replace("_", "-") for name, option in RENAMED.items() if name != option},
    "modalities": "modality-file",
    "parts": "test-file",
    "k": "k",
    "device": "device",
}
"""Python's name -> option, where they differ."""


def _options() -> dict[str, str]:
    """Return Python's name -> option for everything that a sentence may ask for."""
    groups = (Edges, Nodes, Interactions, AnyData, AnyTask, GraphTask, AnyModel)
    names = {field.name for group in groups for field in fields(group)}
    return {name: f"--{name.replace('_', '-')}" for name in names} | {n: f"--{o}" for n, o in OTHER.items()}


OPTIONS = _options()
_NAMES = "|".join(sorted(OPTIONS, key=len, reverse=True))
_START = r"(?<![\w.:,'/\-=])"
_MAPPING = re.compile(rf"(?:{_START}({_NAMES})=)?\{{('[^}}]*)\}}")
_QUOTED_VALUE = re.compile(rf"{_START}({_NAMES})=(['\"])([^'\"]*)\2")
_PLAIN_VALUE = re.compile(rf"{_START}({_NAMES})=([\w.]*\w)")
_NO_VALUE = re.compile(rf"{_START}({_NAMES})=(?=\s|[.,;)]|\.\.\.|$)")
_ELLIPSIS = re.compile(rf"{_START}({_NAMES})=\.\.\.$")
_UNDERSCORED = re.compile(rf"{_START}({'|'.join(name for name in OPTIONS if '_' in name)})(?![\w/=\-]|\.\w)")
_OWNED = re.compile(rf"'({_NAMES})'")
_LISTED = re.compile(r"(?<=It has )[\w, ]+(?=\.$)")
_OWNER = re.compile(rf"^({'|'.join(OWNERS)}): ")
_ADVICE = re.compile(rf"(?:(?<=[Ll]ower )|(?<=larger ))'({_NAMES})'")
_LONG = re.compile(rf"'({'|'.join(name for name in OPTIONS if '_' in name)})'")
_ANOTHERS = re.compile(r"^[\w\-]+: '")
_FIRST = re.compile(r"^columns: ")
_BARE = re.compile(rf"^'({_NAMES})' ")


def in_cli_words(sentence: str) -> str:
    """Return a sentence of an error with Python's argument names as options of the command line.

    Example
    -------
    >>> in_cli_words("Recipe: 'lr' must be above 0; use split='random'.")
    '--lr must be above 0; use --split random.'
    """
    sentence = _MAPPING.sub(lambda found: f"{_option(found)} {_pairs(found[2])}".strip(), sentence)
    sentence = _QUOTED_VALUE.sub(lambda found: f"{_option(found)} {found[3]}", sentence)
    sentence = _PLAIN_VALUE.sub(lambda found: f"{_option(found)} {found[2]}", sentence)
    sentence = _NO_VALUE.sub(_option, _ELLIPSIS.sub(lambda found: f"{_option(found)}.", sentence))
    sentence = _FIRST.sub("--columns: ", sentence)
    owner = _OWNER.match(sentence)
    if owner is not None:
        sentence = sentence[owner.end() :]
    if owner is not None or _BARE.match(sentence):
        sentence = _OWNED.sub(_option, sentence)
        sentence = sentence[0].upper() + sentence[1:]
    elif not _ANOTHERS.match(sentence):
        sentence = _LONG.sub(_option, _ADVICE.sub(_option, sentence))
    sentence = _LISTED.sub(lambda found: _those_that_are(found[0]), sentence)
    return _UNDERSCORED.sub(_option, sentence)


def _those_that_are(names: str) -> str:
    """Return, of a list of Python's names, those that are options of the command line."""
    return ", ".join(OPTIONS[name] for name in names.split(", ") if name in OPTIONS)


def _option(found: re.Match[str]) -> str:
    return OPTIONS.get(found[1], "")


def _pairs(mapping: str) -> str:
    """Return 'user': ..., 'item': 'b' as user=...,item=b."""
    pieces = [piece.partition(":") for piece in mapping.split(",")]
    return ",".join(f"{key.strip(chr(39) + chr(32))}={value.strip(chr(39) + chr(32))}" for key, _, value in pieces)
