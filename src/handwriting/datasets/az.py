"""A-Z Handwritten: 372,451 capital letters in one CSV file.

==============  ===================================================================
Classes         26, ``A`` to ``Z``
Images          297,961 to train, 74,490 to test (a fixed stratified fifth of ours;
                the set has no splits of its own)
On disk         ``A_Z Handwritten Data.csv``: a row is a label, 0 to 25, and 784
                gray levels; 28 x 28, ink 255, upright; no header
Here            as they are: 28 x 28 uint8, a memory map
==============  ===================================================================

It stands on Kaggle, behind a login, so it is not fetched: get it with ``kaggle datasets download
-d sachinpatel21/az-handwritten-alphabets-in-csv-format`` and give the zip file, or what was in it,
as ``path``.

License: CC0, by its page on Kaggle.

Overlap: its images come, by its page, from NIST Special Database 19 and other sets, so EMNIST may
hold the same writing; AlphaNum contains images of it. Training on one and testing on another leaks.
Nothing tells the writers: one may stand in both splits here.

Known faults: the classes are of very different size; by its page A-Z has 372,450 images, because
pandas takes the first row for a header unless told otherwise. In a copy that pandas wrote so, the
first row is ``0,0.1,0.2,...``, and is read as the image that it was.
"""

import dataclasses
import itertools
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import UPPERCASE
from handwriting.data import CharacterDataset, save_parts
from handwriting.datasets import idx, store
from handwriting.datasets.archive import Member, reading
from handwriting.errors import CorruptFileError
from handwriting.files import StrPath, refusing_damage
from handwriting.images import Image

__all__ = ["ALPHABET", "COUNTS", "LICENSE", "RECIPE", "SOURCE", "load", "on_disk"]

ALPHABET = UPPERCASE
COUNTS = {"train": 297_961, "test": 74_490}
RECIPE = "emnist"  # "centre fitted to 20*20 pixel box", says the page
LICENSE = "CC0"
SOURCE = "https://www.kaggle.com/datasets/sachinpatel21/az-handwritten-alphabets-in-csv-format"

_FILES = tuple(
    name + suffix
    for suffix in ("", ".gz")
    for name in ("A_Z Handwritten Data.csv", "A_Z_Handwritten_Data.csv", "a_z_handwritten_data.csv")
)
_KAGGLE = store.KaggleSet("sachinpatel21/az-handwritten-alphabets-in-csv-format", "az", _FILES)


def load(split: str = "train", path: StrPath | None = None) -> CharacterDataset:
    """Load the letters.

    The first call reads the rows into ``handwriting.datasets.store.home()``, in little memory;
    later ones only map what it left there.

    Args:
        split: ``"train"``, ``"test"`` or ``"all"``, which has the images of the one before those of
            the other.
        path: Kaggle's zip file, a folder with ``A_Z Handwritten Data.csv``, or such a file itself,
            of any name; compressed by gzip or not, with a header or without. None looks in the
            folder ``az`` of ``store.home()``.

    Returns:
        Images (n, 28, 28), a read-only memory map.

    Raises:
        ValueError: no such split.
        MissingDataError: there is no copy of the set.
        CorruptFileError: a row is not a label and 784 gray levels, or a letter has too few images
            to be split.
    """
    if split not in (*COUNTS, "all"):
        raise ValueError(f"split must be 'train', 'test' or 'all', got {split!r}")
    archive, given = _KAGGLE.open(path)
    with archive:
        sources = [archive.path / given.name] if given else archive.sources(*_FILES)
        everything = store.prepared(
            store.home() / "az" / f"all-{store.key(sources)}",
            lambda folder: _prepare(given or archive.get(*_FILES), folder),
        )
    if split == "all":
        return everything
    first_of_test = len(everything) - _test_size(len(everything))
    part = slice(first_of_test) if split == "train" else slice(first_of_test, None)
    return dataclasses.replace(everything.select(part), name=f"az/{split}")


def on_disk() -> Path | None:
    """The folder where ``load`` finds the set without a path, or None if it is not there."""
    return _KAGGLE.on_disk()


def _test_size(images: int) -> int:
    return round(images / 5)


def _prepare(table: Member, folder: Path) -> None:
    """Save the images of both splits one after the other, so that each is a slice of one map."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        in_order = Path(scratch) / "in-order"
        _save_in_order(table, in_order)
        rows = CharacterDataset.open(in_order)
        with refusing_damage(str(table), "get a new copy"):
            train, test = rows.split_indices(1 / 5, rng=0)
        if len(test) != _test_size(len(rows)):
            raise CorruptFileError(f"{table} has too few images of some letters to be split")
        order = np.concatenate([train, test])
        parts = np.array_split(order, math.ceil(len(order) / _ROWS_AT_ONCE))
        save_parts(
            folder,
            (rows.images[part] for part in parts),
            lambda whole: CharacterDataset(whole, rows.labels[order], ALPHABET, "az/all", RECIPE),
        )


def _save_in_order(table: Member, folder: Path) -> None:
    labels = [np.zeros(0, np.uint8)]

    def images() -> Iterator[Image]:
        yield np.zeros((0, 28, 28), np.uint8)
        for rows in _rows(table):
            labels.append(rows[:, 0].copy())
            yield rows[:, 1:].reshape(-1, 28, 28)

    save_parts(
        folder,
        images(),
        lambda whole: CharacterDataset(whole, np.concatenate(labels), ALPHABET),
    )


_COLUMNS = 785
_ROWS_AT_ONCE = 2048
_LONGEST_LINE = 1 << 14


def _rows(table: Member) -> Iterator[NDArray[np.uint8]]:
    """The rows of the CSV file, (k, 785) at a time."""
    with idx.open_stream(table) as stream, reading(table):
        lines = _numbered_lines(stream)
        while some := list(itertools.islice(lines, _ROWS_AT_ONCE)):
            yield _parse(some, table)


def _numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    # A limit, so that a file without line ends does not fill the memory.
    for number, line in enumerate(iter(lambda: stream.readline(_LONGEST_LINE), b""), 1):
        content = line.rstrip(b"\r\n")
        if number == 1:
            content = _without_header(content)
        if content:
            yield number, content


_NUMBERED_COLUMNS = b",".join(b"%d" % column for column in range(_COLUMNS))


def _without_header(line: bytes) -> bytes:
    line = line.removeprefix(b"\xef\xbb\xbf")
    if line == _NUMBERED_COLUMNS or any(
        cell.strip(b'" ')[:1].isalpha() for cell in line.split(b",")
    ):
        return b""
    # An image that pandas took for a header: it adds .1, .2 and so on to names that occur again.
    return b",".join(cell.partition(b".")[0] for cell in line.split(b","))


def _parse(lines: list[tuple[int, bytes]], table: Member) -> NDArray[np.uint8]:
    try:
        return _numbers([content for _, content in lines])
    except ValueError as error:
        if len(lines) > 1:
            for line in lines:  # one of them raises the error below
                _parse([line], table)
        raise CorruptFileError(
            f"line {lines[0][0]} of {table} must be a label from 0 to 25 and 784 gray levels from "
            f"0 to 255 ({error}); it is another file, or damaged"
        ) from error


def _numbers(lines: list[bytes]) -> NDArray[np.uint8]:
    # NumPy alone would take 1.5 or 1e2 too, depending on its version.
    if any(line.translate(None, b"0123456789,") for line in lines):
        raise ValueError("it has other characters than digits and commas")
    rows = np.loadtxt(lines, np.uint8, delimiter=",", comments=None, ndmin=2)
    if rows.shape[1] != _COLUMNS:
        raise ValueError(f"it has {rows.shape[1]} numbers")
    if rows[:, 0].max() >= len(ALPHABET):
        raise ValueError(f"its label is {rows[:, 0].max()}")
    return rows
