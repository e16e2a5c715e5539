"""Stacks of small convolutions with batch normalization, in two widths and two depths."""

from collections.abc import Iterable

import keras
import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.models import classifier
from handwriting.models.classifier import Seeds

__all__ = ["vgg", "vgg_deep", "vgg_small"]


def vgg_small(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Six convolutions in pairs of 32, 64 and 128, global average pooling, dropout, softmax.

    Conv 32, Conv 32, max pool 2, Conv 64, Conv 64, max pool 2, Conv 128, Conv 128, average over the
    image, dropout 0.3; 3x3, padded, each with batch normalization and ReLU.

    Input shape: (n, h, w) uint8, 4 x 4 or larger. Output shape: (n, classes) float32
    probabilities. Parameters: 299,902 for 94 characters, at any image shape.

    Args:
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: fewer than two characters, or images under 4 x 4.

    Example:
        >>> vgg_small(94).count_params()
        299902

    Source:
        Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition.
        ICLR 2015 (arXiv 1409.1556), made small, with batch normalization. Accuracy: docs/models.md.
    """
    return _vgg("vgg_small", 32, (2, 2, 2), alphabet, image_shape, rng)


def vgg_deep(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """:func:`vgg_small` with a third convolution in its second and in its third stage.

    Input shape: (n, h, w) uint8, 4 x 4 or larger. Output shape: (n, classes) float32
    probabilities. Parameters: 484,990 for 94 characters, at any image shape.

    Args:
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: fewer than two characters, or images under 4 x 4.

    Example:
        >>> vgg_deep(94).count_params()
        484990

    Source:
        As :func:`vgg_small`.
    """
    return _vgg("vgg_deep", 32, (2, 3, 3), alphabet, image_shape, rng)


def vgg(
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """:func:`vgg_small`, twice as wide.

    Input shape: (n, h, w) uint8, 4 x 4 or larger. Output shape: (n, classes) float32
    probabilities. Parameters: 1,171,102 for 94 characters, at any image shape.

    Args:
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: fewer than two characters, or images under 4 x 4.

    Example:
        >>> vgg(94).count_params()
        1171102

    Source:
        As :func:`vgg_small`.
    """
    return _vgg("vgg", 64, (2, 2, 2), alphabet, image_shape, rng)


def _vgg(
    name: str,
    filters: int,
    depths: tuple[int, int, int],
    alphabet: Alphabet | int,
    image_shape: tuple[int, int],
    rng: int | np.random.Generator | None,
) -> keras.Model:
    def hidden(seeds: Seeds) -> Iterable[keras.Layer]:
        for stage, depth in enumerate(depths):
            if stage:
                yield keras.layers.MaxPooling2D(2)
            for _ in range(depth):
                yield keras.layers.Conv2D(
                    filters << stage,
                    3,
                    padding="same",
                    use_bias=False,
                    kernel_initializer=keras.initializers.HeNormal(seed=seeds()),
                )
                yield keras.layers.BatchNormalization()
                yield keras.layers.ReLU()
        yield keras.layers.GlobalAveragePooling2D()
        yield keras.layers.Dropout(0.3, seed=seeds())

    return classifier.classifier(name, alphabet, image_shape, hidden, smallest=4, rng=rng)
