"""The handwritten digits that scikit-learn carries: small, real, always at hand.

==============  ===================================================================
Classes         10, ``0`` to ``9``
Images          1,797: 1,437 to train, 360 to test (a fixed stratified fifth)
On disk         inside scikit-learn; 8 x 8, 17 gray levels, ink high, upright
Here            28 x 28 by the recipe ``mnist``; ``raw=True``: 8 x 8, levels times 255 / 16
==============  ===================================================================

License: CC BY 4.0 (UCI Machine Learning Repository).

Overlap: none with MNIST. It is the test part of the UCI set "Optical Recognition of Handwritten
Digits", 13 writers; the two splits here share these writers.

Known faults: at 8 x 8 a few digits cannot be told even by eye.
"""

import functools
from pathlib import Path

import numpy as np

from handwriting import preprocessing
from handwriting.alphabet import DIGITS
from handwriting.data import CharacterDataset
from handwriting.files import StrPath

__all__ = ["ALPHABET", "COUNTS", "LICENSE", "RECIPE", "SOURCE", "load", "on_disk"]

ALPHABET = DIGITS
COUNTS = {"train": 1437, "test": 360}
RECIPE = "mnist"
LICENSE = "CC BY 4.0"
SOURCE = "https://archive.ics.uci.edu/dataset/80 (Alpaydin, Kaynak 1998), by scikit-learn"


def load(
    split: str = "train", path: StrPath | None = None, *, raw: bool = False
) -> CharacterDataset:
    """Load the digits.

    Args:
        split: ``"train"``, ``"test"`` or ``"all"``.
        path: not used: the images come with scikit-learn. Anything but None is refused.
        raw: leave the images at 8 x 8.

    Returns:
        Images (n, 28, 28) or (n, 8, 8).

    Raises:
        ValueError: no such split, or a ``path``.
    """
    if path is not None:
        raise ValueError(f"digits come with scikit-learn and take no path, got {str(path)!r}")
    if split not in (*COUNTS, "all"):
        raise ValueError(f"split must be 'train', 'test' or 'all', got {split!r}")
    everything = _everything(raw)
    if split == "all":
        return everything
    train, test = everything.split_indices(COUNTS["test"] / len(everything), rng=0)
    part = everything.select(train if split == "train" else test)
    return CharacterDataset(
        part.images, part.labels, ALPHABET, f"digits/{split}", everything.recipe
    )


def on_disk() -> Path:
    """Where the images are: scikit-learn's folder."""
    import sklearn

    return Path(sklearn.__file__).parent / "datasets" / "data"


@functools.cache
def _everything(raw: bool) -> CharacterDataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    small = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    images = small if raw else preprocessing.normalize(small, RECIPE)
    images.flags.writeable = False
    return CharacterDataset(images, bunch.target, ALPHABET, "digits/all", None if raw else RECIPE)
