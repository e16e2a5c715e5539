"""Builders by name, for files and the command line."""

from collections.abc import Callable

import keras
import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.models.convnet import convnet_deep, convnet_small
from handwriting.models.dense import dense, dense_small
from handwriting.models.lenet import lenet

__all__ = ["NAMES", "build"]

_BUILDERS: dict[str, Callable[..., keras.Model]] = {
    builder.__name__: builder
    for builder in (dense, dense_small, lenet, convnet_small, convnet_deep)
}
NAMES = tuple(_BUILDERS)


def build(
    name: str,
    alphabet: Alphabet | int,
    image_shape: tuple[int, int] = (28, 28),
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Build a model by the name of its builder.

    Raises:
        ValueError: no such builder, or what the builder refuses.

    Example:
        >>> build("lenet", 10).name
        'lenet'
    """
    if name not in _BUILDERS:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    return _BUILDERS[name](alphabet, image_shape, rng=rng)
