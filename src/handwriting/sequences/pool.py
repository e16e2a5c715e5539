"""Which images there are of each character: everybody's together, or each writer's."""

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Labels
from handwriting.data import CharacterDataset

__all__ = ["Pool"]

_Bits = NDArray[np.uint8]


class Pool:
    """The images of a dataset to draw from.

    Args:
        dataset: whose images.
        one_writer: whether all images of a line come from one writer, and none is nobody's.

    Attributes:
        counts: (writers, labels) int64, how many images there are; one row for everybody together
            without ``one_writer``. A writer is a row of it.
        numbers: (writers,) int64, what the dataset calls them; None for everybody.

    Raises:
        ValueError: the dataset does not tell its writers.
    """

    def __init__(self, dataset: CharacterDataset, *, one_writer: bool) -> None:
        classes, people = len(dataset.alphabet), 1
        self.numbers: Labels | None = None
        self._order, keys = np.arange(len(dataset)), dataset.labels
        if one_writer:
            self._order, self.numbers, rows = _known(dataset)
            people = len(self.numbers)
            keys = rows * classes + dataset.labels[self._order]
        self._order = self._order[np.argsort(keys, kind="stable")]
        self._counts = np.bincount(keys, minlength=people * classes)
        self._starts = self._counts.cumsum() - self._counts
        self.counts = self._counts.reshape(people, classes)
        # One bit a writer, for each label. Labels below 0 need no image: they stand at the end.
        needless = np.ones((2, people), bool)
        self._has: _Bits = np.packbits(np.concatenate([self.counts.T > 0, needless]), axis=1)

    def choose(self, labels: Labels, writers: Labels | None, rng: np.random.Generator) -> Labels:
        """The position in the dataset of an image of each label, drawn at random.

        Args:
            labels: (n,).
            writers: (n,), whose image it must be; None for everybody.
            rng: a generator.
        """
        keys = labels if writers is None else writers * self.counts.shape[1] + labels
        draws = (rng.random(len(keys)) * self._counts[keys]).astype(np.int64)
        chosen: Labels = self._order[self._starts[keys] + draws]
        return chosen

    def able(self, labels: Labels) -> _Bits:
        """(n, bytes), a bit for each writer who has images of all ``labels`` (n, items)."""
        bits: _Bits = self._has[labels[:, 0]]
        for column in labels.T[1:]:
            bits &= self._has[column]
        return bits

    def writers(self, labels: Labels, rng: np.random.Generator) -> Labels:
        """(n,) writers, each drawn with equal chances among those who can write a line's labels."""
        chances, people = rng.random(len(labels)), len(self.counts)
        drawn = np.empty(len(labels), np.int64)
        count = max(1, _PART_RANKS // people)
        for start in range(0, len(labels), count):
            part = slice(start, start + count)
            able = np.unpackbits(self.able(labels[part]), axis=1, count=people)
            ranks = able.cumsum(axis=1, dtype=np.int64)
            wanted = (chances[part] * ranks[:, -1]).astype(np.int64)
            drawn[part] = (ranks > wanted[:, None]).argmax(axis=1)
        return drawn


# Lines are taken in parts of so many numbers, which stay in the cache.
_PART_RANKS = 1 << 17


def _known(dataset: CharacterDataset) -> tuple[Labels, Labels, Labels]:
    """Positions of the images that are somebody's; all writers' numbers; the writer of each."""
    if dataset.writers is None or (dataset.writers < 0).all():
        raise ValueError(f"one_writer needs writers, and {dataset!r} does not tell them")
    positions = np.flatnonzero(dataset.writers >= 0)
    numbers, rows = np.unique(dataset.writers[positions], return_inverse=True)
    return positions, numbers, rows
