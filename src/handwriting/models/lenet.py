"""The LeNet-style convolutional network of the EMNIST tutorials."""

from collections.abc import Iterable

import keras
import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.models import classifier
from handwriting.models.classifier import Seeds

__all__ = ["lenet"]


def lenet(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Two convolutions with average pooling, two dense layers and softmax.

    Conv 6 3x3, pool 2, Conv 16 3x3, pool 2, dense 188, dense 94; ReLU throughout.

    Input shape: (n, h, w) uint8, 10 x 10 or larger. Output shape: (n, classes) float32
    probabilities. Parameters: 98,559 for 47 characters at 28 x 28.

    Args:
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        rng: seed of the initial weights; None draws one.

    Raises:
        ValueError: fewer than two characters, or images under 10 x 10.

    Example:
        >>> lenet(47).count_params()
        98559

    Source:
        After LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document
        recognition. Proc. IEEE 86 (1998), in the form of the EMNIST balanced tutorials. Accuracy:
        docs/models.md.
    """

    def hidden(seeds: Seeds) -> Iterable[keras.Layer]:
        for filters in (6, 16):
            yield classifier.convolution(filters, 3, seeds)
            yield keras.layers.AveragePooling2D(2)
        yield keras.layers.Flatten()
        yield classifier.dense(188, seeds)
        yield classifier.dense(94, seeds)

    return classifier.classifier("lenet", alphabet, image_shape, hidden, smallest=10, rng=rng)
