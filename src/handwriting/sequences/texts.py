"""What is to be written: a list of texts, or characters drawn at random."""

import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Alphabet, Labels
from handwriting.data import CharacterDataset

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

    Attributes:
        labels: of all texts, one after another, with SPACE for a space without images.
        lengths: of the texts.
        alphabet: the dataset's, and the space if a text needs it.
    """

    def __init__(
        self, texts: Sequence[Text], weights: Sequence[float] | None, dataset: CharacterDataset
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

    def _encode(self, dataset: CharacterDataset) -> Labels:
        codes = np.frombuffer("".join(self._texts).encode("utf-32-le", "surrogatepass"), np.uint32)
        counts = dataset.counts()
        written = {ord(c): dataset.alphabet.encode([c])[0] for c, n in counts.items() if c and n}
        known = {ord(" "): SPACE, **written}
        table = np.full(max(codes.max(), *known) + 1, NOTHING, np.int64)
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

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Labels, list[str]]:
        """(n, longest) labels, NOTHING after the end of a text, and the texts."""
        if len(self._texts) == 1:
            which = np.zeros(n, np.int64)
        else:
            which = rng.choice(len(self._texts), n, p=self._shares)
        lengths = self.lengths[which]
        columns = np.arange(self.lengths.max())
        inside = columns < lengths[:, None]
        positions = np.where(inside, self._starts[which][:, None] + columns, 0)
        labels = np.where(inside, self.labels[positions], NOTHING)
        return labels, [self._texts[i] for i in which.tolist()]

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

    def __init__(self, length: int | tuple[int, int], dataset: CharacterDataset) -> None:
        self._least, self._greatest = (length, length) if isinstance(length, int) else length
        if not 1 <= self._least <= self._greatest:
            raise ValueError(
                f"length must be at least 1, or such a pair (least, greatest), got {length}"
            )
        characters = np.array(list(dataset.alphabet))
        counts = np.bincount(dataset.labels, minlength=len(characters))
        self._usable = np.flatnonzero((counts > 0) & (characters != ""))
        if not len(self._usable):
            raise ValueError(f"there must be images of characters, got {dataset!r}")
        self._characters = characters
        self.alphabet = dataset.alphabet

    def draw(self, n: int, rng: np.random.Generator) -> tuple[Labels, list[str]]:
        """(n, greatest) labels, NOTHING after the end of a text, and the texts."""
        labels = self._usable[rng.integers(len(self._usable), size=(n, self._greatest))]
        together = self._characters[labels].view(f"U{self._greatest}")[:, 0].tolist()
        if self._least == self._greatest:
            return labels, together
        lengths = rng.integers(self._least, self._greatest + 1, n)
        labels[np.arange(self._greatest) >= lengths[:, None]] = NOTHING
        pairs = zip(together, lengths.tolist(), strict=True)
        return labels, [text[:length] for text, length in pairs]

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
