"""The IDX format of MNIST and EMNIST: a header, then one array in big-endian order.

The reader trusts nothing that the header claims: the sizes must account for exactly the bytes that
are there. It reads in blocks, so that a file larger than memory can go straight into a memory map.
"""

import contextlib
import dataclasses
import functools
import gzip
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Alphabet, Labels
from handwriting.data import CharacterDataset, save_parts
from handwriting.datasets.archive import Archive, Member, gunzip, open_archive, reading
from handwriting.errors import CorruptFileError
from handwriting.files import StrPath, replacing
from handwriting.images import Image

__all__ = [
    "KINDS",
    "Header",
    "blocks",
    "open_source",
    "open_stream",
    "prepare",
    "read",
    "read_header",
    "save",
    "spellings",
    "write",
]

KINDS = ("images-idx3", "labels-idx1")

_CODES = {"|u1": 8, "|i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Header:
    """What an IDX file says of itself."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def data_bytes(self) -> int:
        """Size of the array, in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def encoded(self) -> bytes:
        """The header as the file has it."""
        axes = len(self.shape)
        return struct.pack(f">BBBB{axes}I", 0, 0, _CODES[self.dtype.str], axes, *self.shape)


def read(path: StrPath | Member) -> NDArray[Any]:
    """Read an IDX file, compressed by gzip or not, into memory.

    Args:
        path: the file, or a member of an archive; whether it is compressed is seen from its first
            bytes.

    Returns:
        The array in native byte order.

    Raises:
        MissingDataError: no such file.
        CorruptFileError: damaged, cut short, or not an IDX file.
    """
    import idx2numpy

    with open_stream(path) as stream:
        header = read_header(stream, str(path))
        # Grown block by block: a forged header cannot make it allocate more than the file holds.
        data = b"".join([header.encoded, *blocks(stream, header, str(path))])
    try:
        array: NDArray[Any] = idx2numpy.convert_from_string(data)
    except (idx2numpy.FormatError, ValueError) as error:
        raise CorruptFileError(
            f"{path} claims the shape {header.shape}, which no array can have"
        ) from error
    return array.astype(header.dtype.newbyteorder("="))


def write(path: StrPath, array: NDArray[Any]) -> None:
    """Write an array as an IDX file, compressed where the name ends in ``.gz``.

    Args:
        path: the file, replaced as a whole.
        array: uint8, int8, int16, int32, float32 or float64.

    Raises:
        ValueError: another dtype.
    """
    dtype = np.dtype(array.dtype.newbyteorder(">"))
    if dtype.str not in _CODES or array.ndim == 0:
        raise ValueError(
            "array must be uint8, int8, int16, int32, float32 or float64 with at least one axis, "
            f"got {array.dtype} of shape {array.shape}"
        )
    # idx2numpy's own writer passes every element as an argument to struct.pack.
    data = Header(dtype, array.shape).encoded + array.astype(dtype).tobytes()
    with replacing(path) as temporary:
        # Without a time stamp equal arrays make equal files.
        compress = str(path).endswith(".gz")
        temporary.write_bytes(gzip.compress(data, mtime=0) if compress else data)


def save(dataset: CharacterDataset, path: StrPath) -> None:
    """Write a dataset as a pair of files of MNIST's form.

    They are ``images-idx3-ubyte.gz`` and ``labels-idx1-ubyte.gz``.

    Args:
        dataset: with at most 256 characters; its alphabet and name are not kept.
        path: the folder to make; it must not exist.

    Raises:
        FileExistsError: it exists.
        ValueError: more characters than a byte can tell apart.
    """
    if len(dataset.alphabet) > 256:
        raise ValueError(
            f"IDX files of labels hold at most 256 characters, got {len(dataset.alphabet)}"
        )
    arrays = (dataset.images, dataset.labels.astype(np.uint8))
    with replacing(path) as folder:
        folder.mkdir()
        for kind, array in zip(KINDS, arrays, strict=True):
            write(folder / f"{kind}-ubyte.gz", array)


@contextlib.contextmanager
def open_stream(path: StrPath | Member) -> Iterator[BinaryIO]:
    """Open a file for reading, decompressing it on the way if it is gzip.

    Raises:
        MissingDataError: no such file.
        CorruptFileError: the archive that it is in is damaged.
    """
    opener = path.open if isinstance(path, Member) else functools.partial(_open, path)
    with reading(path), opener() as file:
        compressed = file.read(2) == b"\x1f\x8b"
    with opener() as file:
        if compressed:
            with gunzip(file) as stream:
                yield stream
        else:
            yield file


def _open(path: StrPath) -> BinaryIO:
    return Path(path).open("rb")


def read_header(stream: BinaryIO, name: str) -> Header:
    """Read the header and leave the stream at the first byte of the array.

    Args:
        stream: at the beginning of the (decompressed) file.
        name: what errors call the file.

    Raises:
        CorruptFileError: not an IDX header.
    """
    magic = _read(stream, 4, name)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not 1 <= magic[3] <= 32:
        raise CorruptFileError(
            f"{name} is not an IDX file: it must begin with 0, 0, a type code and the number of "
            f"axes, got {magic.hex(' ') or 'nothing'}; get a new copy"
        )
    sizes = _read(stream, 4 * magic[3], name)
    if len(sizes) < 4 * magic[3]:
        raise CorruptFileError(f"{name} ends within its header; get a new copy")
    return Header(np.dtype(_DTYPES[magic[2]]), struct.unpack(f">{magic[3]}I", sizes))


def blocks(stream: BinaryIO, header: Header, name: str, *, size: int = _BLOCK) -> Iterator[bytes]:
    """The array's bytes, a block at a time, checked to be exactly as many as the header says.

    Args:
        stream: after the header.
        header: what it said.
        name: what errors call the file.
        size: of a block, in bytes; all but the last have it.

    Raises:
        CorruptFileError: fewer or more bytes, or damaged compression.
    """
    left = header.data_bytes
    while left:
        block = _read(stream, min(left, size), name)
        if not block:
            raise CorruptFileError(
                f"{name} is cut short: its header says {header.shape}, {header.data_bytes:,} bytes,"
                f" and {left:,} of them are missing; get a new copy"
            )
        left -= len(block)
        yield block
    if _read(stream, 1, name):
        raise CorruptFileError(
            f"{name} goes on after the {header.data_bytes:,} bytes of {header.shape} that its "
            "header says; get a new copy"
        )


def spellings(name: str) -> tuple[str, ...]:
    """The names under which copies of a published IDX file are found.

    Example:
        >>> spellings("t10k-labels-idx1-ubyte")[:2]
        ('t10k-labels-idx1-ubyte.gz', 't10k-labels-idx1-ubyte')
    """
    # Some copies have a dot where the published name has its second hyphen.
    dotted = name.replace("-idx", ".idx")
    return (f"{name}.gz", name, f"{dotted}.gz", dotted)


def open_source(path: StrPath) -> Archive:
    """The folder or zip file that holds IDX files; of one such file, its folder."""
    path = Path(path)
    return open_archive(path.parent if "ubyte" in path.name and path.is_file() else path)


def prepare(
    images: Member,
    labels: Member,
    folder: Path,
    alphabet: Alphabet,
    *,
    name: str,
    recipe: str,
    first_label: int = 0,
    transposed: bool = False,
) -> None:
    """Save a dataset from a pair of IDX files, image by image, in little memory.

    Args:
        images: uint8, (n, 28, 28), ink 255.
        labels: uint8, (n,).
        folder: the dataset to write.
        alphabet: what the labels mean.
        name: of the dataset.
        recipe: of the dataset.
        first_label: the number that stands for the alphabet's first character.
        transposed: rows and columns are exchanged in the file.

    Raises:
        CorruptFileError: a file is damaged, or the two do not belong together.
    """
    numbers = _read_labels(labels, first_label, len(alphabet))
    with open_stream(images) as stream:
        header = read_header(stream, str(images))
        if header.dtype != np.uint8 or header.shape[1:] != _IMAGE_SHAPE:
            raise CorruptFileError(
                f"{images} must hold uint8 images of 28 x 28, got {header.dtype} of shape "
                f"{header.shape}; it is another file, or damaged"
            )
        if header.shape[0] != len(numbers):
            raise CorruptFileError(
                f"{images} holds {header.shape[0]:,} images and {labels} {len(numbers):,} "
                "labels; they do not belong together: get both from one place"
            )
        save_parts(
            folder,
            _image_parts(stream, header, str(images), transposed=transposed),
            lambda whole: CharacterDataset(whole, numbers, alphabet, name, recipe),
        )


_IMAGE_SHAPE = (28, 28)
_IMAGES_AT_ONCE = 2048


# EMNIST, the largest of these sets, has under a million. A gzip file of 4 MB can hold 4 billion.
_MOST_LABELS = 100_000_000


def _read_labels(labels: Member, first_label: int, classes: int) -> Labels:
    with open_stream(labels) as stream:
        claimed = read_header(stream, str(labels)).data_bytes
    if claimed > _MOST_LABELS:
        raise CorruptFileError(
            f"{labels} must hold at most {_MOST_LABELS:,} labels, and claims {claimed:,} bytes; it "
            "is damaged, or was made to fill your memory"
        )
    numbers = read(labels)
    if numbers.dtype != np.uint8 or numbers.ndim != 1:
        raise CorruptFileError(
            f"{labels} must hold uint8 labels of shape (n,), got {numbers.dtype} of shape "
            f"{numbers.shape}; it is another file, or damaged"
        )
    last_label = first_label + classes - 1
    if len(numbers) and not first_label <= numbers.min() <= numbers.max() <= last_label:
        raise CorruptFileError(
            f"{labels} must hold uint8 labels from {first_label} to {last_label}, got "
            f"{numbers.min()} to {numbers.max()}; it is another file, or damaged"
        )
    return numbers.astype(np.int64) - first_label


def _image_parts(
    stream: BinaryIO, header: Header, name: str, *, transposed: bool
) -> Iterator[Image]:
    if header.shape[0] == 0:
        yield np.zeros(header.shape, np.uint8)
    for block in blocks(stream, header, name, size=_IMAGES_AT_ONCE * math.prod(_IMAGE_SHAPE)):
        if len(block) % math.prod(_IMAGE_SHAPE) == 0:  # else it is cut short, and blocks says so
            part = np.frombuffer(block, np.uint8).reshape(-1, *_IMAGE_SHAPE)
            yield part.transpose(0, 2, 1) if transposed else part


def _read(stream: BinaryIO, count: int, name: str) -> bytes:
    with reading(name):
        return stream.read(count)
