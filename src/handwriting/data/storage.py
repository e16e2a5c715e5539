"""Datasets as folders: ``.npy`` files that open as memory maps, and ``dataset.json``."""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from handwriting.errors import MissingDataError
from handwriting.files import StrPath, refusing_damage, replacing
from handwriting.images import Image

__all__ = ["Files", "Saved", "is_lines", "reading", "save_parts"]

_FACTS = "dataset.json"
_TEXTS = "texts.txt"


@dataclasses.dataclass(frozen=True)
class Files:
    """What a dataset keeps beside its images.

    Args:
        facts: ``format`` and what else JSON can hold.
        arrays: by the names of their files, without ``.npy``.
        writers: of ``writers.npy``; the facts get a note of whether they are known.
        texts: without line breaks; they become the lines of ``texts.txt``.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    writers: NDArray[np.int64] | None = None
    texts: Sequence[str] | None = None


class Dataset(Protocol):
    """Anything that tells its files."""

    def other_files(self) -> Files:
        """What stands beside the images."""


def save_parts(path: StrPath, parts: Iterable[Image], finish: Callable[[Image], Dataset]) -> None:
    """Save a dataset as its ``save`` does, its images part by part, in the memory of one part.

    Args:
        path: the folder to make; it must not exist.
        parts: images (k, h, w), one part at least, which may be empty.
        finish: makes the dataset from all images, a memory map, when the last part is written.

    Raises:
        FileExistsError: the folder exists.
        ValueError: the parts differ in their shapes.
    """
    with replacing(path) as folder:
        folder.mkdir()
        _write_images(folder / "images.npy", parts)
        files = finish(np.lib.format.open_memmap(folder / "images.npy", "r")).other_files()
        for name, array in files.arrays.items():
            np.save(folder / f"{name}.npy", array)
        if files.writers is not None:
            np.save(folder / "writers.npy", files.writers)
        if files.texts is not None:
            lines = "".join(f"{text}\n" for text in files.texts)
            (folder / _TEXTS).write_bytes(lines.encode())
        facts = {**files.facts, "writers": files.writers is not None}
        text = json.dumps(facts, ensure_ascii=False, indent=2)
        (folder / _FACTS).write_text(text + "\n", encoding="utf-8")


def _write_images(path: Path, parts: Iterable[Image]) -> None:
    """Write an ``.npy`` file of images whose number is known when the last one is written."""
    count, shape = 0, None
    with path.open("wb") as stream:
        for images in parts:
            if shape is None:
                shape = images.shape[1:]
                _write_header(stream, (0, *shape))
            if images.dtype != np.uint8 or images.shape[1:] != shape:
                raise ValueError(
                    f"all parts must be uint8 images of {shape}, got {images.dtype} of shape "
                    f"{images.shape}"
                )
            stream.write(np.ascontiguousarray(images).data)
            count += len(images)
        if shape is None:
            raise ValueError("parts must be one at least, which may be empty, got none")
        stream.seek(0)
        _write_header(stream, (count, *shape))


def _write_header(stream: BinaryIO, shape: tuple[int, ...]) -> None:
    # As long for one number of images as for another: numpy leaves room for it to grow.
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, facts)


class Saved:
    """The files of a saved dataset.

    Args:
        folder: where they are.
        form: what ``dataset.json`` must give as its format.
    """

    def __init__(self, folder: Path, form: str) -> None:
        self._folder = folder
        self.facts: dict[str, Any] = json.loads((folder / _FACTS).read_text("utf-8"))
        if not isinstance(self.facts, dict) or self.facts.get("format") != form:
            raise ValueError(f"{_FACTS} must say format {form!r}")

    def array(self, name: str) -> NDArray[Any]:
        """A read-only memory map."""
        path = self._folder / f"{name}.npy"
        array = np.lib.format.open_memmap(path, "r")
        length = array.offset + array.nbytes
        if path.stat().st_size != length:
            raise ValueError(
                f"{path.name} must have {length:,} bytes, as its header says, got "
                f"{path.stat().st_size:,}"
            )
        return array

    def writers(self) -> NDArray[Any] | None:
        """Those of ``writers.npy``, where the facts say that they are known; old ones do not."""
        known = self.facts.get("writers", False)
        if known not in (True, False):
            raise ValueError(f"writers in {_FACTS} must be true or false, got {known!r}")
        return self.array("writers") if known else None

    def texts(self) -> list[str]:
        """The lines of ``texts.txt``; only a line feed ends a line."""
        *lines, rest = (self._folder / _TEXTS).read_bytes().decode().split("\n")
        if rest:
            raise ValueError(f"{_TEXTS} must end with a line feed, got {rest[-20:]!r}")
        return lines


@contextlib.contextmanager
def reading(path: StrPath, form: str) -> Iterator[Saved]:
    """Give the files of a folder to a block that makes a dataset of them.

    Args:
        path: the folder that :func:`save_parts` made.
        form: the format that its facts must give.

    Raises:
        MissingDataError: there is no such folder, or a file of it is missing.
        CorruptFileError: a file is damaged, or the block found that they do not fit.
    """
    try:
        with refusing_damage(str(path), "make the dataset again"):
            yield Saved(Path(path), form)
    except FileNotFoundError as error:
        raise MissingDataError(
            f"{error.filename} is missing; {path} is not a dataset that save() wrote"
        ) from None


def is_lines(path: StrPath) -> bool:
    """Whether a folder holds a dataset of lines, by the files that are there."""
    return (Path(path) / _TEXTS).is_file()
