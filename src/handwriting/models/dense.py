"""Dense networks: every pixel to every unit, the simplest thing that learns."""

from collections.abc import Iterable

import keras
import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.models import classifier
from handwriting.models.classifier import Seeds

__all__ = ["dense", "dense_small"]


def dense(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Four dense layers, 512-256-188-94, and softmax.

    Input shape: (n, h, w) uint8. Output shape: (n, classes) float32 probabilities.
    Parameters: 603,795 for 47 characters at 28 x 28.

    Args:
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        rng: seed of the initial weights; None draws one.

    Raises:
        ValueError: fewer than two characters.

    Example:
        >>> dense(47).count_params()
        603795

    Source:
        The dense network of the EMNIST balanced tutorials. Accuracy: docs/models.md.
    """

    def hidden(seeds: Seeds) -> Iterable[keras.Layer]:
        yield keras.layers.Flatten()
        for units in (512, 256, 188, 94):
            yield classifier.dense(units, seeds)

    return classifier.classifier("dense", alphabet, image_shape, hidden, smallest=1, rng=rng)


def dense_small(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Two dense layers, 256-128, dropout 0.2 and softmax.

    Input shape: (n, h, w) uint8. Output shape: (n, classes) float32 probabilities.
    Parameters: 241,854 for 62 characters at 28 x 28.

    Args:
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: fewer than two characters.

    Example:
        >>> dense_small(62).count_params()
        241854

    Source:
        The dense network of the EMNIST byclass recognizers. Accuracy: docs/models.md.
    """

    def hidden(seeds: Seeds) -> Iterable[keras.Layer]:
        yield keras.layers.Flatten()
        yield classifier.dense(256, seeds)
        yield classifier.dense(128, seeds)
        yield keras.layers.Dropout(0.2, seed=seeds())

    return classifier.classifier("dense_small", alphabet, image_shape, hidden, smallest=1, rng=rng)
