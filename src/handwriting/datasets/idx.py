"""The IDX format of MNIST and EMNIST: a header, then one array in big-endian order.

The reader trusts nothing that the header claims: the sizes must account for exactly the bytes that
are there. It reads in blocks, so that a file larger than memory can go straight into a memory map.
"""

import dataclasses
import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath, replacing

__all__ = ["Header", "blocks", "open_stream", "read", "read_header", "write"]

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


def read(path: StrPath) -> NDArray[Any]:
    """Read an IDX file, compressed by gzip or not, into memory.

    Args:
        path: the file; whether it is compressed is seen from its first bytes.

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


def open_stream(path: StrPath) -> BinaryIO:
    """Open a file for reading, decompressing it on the way if it is gzip.

    Raises:
        MissingDataError: no such file.
    """
    try:
        with Path(path).open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
    except FileNotFoundError:
        raise MissingDataError(f"{path} does not exist; check the path") from None
    return cast("BinaryIO", gzip.open(path, "rb")) if compressed else Path(path).open("rb")


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


def blocks(stream: BinaryIO, header: Header, name: str) -> Iterator[bytes]:
    """The array's bytes, a block at a time, checked to be exactly as many as the header says.

    Raises:
        CorruptFileError: fewer or more bytes, or damaged compression.
    """
    left = header.data_bytes
    while left:
        block = _read(stream, min(left, _BLOCK), name)
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


def _read(stream: BinaryIO, count: int, name: str) -> bytes:
    try:
        return stream.read(count)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CorruptFileError(f"{name} is damaged ({error}); get a new copy") from error
