"""Handwritten first names and surnames from French forms, with their texts.

==============  ===================================================================
Texts           one name a picture, mostly block capitals
Images          331,059 rows to train, 41,382 to validate, 41,382 to test
On disk         ``written_name_SPLIT_v2.csv`` with the columns FILENAME and
                IDENTITY; JPEG, dark ink on white paper, of many sizes (273 to 388
                wide and 14 to 72 high in a sample of 11,565)
Here            ink 255 on paper 0, one size, a memory map; the alphabet is found
                in the texts
==============  ===================================================================

It stands on Kaggle, behind a login, so it is not fetched: get it with ``kaggle datasets download
-d landlord/handwriting-recognition`` and give the zip file, or what was in it, as ``path``.

License: CC0, by its page on Kaggle.

Overlap: none known with the other sets here. Whether one writer stands in two splits is not told.

Known faults: rows with the text ``EMPTY`` or ``UNREADABLE``, or without any, are left out and
listed in ``skipped``. Several percent of the other texts differ from the picture by a letter. Many
pictures also show the form's printed NOM or PRENOM, or parts of the rows above and below. The page
on Kaggle counts 331,059 rows to train; copies of the file are seen with 330,961.
"""

import csv
import dataclasses
import functools
import io
import itertools
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.data import LineDataset, Skipped, save_parts
from handwriting.datasets import store
from handwriting.datasets.archive import Archive, Member, reading
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath
from handwriting.images import Image, to_gray
from handwriting.preprocessing import LineFit, fit_line, to_ink

__all__ = ["ALPHABET", "COUNTS", "LICENSE", "RECIPE", "SOURCE", "load", "on_disk"]

ALPHABET = None
COUNTS = {"train": 331_059, "validation": 41_382, "test": 41_382}
RECIPE = "line"
LICENSE = "CC0"
SOURCE = "https://www.kaggle.com/datasets/landlord/handwriting-recognition"

_TABLES = {
    split: (f"written_name_{split}_v2.csv", f"written_name_{split}.csv", f"{split}.csv")
    for split in COUNTS
}
_RECIPES: dict[LineFit, str] = {"pad": RECIPE, "stretch": "line-stretched"}
_KAGGLE = store.KaggleSet(
    "landlord/handwriting-recognition", "names", tuple(itertools.chain(*_TABLES.values()))
)


def load(
    split: str = "train",
    path: StrPath | None = None,
    *,
    size: tuple[int, int] = (64, 256),
    fit: LineFit = "pad",
    fraction: float = 1.0,
    alphabet: Alphabet | None = None,
    outside: Literal["error", "drop", "remove"] = "error",
) -> LineDataset:
    """Load the names.

    The first call decodes the pictures into ``handwriting.datasets.store.home()``, in little
    memory; later ones only map what it left there. Gray levels stay as they are: the paper of these
    scans is white already.

    Args:
        split: ``"train"``, ``"validation"`` or ``"test"``.
        path: Kaggle's zip file, a folder with what was in it, or one of its CSV files. The CSV is
            ``written_name_SPLIT_v2.csv``, ``written_name_SPLIT.csv`` or ``SPLIT.csv``; the
            pictures may lie in any folder that is not named after another split. None looks in the
            folder ``names`` of ``store.home()``.
        size: (height, width) of the images, in pixels.
        fit: how pictures come to ``size`` (see :func:`handwriting.preprocessing.fit_line`).
            ``"pad"`` keeps their aspect ratio; ``"stretch"`` fills the image, as the notebooks
            published with the set do with 64 x 256.
        fraction: share of the rows, in (0, 1], taken from the first on; the rest is not decoded.
            For a draw at random use :meth:`~handwriting.data.LineDataset.sample`.
        alphabet: the characters of the texts; those that are found, sorted, if None.
        outside: what to do with characters that ``alphabet`` lacks: ``"drop"`` leaves their rows
            out, ``"remove"`` takes the characters out of the texts.

    Returns:
        Images (n, height, width), a read-only memory map, in the order of the CSV. ``skipped``
        lists the rows that were left out: without usable text, or with a missing or damaged
        picture.

    Raises:
        ValueError: an argument is out of range, or ``outside`` is ``"error"`` and there are such
            characters.
        MissingDataError: there is no copy of the set, or no row has text and a picture.
        CorruptFileError: the zip file or the CSV is damaged.
    """
    if split not in COUNTS:
        raise ValueError(f"split must be 'train', 'validation' or 'test', got {split!r}")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be (height, width) of one pixel or more, got {size}")
    if fit not in ("pad", "stretch"):
        raise ValueError(f"fit must be 'pad' or 'stretch', got {fit!r}")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction must lie in (0, 1], got {fraction}")
    if outside not in ("error", "drop", "remove"):
        raise ValueError(f"outside must be 'error', 'drop' or 'remove', got {outside!r}")
    size, fraction = (int(size[0]), int(size[1])), float(fraction)
    # Only what changes the images is prepared anew: the full set takes 5.4 GB each time.
    only = alphabet if outside == "drop" else None
    with _Source(*_KAGGLE.open(path), split) as source:
        key = store.key(source.files(), size, fit, fraction, only)
        dataset = store.prepared(
            store.home() / "names" / f"{split}-{key}",
            lambda folder: _prepare(source, folder, size, fit, fraction, only),
            LineDataset,
        )
    return dataset if alphabet is None else dataset.relabel(alphabet, outside=outside)


def on_disk() -> Path | None:
    """The folder where ``load`` finds the set without a path, or None if it is not there."""
    return _KAGGLE.on_disk()


class _Row(NamedTuple):
    line: int
    file: str
    text: str


class _Unusable(Exception):  # noqa: N818 - no error of the caller's
    """Why a row is left out."""


@dataclasses.dataclass
class _Source:
    """One split of somebody's copy."""

    archive: Archive
    given: Member | None
    split: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.archive.close()

    @functools.cached_property
    def table(self) -> Member:
        if self.given:
            name = self.given.name.lower()
            others = (other for other in _TABLES if other != self.split and name in _TABLES[other])
            if other := next(others, None):
                raise MissingDataError(
                    f"{self.given} holds the split {other}, and {self.split} was asked for; give "
                    "the path of that one, or of the folder with both"
                )
        found = (self.archive.find(name) for name in _TABLES[self.split])
        table = self.given or next(filter(None, found), None)
        return table or self.archive.get(*_TABLES[self.split])

    @functools.cached_property
    def rows(self) -> list[_Row]:
        return list(_read_rows(self.table))

    @functools.cached_property
    def pictures(self) -> dict[str, str]:
        """Where in the archive the pictures of the rows are, by their base names."""
        found: dict[str, list[str]] = {row.file: [] for row in self.rows}
        for name in self.archive.names:
            base = name.rpartition("/")[2]
            if base in found:
                found[base].append(name)
        nearest = ((base, _nearest(names, self)) for base, names in found.items())
        return {base: name for base, name in nearest if name}

    def files(self) -> list[Path]:
        """The files on disk that the images are made from."""
        path = self.archive.path
        if path.is_file():
            return [path]
        return [path / name for name in (self.table.name, *self.pictures.values())]

    def picture(self, row: _Row) -> Image:
        """The gray levels of a row's picture."""
        name = self.pictures.get(row.file)
        if name is None:
            raise _Unusable("its picture is missing")
        try:
            return to_gray(self.archive.read(name))
        except (CorruptFileError, OSError) as error:
            raise _Unusable(f"its picture cannot be read: {error}") from error


def _nearest(names: list[str], source: _Source) -> str | None:
    """Of files with one base name the one in a folder of the split, or else least deep."""
    ranked = sorted(
        (folder_split is None, name.count("/"), name)
        for name in names
        if (folder_split := _folder_split(name)) in (None, source.split)
    )
    if len(ranked) > 1 and ranked[0][:2] == ranked[1][:2]:
        raise CorruptFileError(
            f"{source.archive.path} holds both {ranked[0][2]} and {ranked[1][2]}; leave one of them"
        )
    return ranked[0][2] if ranked else None


def _folder_split(name: str) -> str | None:
    """The split that the innermost such folder of a file is named after."""
    folders = [folder.partition("_")[0] for folder in name.lower().split("/")[:-1]]
    return next((folder for folder in reversed(folders) if folder in COUNTS), None)


def _read_rows(table: Member) -> Iterator[_Row]:
    # The module csv: to pandas, people of the names NULL and NA have none.
    with reading(table), table.open() as stream:
        lines = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), strict=True)
        try:
            columns = [column.strip().upper() for column in next(lines, [])]
            if not {"FILENAME", "IDENTITY"} <= set(columns):
                raise CorruptFileError(
                    f"{table} must have the columns FILENAME and IDENTITY, got "
                    f"{', '.join(columns)[:80] or 'nothing'}; it is another file, or damaged"
                )
            file, text = columns.index("FILENAME"), columns.index("IDENTITY")
            for row in filter(None, lines):
                cells = row + [""] * (len(columns) - len(row))
                if len(cells) > len(columns):
                    raise CorruptFileError(
                        f"{table} must have {len(columns)} cells a row, got {len(cells)} in line "
                        f"{lines.line_num}; put texts with a comma in quotes"
                    )
                base = cells[file].strip().replace("\\", "/").rpartition("/")[2]
                yield _Row(lines.line_num, base, cells[text])
        except csv.Error as error:
            raise CorruptFileError(
                f"{table} is damaged at line {lines.line_num} ({error}); get a new copy"
            ) from error


def _prepare(
    source: _Source,
    folder: Path,
    size: tuple[int, int],
    fit: LineFit,
    fraction: float,
    only: Alphabet | None,
) -> None:
    rows = source.rows[: max(1, round(len(source.rows) * fraction))]
    texts: list[str] = []
    widths: list[int] = []
    skipped: list[Skipped] = []

    def images() -> Iterator[Image]:
        for row in rows:
            try:
                text = _usable(row.text, only)
                ink = to_ink(source.picture(row), "dark")
            except _Unusable as reason:
                where = f"{Path(source.table.name).name}, line {row.line}: {row.file}"
                skipped.append(Skipped(where, str(reason)))
                continue
            image, width = fit_line(ink, size, fit=fit)
            texts.append(text)
            widths.append(width)
            yield image

    def finish(whole: Image) -> LineDataset:
        if not texts:
            first = ": ".join(skipped[0]) if skipped else "there are none"
            raise MissingDataError(
                f"no row of {source.table} has text and a picture in {source.archive.path} "
                f"({first}); check the path"
            )
        characters = Alphabet(sorted(set().union(*texts)))
        name = f"names/{source.split}"
        recipe = _RECIPES[fit]
        return LineDataset(whole, np.array(widths), texts, characters, name, recipe, skipped)

    save_parts(folder, _stacked(images(), size), finish)


_PIXELS_AT_ONCE = 1 << 22


def _stacked(images: Iterable[Image], size: tuple[int, int]) -> Iterator[Image]:
    images, count = iter(images), max(1, _PIXELS_AT_ONCE // (size[0] * size[1]))
    yield np.zeros((0, *size), np.uint8)
    while some := list(itertools.islice(images, count)):
        yield np.stack(some)


def _usable(text: str, only: Alphabet | None) -> str:
    """The text as it is written in the picture."""
    text = unicodedata.normalize("NFC", text.strip())
    if text.upper() in ("", "EMPTY", "UNREADABLE"):
        raise _Unusable(f"its text is {text!r}")
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise _Unusable(f"its text has control characters: {text!r}")
    if only is not None and (lost := set(text) - set(only)):
        raise _Unusable(f"its text has {''.join(sorted(lost))!r}, which the alphabet lacks")
    return text
