"""Where fetched and prepared files live.

Everything is under :func:`home`: the folder that the environment variable ``HANDWRITING_HOME``
names, else the user's cache folder.
"""

import contextlib
import dataclasses
import functools
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, overload

from handwriting.data import CharacterDataset, LineDataset
from handwriting.datasets.archive import Archive, Member, open_archive, reading
from handwriting.errors import HandwritingError, MissingDataError
from handwriting.files import StrPath

__all__ = ["KaggleSet", "home", "key", "prepared"]

Dataset = TypeVar("Dataset", CharacterDataset, LineDataset)

# To be raised when a loader makes something else of the same files, so that nobody goes on with
# what an older version made.
_GENERATION = 1
_STALE = 24 * 3600


@dataclasses.dataclass(frozen=True)
class KaggleSet:
    """A set that people fetch themselves, because Kaggle asks for a login.

    Args:
        slug: what Kaggle calls it, ``"owner/set"``.
        folder: of :func:`home`, where a copy is looked for.
        files: names of files that make a folder a copy.
    """

    slug: str
    folder: str
    files: tuple[str, ...]

    def on_disk(self) -> Path | None:
        """The folder of the copy that needs no path, or None if there is none."""
        folder = home() / self.folder
        names = (self._zip, *self.files)
        return folder if any((folder / name).is_file() for name in names) else None

    def open(self, path: StrPath | None) -> tuple[Archive, Member | None]:
        """Open somebody's copy.

        Args:
            path: the zip file, its folder, a folder with what was in it, or one file of that; None
                for :meth:`on_disk`.

        Returns:
            The archive, and the one file in it that ``path`` is, if it is one.

        Raises:
            MissingDataError: there is no copy; the message says how to get it.
        """
        path = path if path is not None else self.on_disk()
        if path is None:
            raise MissingDataError(
                f"{self.slug} is not in {home() / self.folder}, and Kaggle asks for a login; run "
                f"'kaggle datasets download -d {self.slug}' and pass {self._zip} as path, or put "
                "it there"
            )
        path = Path(path)
        if path.is_file() and path.suffix.lower() != ".zip":
            archive = open_archive(path.parent)
            return archive, Member(archive, path.name)
        inner = path / self._zip
        return open_archive(inner if inner.is_file() else path), None

    @property
    def _zip(self) -> str:
        return f"{self.slug.rpartition('/')[2]}.zip"


def home() -> Path:
    """The folder of all fetched and prepared files; it may not exist yet.

    Raises:
        MissingDataError: this user has no home folder; the message names the variable to set.
    """
    import platformdirs

    named = os.environ.get("HANDWRITING_HOME")
    try:
        return Path(named or platformdirs.user_cache_dir("handwriting")).expanduser()
    except RuntimeError as error:  # a user without a home folder
        raise MissingDataError(
            f"there is no folder for data ({error}); set HANDWRITING_HOME to one"
        ) from error


def key(files: Sequence[Path], *settings: object) -> str:
    """A name for what is made from some files: another one as soon as a file changes."""
    facts = [repr((_GENERATION, settings))]
    resolve = functools.cache(Path.resolve)  # of many files in few folders
    for file in files:
        with reading(file):
            state = file.stat()
        facts.append(f"{resolve(file.parent) / file.name} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


@overload
def prepared(folder: Path, make: Callable[[Path], None]) -> CharacterDataset: ...


@overload
def prepared(folder: Path, make: Callable[[Path], None], kind: type[Dataset]) -> Dataset: ...


def prepared(folder: Path, make: Callable[[Path], None], kind: type[Any] = CharacterDataset) -> Any:
    """The dataset saved in ``folder``, made if it is not there and made anew if it is damaged.

    Of several processes that make it at once, the first to finish wins, and the others take its
    folder.

    Args:
        folder: where the prepared files shall be.
        make: saves the dataset to the folder it is given, as a whole or not at all.
        kind: the class of the dataset.

    Raises:
        MissingDataError: the folder cannot be written; the message names the variable to set.
    """
    if folder.is_dir():
        try:
            return kind.open(folder)
        except HandwritingError:
            shutil.rmtree(folder, ignore_errors=True)
    _sweep(folder.parent)
    try:
        make(folder)
    except OSError as error:
        if isinstance(error, MissingDataError):
            raise
        if not folder.is_dir():
            raise MissingDataError(
                f"{folder} cannot be written ({error}); set HANDWRITING_HOME to a folder that can"
            ) from error
    return kind.open(folder)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed left half made, a day ago or longer."""
    for each in folder.glob(".*"):
        with contextlib.suppress(OSError):
            old = each.stat().st_mtime < time.time() - _STALE
            if old and each.is_dir() and re.fullmatch(r"\.[0-9a-f]{32}", each.name):
                shutil.rmtree(each)
