"""Builders by name, for files and the command line."""

from collections.abc import Callable

import keras
import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.models.convnet import convnet_deep, convnet_small
from handwriting.models.crnn import crnn, crnn_deep, crnn_small
from handwriting.models.dense import dense, dense_small
from handwriting.models.lenet import lenet
from handwriting.models.vgg import vgg, vgg_deep, vgg_small

__all__ = ["LINE_NAMES", "NAMES", "build"]

_BUILDERS: dict[str, Callable[..., keras.Model]] = {
    builder.__name__: builder
    for builder in (
        dense,
        dense_small,
        lenet,
        convnet_small,
        convnet_deep,
        vgg_small,
        vgg_deep,
        vgg,
    )
}
NAMES = tuple(_BUILDERS)
"""Builders of models that read one character an image."""

_BUILDERS |= {builder.__name__: builder for builder in (crnn, crnn_small, crnn_deep)}
LINE_NAMES = tuple(name for name in _BUILDERS if name not in NAMES)
"""Builders of models that read lines."""


def build(
    name: str,
    alphabet: Alphabet | int,
    image_shape: tuple[int, int | None] | None = None,
    *,
    rng: int | np.random.Generator | None = None,
) -> keras.Model:
    """Build a model by the name of its builder.

    Args:
        name: one of :data:`NAMES` or :data:`LINE_NAMES`.
        alphabet: as the builder takes it.
        image_shape: (height, width) of the images; the builder's default if None. Readers of
            lines take images of any width where it is None.
        rng: seed of the initial weights and of dropout; None draws one.

    Raises:
        ValueError: no such builder, or what the builder refuses.

    Example:
        >>> build("lenet", 10).name
        'lenet'
    """
    if name not in _BUILDERS:
        raise ValueError(f"name must be one of {', '.join(_BUILDERS)}, got {name!r}")
    shape = () if image_shape is None else (image_shape,)
    return _BUILDERS[name](alphabet, *shape, rng=rng)
