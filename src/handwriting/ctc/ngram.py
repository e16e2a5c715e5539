"""How probable each character is after those before it, learnt from texts."""

import dataclasses
import functools
import math
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handwriting.alphabet import NULL, Alphabet
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath, refusing_damage, replacing

__all__ = ["Ngram"]

_FORMAT = "handwriting ngram 1"
_MAX_BYTES = 2**28  # of one array in a file: 33 million n-grams
_MAX_ROWS = 2**15  # kept in memory at once


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ngram:
    """A character n-gram model with Witten-Bell smoothing; made by :meth:`train`.

    The label of null, 0, stands for both ends of a text: before the first character it fills the
    context, after the last it is what comes next. No text is impossible, and the probabilities of
    all next characters and of the end sum to 1 after every context.

    Args:
        alphabet: the characters, null at label 0.
        order: characters in an n-gram; each is predicted from the ``order - 1`` before it.
        grams: (m,) int64, sorted, each once: the n-grams that were seen, as numbers of ``order``
            digits in base ``len(alphabet)``.
        counts: (m,) float64 above 0, how often each was seen.

    Raises:
        ValueError: these do not fit together.

    Example:
        >>> from handwriting.alphabet import LOWERCASE
        >>> model = Ngram.train(["anna", "hanna", "anne"], LOWERCASE, order=3)
        >>> model
        Ngram(order 3, 26 characters, 10 n-grams)
        >>> bool(model.log_probability("hanne") > model.log_probability("hnnae"))
        True

    Source:
        I. Witten, T. Bell, "The zero-frequency problem", IEEE Trans. Information Theory 37 (1991),
        method C; interpolated as in S. Chen, J. Goodman, "An empirical study of smoothing
        techniques for language modeling" (1999), section 2.5.
    """

    alphabet: Alphabet
    order: int
    grams: NDArray[np.int64]
    counts: NDArray[np.float64]

    def __post_init__(self) -> None:
        _check_order(self.order, self.alphabet)
        if not self.alphabet.has_null:
            raise ValueError("alphabet must have null at label 0; with_null() puts it there")
        grams, counts = self.grams, self.counts
        if grams.dtype != np.int64 or grams.ndim != 1 or counts.shape != grams.shape:
            raise ValueError(
                f"grams must be (m,) int64 with as many counts, got {grams.dtype} of shape "
                f"{grams.shape} with counts of shape {counts.shape}"
            )
        if (np.diff(grams) <= 0).any():
            raise ValueError("grams must be sorted, each once")
        if len(grams) and not 0 <= grams[0] <= grams[-1] < len(self.alphabet) ** self.order:
            raise ValueError(f"grams must have {self.order} digits in base {len(self.alphabet)}")
        if not (np.isfinite(counts).all() and (counts > 0).all()):
            raise ValueError("counts must be finite and above 0")

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        alphabet: Alphabet,
        *,
        order: int = 4,
        counts: Iterable[float] | None = None,
    ) -> "Ngram":
        """Count the n-grams of texts.

        Args:
            texts: brought to NFC. They must be of the alphabet; ``data.LineDataset.relabel`` and
                plain comprehensions leave others out.
            alphabet: the characters; null is put at label 0 where it is not there.
            order: characters in an n-gram, from 1.
            counts: what each text counts, finite and from 0; 1 without it. For lists of names
                ``np.log1p`` of how often each occurs predicts other names better than the numbers
                themselves, which let a few names speak for all.

        Raises:
            ValueError: there is no text, one has a character outside of the alphabet, ``counts``
                do not fit, or n-grams of that order are over 63 bits.
        """
        alphabet = alphabet.with_null()
        _check_order(order, alphabet)
        if isinstance(texts, str):
            raise TypeError(f"texts must be several str, got one str {texts[:40]!r}")
        texts = list(texts)
        weights = _weights(counts, len(texts))
        # Every text has the blanks of its first context before it and its end behind it.
        parts = [alphabet.encode(text) for text in texts]
        lengths = np.array([len(part) + order for part in parts])
        stops = np.cumsum(lengths)
        labels = np.zeros(lengths.sum(), np.int64)
        for part, stop in zip(parts, stops.tolist(), strict=True):
            labels[stop - 1 - len(part) : stop - 1] = part
        grams = np.zeros(len(labels) - order + 1, np.int64)
        for position in range(order):
            grams = grams * len(alphabet) + labels[position : position + len(grams)]
        # Those that reach over into the next text are none of its own.
        places = np.arange(len(grams))
        owner = np.searchsorted(stops, places, side="right")
        whole = places + order <= stops[owner]
        grams, totals = _added(grams[whole], weights[owner[whole]])
        return cls(alphabet, order, grams[totals > 0], totals[totals > 0])

    def __repr__(self) -> str:
        characters = len(self.alphabet) - 1
        return f"Ngram(order {self.order}, {characters} characters, {len(self.grams):,} n-grams)"

    def log_probabilities(self, before: str = "") -> NDArray[np.float64]:
        """Natural logarithms of the probabilities of what comes next.

        Args:
            before: the text so far, from its beginning.

        Returns:
            (characters + 1,): at 0 of the end of the text, then of each character of the alphabet.
        """
        context = 0
        for label in self.alphabet.encode(before).tolist():
            context = self.after(context, label)
        return np.log(self.probabilities(context))

    def log_probability(self, text: str) -> float:
        """Natural logarithm of the probability of a text and its end.

        Raises:
            ValueError: it has a character outside of the alphabet.
        """
        context, total = 0, 0.0
        for label in [*self.alphabet.encode(text).tolist(), 0]:
            total += math.log(self.probabilities(context)[label])
            context = self.after(context, label)
        return total

    def perplexity(self, texts: Sequence[str]) -> float:
        """How many equally probable characters would be as hard to guess, in [1, inf).

        Args:
            texts: other than those that the model was trained on. The end of each counts as a
                character.

        Raises:
            ValueError: there is no text, or one has a character outside of the alphabet.
        """
        if not texts:
            raise ValueError("there must be a text to predict, got none")
        composed = [unicodedata.normalize("NFC", text) for text in texts]
        characters = sum(len(text) + 1 for text in composed)
        return math.exp(-sum(map(self.log_probability, composed)) / characters)

    def after(self, context: int, label: int) -> int:
        """The context that follows when a character is added; a text begins with context 0."""
        return (context * len(self.alphabet) + label) % self._contexts

    def probabilities(self, context: int) -> NDArray[np.float64]:
        """(characters + 1,) probabilities of the end and of each character after a context."""
        return self._row(self.order, context)

    @functools.cached_property
    def met(self) -> dict[tuple[float, float], dict[int, list[float]]]:
        """What searches with an exponent and a bonus have made of the rows: kept for the next."""
        return {}

    def save(self, path: StrPath) -> None:
        """Write the model to an ``.npz`` file, as a whole or not at all.

        Raises:
            ValueError: ``path`` does not end in ``.npz``.
        """
        if not str(path).endswith(".npz"):
            raise ValueError(f"path must end in .npz, got {str(path)!r}")
        whole = self.counts == np.round(self.counts)
        counts = self.counts
        if whole.all() and counts.max(initial=0) < 2**53:
            counts = counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
        with replacing(path) as temporary:
            np.savez_compressed(
                temporary,
                format=np.array(_FORMAT),
                alphabet=np.array([ord(character) for character in self.alphabet if character]),
                order=np.array(self.order),
                # Differences of sorted numbers are small, and pack well.
                grams=np.diff(self.grams, prepend=0),
                counts=counts,
            )

    @classmethod
    def load(cls, path: StrPath) -> "Ngram":
        """Read a model that :meth:`save` wrote; safe for files of any origin.

        Raises:
            MissingDataError: no such file.
            CorruptFileError: damaged, or not written by :meth:`save`.
        """
        with refusing_damage(str(path), "save the model again"):
            saved = _arrays(path)
            if str(saved["format"]) != _FORMAT:
                raise ValueError(f"its format must be {_FORMAT!r}")
            alphabet = Alphabet([NULL, *map(chr, saved["alphabet"].tolist())])
            if saved["grams"].dtype != np.int64 or saved["counts"].dtype.kind not in "uf":
                raise ValueError("its arrays are not those of an n-gram model")
            grams = np.cumsum(saved["grams"])
            return cls(alphabet, int(saved["order"]), grams, saved["counts"].astype(np.float64))

    @functools.cached_property
    def _contexts(self) -> int:
        contexts: int = len(self.alphabet) ** (self.order - 1)
        return contexts

    @functools.cached_property
    def _tables(self) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """The n-grams of each order from 1, which are those of the highest without their front."""
        base = len(self.alphabet)
        orders = range(1, self.order + 1)
        return [_added(self.grams % base**order, self.counts) for order in orders]

    @functools.cached_property
    def _rows(self) -> dict[tuple[int, int], NDArray[np.float64]]:
        return {}

    def _row(self, order: int, context: int) -> NDArray[np.float64]:
        """Witten-Bell: an unseen character is as probable as it was to meet a new one here."""
        if order == 0:
            return np.full(len(self.alphabet), 1 / len(self.alphabet))
        row = self._rows.get((order, context))
        if row is not None:
            return row
        lower = self._row(order - 1, context % len(self.alphabet) ** max(order - 2, 0))
        keys, counts = self._tables[order - 1]
        first = context * len(self.alphabet)
        start, stop = np.searchsorted(keys, (first, first + len(self.alphabet))).tolist()
        if start == stop:
            row = lower
        else:
            row = lower * (stop - start)
            row[keys[start:stop] - first] += counts[start:stop]
            row /= row.sum()
        if len(self._rows) >= _MAX_ROWS:
            self._rows.clear()
        self._rows[order, context] = row
        return row


def _check_order(order: int, alphabet: Alphabet) -> None:
    base = len(alphabet)
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueError(f"order must be an integer from 1, got {order!r}")
    if base**order >= 2**63:
        most = int(63 / math.log2(base))
        raise ValueError(f"order must be at most {most} for {base - 1} characters, got {order}")


def _weights(counts: Iterable[float] | None, n: int) -> NDArray[np.float64]:
    values: ArrayLike = np.ones(n) if counts is None else list(counts)
    weights = np.asarray(values, np.float64)
    if weights.shape != (n,):
        raise ValueError(f"counts must be {n}, one for each text, got shape {weights.shape}")
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("counts must be finite and from 0")
    if not weights.any():
        raise ValueError("there must be a text to train on, got none, or none with a count")
    return weights


def _added(
    keys: NDArray[np.int64], counts: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Each key once, sorted, with the sum of its counts."""
    once, position = np.unique(keys, return_inverse=True)
    return once, np.bincount(position, counts, len(once)).astype(np.float64)


def _arrays(path: StrPath) -> dict[str, NDArray[Any]]:
    """The arrays of the file, none over the limit, never pickled."""
    try:
        with zipfile.ZipFile(path) as archive:
            large = [item.filename for item in archive.infolist() if item.file_size > _MAX_BYTES]
            if large:
                raise CorruptFileError(f"{large[0]} in {path} is over {_MAX_BYTES:,} bytes")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("format", "alphabet", "order", "grams", "counts")}
    except FileNotFoundError:
        raise MissingDataError(f"{path}: no such n-gram model; check the path") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise CorruptFileError(f"{path} is not a whole n-gram model ({error})") from error
