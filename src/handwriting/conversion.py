"""Datasets in the form that other libraries want.

Each function takes a dataset and gives what the library in its name iterates over. Pixels stay as
they are, ink 255 on paper 0. None of them copies the images as a whole: a set larger than memory is
read from its memory map while it is used. :class:`~handwriting.data.CharacterDataset` gives (image,
label), :class:`~handwriting.data.LineDataset` gives (image, width, text).

NumPy needs no conversion: ``dataset.images`` and ``dataset.labels`` are arrays.
"""

import dataclasses
import functools
import hashlib
import importlib.util
import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from handwriting.data import CharacterDataset, LineDataset
from handwriting.errors import HandwritingError
from handwriting.images import Image

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    import tensorflow as tf
    import torch

    from handwriting.training import Batches

__all__ = ["to_huggingface", "to_keras", "to_pandas", "to_tensorflow", "to_torch"]

Dataset = CharacterDataset | LineDataset


def to_keras(
    dataset: CharacterDataset,
    *,
    batch_size: int = 128,
    rng: int | np.random.Generator | None = None,
) -> "Batches":
    """A ``keras.utils.PyDataset`` of batches (images, labels), for ``model.fit``.

    Args:
        dataset: images of characters.
        batch_size: images a batch; the last one may be smaller.
        rng: a seed or a generator to shuffle by, anew for each epoch; None leaves the order. Then
            give ``shuffle=False`` to ``model.fit``, which else shuffles by Keras's global seed.

    Returns:
        Batches of (b, h, w) uint8 and (b,) int64.

    Raises:
        ValueError: there are no images.
        TypeError: lines, whose texts are no labels yet.

    Example:
        >>> from handwriting.datasets import digits
        >>> batches = to_keras(digits.load("train"), batch_size=500)
        >>> [len(labels) for _, labels in (batches[i] for i in range(len(batches)))]
        [500, 500, 437]
    """
    if not isinstance(dataset, CharacterDataset):
        raise TypeError(f"dataset must be a CharacterDataset, got {dataset!r}")
    from handwriting.training import Batches

    return Batches(dataset, batch_size=batch_size, seed=_seed(rng))


def to_tensorflow(
    dataset: Dataset,
    *,
    batch_size: int = 128,
    rng: int | np.random.Generator | None = None,
) -> "tf.data.Dataset":
    """A ``tf.data.Dataset`` of batches; ``unbatch()`` makes single elements of it.

    Args:
        dataset: images of characters or lines.
        batch_size: images a batch; the last one may be smaller.
        rng: a seed or a generator to shuffle by, anew for each pass; None leaves the order.

    Returns:
        Batches of images (b, h, w) uint8 and labels (b,) int64, or of images, widths (b,) int64 and
        texts (b,) string in UTF-8. Their number is known to TensorFlow.

    Raises:
        ValueError: ``batch_size`` is below 1.

    Example:
        >>> from handwriting.datasets import digits
        >>> for images, labels in to_tensorflow(digits.load("test"), batch_size=250):
        ...     print(images.shape, images.dtype.name, labels.dtype.name)
        (250, 28, 28) uint8 int64
        (110, 28, 28) uint8 int64
    """
    import tensorflow as tf

    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    columns, seed, passes = _columns(dataset), _seed(rng), iter(range(2**31))

    def batches() -> Iterator[tuple[NDArray[Any], ...]]:
        order = np.arange(len(dataset))
        if seed is not None:
            order = np.random.default_rng((seed, next(passes))).permutation(order)
        for start in range(0, len(order), batch_size):
            which = order[start : start + batch_size]
            yield tuple(column[which] for column in columns)

    signature = tuple(tf.TensorSpec((None, *each.shape[1:]), each.dtype) for each in columns)
    stream = tf.data.Dataset.from_generator(batches, output_signature=signature)
    number = tf.data.experimental.assert_cardinality(math.ceil(len(dataset) / batch_size))
    return stream.apply(number).prefetch(tf.data.AUTOTUNE)


def to_torch(dataset: Dataset) -> "torch.utils.data.Dataset[tuple[Any, ...]]":
    """A map-style ``torch.utils.data.Dataset``, for a ``DataLoader`` with any number of workers.

    Args:
        dataset: images of characters or lines.

    Returns:
        A dataset of (image, label) or (image, width, text), where image is a (h, w) uint8 tensor,
        label and width are ``int`` and text is ``str``. Workers open a memory map anew instead of
        receiving its images.

    Raises:
        HandwritingError: torch is not installed.

    Example:
        >>> from handwriting.datasets import digits
        >>> image, label = to_torch(digits.load("test"))[0]  # doctest: +SKIP
        >>> image.shape, image.dtype, label  # doctest: +SKIP
        (torch.Size([28, 28]), torch.uint8, 5)
    """
    _need("torch", "torch")
    return _torch_class()(dataset)


def to_huggingface(dataset: Dataset, *, cache_dir: str | None = None) -> "datasets.Dataset":
    """A ``datasets.Dataset`` with the columns image and label, or image and text.

    The images are written as PNG to the library's cache, once for each content.

    Args:
        dataset: images of characters or lines. Lines are cut to their own width.
        cache_dir: a folder in place of the library's own cache.

    Returns:
        Features ``Image`` and ``ClassLabel`` with the characters as names (null is ``"null"``), or
        ``Image`` and ``Value("string")``.

    Raises:
        HandwritingError: datasets is not installed.

    Example:
        >>> from handwriting.datasets import digits
        >>> import tempfile
        >>> hub = to_huggingface(digits.load("test"), cache_dir=tempfile.mkdtemp())
        >>> hub.features["label"].names[:3]
        ['0', '1', '2']
    """
    _need("datasets", "huggingface")
    import datasets

    if isinstance(dataset, LineDataset):
        meaning = {"text": datasets.Value("string")}
    else:
        names = [character or "null" for character in dataset.alphabet]
        meaning = {"label": datasets.ClassLabel(names=names)}
    features = datasets.Features({"image": datasets.Image(), **meaning})
    if not len(dataset):  # of which from_generator would say that it "corresponds to no data"
        return datasets.Dataset.from_dict({name: [] for name in features}, features=features)
    return datasets.Dataset.from_generator(
        functools.partial(_rows, dataset),
        features=features,
        cache_dir=cache_dir,
        # Without it the library would pickle the whole set to find out whether it is in the cache.
        fingerprint=_fingerprint(dataset),
    )


def to_pandas(dataset: Dataset) -> "pd.DataFrame":
    """A ``pandas.DataFrame`` with one row an image.

    Args:
        dataset: images of characters or lines.

    Returns:
        The columns label (int64), character (categorical, in the order of the alphabet) and image;
        or text (str), width (int64) and image. An image is a (h, w) uint8 view of the dataset's
        own, for lines without the padding; ``np.stack(frame["image"])`` makes one array of equal
        ones.

    Raises:
        HandwritingError: pandas is not installed.

    Example:
        >>> from handwriting.datasets import digits
        >>> frame = to_pandas(digits.load("test"))
        >>> frame.groupby("character", observed=True).size()["7"]
        np.int64(36)
    """
    _need("pandas", "pandas")
    import pandas as pd

    images = np.empty(len(dataset), object)  # else NumPy would make one array of equal images
    if isinstance(dataset, LineDataset):
        for i, width in enumerate(dataset.widths.tolist()):
            images[i] = dataset.images[i, :, :width]
        return pd.DataFrame({"text": dataset.texts, "width": dataset.widths, "image": images})
    images[:] = [*dataset.images]
    characters = pd.Categorical.from_codes(dataset.labels, list(dataset.alphabet))
    return pd.DataFrame({"label": dataset.labels, "character": characters, "image": images})


def _seed(rng: int | np.random.Generator | None) -> int | None:
    return None if rng is None else int(np.random.default_rng(rng).integers(2**31))


def _columns(dataset: Dataset) -> tuple[NDArray[Any], ...]:
    if isinstance(dataset, LineDataset):
        texts = np.array([text.encode() for text in dataset.texts], object)
        return dataset.images, dataset.widths, texts
    return dataset.images, dataset.labels


def _need(package: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise HandwritingError(f'{package} is not installed; pip install "handwriting[{extra}]"')


def _rows(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """What datasets stores: PNG in the form of its feature Image, and the meaning."""
    for i, image in enumerate(dataset.images):
        if isinstance(dataset, LineDataset):
            png = _png(image[:, : dataset.widths[i]])
            yield {"image": {"bytes": png, "path": None}, "text": dataset.texts[i]}
        else:
            yield {"image": {"bytes": _png(image), "path": None}, "label": int(dataset.labels[i])}


def _png(image: Image) -> bytes:
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def _fingerprint(dataset: Dataset) -> str:
    """A hash of what :func:`to_huggingface` stores."""
    digest = hashlib.sha256(repr((dataset.images.shape, dataset.alphabet.characters)).encode())
    for start in range(0, len(dataset), 4096):
        digest.update(dataset.images[start : start + 4096].tobytes())
    for column in _columns(dataset)[1:]:
        digest.update(repr(column.tolist()).encode())
    return digest.hexdigest()[:32]


@functools.cache
def _torch_class() -> Any:
    """The class is made when torch is there, and found again by to_torch when it is unpickled."""
    import torch

    class TorchDataset(torch.utils.data.Dataset[tuple[Any, ...]]):
        def __init__(self, source: Dataset) -> None:
            self._source = source

        def __len__(self) -> int:
            return len(self._source)

        def __getitem__(self, index: int) -> tuple[Any, ...]:
            source = self._source
            image = torch.from_numpy(np.array(source.images[index]))  # a copy, as maps cannot write
            if isinstance(source, LineDataset):
                return image, int(source.widths[index]), source.texts[index]
            return image, int(source.labels[index])

        def __reduce__(self) -> tuple[Any, ...]:
            fields = {
                field.name: getattr(self._source, field.name)
                for field in dataclasses.fields(self._source)
            }
            fields["images"] = _place(self._source.images) or self._source.images
            return _reopened, (type(self._source), fields)

    return TorchDataset


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where the images of a memory map stand in its file."""

    path: str
    offset: int
    shape: tuple[int, ...]


def _place(images: Image) -> _Place | None:
    root = images
    while isinstance(root.base, np.ndarray):
        root = root.base
    if not isinstance(root, np.memmap) or root.mode != "r" or not root.filename:
        return None
    if not images.size or not images.flags.c_contiguous:
        return None
    offset = root.offset + images.ctypes.data - root.ctypes.data
    return _Place(str(root.filename), offset, images.shape)


def _reopened(kind: type[Dataset], fields: dict[str, Any]) -> "torch.utils.data.Dataset[Any]":
    place = fields["images"]
    if isinstance(place, _Place):
        images = np.memmap(place.path, np.uint8, "r", place.offset, place.shape)
        fields = {**fields, "images": images}
    return to_torch(kind(**fields))
