"""What all character classifiers share: the first layers, the last one, and seeds."""

from collections.abc import Callable, Iterable

import keras
import numpy as np

from handwriting.alphabet import Alphabet

__all__ = ["Seeds", "classifier", "convolution", "dense", "initializer"]

Seeds = Callable[[], int]
"""Gives another seed for an initializer or a dropout layer each time it is called."""


def classifier(
    name: str,
    alphabet: Alphabet | int,
    image_shape: tuple[int, int],
    hidden: Callable[[Seeds], Iterable[keras.Layer]],
    *,
    smallest: int,
    rng: int | np.random.Generator | None,
) -> keras.Model:
    """Put hidden layers between uint8 images and one probability for each character.

    Args:
        name: of the model; the name of its builder.
        alphabet: an alphabet, or how many characters there are.
        image_shape: (height, width) of the images.
        hidden: makes the layers between; they see float32 (n, h, w, 1) in [0, 1].
        smallest: the least side of an image that the layers can take, in pixels.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: fewer than two characters, or images too small.
    """
    classes = alphabet if isinstance(alphabet, int) else len(alphabet)
    if classes < 2:
        raise ValueError(f"{name} needs an alphabet of at least 2 characters, got {classes}")
    height, width = image_shape
    if min(height, width) < smallest:
        raise ValueError(
            f"{name} needs images of at least {smallest} x {smallest}, got {height} x {width}; "
            "scale them with preprocessing.fit_box"
        )
    generator = np.random.default_rng(rng)

    def seeds() -> int:
        return int(generator.integers(2**31))

    return keras.Sequential(
        [
            keras.Input((height, width), dtype="uint8"),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Reshape((height, width, 1)),
            *hidden(seeds),
            keras.layers.Dense(
                classes, activation="softmax", kernel_initializer=initializer(seeds)
            ),
        ],
        name=name,
    )


def initializer(seeds: Seeds) -> keras.Initializer:
    """Keras's default initializer with a seed of its own, so that no global seed matters."""
    return keras.initializers.GlorotUniform(seed=seeds())


def dense(units: int, seeds: Seeds) -> keras.Layer:
    """A dense layer with ReLU."""
    return keras.layers.Dense(units, activation="relu", kernel_initializer=initializer(seeds))


def convolution(filters: int, size: int, seeds: Seeds, *, padding: str = "valid") -> keras.Layer:
    """A square convolution with ReLU."""
    return keras.layers.Conv2D(
        filters, size, activation="relu", padding=padding, kernel_initializer=initializer(seeds)
    )
