"""Datasets as folders: ``.npy`` files that open as memory maps, and ``dataset.json``."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handwriting.errors import MissingDataError
from handwriting.files import StrPath, refusing_damage, replacing

__all__ = ["Saved", "reading", "write"]

_FACTS = "dataset.json"
_TEXTS = "texts.txt"


def write(
    path: StrPath,
    facts: Mapping[str, Any],
    *,
    texts: Iterable[str] | None = None,
    **arrays: NDArray[Any],
) -> None:
    """Write a folder with the facts, one file for each array, and perhaps one of texts.

    Args:
        path: the folder to make; it must not exist.
        facts: ``format`` and what else JSON can hold.
        texts: without line breaks; they become the lines of ``texts.txt``.
        **arrays: by the names of their files, without ``.npy``.

    Raises:
        FileExistsError: the folder exists.
    """
    with replacing(path) as folder:
        folder.mkdir()
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        if texts is not None:
            lines = "".join(f"{text}\n" for text in texts)
            (folder / _TEXTS).write_bytes(lines.encode())
        text = json.dumps(facts, ensure_ascii=False, indent=2)
        (folder / _FACTS).write_text(text + "\n", encoding="utf-8")


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
        return np.lib.format.open_memmap(self._folder / f"{name}.npy", "r")

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
        path: the folder that :func:`write` made.
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
