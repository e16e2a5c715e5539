"""Files that are either whole or not there.

Every file and folder this package leaves on disk passes through :func:`replacing`: written under a
temporary name in the same folder, then renamed. A kill, a full disk or an exception half way leaves
what was there before.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

__all__ = ["StrPath", "replacing"]

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
        FileExistsError: ``path`` is a folder that exists.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "note.txt") as temporary:
        ...     _ = temporary.write_text("whole")
        >>> [file.name for file in folder.iterdir()]
        ['note.txt']
    """
    target = Path(path)
    if target.is_dir():
        raise FileExistsError(f"{target} is a folder that exists; remove it or choose another path")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{uuid.uuid4().hex}{target.suffix}"
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(target)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    # Without this a power cut after the rename may leave a name with no contents behind it.
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
