"""Samples of handwriting as strokes."""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

import dataclasses
import functools
import itertools
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handwriting.alphabet import Labels
from handwriting.data import checks
from handwriting.files import StrPath
from handwriting.strokes import storage

__all__ = ["StrokeDataset"]

Points = NDArray[np.float32]
_FARTHEST = 1e6


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StrokeDataset:
    """Pen movements with their texts.

    A stroke is a curve from where the pen came down to where it was lifted. Points, strokes and
    samples each stand one after another; two arrays of lengths tell where to cut.

    Args:
        points: (p, 2) float32: x to the right, y **down**, of all strokes. 1 is the height of the
            sample, of single characters rather the size of the writer's letters, so that a full
            stop stays small.
        stroke_lengths: (s,) integers, how many points each stroke has, one at least.
        stroke_counts: (n,) integers, how many strokes each sample has; 0 is a sample without ink.
        texts: what is written, n strings without line breaks; brought to NFC.
        writers: (n,) integers, one number for each person; negative: nobody's. None where the
            source does not tell.
        name: what reports and plots call it.

    Raises:
        ValueError: shapes, dtypes or lengths do not fit, a point is not finite or beyond a million
            units, or a text has a line break.

    Example:
        >>> points = np.array([(0, 0), (0, 1), (0.5, 0.5), (0, 0), (1, 0)], np.float32)
        >>> strokes = StrokeDataset(points, [2, 1, 2], [1, 2], ["l", "T"])
        >>> strokes
        StrokeDataset('': 2 samples, 3 strokes, 5 points)
        >>> [len(stroke) for stroke in strokes.strokes(1)]
        [1, 2]
    """

    points: Points
    stroke_lengths: Labels
    stroke_counts: Labels
    texts: Sequence[str]
    writers: Labels | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, got {self.name!r}")
        object.__setattr__(self, "points", _points(self.points))
        lengths = _lengths(self.stroke_lengths, "stroke_lengths", 1)
        counts = _lengths(self.stroke_counts, "stroke_counts", 0)
        for each, total, what in (
            (lengths, len(self.points), "stroke_lengths must add up to the number of points"),
            (counts, len(lengths), "stroke_counts must add up to the number of strokes"),
        ):
            if each.sum() != total:
                raise ValueError(f"{what}, {total}, got {each.sum()}")
        object.__setattr__(self, "stroke_lengths", lengths)
        object.__setattr__(self, "stroke_counts", counts)
        object.__setattr__(self, "texts", _texts(self.texts, len(counts)))
        object.__setattr__(self, "writers", checks.writers(self.writers, len(counts)))

    def __len__(self) -> int:
        return len(self.stroke_counts)

    def __repr__(self) -> str:
        return (
            f"StrokeDataset({self.name!r}: {len(self)} samples, {len(self.stroke_lengths)} strokes,"
            f" {len(self.points)} points)"
        )

    @functools.cached_property
    def stroke_starts(self) -> Labels:
        """(s + 1,) int64: the first point of each stroke, and the number of points."""
        return _starts(self.stroke_lengths)

    @functools.cached_property
    def sample_starts(self) -> Labels:
        """(n + 1,) int64: the first stroke of each sample, and the number of strokes."""
        return _starts(self.stroke_counts)

    @property
    def sizes(self) -> NDArray[np.float32]:
        """(n, 2) float32: height and width of each sample, in its units; 0 without strokes."""
        starts = self.stroke_starts[self.sample_starts]
        sizes = np.zeros((len(self), 2), np.float32)
        some = np.diff(starts) > 0
        if some.any():
            low = np.minimum.reduceat(self.points, starts[:-1][some])
            high = np.maximum.reduceat(self.points, starts[:-1][some])
            sizes[some] = (high - low)[:, ::-1]
        return sizes

    def strokes(self, position: int) -> list[Points]:
        """The strokes of one sample, each (k, 2) float32."""
        position = range(len(self))[position]
        cuts = self.stroke_starts[
            self.sample_starts[position] : self.sample_starts[position + 1] + 1
        ]
        return [self.points[start:end] for start, end in itertools.pairwise(cuts)]

    @classmethod
    def from_strokes(
        cls,
        samples: Iterable[Sequence[ArrayLike]],
        texts: Sequence[str],
        *,
        writers: ArrayLike | None = None,
        name: str = "",
    ) -> StrokeDataset:
        """Put samples together.

        Args:
            samples: each a sequence of strokes, each (k, 2) numbers: x to the right, y down.
            texts: what each of them says.
            writers: (n,) integers, or None.
            name: what reports and plots call it.

        Raises:
            ValueError: a stroke has another shape or no points, or as for the class.

        Example:
            >>> plus = [[(0, 0.5), (1, 0.5)], [(0.5, 0), (0.5, 1)]]
            >>> StrokeDataset.from_strokes([plus], ["+"]).stroke_lengths
            array([2, 2])
        """
        strokes: list[Points] = []
        counts = []
        for number, sample in enumerate(samples):
            for stroke in sample:
                array = np.asarray(stroke, np.float64)
                if array.ndim != 2 or array.shape[1] != 2 or not len(array):
                    raise ValueError(
                        "strokes must have shape (k, 2) with one point or more, got "
                        f"{array.shape} in sample {number}"
                    )
                strokes.append(_points(array))
            counts.append(len(sample))
        return cls(
            np.concatenate(strokes) if strokes else np.zeros((0, 2), np.float32),
            np.array([len(stroke) for stroke in strokes], np.int64),
            np.array(counts, np.int64),
            texts,
            None if writers is None else np.asarray(writers),
            name,
        )

    def select(self, which: ArrayLike | slice) -> StrokeDataset:
        """The samples at some positions.

        Args:
            which: a slice (without a step the points stay a view), integer positions or a (n,)
                boolean mask (the points are copied).

        Example:
            >>> dots = StrokeDataset.from_strokes([[[(0, 0)]], [], [[(1, 1)]]], [".", "", "'"])
            >>> dots.select([2, 0]).texts
            ("'", '.')
        """
        index = checks.index(which)
        if isinstance(index, slice) and index.step in (None, 1):
            return self._between(*index.indices(len(self))[:2])
        positions = np.arange(len(self))[index]
        counts = self.stroke_counts[positions]
        strokes = _ranges(self.sample_starts[positions], counts)
        lengths = self.stroke_lengths[strokes]
        points = _ranges(self.stroke_starts[strokes], lengths)
        return dataclasses.replace(
            self,
            points=self.points[points],
            stroke_lengths=lengths,
            stroke_counts=counts,
            texts=[self.texts[position] for position in positions.tolist()],
            writers=None if self.writers is None else self.writers[positions],
        )

    def _between(self, start: int, stop: int) -> StrokeDataset:
        first, last = self.sample_starts[start], self.sample_starts[stop]
        return dataclasses.replace(
            self,
            points=self.points[self.stroke_starts[first] : self.stroke_starts[last]],
            stroke_lengths=self.stroke_lengths[first:last],
            stroke_counts=self.stroke_counts[start:stop],
            texts=self.texts[start:stop],
            writers=None if self.writers is None else self.writers[start:stop],
        )

    def sample(self, n: int, *, rng: int | np.random.Generator) -> StrokeDataset:
        """``n`` samples drawn at random without replacement, in the order of this set.

        Raises:
            ValueError: there are fewer than ``n``.
        """
        return self.select(checks.sample(len(self), n, rng))

    def split(
        self, fraction: float, *, by_writer: bool = False, rng: int | np.random.Generator
    ) -> tuple[StrokeDataset, StrokeDataset]:
        """Two parts drawn at random, which together hold every sample once, in this set's order.

        Args:
            fraction: share of the second part, in (0, 1); it has ``round(n * fraction)`` samples.
            by_writer: whether each writer stands in one of the parts only. Whole writers are then
                taken in random order, each if that brings the second part nearer to its share, one
                at least; samples of nobody are drawn one by one.
            rng: a seed or a generator.

        Raises:
            ValueError: ``fraction`` is out of range, or leaves one part without samples; or, by
                writer, the writers are not known, or fewer than two.
        """
        checks.fraction(fraction)
        if by_writer:
            marked = checks.whole_writers(self.writers, fraction, rng)
            return self.select(~marked), self.select(marked)
        share = round(len(self) * fraction)
        if not 0 < share < len(self):
            raise ValueError(f"a share of {fraction} of {len(self)} samples leaves one part empty")
        second = np.zeros(len(self), bool)
        second[checks.sample(len(self), share, rng)] = True
        return self.select(~second), self.select(second)

    def save(self, path: StrPath) -> None:
        """Write an ``.npz`` file of the form that :meth:`open` reads.

        Points are rounded to thousandths of a unit; all else is kept.

        Args:
            path: the file to write; one that is there is replaced.

        Raises:
            FileExistsError: ``path`` is a folder.
        """
        storage.save(
            path,
            storage.Parts(
                self.points,
                self.stroke_lengths,
                self.stroke_counts,
                self.texts,
                self.writers,
                self.name,
            ),
            self.stroke_starts,
        )

    @classmethod
    def open(
        cls,
        path: StrPath,
        *,
        split: str | None = None,
        least_agreement: int = 1,
        kinds: Iterable[int] | None = None,
    ) -> StrokeDataset:
        """Read strokes from an ``.npz`` file.

        ======================  ====================================================================
        ``points_delta``        (2, p) integers, x to the right and y down, in thousandths of a
                                unit. The first point of a stroke is absolute, each later one the
                                difference to the point before
        ``points_per_stroke``   (s,) integers
        ``strokes_per_sample``  (n,) integers
        ``codepoint``           (n,) integers, the character that each sample is; or
        ``text``                bytes of UTF-8, the texts with line feeds between them
        ``writer``              (n,) integers; may be missing
        ``split``               (n,) integers, 0 train and 1 validation; may be missing
        ``agree``               (n,) integers, how many other samples confirm the character; may be
                                missing
        ``kind``                (n,) integers, such as UNIPEN's levels: 7 word, 8 text; may be
                                missing
        ``name``                bytes of UTF-8; may be missing
        ======================  ====================================================================

        Samples that reach the greatest ``int16`` where they should be absolute were cut off there,
        and are left out.

        Args:
            path: the file.
            split: ``"train"``, ``"validation"``, or None for all samples.
            least_agreement: samples whose ``agree`` is less are left out, where the file has it.
            kinds: which values of ``kind`` to take; None takes all.

        Raises:
            ValueError: no such split; or the file has no splits or kinds to choose by.
            MissingDataError: there is no such file, or it lacks an array that must be there.
            CorruptFileError: it is damaged, or its arrays do not belong together.

        Example:
            >>> import tempfile
            >>> from pathlib import Path
            >>> file = Path(tempfile.mkdtemp()) / "mine.npz"
            >>> StrokeDataset.from_strokes([[[(0, 0), (0, 1)]]], ["l"], name="mine").save(file)
            >>> StrokeDataset.open(file)
            StrokeDataset('mine': 1 samples, 1 strokes, 2 points)
        """
        if split not in (None, *storage.SPLITS):
            raise ValueError(f"split must be 'train', 'validation' or None, got {split!r}")
        with storage.reading(path) as saved:
            everything = cls(*saved.parts())
            chosen = saved.chosen(split, least_agreement, kinds)
        dataset = everything if chosen.all() else everything.select(chosen)
        return (
            dataset
            if split is None
            else dataclasses.replace(dataset, name=f"{dataset.name}/{split}")
        )


def _points(values: ArrayLike) -> Points:
    array = np.asarray(values)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"points must be numbers of shape (p, 2), got {array.dtype} of shape {array.shape}"
        )
    # The comparison fails for what is not a number.
    if array.size and not (array.min() >= -_FARTHEST and array.max() <= _FARTHEST):
        raise ValueError(
            f"points must be finite and within a million units, got {array.min()} to {array.max()}"
        )
    return array.astype(np.float32, copy=False)


def _lengths(values: ArrayLike, name: str, least: int) -> Labels:
    array = np.asarray(values)
    array = array.astype(np.int64) if array.size == 0 else array
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be integers in one row, got {array.dtype} of shape {array.shape}"
        )
    if array.size and array.min() < least:
        raise ValueError(f"{name} must be at least {least}, got {array.min()}")
    return checks.own(array)


def _texts(texts: Sequence[str], n: int) -> tuple[str, ...]:
    """The texts in NFC, if they are n strings of one line each."""
    if isinstance(texts, str):
        raise TypeError(f"texts must be a sequence of str, got one str {texts[:40]!r}")
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"texts must be str, got {text!r}")
        if "\n" in text:
            raise ValueError(f"texts must be without line breaks, got {text[:40]!r}")
    if len(texts) != n:
        raise ValueError(f"texts must be {n}, one for each sample, got {len(texts)}")
    return tuple(unicodedata.normalize("NFC", text) for text in texts)


def _starts(lengths: Labels) -> Labels:
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def _ranges(starts: Labels, lengths: Labels) -> Labels:
    """start, start + 1, ... of each start, as many as its length, one after another."""
    before = np.cumsum(lengths) - lengths
    ranges: Labels = np.repeat(starts - before, lengths) + np.arange(lengths.sum())
    return ranges
