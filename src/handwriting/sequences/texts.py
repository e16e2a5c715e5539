"""What is to be written: a list of texts, or characters drawn at random."""

import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Alphabet, Labels
from handwriting.data import CharacterDataset
from handwriting.sequences.pool import Pool

__all__ = ["NOTHING", "SPACE", "Extents", "Lengths", "Text", "Texts"]

Text = str | Sequence[int]
"""Characters, or their labels in a dataset's alphabet."""

# Items of a line that are no character have labels of their own.
NOTHING, SPACE = -1, -2


class Texts:
    """A list of texts, encoded, to draw from.

    Args:
        texts: strings or labels.
        weights: one for each, or None.
        dataset: whose characters they are written with.
        pool: its images to draw from.

    Attributes:
        labels: of all texts, one after another, with SPACE for a space without images.
        lengths: of the texts.
        alphabet: the dataset's, and the space if a text needs it.
    """

    def __init__(
        self,
        texts: Sequence[Text],
        weights: Sequence[float] | None,
        dataset: CharacterDataset,
        pool: Pool,
    ) -> None:
        if isinstance(texts, str):
            raise TypeError(f"texts must be a sequence of texts, got one str {texts[:40]!r}")
        self._texts = [_as_str(text, dataset.alphabet) for text in texts]
        if not all(self._texts):
            raise ValueError(f"each text must have a character, got {list(texts)[:20]}")
        if not self._texts:
            raise ValueError("texts must be one at least, got none")
        self._shares = None if weights is None else _shares(weights, len(self._texts))
        self.lengths = np.fromiter(map(len, self._texts), np.int64)
        self._starts = self.lengths.cumsum() - self.lengths
        self.labels = self._encode(dataset)
        self.alphabet = dataset.alphabet
        if (self.labels == SPACE).any() and " " not in self.alphabet:
            self.alphabet = Alphabet((*dataset.alphabet, " "))
        self._pool = pool
        if pool.numbers is not None:
            self._check_writers(dataset)

    def _encode(self, dataset: CharacterDataset) -> Labels:
        codes = np.frombuffer("".join(self._texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        counts = dataset.counts()
        written = {ord(c): dataset.alphabet.encode([c])[0] for c, n in counts.items() if c and n}
        known = {ord(" "): SPACE, **written}
        table = np.full(max(int(codes.max()), *known) + 1, NOTHING, np.int64)
        table[list(known)] = list(known.values())
        labels: Labels = table[codes]
        lost = np.flatnonzero(labels == NOTHING)
        if len(lost):
            number = int(np.searchsorted(self._starts, lost[0], "right")) - 1
            raise ValueError(
                f"{dataset!r} has no image of {chr(codes[lost[0]])!r}, in text {number}: "
                f"{self._texts[number][:40]!r}"
            )
        return labels

    def _check_writers(self, dataset: CharacterDataset) -> None:
        """Refuse a text that no writer can write."""
        for start in range(0, len(self._texts), 1024):
            which = np.arange(start, min(start + 1024, len(self._texts)))
            able = self._pool.able(self._padded(which, int(self.lengths[which].max()))).any(axis=1)
            if not able.all():
                number = start + int(able.argmin())
                raise ValueError(
                    f"one_writer needs somebody with images of all characters of a text, and "
                    f"nobody in {dataset!r} has those of text {number}: "
                    f"{self._texts[number][:40]!r}; leave it out, or do without one_writer"
                )

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Labels, list[str], Labels | None]:
        """(n, longest) labels, NOTHING after the end of a text; the texts; a writer for each."""
        if len(self._texts) == 1:
            which = np.zeros(n, np.int64)
        else:
            which = rng.choice(len(self._texts), n, p=self._shares)
        labels = self._padded(which, int(self.lengths.max()))
        writers = None if self._pool.numbers is None else self._pool.writers(labels, rng)
        return labels, [self._texts[i] for i in which.tolist()], writers

    def _padded(self, which: Labels, length: int) -> Labels:
        """The labels of some texts, NOTHING after their ends."""
        columns = np.arange(length)
        inside = columns < self.lengths[which][:, None]
        positions = np.where(inside, self._starts[which][:, None] + columns, 0)
        return np.where(inside, self.labels[positions], NOTHING)

    def extents(self) -> "Extents":
        """What each text is made of."""
        drawn = self.labels >= 0
        first = np.zeros(len(drawn), bool)
        first[self._starts] = True
        pairs = drawn & np.append(False, drawn[:-1]) & ~first
        sums = (np.add.reduceat(each.astype(np.int64), self._starts) for each in (drawn, pairs))
        images, gaps = sums
        return Extents(images, self.lengths - images, gaps)

    def text(self, number: int) -> str:
        """One of the texts."""
        return self._texts[number]


class Lengths:
    """Texts of characters that are drawn with equal chances."""

    def __init__(
        self, length: int | tuple[int, int], dataset: CharacterDataset, pool: Pool
    ) -> None:
        self._least, self._greatest = (length, length) if isinstance(length, int) else length
        if not 1 <= self._least <= self._greatest:
            raise ValueError(
                f"length must be at least 1, or such a pair (least, greatest), got {length}"
            )
        characters = np.array(list(dataset.alphabet))
        usable = (pool.counts > 0) & (characters != "")
        if not usable.any():
            raise ValueError(f"there must be images of characters, got {dataset!r}")
        self._pool = pool
        self._writers = np.flatnonzero(usable.any(axis=1))
        # The labels of all writers, one writer after another.
        self._usable = np.nonzero(usable)[1]
        self._counts = usable.sum(axis=1)
        self._starts = self._counts.cumsum() - self._counts
        self._characters = characters
        self.alphabet = dataset.alphabet

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Labels, list[str], Labels | None]:
        """(n, greatest) labels, NOTHING after the end of a text; the texts; a writer for each."""
        labels, writers = self._labels((n, self._greatest), rng)
        together = self._characters[labels].view(f"U{self._greatest}")[:, 0].tolist()
        if self._least == self._greatest:
            return labels, together, writers
        lengths = rng.integers(self._least, self._greatest + 1, n)
        labels[np.arange(self._greatest) >= lengths[:, None]] = NOTHING
        pairs = zip(together, lengths.tolist(), strict=True)
        return labels, [text[:length] for text, length in pairs], writers

    def _labels(
        self, shape: tuple[int, int], rng: np.random.Generator
    ) -> tuple[Labels, Labels | None]:
        """Labels of which there are images, and whose; a line's are all of its writer's."""
        if self._pool.numbers is None:
            return self._usable[rng.integers(len(self._usable), size=shape)], None
        writers = self._writers[rng.integers(len(self._writers), size=shape[0])]
        draws = (rng.random(shape) * self._counts[writers, None]).astype(np.int64)
        return self._usable[self._starts[writers, None] + draws], writers

    def extents(self) -> "Extents":
        """What a text of each length is made of."""
        images = np.arange(self._least, self._greatest + 1)
        return Extents(images, np.zeros_like(images), images - 1)

    def text(self, number: int) -> str:
        """Stands for a text in messages."""
        return "?" * (self._least + number)


class Extents(NamedTuple):
    """How many images, spaces and gaps between neighboring images texts have, (n,) each."""

    images: Labels
    spaces: Labels
    gaps: Labels


def _as_str(text: Text, alphabet: Alphabet) -> str:
    if isinstance(text, str):
        return unicodedata.normalize("NFC", text)
    decoded = alphabet.decode(text)
    if len(decoded) < len(text):
        raise ValueError(
            f"null stands in no text, got the labels {list(text)}; see the option null"
        )
    return decoded


def _shares(weights: Sequence[float], n: int) -> NDArray[np.float64]:
    shares = np.asarray(weights, np.float64)
    if shares.shape != (n,) or not (shares >= 0).all() or not 0 < shares.sum() < math.inf:
        raise ValueError(
            f"weights must be {n}, one for each text, at least 0 and not all 0, got "
            f"{str(weights)[:80]}"
        )
    shares /= shares.sum()
    return shares
