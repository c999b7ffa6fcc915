"""A text modality of MovieLens movies: their titles and genres (`movies.csv`) and the tags that users gave them.

Our own definition, the same on every machine. The words of a movie are its genres (`genre:drama`), the runs of letters
and digits of its lower-cased title, and those of its tags (each tag as often as it was given). With c the count of a
word in a movie, n the number of movies and m the number of movies that have the word, its weight is
(1 + ln c) (1 + ln((1 + n) / (1 + m))). A word adds its weight, with a sign, to one of WIDTH places; place and sign are
the low bits of its 8-byte BLAKE2b digest (feature hashing, Weinberger et al. 2009). Each row is divided by its length.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing
from graphforget.data.formats.node_table import NodeTable
from graphforget.data.formats.table import integer, rows

MOVIES, TAGS = "movies.csv", "tags.csv"
WIDTH = 256
_HEADERS = {MOVIES: ["movieId", "title", "genres"], TAGS: ["userId", "movieId", "tag", "timestamp"]}
_WORD = re.compile(r"[^\W_]+")
_NO_GENRE = "(no genres listed)"


def is_movie_table(path: Path) -> bool:
    """Return whether a path is called as GroupLens calls its table of movies."""
    return path.name == MOVIES


def _cells(path: Path, header: list[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield the movie id and the cells of every row below the header."""
    lines = rows(existing(path))
    first = next(lines, None)
    if first is None or first.cells != header:
        found = "nothing" if first is None else ",".join(first.cells)
        raise DataError(f"{path} line 1: the header must be {','.join(header)}; found {found[:60]}.")
    for row in lines:
        yield integer(path, row, header.index("movieId"), "movie id"), row.cells


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _counts(movies: Path, tags: Path | None) -> tuple[dict[int, Counter[str]], int, int]:
    """Return the words of every movie, how many tags were read and how many users gave them."""
    counts: dict[int, Counter[str]] = {}
    for movie, cells in _cells(movies, _HEADERS[MOVIES]):
        genres = [] if cells[2] == _NO_GENRE else cells[2].split("|")
        counts[movie] = Counter(_words(cells[1]) + [f"genre:{genre.lower()}" for genre in genres if genre])
    taggers, n_tags = set(), 0
    for movie, cells in () if tags is None else _cells(tags, _HEADERS[TAGS]):
        if movie in counts:
            counts[movie].update(_words(cells[2]))
            taggers.add(cells[0])
            n_tags += 1
    return counts, n_tags, len(taggers)


def _place(word: str) -> tuple[int, float]:
    """Return the place and the sign of a word."""
    code = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    return (code >> 1) % WIDTH, 1.0 if code & 1 else -1.0


def _matrix(counts: list[Counter[str]]) -> np.ndarray:
    having = Counter(word for words in counts for word in words)
    places = {word: _place(word) for word in having}
    matrix = np.zeros((len(counts), WIDTH))
    for row, words in enumerate(counts):
        for word in sorted(words):
            place, sign = places[word]
            rarity = 1.0 + math.log((1 + len(counts)) / (1 + having[word]))
            matrix[row, place] += sign * (1.0 + math.log(words[word])) * rarity
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(length > 0, length, 1.0)).astype(np.float32)


def read_movie_text(movies: Path) -> tuple[NodeTable, tuple[str, ...]]:
    """Return the (movies, WIDTH) text features by movie id, and notes; reads `tags.csv` beside `movies.csv`.

    Raises DataError with file and line of the first fault.
    """
    beside = movies.with_name(TAGS)
    tags = beside if beside.is_file() else None
    counts, n_tags, n_taggers = _counts(movies, tags)
    if not counts:
        raise DataError(f"{movies}: only a header and no movies. Name the table of movies.")
    table = NodeTable(str(movies), _matrix(list(counts.values())), [str(movie) for movie in counts])
    what = f"titles and genres of {movies.name}" + (f" and {n_tags:,} tags of {TAGS}" if tags else "")
    notes = [f"text features: {WIDTH} hashed word weights from the {what}"]
    if n_tags:
        notes.append(
            f"the tags in the text features were given by {n_taggers:,} users; deleting such a user leaves the tags in "
            "the features of the movies"
        )
    return table, tuple(notes)
