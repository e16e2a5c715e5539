"""Lines of text from the strokes of single characters."""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Alphabet, Labels, zone
from handwriting.strokes.dataset import Points, StrokeDataset

__all__ = ["compose"]

# Marks are as small as they were written, to letters of this height; what should fill its height
# is made no wider than so many capital letters are high.
_LETTER, _MARK, _WIDEST = 0.8, 0.4, 1.6
_UNEVEN = 5  # times the jitter: how far distances between characters vary


def compose(
    characters: StrokeDataset,
    texts: Sequence[str],
    *,
    spacing: tuple[float, float] = (0.05, 0.3),
    space: tuple[float, float] = (0.4, 0.9),
    jitter: float = 0.06,
    rng: int | np.random.Generator,
) -> StrokeDataset:
    """Lines of print, each in one hand, of single characters.

    A line's characters are of one writer, drawn from those who wrote most of them; what he did not
    write is somebody else's. Each is brought to the height and place that it has in a line
    (:func:`handwriting.alphabet.zone`).

    Args:
        characters: samples whose texts are one character each; without writers every character is
            anybody's.
        texts: what the lines say, of these characters and spaces.
        spacing: bounds of a line's distance between characters; here and below 1 is the height of
            a capital letter.
        space: bounds of a line's spaces.
        jitter: standard deviation of a character's size, as a share of it, and of its place above
            the base line; distances vary five times as much.
        rng: a seed or a generator.

    Returns:
        The lines, with their writers.

    Raises:
        ValueError: a sample is no single character, or has no stroke; a text has a character that
            is not among the samples, or none but spaces; or bounds are out of order.

    Example:
        >>> ell, dot = [[(0, 0), (0, 1), (0.5, 1)]], [[(0, 0)]]
        >>> mine = StrokeDataset.from_strokes([ell, dot], ["L", "."], writers=[7, 7])
        >>> lines = compose(mine, ["L.", "LL L"], rng=0)
        >>> lines, lines.writers
        (StrokeDataset('': 2 samples, 5 strokes, 13 points), array([7, 7]))
    """
    for name, bounds in (("spacing", spacing), ("space", space)):
        if not -1 <= bounds[0] <= bounds[1] < math.inf:
            raise ValueError(f"{name} must be two numbers in order, from -1 on, got {bounds}")
    if not 0 <= jitter < math.inf:
        raise ValueError(f"jitter must be 0 or more, got {jitter}")
    rng = np.random.default_rng(rng)
    texts = [unicodedata.normalize("NFC", text) for text in texts]
    pool = _Pool(characters)
    labels = [pool.labels(text) for text in texts]
    writers = [pool.writer(each, rng) for each in labels]
    chosen = np.array(
        [
            pool.choose(label, writer, rng)
            for each, writer in zip(labels, writers, strict=True)
            for label in each
        ],
        np.int64,
    )
    picked = characters.select(chosen)
    counts = np.array([len(each) for each in labels], np.int64)
    firsts = np.cumsum(counts) - counts
    gaps = _gaps(texts, counts, spacing, space, jitter, rng)
    gaps[firsts] = 0
    points = _placed(picked, np.repeat(firsts, counts), gaps, jitter, rng)
    return StrokeDataset(
        points,
        picked.stroke_lengths,
        np.add.reduceat(picked.stroke_counts, firsts) if len(firsts) else firsts,
        list(texts),
        None if characters.writers is None else pool.numbers[np.array(writers, np.int64)],
        characters.name,
    )


class _Pool:
    """Which samples there are of each character, by writer."""

    def __init__(self, characters: StrokeDataset) -> None:
        if not all(len(text) == 1 for text in characters.texts):
            longer = next(text for text in characters.texts if len(text) != 1)
            raise ValueError(f"each sample must be a single character, got {longer!r}")
        if not characters.stroke_counts.all():
            empty = int(np.flatnonzero(characters.stroke_counts == 0)[0])
            raise ValueError(f"each sample must have a stroke, sample {empty} has none")
        self.alphabet = Alphabet(sorted(set(characters.texts)))
        labels = self.alphabet.encode(characters.texts)
        owners = characters.writers
        if owners is None:
            owners = np.zeros(len(characters), np.int64)
        self.numbers, rows = np.unique(owners, return_inverse=True)
        shape = (len(self.numbers), len(self.alphabet))
        self.counts = np.bincount(rows * shape[1] + labels, minlength=shape[0] * shape[1])
        self.counts = self.counts.reshape(shape)
        self.by_owner = np.argsort(rows * shape[1] + labels, kind="stable")
        self.starts = np.concatenate([[0], self.counts.ravel().cumsum()])[:-1].reshape(shape)
        self.by_label = np.argsort(labels, kind="stable")
        totals = self.counts.sum(axis=0)
        self.label_starts, self.totals = np.cumsum(totals) - totals, totals

    def labels(self, text: str) -> Labels:
        """The labels of a text without its spaces."""
        written = text.replace(" ", "")
        lost = sorted(set(written) - set(self.alphabet))
        if lost or not written:
            raise ValueError(
                f"texts must be of the characters of the samples, {self.alphabet!r}, got {text!r}"
            )
        return self.alphabet.encode(written)

    def writer(self, labels: Labels, rng: np.random.Generator) -> int:
        """One of those who wrote most of some characters; nobody where there is nobody else."""
        written = (self.counts[:, labels] > 0).sum(axis=1)
        if (self.numbers >= 0).any():
            written[self.numbers < 0] = -1
        return int(rng.choice(np.flatnonzero(written == written.max())))

    def choose(self, label: int, writer: int, rng: np.random.Generator) -> int:
        """The position of a sample of a character."""
        if count := self.counts[writer, label]:
            return int(self.by_owner[self.starts[writer, label] + rng.integers(count)])
        return int(self.by_label[self.label_starts[label] + rng.integers(self.totals[label])])


def _gaps(
    texts: Sequence[str],
    counts: Labels,
    spacing: tuple[float, float],
    space: tuple[float, float],
    jitter: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """The distance before each character; that before the first of a line means nothing."""
    usual, wide = rng.uniform(*spacing, len(texts)), rng.uniform(*space, len(texts))
    gaps = np.repeat(usual, counts) * (1 + _UNEVEN * jitter * rng.normal(size=counts.sum()))
    spaces = [
        len(before) - len(before.rstrip(" "))
        for text in texts
        for before in (text[:i] for i, character in enumerate(text) if character != " ")
    ]
    gaps += np.array(spaces, np.float64) * np.repeat(wide, counts)
    return np.asarray(gaps)


def _placed(
    picked: StrokeDataset,
    firsts: Labels,
    gaps: NDArray[np.float64],
    jitter: float,
    rng: np.random.Generator,
) -> Points:
    """The points of all characters where they stand in their lines; the base lines are at 0.

    Args:
        picked: the characters of all lines, n.
        firsts: (n,) the position of the first character of each one's line.
        gaps: (n,) the distance before each.
        jitter: as for :func:`compose`.
        rng: what sizes and places are drawn with.
    """
    n = len(picked)
    if not n:
        return picked.points
    starts = picked.stroke_starts[picked.sample_starts]
    low = np.minimum.reduceat(picked.points, starts[:-1])
    high = np.maximum.reduceat(picked.points, starts[:-1])
    width, height = (high - low).astype(np.float64).T
    tops, bottoms = np.array([zone(text) for text in picked.texts]).T
    filling = tops - bottoms > _MARK
    fitted = (tops - bottoms) / np.maximum(height, 1e-3)
    fitted = np.minimum(fitted, _WIDEST / np.maximum(width, 1e-3))
    scales = np.where(filling, fitted, _LETTER) * np.exp(jitter * rng.normal(size=n))
    # What fills its zone stands on its lower end, marks are in the middle of theirs.
    ends = -np.where(filling, bottoms, (tops + bottoms) / 2 - scales * height / 2)
    ends += jitter * rng.normal(size=n)
    steps = gaps + np.concatenate([[0], (width * scales)[:-1]])
    lefts = np.cumsum(steps)
    lefts -= lefts[firsts]
    per_point = np.diff(starts)
    offsets = np.stack([lefts, ends - height * scales], axis=1) - low * scales[:, None]
    points = picked.points * np.repeat(scales, per_point)[:, None] + np.repeat(
        offsets, per_point, axis=0
    )
    return np.asarray(points, np.float32)
