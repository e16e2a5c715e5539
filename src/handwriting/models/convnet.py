"""Plain convolutional networks with max pooling, a small and a deep one."""

from collections.abc import Iterable

import keras
import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.models import classifier
from handwriting.models.classifier import Seeds

__all__ = ["convnet_deep", "convnet_small"]


def convnet_small(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """One convolution, one dense layer, dropout and softmax.

    Conv 32 5x5, max pool 2, dropout 0.3, dense 128; ReLU throughout.

    Input shape: (n, h, w) uint8, 6 x 6 or larger. Output shape: (n, classes) float32
    probabilities. Parameters: 598,782 for 62 characters at 28 x 28.

    Args:
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: fewer than two characters, or images under 6 x 6.

    Example:
        >>> convnet_small(62).count_params()
        598782

    Source:
        The first convolutional network of the EMNIST byclass recognizers. Accuracy:
        docs/models.md.
    """

    def hidden(seeds: Seeds) -> Iterable[keras.Layer]:
        yield classifier.convolution(32, 5, seeds)
        yield keras.layers.MaxPooling2D(2)
        yield keras.layers.Dropout(0.3, seed=seeds())
        yield keras.layers.Flatten()
        yield classifier.dense(128, seeds)

    return classifier.classifier(
        "convnet_small", alphabet, image_shape, hidden, smallest=6, rng=rng
    )


def convnet_deep(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Four convolutions with batch normalization, global average pooling, a dense layer, softmax.

    Conv 32, max pool 2, normalize, Conv 64, normalize, max pool 2, normalize, Conv 256, normalize,
    Conv 256, average over the image, dense 256; 3x3, padded, ReLU throughout.

    Input shape: (n, h, w) uint8, 4 x 4 or larger. Output shape: (n, classes) float32
    probabilities. Parameters: 839,998 for 62 characters, at any image shape.

    Args:
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        rng: seed of the initial weights; None draws one.

    Raises:
        ValueError: fewer than two characters, or images under 4 x 4.

    Example:
        >>> convnet_deep(62).count_params() == convnet_deep(62, (24, 24)).count_params()
        True

    Source:
        The best convolutional network of the EMNIST byclass recognizers. The convolutions are
        padded here, so that 24 x 24 works as well as 28 x 28. Accuracy: docs/models.md.
    """

    def hidden(seeds: Seeds) -> Iterable[keras.Layer]:
        yield classifier.convolution(32, 3, seeds, padding="same")
        yield keras.layers.MaxPooling2D(2)
        yield keras.layers.BatchNormalization()
        yield classifier.convolution(64, 3, seeds, padding="same")
        yield keras.layers.BatchNormalization()
        yield keras.layers.MaxPooling2D(2)
        yield keras.layers.BatchNormalization()
        yield classifier.convolution(256, 3, seeds, padding="same")
        yield keras.layers.BatchNormalization()
        yield classifier.convolution(256, 3, seeds, padding="same")
        yield keras.layers.GlobalAveragePooling2D()
        yield classifier.dense(256, seeds)

    return classifier.classifier("convnet_deep", alphabet, image_shape, hidden, smallest=4, rng=rng)
