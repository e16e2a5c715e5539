"""Files that are either whole or not there.

Every file and folder this package leaves on disk passes through :func:`replacing`: written under a
temporary name in the same folder, then renamed. A kill, a full disk or an exception half way leaves
what was there before.
"""

import contextlib
import os
import shutil
import tokenize
import uuid
from collections.abc import Iterator
from pathlib import Path

from handwriting.errors import CorruptFileError, HandwritingError

__all__ = ["StrPath", "check_writable", "refusing_damage", "replacing"]

StrPath = str | os.PathLike[str]


@contextlib.contextmanager
def replacing(path: StrPath) -> Iterator[Path]:
    """Give a temporary path to write to, which takes the place of ``path`` on success.

    Missing parent folders are made. The temporary path keeps the suffix of ``path``, because many
    writers choose their format by it. What the block writes there may be a file or a folder; a file
    replaces a file, a folder never replaces anything.

    Args:
        path: where the finished file or folder shall stand.

    Yields:
        A path in the same folder, which does not exist yet.

    Raises:
        FileExistsError: ``path`` is a folder, a device or anything else but a regular file.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "note.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['note.txt']
    """
    # A link stays a link, and what it points to is replaced.
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise FileExistsError(f"{path} is a folder that exists; remove it or choose another path")
    if target.exists() and not target.is_file():
        raise FileExistsError(f"{path} is not a regular file; choose another path")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{uuid.uuid4().hex}{Path(path).suffix}"
    try:
        yield temporary
        _flush_to_disk(temporary)
        if target.exists():
            shutil.copymode(target, temporary)
        temporary.replace(target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def check_writable(path: StrPath) -> None:
    """Find out now, and not after an hour of work, that a file cannot be written.

    Raises:
        OSError: the folder cannot be made or written to, or ``path`` is no regular file.
    """
    with contextlib.suppress(_NotKept), replacing(path) as temporary:
        temporary.touch()
        raise _NotKept


@contextlib.contextmanager
def refusing_damage(what: str, advice: str) -> Iterator[None]:
    """Tell everything that parsers raise on damaged or foreign files as one exception.

    Args:
        what: the file, as the message shall name it.
        advice: what the user can do.

    Raises:
        CorruptFileError: the block raised what json, NumPy and checks of values raise.

    Example:
        >>> with refusing_damage("texts.txt", "fetch it again"):
        ...     raise EOFError("it ends early")
        Traceback (most recent call last):
        handwriting.errors.CorruptFileError: texts.txt is damaged (it ends early); fetch it again
    """
    try:
        yield
    except HandwritingError:
        raise
    except _DAMAGE as error:
        raise CorruptFileError(f"{what} is damaged ({error}); {advice}") from error


_DAMAGE = (
    *(ValueError, TypeError, KeyError, EOFError, OverflowError, RecursionError),
    *(NotADirectoryError, IsADirectoryError),
    *(tokenize.TokenError, SyntaxError),  # NumPy, of the header of an .npy file
)


class _NotKept(Exception):  # noqa: N818 - it is no error
    """Leaves :func:`replacing` with the old file in place."""


def _flush_to_disk(path: Path) -> None:
    # Without this a power cut after the rename may leave a name with no contents behind it.
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
