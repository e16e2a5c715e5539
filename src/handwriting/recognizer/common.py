"""What recognizers of every kind do."""

import math
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handwriting import ctc
from handwriting.alphabet import NULL, Alphabet
from handwriting.images import Image, Picture
from handwriting.segmentation import Box

__all__ = [
    "Scores",
    "Search",
    "allowed",
    "as_lexicon",
    "check_least",
    "check_search",
    "check_top",
    "ink_box",
    "name_of",
    "probabilities",
]

Scores = NDArray[np.float64]
Search = Mapping[str, float]

_SEARCH = ("width", "ngram_weight", "character_bonus", "lexicon_weight", "closed")


def check_search(search: Search | None) -> dict[str, Any]:
    """Options of :func:`handwriting.ctc.beam` for a lexicon and n-grams."""
    if lost := sorted(set(search or {}) - set(_SEARCH)):
        raise ValueError(f"search must have options among {', '.join(_SEARCH)}, got {lost[0]!r}")
    for name, value in (search or {}).items():
        if name == "width":
            fits = isinstance(value, int) and value >= 1
        elif name == "closed":
            fits = isinstance(value, bool)
        else:
            fits = math.isfinite(value)
        if not fits:
            raise ValueError(
                "search must have a width from 1, weights that are finite, and closed True or "
                f"False, got {name}={value!r}"
            )
    return dict(search or {})


def check_top(top_k: int) -> None:
    """Refuse a number of alternatives that is none."""
    if not isinstance(top_k, int) or top_k < 1:
        raise ValueError(f"top_k must be an integer from 1, got {top_k!r}")


def check_least(min_confidence: float) -> None:
    """Refuse a least confidence that is no probability."""
    if not 0 <= min_confidence <= 1:
        raise ValueError(f"min_confidence must lie in [0, 1], got {min_confidence!r}")


def allowed(alphabet: Alphabet, allowlist: str | None) -> Scores:
    """(classes,) 1 for what can be read. Null always can: it is what is no character."""
    if allowlist is None:
        return np.ones(len(alphabet))
    if not allowlist or set(allowlist) - set(alphabet):
        raise ValueError(f"allowlist must be characters of {alphabet!r}, got {allowlist!r}")
    return np.array([float(c in allowlist or c == NULL) for c in alphabet])


def probabilities(scores: NDArray[Any], mask: Scores) -> Scores:
    """Probabilities of what is allowed.

    Args:
        scores: (..., classes); where not all rows are distributions, a softmax makes them such.
        mask: (classes,) of :func:`allowed`.

    Returns:
        Like ``scores``, each row summing to 1. Where all that is allowed is impossible by the
        scores, nothing is known of it.
    """
    values = scores.astype(np.float64)
    if (values < 0).any() or not np.allclose(values.sum(axis=-1), 1, atol=0.01):
        values = np.exp(values - values.max(axis=-1, keepdims=True))
    values *= mask
    values = np.where(values.any(axis=-1, keepdims=True), values, mask)
    return np.asarray(values / values.sum(axis=-1, keepdims=True))


def as_lexicon(
    lexicon: ctc.Lexicon | Iterable[str] | None, alphabet: Alphabet
) -> ctc.Lexicon | None:
    """A lexicon as it is, and words as one."""
    if lexicon is None or isinstance(lexicon, ctc.Lexicon):
        return lexicon
    return ctc.Lexicon(lexicon, alphabet)


def ink_box(ink: Image) -> Box:
    """The box around all ink; around the whole image where there is none."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return Box(0, 0, *ink.shape)
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def name_of(picture: Picture) -> str:
    """The path of a picture that is one, else nothing."""
    # A name that is no UTF-8 has halves of surrogate pairs, which no file can be written with.
    path = os.fspath(picture) if isinstance(picture, str | os.PathLike) else ""
    return str(path).encode("utf-8", "replace").decode()
