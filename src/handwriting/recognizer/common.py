"""What recognizers of every kind do."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import NULL, Alphabet
from handwriting.images import Image, Picture
from handwriting.segmentation import Box

__all__ = ["Scores", "allowed", "check_top", "ink_box", "name_of", "normalized"]

Scores = NDArray[np.float64]


def check_top(top_k: int) -> None:
    """Refuse a number of alternatives that is none."""
    if top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")


def allowed(alphabet: Alphabet, allowlist: str | None) -> Scores:
    """(classes,) 1 for what can be read. Null always can: it is what is no character."""
    if allowlist is None:
        return np.ones(len(alphabet))
    if not allowlist or set(allowlist) - set(alphabet):
        raise ValueError(f"allowlist must be characters of {alphabet!r}, got {allowlist!r}")
    return np.array([float(c in allowlist or c == NULL) for c in alphabet])


def normalized(scores: NDArray[Any]) -> Scores:
    """Scores as they are where each row is a distribution, else their softmax."""
    values = scores.astype(np.float64)
    if (values >= 0).all() and np.allclose(values.sum(axis=-1), 1, atol=0.01):
        return values
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def ink_box(ink: Image) -> Box:
    """The box around all ink; around the whole image where there is none."""
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return Box(0, 0, *ink.shape)
    return Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1)


def name_of(picture: Picture) -> str:
    """The path of a picture that is one, else nothing."""
    return str(picture) if isinstance(picture, str | Path) else ""
