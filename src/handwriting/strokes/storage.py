"""Strokes as one ``.npz`` file (the form is told at :meth:`StrokeDataset.open`)."""

import contextlib
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting.datasets.archive import Archive, Limits, open_archive
from handwriting.errors import MissingDataError
from handwriting.files import StrPath, refusing_damage, replacing

__all__ = ["SPLITS", "Parts", "Saved", "reading", "save"]

Integers = NDArray[np.int64]
SPLITS = {"train": 0, "validation": 1}
_UNIT = 1000
# What deflate packs best it packs to a thousandth, and arrays of one value are no forgery.
_LIMITS = Limits(members=1000, total=4 << 30, ratio=2000)


class Parts(NamedTuple):
    """What a dataset of strokes is made of, in the order of its fields."""

    points: NDArray[np.float32]
    stroke_lengths: Integers
    stroke_counts: Integers
    texts: Sequence[str]
    writers: Integers | None
    name: str


def save(path: StrPath, parts: Parts, starts: Integers) -> None:
    """Write a file.

    Args:
        path: the file; one that is there is replaced.
        parts: of the dataset.
        starts: (s + 1,) int64, where each stroke starts among the points.
    """
    places = np.rint(parts.points.T.astype(np.float64) * _UNIT).astype(np.int64)
    delta = np.diff(places, axis=1, prepend=0)
    delta[:, starts[:-1]] = places[:, starts[:-1]]
    arrays = {
        "points_delta": _small(delta),
        "points_per_stroke": parts.stroke_lengths,
        "strokes_per_sample": parts.stroke_counts,
        "text": np.frombuffer("\n".join(parts.texts).encode(), np.uint8),
        "name": np.frombuffer(parts.name.encode(), np.uint8),
    }
    if parts.writers is not None:
        arrays["writer"] = parts.writers
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def _small(values: Integers) -> NDArray[Any]:
    """As int16 if nothing reaches its limits, where a reader takes it to be cut off."""
    limit = np.iinfo(np.int16).max
    fits = not values.size or bool(np.abs(values).max() < limit)
    return values.astype(np.int16 if fits else np.int32)


class Saved:
    """The arrays of a file."""

    def __init__(self, path: Path, archive: Archive) -> None:
        self._path, self._archive = path, archive
        self._names = set(archive.names)
        self._lengths = self._integers("points_per_stroke")
        self._counts = self._integers("strokes_per_sample")
        delta = self._array("points_delta")
        if delta.ndim != 2 or len(delta) != 2 or delta.dtype.kind not in "iu":
            raise ValueError(
                f"points_delta must be integers of shape (2, p), got {delta.dtype} of {delta.shape}"
            )
        if self._lengths.min(initial=1) < 1 or self._lengths.sum() != delta.shape[1]:
            raise ValueError(
                "points_per_stroke must be at least 1 each and add up to the number of points, "
                f"{delta.shape[1]}, got {self._lengths.sum()}"
            )
        if self._counts.min(initial=0) < 0 or self._counts.sum() != len(self._lengths):
            raise ValueError(
                "strokes_per_sample must add up to the number of strokes, "
                f"{len(self._lengths)}, got {self._counts.sum()}"
            )
        self._delta = delta
        self._starts = np.cumsum(self._lengths) - self._lengths

    def parts(self) -> Parts:
        """What the dataset is made of."""
        name = self._text("name") if self._has("name") else self._path.stem
        writers = self._of_samples("writer") if self._has("writer") else None
        points = _absolute(self._delta, self._lengths, self._starts)
        return Parts(points, self._lengths, self._counts, self._texts(), writers, name)

    def chosen(
        self, split: str | None, least_agreement: int, kinds: Iterable[int] | None
    ) -> NDArray[np.bool_]:
        """Marks the samples wanted."""
        chosen: NDArray[np.bool_] = ~self._cut_off()
        if split is not None:
            chosen &= self._needed("split") == SPLITS[split]
        if self._has("agree"):
            chosen &= self._of_samples("agree") >= least_agreement
        if kinds is not None:
            chosen &= np.isin(self._needed("kind"), list(kinds))
        return chosen

    def _cut_off(self) -> NDArray[np.bool_]:
        marked = np.zeros(len(self._counts), bool)
        if self._delta.dtype == np.int16:
            first = self._delta[:, self._starts].astype(np.int64)
            at_limit = np.any(np.abs(first) >= np.iinfo(np.int16).max, axis=0)
            marked[np.repeat(np.arange(len(self._counts)), self._counts)[at_limit]] = True
        return marked

    def _texts(self) -> list[str]:
        if self._has("text") or not self._has("codepoint"):
            texts = self._text("text").split("\n")
            return texts if len(self._counts) else []
        codes = self._of_samples("codepoint")
        return [chr(code) for code in codes.tolist()]

    def _has(self, name: str) -> bool:
        return f"{name}.npy" in self._names

    def _needed(self, name: str) -> Integers:
        if not self._has(name):
            raise _Unknown(f"{self._path} does not tell the {name} of its samples; leave it out")
        return self._of_samples(name)

    def _text(self, name: str) -> str:
        return self._array(name).astype(np.uint8, casting="safe").tobytes().decode()

    def _of_samples(self, name: str) -> Integers:
        values = self._integers(name)
        if len(values) != len(self._counts):
            raise ValueError(f"{name} must be {len(self._counts)}, got {len(values)}")
        return values

    def _integers(self, name: str) -> Integers:
        values = self._array(name)
        if values.ndim != 1 or values.dtype.kind not in "iu":
            raise ValueError(
                f"{name} must be integers in one row, got {values.dtype} of {values.shape}"
            )
        return values.astype(np.int64)

    def _array(self, name: str) -> NDArray[Any]:
        if not self._has(name):
            raise MissingDataError(f"{self._path} has no {name}; it is not a file of strokes")
        return _array(self._archive.read(f"{name}.npy"))


def _absolute(delta: NDArray[Any], lengths: Integers, starts: Integers) -> NDArray[np.float32]:
    """Points in units, (p, 2), of differences in thousandths, (2, p)."""
    points = np.empty(delta.shape[::-1], np.float32)
    # Part by part: sums of all points at once would take five times the memory and the time.
    cuts = np.searchsorted(starts, [*range(0, delta.shape[1], _PART), delta.shape[1]])
    for first, end in itertools.pairwise(np.unique(cuts).tolist()):
        part = slice(starts[first], starts[end - 1] + lengths[end - 1])
        total = np.cumsum(delta[:, part].astype(np.int64), axis=1)
        within = starts[first:end] - starts[first]
        before = total[:, within] - delta[:, starts[first:end]]
        points[part] = ((total - np.repeat(before, lengths[first:end], axis=1)) / _UNIT).T
    return points


_PART = 1 << 16


def _array(data: bytes) -> NDArray[Any]:
    """The array of an ``.npy`` file, which may claim no more than is there."""
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("arrays must be .npy files of version 1.0")
    shape, in_columns, dtype = np.lib.format.read_array_header_1_0(stream)
    values = np.frombuffer(data, dtype, offset=stream.tell())
    return values.reshape(shape, order="F" if in_columns else "C")


class _Unknown(Exception):  # noqa: N818 - becomes a ValueError
    """A choice by what the file does not tell: the caller's mistake, and no damage."""


@contextlib.contextmanager
def reading(path: StrPath) -> Iterator[Saved]:
    """Give the arrays of a file to a block that makes a dataset of them.

    Raises:
        MissingDataError: there is no such file, or it lacks an array.
        CorruptFileError: it is damaged, or the block found that its arrays do not fit.
        ValueError: the block chose by what the file does not tell.
    """
    try:
        with refusing_damage(str(path), "get a new copy"), open_archive(path, _LIMITS) as archive:
            yield Saved(Path(path), archive)
    except _Unknown as error:
        raise ValueError(str(error)) from None
