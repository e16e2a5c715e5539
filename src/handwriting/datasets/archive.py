"""Folders, zip files and tar files, read member by member; nothing is ever unpacked to disk.

The loaders see one thing, an :class:`Archive`: names of files and a way to open each. What a user
has, be it the published zip, a folder of what was in it, or a zip within a zip, is then the same.

An archive from elsewhere is not trusted: what it claims of its members is held against limits
before anything is read, and against the bytes while they are read.
"""

import abc
import contextlib
import dataclasses
import functools
import gzip
import importlib
import io
import itertools
import lzma
import os
import re
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from handwriting.errors import CorruptFileError, HandwritingError, MissingDataError
from handwriting.files import StrPath

__all__ = ["Archive", "Limits", "Member", "gunzip", "open_archive", "reading"]


@dataclasses.dataclass(frozen=True)
class Limits:
    """What an archive may claim at most.

    Args:
        members: how many files.
        total: bytes of all of them, unpacked.
        ratio: unpacked bytes for each packed one, of files over a mebibyte. Handwriting packs to a
            tenth; what packs to a thousandth was made to fill the memory of its reader.
    """

    members: int = 2_000_000
    total: int = 16 << 30
    ratio: int = 200


class Archive(abc.ABC):
    """Files by name, wherever they are.

    Args:
        path: what the user has on disk.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abc.abstractmethod
    def names(self) -> list[str]:
        """The files within, with forward slashes; hidden ones are left out."""

    @abc.abstractmethod
    def open(self, name: str) -> BinaryIO:
        """One of them, for reading from its start."""

    @abc.abstractmethod
    def read(self, name: str) -> bytes:
        """The whole of one of them.

        Raises:
            CorruptFileError: it is damaged.
        """

    @abc.abstractmethod
    def sources(self, *names: str) -> list[Path]:
        """The files on disk that members with these base names come from; of all, without names."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def find(self, *names: str) -> "Member | None":
        """The file with one of these base names, the one least deep in the folders.

        Raises:
            CorruptFileError: two are equally deep, and nothing tells which is meant.
        """
        found = sorted((name.count("/"), name) for name in self.names if _base(name) in names)
        if not found:
            return None
        if len(found) > 1 and found[0][0] == found[1][0]:
            raise CorruptFileError(
                f"{self.path} holds both {found[0][1]} and {found[1][1]}; give a path to one"
            )
        return Member(self, found[0][1])

    def get(self, *names: str) -> "Member":
        """As :meth:`find`.

        Raises:
            MissingDataError: there is none.
        """
        found = self.find(*names)
        if found is None:
            some = ", ".join(sorted({_base(name) for name in self.names})[:5]) or "no files"
            raise MissingDataError(
                f"{self.path} must hold {' or '.join(names)}, and holds {some} ...; check the path"
            )
        return found


@dataclasses.dataclass(frozen=True)
class Member:
    """One file of an archive; as text, what errors call it."""

    archive: Archive
    name: str

    def __str__(self) -> str:
        if isinstance(self.archive, _Folder):
            return str(self.archive.path / self.name)
        return f"{self.name} in {self.archive.path}"

    def open(self) -> BinaryIO:
        """The file, for reading from its start."""
        return self.archive.open(self.name)


def open_archive(path: StrPath | Member, limits: Limits | None = None) -> Archive:
    """Open a folder, a zip file or a tar file, or a zip file within one.

    Nothing of a file is read before its names are asked for.

    Args:
        path: the folder or file; of a tar file in parts (``.tar.gz.01``, ``.tar.gz.02`` and so on)
            the first; or a member of another archive, a zip file, which is read into memory.
        limits: what the archive may claim at most. A tar file is read into memory as a whole, and
            so may claim 2 GiB, whatever the limits say.

    Raises:
        MissingDataError: there is nothing at ``path``.
    """
    limits = limits or Limits()
    if isinstance(path, Member):
        if isinstance(path.archive, _Folder):
            return open_archive(path.archive.path / path.name, limits)
        member = path
        return _Zip(
            member.archive.path,
            lambda: io.BytesIO(member.archive.read(member.name)),
            str(member),
            limits,
        )
    path = Path(path)
    if path.is_dir():
        return _Folder(path)
    if not path.is_file():
        raise MissingDataError(f"{path} does not exist; check the path")
    if _TAR.search(path.name):
        return _Tar(path, limits)
    return _Zip(path, lambda: Path(path).open("rb"), str(path), limits)


@contextlib.contextmanager
def reading(name: object) -> Iterator[None]:
    """Tell what reading a file raises, be it packed or not, as the package's own errors.

    Args:
        name: what the error calls the file.

    Raises:
        MissingDataError: it is not there, or the disk does not give it.
        CorruptFileError: it is damaged.
    """
    try:
        yield
    except HandwritingError:
        raise
    except _damage() as error:
        raise CorruptFileError(f"{name} is damaged ({error}); get a new copy") from error
    except FileNotFoundError:
        raise MissingDataError(f"{name} does not exist; check the path") from None
    except OSError as error:
        if error.errno is None:  # so bz2 tells damage
            raise CorruptFileError(f"{name} is damaged ({error}); get a new copy") from error
        raise MissingDataError(
            f"{name} cannot be read ({error.strerror}); see that you may read it, and that the "
            "disk is well"
        ) from error


def gunzip(stream: BinaryIO) -> BinaryIO:
    """Decompress a gzip stream on the way, with the fastest library that is installed.

    zlib-ng (``pip install "handwriting[fast]"``) and isal take half the time of Python's own.
    """
    return cast("BinaryIO", _gzip_reader()(fileobj=stream, mode="rb"))


@functools.cache
def _gzip_reader() -> Any:
    for package, module, reader in (
        ("zlib_ng", "gzip_ng", "GzipNGFile"),
        ("isal", "igzip", "IGzipFile"),
    ):
        with contextlib.suppress(ImportError):
            return getattr(importlib.import_module(f"{package}.{module}"), reader)
    return gzip.GzipFile


def _damage() -> tuple[type[Exception], ...]:
    # isal and zlib-ng have errors of their own, if they have been loaded.
    faster = [sys.modules.get(name) for name in ("isal.isal_zlib", "zlib_ng.zlib_ng")]
    return (
        *(EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError),
        *(struct.error, NotImplementedError, ValueError, IndexError, OverflowError),
        *(lzma.LZMAError, RecursionError),
        *(module.error for module in faster if module),
    )


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _is_hidden(name: str) -> bool:
    # What the file managers of macOS leave beside the files.
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/") if part != ".")


_LONGEST_NAME = 500


def _check_name(archive: str, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if len(name) > _LONGEST_NAME or ".." in parts or parts[0] == "" or not name.isprintable():
        raise CorruptFileError(
            f"{archive} holds a file with the name {name[:100]!r}, which points outside or cannot "
            "be shown; it was made to do harm, or damaged"
        )


def _check_claims(archive: str, count: int, budget: int, limits: Limits) -> None:
    if count >= limits.members or budget < 0:
        raise CorruptFileError(
            f"{archive} claims more than {limits.members:,} files or {limits.total:,} bytes; get a "
            "new copy, or unpack it yourself and give the folder"
        )


class _Folder(Archive):
    """The files below a folder."""

    @functools.cached_property
    def names(self) -> list[str]:
        found: list[str] = []
        for folder, folders, files in os.walk(self.path, onerror=_refuse, followlinks=True):
            folders[:] = sorted(
                each for each in folders if not (_is_hidden(each) or _is_loop(Path(folder, each)))
            )
            inside = Path(folder).relative_to(self.path).as_posix()
            prefix = "" if inside == "." else f"{inside}/"
            found += [prefix + file for file in sorted(files) if not _is_hidden(file)]
        return found

    def open(self, name: str) -> BinaryIO:
        with reading(self.path / name):
            return (self.path / name).open("rb")

    def read(self, name: str) -> bytes:
        with reading(self.path / name):
            return (self.path / name).read_bytes()

    def find(self, *names: str) -> Member | None:
        # Most often it is right here, and the folder may be large.
        here = [name for name in names if (self.path / name).is_file()]
        return Member(self, here[0]) if here else super().find(*names)

    def sources(self, *names: str) -> list[Path]:
        if not names:
            return [self.path / name for name in self.names]
        found = [self.find(name) for name in names]
        return [self.path / member.name for member in found if member]

    def close(self) -> None:
        pass


def _refuse(error: OSError) -> None:
    # Left to itself os.walk leaves out what it cannot read.
    with reading(error.filename):
        raise error


def _is_loop(folder: Path) -> bool:
    """Whether a folder is a link to one that it is in."""
    if not folder.is_symlink():
        return False
    target = folder.resolve()
    return any(above.resolve() == target for above in folder.absolute().parents)


class _Zip(Archive):
    """The files in a zip file, which is not looked into before it must be."""

    def __init__(
        self, path: Path, stream: Callable[[], BinaryIO], name: str, limits: Limits
    ) -> None:
        super().__init__(path)
        self._stream, self._name, self._limits = stream, name, limits
        self._to_close = contextlib.ExitStack()

    @functools.cached_property
    def _zip(self) -> zipfile.ZipFile:
        with contextlib.ExitStack() as on_error:
            with reading(self._name):
                stream = on_error.enter_context(self._stream())
                opened = zipfile.ZipFile(stream)
            _check_zip(self._name, opened.infolist(), self._limits)
            self._to_close = on_error.pop_all()
            self._opened = stream
        return opened

    @functools.cached_property
    def _files(self) -> dict[str, zipfile.ZipInfo]:
        files = [info for info in self._zip.infolist() if not info.is_dir()]
        return {info.filename: info for info in files if not _is_hidden(info.filename)}

    @functools.cached_property
    def names(self) -> list[str]:
        return list(self._files)

    def open(self, name: str) -> BinaryIO:
        with reading(f"{name} in {self._name}"):
            return cast("BinaryIO", self._zip.open(self._files[name]))

    def read(self, name: str) -> bytes:
        info = self._files[name]
        with reading(f"{name} in {self._name}"):
            # zipfile's own way takes eight times as long, a third of the whole where the members
            # are pictures of characters. It does take what is large or packed in other ways.
            if info.compress_type not in _PLAIN or info.file_size > _SMALL:
                return self._zip.read(info)
            data = self._unpacked(info)
            if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
                raise zipfile.BadZipFile("its size or checksum is not what the archive says")
            return data

    def _unpacked(self, info: zipfile.ZipInfo) -> bytes:
        stream = self._opened
        stream.seek(info.header_offset)
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
        before = name_length + extra_length
        packed = stream.read(before + info.compress_size)
        # The name stands twice, and only the copy here tells when the other was damaged.
        name = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")
        if signature != b"PK\3\4" or packed[:name_length] != name:
            raise zipfile.BadZipFile("it does not stand where the archive says")
        packed = packed[before:]
        if info.compress_type == zipfile.ZIP_STORED:
            return packed
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, info.file_size + 1)

    def sources(self, *names: str) -> list[Path]:
        return [self.path]

    def close(self) -> None:
        self._to_close.close()


_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_SMALL = 1 << 20
_UTF8 = 1 << 11
# Signature, and the lengths of the two fields that stand between the header and the bytes.
_LOCAL_HEADER = struct.Struct("<4s22x2H")


def _check_zip(name: str, files: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Refuse what only a damaged or a hostile zip file has, before any of it is read."""
    _check_claims(name, len(files) - 1, limits.total - sum(f.file_size for f in files), limits)
    if len({info.filename for info in files}) < len(files):
        raise CorruptFileError(f"{name} holds two files of one name; get a new copy")
    end = 0
    for info in sorted(files, key=lambda info: info.header_offset):
        _check_name(name, info.filename)
        # Members that share their bytes are how a small file unpacks to petabytes. Python looks
        # for them itself only since 3.11.8 (gh-109858).
        if info.header_offset < end:
            raise CorruptFileError(f"{info.filename} in {name} overlaps another; get a new copy")
        end = info.header_offset + info.compress_size
        if info.flag_bits & 1:
            raise CorruptFileError(f"{name} is encrypted; unpack it and give the folder")
        if info.file_size > max(1 << 20, limits.ratio * info.compress_size):
            raise CorruptFileError(
                f"{info.filename} in {name} claims {info.file_size:,} bytes packed into "
                f"{info.compress_size:,}; it was made to fill your memory, or damaged"
            )


_TAR = re.compile(r"\.(tar|tar\.gz|tgz)(\.0*1)?$", re.IGNORECASE)
_TAR_TOTAL = 2 << 30


class _Tar(Archive):
    """The files in a tar file, compressed or not, perhaps in parts; all in memory."""

    def __init__(self, path: Path, limits: Limits) -> None:
        super().__init__(path)
        self._limits = dataclasses.replace(limits, total=min(limits.total, _TAR_TOTAL))

    @functools.cached_property
    def _files(self) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        left = self._limits.total
        with (
            _Joined(self.sources()) as joined,
            reading(self.path),
            _plain(joined) as stream,
            tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as tar,
        ):
            for count, info in enumerate(tar):
                left -= info.size
                _check_claims(str(self.path), count, left, self._limits)
                _check_name(str(self.path), info.name)
                # Links and devices have nothing to read.
                if info.isreg() and not _is_hidden(info.name):
                    name = info.name.removeprefix("./")
                    files[name] = cast("Any", tar.extractfile(info)).read()
            # The checksum stands behind the end that tar sees.
            while stream.read(1 << 20):
                pass
        return files

    @functools.cached_property
    def names(self) -> list[str]:
        return list(self._files)

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self._files[name])

    def read(self, name: str) -> bytes:
        return self._files[name]

    def sources(self, *names: str) -> list[Path]:
        digits = len(self.path.name) - len(self.path.name.rstrip("0123456789"))
        if not digits:
            return [self.path]
        stem = self.path.name[:-digits]
        parts = (self.path.with_name(f"{stem}{part:0{digits}}") for part in itertools.count(1))
        return list(itertools.takewhile(Path.is_file, parts))

    def close(self) -> None:
        pass


class _Header(tarfile.TarInfo):
    """One that does not take a damaged or missing header for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf and not any(buf):  # an empty block: the end
                raise
            raise tarfile.ReadError(f"{error} in place of a file or the end") from error


def _plain(stream: "_Joined") -> BinaryIO:
    buffered = io.BufferedReader(stream)
    return gunzip(buffered) if buffered.peek(2)[:2] == b"\x1f\x8b" else buffered


class _Joined(io.RawIOBase):
    """Files read one after the other, as if they were one."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._streams = [path.open("rb") for path in paths]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        for stream in self._streams:
            count = stream.readinto(buffer)
            if count:
                return count
        return 0

    def close(self) -> None:
        for stream in self._streams:
            stream.close()
        super().close()
