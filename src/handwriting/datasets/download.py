"""Published files, fetched once, whole and verified.

What is in the cache under a file's name is the file: it was hashed while it came in, under another
name, and renamed when it was found right. Everything else serves to waste no work. An interrupted
download goes on where it stopped. Processes that start together wait for one of them; the lock that
they wait on carries no correctness, for on some network file systems it locks nothing: then each
downloads on its own, and all end with the same file.
"""

import contextlib
import dataclasses
import hashlib
import ipaddress
import json
import logging
import os
import re
import shutil
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from handwriting import __version__
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import replacing

if TYPE_CHECKING:
    import requests

__all__ = ["RemoteFile", "fetch", "is_fetched", "verify"]

TIMEOUT = 30.0
TRIES = 3
PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_LOCK_PATIENCE = 3600.0
_CHUNK = 1 << 16
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_logger = logging.getLogger("handwriting")


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """A published file, with what proves it.

    Args:
        name: file name.
        size: bytes; None where it is not published.
        sha256: of its contents, hexadecimal; None where it is not published: then the one of the
            first download is recorded, and later ones are held against it.
        mirrors: addresses of folders that hold it, tried in order. They begin with ``https://``;
            plain ``http://`` is for this machine alone.
    """

    name: str
    size: int | None
    sha256: str | None
    mirrors: tuple[str, ...]

    def __str__(self) -> str:
        facts = [f"{self.size:,} bytes" if self.size is not None else ""]
        facts += [f"sha256 {self.sha256}" if self.sha256 else ""]
        known = ", ".join(fact for fact in facts if fact)
        return f"{self.name} ({known})" if known else self.name


def fetch(file: RemoteFile, folder: Path, *, offline: bool = False) -> Path:
    """The file in ``folder``, downloaded and verified if it is not there.

    A file that somebody put there by hand is verified once.

    Args:
        file: what to fetch.
        folder: where to keep it.
        offline: never use the network, as if the environment variable ``HANDWRITING_OFFLINE``
            were 1.

    Raises:
        MissingDataError: no mirror gave the right file, or the folder cannot be written, or
            ``offline`` and it is not there; the message says where to put the file by hand.
        CorruptFileError: ``offline``, and what is there is another file.
    """
    target = folder / file.name
    if is_fetched(file, folder):
        return target
    try:
        if target.is_file() and _adopt(file, target):
            return target
        if offline or os.environ.get("HANDWRITING_OFFLINE", "0").lower() not in ("", "0", "false"):
            raise _offline_error(file, target)
        folder.mkdir(parents=True, exist_ok=True)
        with _waiting_for_others(folder / f".{file.name}.lock"):
            if not is_fetched(file, folder):
                _download(file, target)
    except MissingDataError:
        raise
    except OSError as error:
        raise MissingDataError(
            f"{folder} cannot be written ({error}); make room, or set HANDWRITING_HOME to another "
            "folder"
        ) from error
    return target


def is_fetched(file: RemoteFile, folder: Path) -> bool:
    """Whether the file is in ``folder``, verified, and has not changed since.

    It looks at size and time and reads nothing: see :func:`verify`.
    """
    target = folder / file.name
    try:
        state = target.stat()
    except OSError:
        return False
    stamp = _read_stamp(target)
    unchanged = (stamp.get("size"), stamp.get("mtime_ns")) == (state.st_size, state.st_mtime_ns)
    return unchanged and file.sha256 in (None, stamp.get("sha256"))


def verify(file: RemoteFile, folder: Path) -> None:
    """Read a fetched file again, every byte.

    Raises:
        MissingDataError: it is not there.
        CorruptFileError: it is not what was published, or, where no hash is published, not what was
            first downloaded.
    """
    target = folder / file.name
    if not target.is_file():
        raise MissingDataError(f"{target} is missing; load the set once to fetch it")
    if not _adopt(file, target):
        raise CorruptFileError(_difference(file, target))


def _expected(file: RemoteFile, target: Path) -> str | None:
    """The hash that the contents must have, if any is known."""
    return file.sha256 or _read_stamp(target).get("sha256")


def _adopt(file: RemoteFile, target: Path) -> bool:
    """Whether the file there is the right one; if so, remember that."""
    state = target.stat()
    if file.size not in (None, state.st_size):
        return False
    with target.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if _expected(file, target) not in (None, found):
        return False
    _write_stamp(file, target, found, state)
    return True


def _difference(file: RemoteFile, target: Path) -> str:
    with target.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    return (
        f"{target} must be the published file ({file.size or 'any number of'} bytes, sha256 "
        f"{_expected(file, target)}), got {target.stat().st_size} bytes, sha256 {found}; delete it "
        "and load the set again"
    )


def _offline_error(file: RemoteFile, target: Path) -> Exception:
    if target.is_file():
        return CorruptFileError(_difference(file, target))
    return MissingDataError(
        f"{file.name} is not in {target.parent} and must not be fetched offline; put {file} there, "
        f"or pass path; it is published at {' and '.join(file.mirrors)}"
    )


def _stamp_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.json")


def _read_stamp(target: Path) -> dict[str, Any]:
    """What is remembered of a verified file; nothing if that is damaged."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        stamp = json.loads(_stamp_path(target).read_text(encoding="utf-8"))
        if isinstance(stamp, dict):
            return stamp
    return {}


def _write_stamp(file: RemoteFile, target: Path, sha256: str, state: os.stat_result) -> None:
    if _expected(file, target) is None:
        _logger.warning(
            "no hash is published of %s; recorded the one seen now, sha256 %s", file.name, sha256
        )
    stamp = {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": sha256}
    # A folder of somebody else's may be read-only: then the file is verified each time.
    with contextlib.suppress(PermissionError), replacing(_stamp_path(target)) as temporary:
        temporary.write_text(json.dumps(stamp), encoding="utf-8")


@contextlib.contextmanager
def _waiting_for_others(path: Path) -> Iterator[None]:
    import filelock

    lock = filelock.FileLock(path)
    # A killed owner's lock is free at once; an owner that hangs for an hour is not waited for.
    with contextlib.suppress(filelock.Timeout, NotImplementedError):
        lock.acquire(timeout=_LOCK_PATIENCE)
    try:
        yield
    finally:
        lock.release()


class _Refused(Exception):  # noqa: N818 - says what a mirror did
    """A mirror does not have the file; another may."""


class _Interrupted(Exception):  # noqa: N818
    """Worth another try at the same mirror, after a pause of at least so many seconds."""

    def __init__(self, message: str, pause: float = 0) -> None:
        super().__init__(message)
        self.pause = pause  # seconds


def _download(file: RemoteFile, target: Path) -> None:
    expected = _expected(file, target)
    failures = []
    with _Part(target) as part:
        for mirror in file.mirrors:
            try:
                _from_mirror(file, mirror + urllib.parse.quote(file.name), part, expected)
            except (_Refused, _Interrupted) as failure:
                failures.append(f"{mirror} {failure}")
                continue
            state = part.take_the_place_of(target)
            _write_stamp(file, target, part.sha256(), state)
            return
    raise MissingDataError(
        f"{file.name} could not be fetched; get {file} by other means and put it into "
        f"{target.parent}, or pass path; {'; '.join(failures)}"
    )


def _from_mirror(file: RemoteFile, url: str, part: "_Part", expected: str | None) -> None:
    """Complete the part from one mirror."""
    for attempt in range(TRIES):
        if expected is None and not part.etag_at(url):
            part.clear()  # nothing would tell whether the rest belongs to what is there
        resumed = part.size
        try:
            if not resumed or resumed != file.size:
                _receive(file, url, part)
            if expected in (None, part.sha256()):
                return
            part.clear()
            message = f"sent another file than the published one (not sha256 {expected})"
            if not resumed:
                raise _Refused(message)
            # Perhaps it was the old beginning that was wrong.
        except _Interrupted as failure:
            message = str(failure)
            if attempt + 1 < TRIES:
                time.sleep(max(failure.pause, PAUSE * 2**attempt))
    raise _Refused(f"{message}, {TRIES} times")


def _receive(file: RemoteFile, url: str, part: "_Part") -> None:
    """Append what the server sends, from where the part ends."""
    import requests
    import urllib3

    headers = {"Accept-Encoding": "identity", "User-Agent": f"handwriting/{__version__}"}
    if part.size:
        headers["Range"] = f"bytes={part.size}-"
        if etag := part.etag_at(url):
            headers["If-Range"] = etag
    try:
        with (
            _session() as session,
            session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response,
        ):
            _check_answer(file, response, part)
            part.remember(response.headers.get("ETag"), url)
            with _progress(file, part.size) as bar:
                # The bytes as they are: some servers call a .gz file an encoding of its contents.
                while chunk := response.raw.read(_CHUNK, decode_content=False):
                    _check_chunk(file, chunk, part)
                    part.append(chunk)
                    bar.update(len(chunk))
    except requests.exceptions.InvalidSchema as error:
        raise _Refused(str(error)) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Interrupted(_reason(error)) from error
    except ValueError as error:  # of addresses and numbers in the answer
        raise _Refused(f"sent an answer that cannot be read ({error})") from error
    if file.size is not None and part.size < file.size:
        raise _Interrupted(f"broke off after {part.size:,} of {file.size:,} bytes")


def _reason(error: Exception) -> str:
    text = str(error)
    if "timed out" in text.lower():
        return f"was silent for {TIMEOUT:g} s"
    cause = re.search(r"\[Errno -?\d+\] [^'\")]+", text)
    return f"broke off ({cause[0] if cause else type(error).__name__})"


def _check_answer(file: RemoteFile, response: "requests.Response", part: "_Part") -> None:
    """Go on only if what follows are the bytes of the file after those of the part."""
    status, headers = response.status_code, response.headers
    if status in _TRANSIENT:
        asked = headers.get("Retry-After", "")
        pause = min(float(asked), _LONGEST_PAUSE) if asked.isdigit() else 0
        raise _Interrupted(f"answered {status} {response.reason}", pause)
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        part.clear()
        raise _Interrupted(f"answered {status} {response.reason}")
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise _Refused(f"answered {status} {response.reason}")
    if "html" in headers.get("Content-Type", ""):
        raise _Refused(_WEB_PAGE)
    if status == HTTPStatus.OK:
        part.clear()
    elif not _is_continuation(headers.get("Content-Range", ""), file, part):
        part.clear()
        raise _Interrupted("sent another part than asked for")
    length = headers.get("Content-Length", "")
    if file.size is not None and length.isdigit() and part.size + int(length) != file.size:
        raise _Refused(f"has a file of {part.size + int(length):,} bytes")
    if file.size is None and not length and headers.get("Transfer-Encoding") != "chunked":
        raise _Refused("does not say how long the file is, so that a cut would go unseen")


_WEB_PAGE = "sent a web page in place of the file"


def _is_continuation(content_range: str, file: RemoteFile, part: "_Part") -> bool:
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range)
    if match is None or int(match[1]) != part.size:
        return False
    return file.size is None or match[2] in ("*", str(file.size))


def _check_chunk(file: RemoteFile, chunk: bytes, part: "_Part") -> None:
    if part.size == 0 and chunk.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        raise _Refused(_WEB_PAGE)
    if file.size is not None and part.size + len(chunk) > file.size:
        part.clear()
        raise _Refused(f"sent more than {file.size:,} bytes")


def _session() -> "requests.Session":
    import requests

    class Session(requests.Session):
        """One that goes to no address in the clear, not even when it is sent there."""

        def get_adapter(self, url: str) -> Any:
            if not _is_safe(url):
                raise requests.exceptions.InvalidSchema(
                    f"leads to {url}, and only https is safe from being changed on the way"
                )
            return super().get_adapter(url)

    return Session()


def _is_safe(url: str) -> bool:
    address = urllib.parse.urlsplit(url)
    if address.scheme == "https":
        return True
    with contextlib.suppress(ValueError):
        return address.scheme == "http" and ipaddress.ip_address(address.hostname or "").is_loopback
    return False


def _progress(file: RemoteFile, start: int) -> Any:
    import tqdm

    # disable=None: only where somebody watches.
    return tqdm.tqdm(
        total=file.size, initial=start, desc=file.name, unit="B", unit_scale=True, disable=None
    )


class _Part:
    """What has come of a file so far: its bytes on disk, and their hash.

    It begins with a copy of what an interrupted download left. A copy, because somebody may still
    be writing to the other: nobody else ever writes to this one. If it does not become the file, it
    stays for the next download.

    Args:
        target: the file that it shall become.
    """

    def __init__(self, target: Path) -> None:
        self._path = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
        self._pattern = f".{target.name}.*.part"
        self.size = 0
        self.etag: str | None = None
        self._etag_of = ""

    def __enter__(self) -> Self:
        self._digest = hashlib.sha256()
        self._stream = cast("BinaryIO", self._path.open("x+b"))
        try:
            self._take_over_orphans()
        except BaseException:
            self._stream.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # what could not be flushed is not counted as received
            self._stream.close()
        if not self.size:
            self._path.unlink(missing_ok=True)
            self._notes.unlink(missing_ok=True)

    @property
    def _notes(self) -> Path:
        return self._path.with_suffix(".etag")

    def _take_over_orphans(self) -> None:
        orphans = [each for each in self._path.parent.glob(self._pattern) if each != self._path]
        for orphan in sorted(orphans, key=_size, reverse=True):
            notes = orphan.with_suffix(".etag")
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                if not self.size:
                    with orphan.open("rb") as stream:
                        while chunk := stream.read(1 << 20):
                            self.append(chunk)
                    with contextlib.suppress(FileNotFoundError, ValueError):
                        self.remember(*json.loads(notes.read_text(encoding="utf-8")))
            for each in (orphan, notes):
                each.unlink(missing_ok=True)

    def append(self, chunk: bytes) -> None:
        self._stream.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def clear(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()
        self._digest = hashlib.sha256()
        self.size, self.etag = 0, None

    def remember(self, etag: str | None, url: str) -> None:
        """Note which version of the file this is, for whoever goes on with it."""
        # A weak one does not promise equal bytes.
        if etag and not etag.startswith("W/"):
            self.etag, self._etag_of = etag, url
            self._notes.write_text(json.dumps([etag, url]), encoding="utf-8")

    def etag_at(self, url: str) -> str | None:
        return self.etag if self._etag_of == url else None

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def take_the_place_of(self, target: Path) -> os.stat_result:
        self._stream.flush()
        os.fsync(self._stream.fileno())
        try:
            self._path.replace(target)
        except FileNotFoundError:
            # Without a working lock another process took it for an orphan; its bytes are still
            # ours.
            self._stream.seek(0)
            with replacing(target) as copy, copy.open("wb") as stream:
                shutil.copyfileobj(self._stream, stream)
        self._stream.close()
        self._notes.unlink(missing_ok=True)
        return target.stat()


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0
