"""The weights of a model as numbers, in half precision: what a trained network ships as.

An ``.npz`` file with one array for each weight and the card of :mod:`handwriting.models.file`. The
network is built anew by the builder that the card names, so nothing in the file is run.
"""

import io
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Alphabet
from handwriting.errors import CorruptFileError
from handwriting.files import StrPath, refusing_damage, replacing
from handwriting.models.file import (
    CARD,
    Card,
    build_described,
    card,
    card_to_json,
    describe,
    is_finite,
    read_member,
)
from handwriting.models.registry import LINE_NAMES, build

__all__ = ["load_weights", "save_weights"]

_DTYPES = (np.dtype("<f2"), np.dtype("<f4"))
_HALF_ERROR = 2.0**-11
_HEADER_BYTES = 1000


def save_weights(
    model: keras.Model, path: StrPath, *, alphabet: Alphabet, recipe: str | None = None
) -> None:
    """Write a model's weights in half precision, with what it takes to build the model anew.

    The file is half as large as that of :func:`handwriting.models.save`. Vectors, such as biases
    and the variances of batch normalization, stay in single precision, and so does every array
    that half precision cannot hold: one with an entry over 65,504, or whose largest is too small.

    Args:
        model: made by a builder of :mod:`handwriting.models`.
        path: ends in ``.npz``; an older file is replaced only by a whole one.
        alphabet: the characters of the model's outputs; line readers get the null at label 0.
        recipe: the name of the recipe that its training images were made with.

    Raises:
        ValueError: as :func:`handwriting.models.save`, or ``path`` does not end in ``.npz``.

    Example:
        >>> import tempfile
        >>> from handwriting.alphabet import DIGITS
        >>> from handwriting.models import lenet
        >>> path = Path(tempfile.mkdtemp()) / "mine.npz"
        >>> save_weights(lenet(DIGITS), path, alphabet=DIGITS, recipe="mnist")
        >>> card(path).model, load_weights(path).count_params()
        ('lenet', 95044)
    """
    if Path(path).suffix != ".npz":
        raise ValueError(f"path must end in .npz, got {str(path)!r}")
    facts, twin = describe(model, alphabet, recipe)
    values = [np.asarray(each, np.float32) for each in twin.get_weights()]
    with (
        replacing(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(CARD, card_to_json(facts))
        for name, array in zip(_names(twin), values, strict=True):
            with archive.open(name, "w") as member:
                np.lib.format.write_array(member, _halved(array), allow_pickle=False)


def load_weights(
    path: StrPath, *, image_shape: tuple[int, int | None] | None = None
) -> keras.Model:
    """Build the model whose weights :func:`save_weights` wrote.

    Safe for files of any origin: name, shape and type of every array are compared with what the
    network that the card names must have before any is read, and nothing larger is.

    Args:
        path: the file.
        image_shape: (height, width) of the images of the model, for networks with the same weights
            at every size, such as ``vgg_deep``; as it was trained if None.

    Returns:
        The model in single precision, not compiled. Its alphabet and recipe are in
        ``models.card(path)``.

    Raises:
        MissingDataError: no such file.
        CorruptFileError: damaged, forged, or not written by :func:`save_weights`.
        ValueError: the network has other weights for images of this shape.
    """
    facts = card(path)
    model = build_described(facts, path)
    names = _names(model)
    with zipfile.ZipFile(path) as archive:
        found = sorted(archive.namelist())
    if found != sorted([CARD, *names]):
        raise CorruptFileError(
            f"the weights in {path} are not those of a {facts.model}: {len(found) - 1} arrays "
            f"instead of {len(names)}, or others; get a new copy"
        )
    arrays = []
    for name, weight in zip(names, model.weights, strict=True):
        shape = tuple(weight.shape)
        limit = 4 * int(np.prod(shape)) + _HEADER_BYTES
        data = read_member(path, name, limit)
        with refusing_damage(f"{name} in {path}", "get a new copy"):
            arrays.append(_read(data, shape))
    model.set_weights(arrays)
    if not is_finite(model):
        raise CorruptFileError(f"the weights in {path} are not all finite; get a new copy")
    return model if image_shape is None else _resized(model, facts, image_shape)


def _resized(model: keras.Model, facts: Card, image_shape: tuple[int, int | None]) -> keras.Model:
    """The same weights for images of another shape."""
    height, width = image_shape
    if None in image_shape and facts.model not in LINE_NAMES:
        raise ValueError(f"image_shape must be two numbers for a {facts.model}, got {image_shape}")
    other = build(facts.model, facts.alphabet, image_shape)
    # A larger one tells whether weights belong to single pixels, of which two shapes may have as
    # many.
    larger = build(facts.model, facts.alphabet, (height + 16, width and width + 16))
    shapes = [each.shape for each in model.weights]
    if any([each.shape for each in one.weights] != shapes for one in (other, larger)):
        raise ValueError(
            f"image_shape must be {facts.image_shape}, got {image_shape}: a {facts.model} has "
            "other weights for each shape"
        )
    other.set_weights(model.get_weights())
    return other


def _names(model: keras.Model) -> list[str]:
    """A name in the file for each weight; Keras's own count up over all models of a program."""
    owners = [(layer, weight) for layer in model.layers for weight in layer.weights]
    return [
        f"{number:03}-{type(layer).__name__}-{weight.name}.npy"
        for number, (layer, weight) in enumerate(owners)
    ]


def _halved(array: NDArray[np.float32]) -> NDArray[Any]:
    """An array in half precision where that keeps each entry, to a part of the largest."""
    if array.ndim < 2:
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    worst = np.abs(half.astype(np.float32) - array).max(initial=0)
    return half if worst <= _HALF_ERROR * np.abs(array).max(initial=0) else array


def _read(data: bytes, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array, if its header says what it must; only then is anything allocated."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"it must be in version 1.0 of the .npy form, got {version}")
    given, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if given != shape or fortran or dtype not in _DTYPES:
        raise ValueError(f"it must be float16 or float32 of shape {shape}, got {dtype} of {given}")
    values = np.frombuffer(data, dtype, offset=stream.tell())
    return values.reshape(shape).astype(np.float32)
