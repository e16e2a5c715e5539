import hashlib
import logging
import os
import signal
import subprocess
import sys
import time

import pytest
from misbehaving_server import DATA, SHA256, running

from handwriting.datasets import download
from handwriting.datasets.download import RemoteFile, fetch, is_fetched, verify
from handwriting.errors import CorruptFileError, MissingDataError


@pytest.fixture
def server():
    with running() as started:
        yield started


@pytest.fixture
def file(server):
    return RemoteFile("data.gz", len(DATA), SHA256, (server.address,))


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    monkeypatch.setattr(download, "PAUSE", 0.01)


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


WHOLE = [".data.gz.json", ".data.gz.lock", "data.gz"]


def test_a_file_is_fetched_once(server, file, home):
    assert fetch(file, home).read_bytes() == DATA
    assert fetch(file, home) == home / "data.gz"
    assert len(server.requests) == 1
    assert left_in(home) == WHOLE


@pytest.mark.parametrize(
    ("manners", "requests"),
    [
        (["broken", "busy"], 3),
        (["cut"], 2),
        (["cut", "cut"], 3),
        (["silent"], 2),
        (["cut", "ignorant of ranges"], 2),
        (["cut", "at another place"], 3),
        (["cut", "416"], 3),
        (["cut", "flipped"], 3),
        (["called gzip"], 1),
        (["slow"], 1),
    ],
)
def test_what_passes_is_tried_again_where_it_stopped(manners, requests, server, file, home):
    server.manners = list(manners)

    assert fetch(file, home).read_bytes() == DATA
    assert len(server.requests) == requests
    assert left_in(home) == WHOLE


def test_only_the_missing_bytes_are_sent_again(server, file, home):
    server.manners = ["cut"]

    fetch(file, home)

    assert [start for _, start, _ in server.requests] == [0, len(DATA) // 2]
    assert server.sent == len(DATA)


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ("missing", "answered 404 Not Found"),
        ("broken", "answered 503 Service Unavailable, 3 times"),
        ("a page", "sent a web page in place of the file"),
        ("a page in disguise", "sent a web page in place of the file"),
        ("too short", "has a file of 299,999 bytes"),
        ("too long", "sent more than 300,000 bytes"),
        ("flipped", f"sent another file than the published one (not sha256 {SHA256})"),
        ("silent", "was silent for 0.5 s, 3 times"),
        ("at another place", "sent another part than asked for, 3 times"),
    ],
)
def test_a_mirror_that_fails_is_told_and_the_next_one_asked(manner, said, server, file, home):
    server.manner = lambda path: manner if path.startswith("/bad/") else "good"
    bad = RemoteFile(file.name, file.size, file.sha256, (f"{server.address}bad/",))
    both = RemoteFile(file.name, file.size, file.sha256, (*bad.mirrors, *file.mirrors))

    with pytest.raises(MissingDataError) as caught:
        fetch(bad, home)
    assert not (home / "data.gz").exists()
    fetched = fetch(both, home)

    assert str(caught.value) == (
        f"data.gz could not be fetched; get data.gz (300,000 bytes, sha256 {SHA256}) by other "
        f"means and put it into {home}, or pass path; {server.address}bad/ {said}"
    )
    assert fetched.read_bytes() == DATA
    assert left_in(home) == WHOLE


def test_every_mirror_is_told_of(server, home):
    server.manners = ["missing", "a page"]
    mirrors = (server.address, f"{server.address}2/", "http://127.0.0.1:9/")

    with pytest.raises(MissingDataError) as caught:
        fetch(RemoteFile("data.gz", len(DATA), SHA256, mirrors), home)

    said = str(caught.value).split("; ")[2:]
    assert said == [
        f"{mirrors[0]} answered 404 Not Found",
        f"{mirrors[1]} sent a web page in place of the file",
        f"{mirrors[2]} broke off ([Errno 111] Connection refused), 3 times",
    ]


def test_a_long_answer_is_stopped_at_once(server, file, home):
    server.manners = ["too long"]

    with pytest.raises(MissingDataError):
        fetch(file, home)

    assert server.sent < 20 * len(DATA)


def test_the_server_is_asked_for_the_bytes_as_they_are(server, file, home):
    fetch(file, home)

    headers = server.requests[0][2]
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("handwriting/")


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1:80@example.org/",
        "ftp://127.0.0.1/",
        "file:///etc/",
    ],
)
def test_no_address_in_the_clear_is_gone_to(address, server, file, home):
    with pytest.raises(MissingDataError, match="only https is safe"):
        fetch(RemoteFile("data.gz", None, None, (address,)), home)

    server.manners, server.elsewhere = ["elsewhere"], f"{address}data.gz"
    with pytest.raises(MissingDataError, match="only https is safe"):
        fetch(file, home)


@pytest.mark.parametrize("address", ["http://[/data.gz", "https://.a/\xb2"])
def test_an_address_that_is_none_is_refused(address, server, file, home):
    server.manner = lambda path: "elsewhere"
    server.elsewhere = address

    with pytest.raises(MissingDataError, match="sent an answer that cannot be read"):
        fetch(file, home)


def test_a_redirection_is_followed(server, file, home):
    server.manners, server.elsewhere = ["elsewhere"], f"{server.address}moved"

    assert fetch(file, home).read_bytes() == DATA


def test_a_file_put_there_by_hand_is_verified_once(server, file, home, monkeypatch):
    home.mkdir()
    (home / "data.gz").write_bytes(DATA)
    assert not is_fetched(file, home)

    fetch(file, home, offline=True)
    monkeypatch.setattr(hashlib, "file_digest", None)
    fetch(file, home, offline=True)

    assert is_fetched(file, home)
    assert not server.requests


@pytest.mark.parametrize("content", [b"short", DATA[:-1] + b"x"])
def test_another_file_of_its_name_is_replaced(content, file, home):
    home.mkdir()
    (home / "data.gz").write_bytes(content)

    with pytest.raises(CorruptFileError, match=r"data\.gz must be the published file"):
        fetch(file, home, offline=True)
    assert (home / "data.gz").read_bytes() == content
    assert fetch(file, home).read_bytes() == DATA


@pytest.mark.parametrize("how", ["argument", "variable"])
def test_offline_nothing_is_asked_for(how, server, file, home, monkeypatch):
    if how == "variable":
        monkeypatch.setenv("HANDWRITING_OFFLINE", "1")

    with pytest.raises(MissingDataError, match=rf"put data\.gz \(300,000 bytes.*{server.address}"):
        fetch(file, home, offline=how == "argument")

    assert not server.requests
    assert not home.exists()


def test_a_changed_file_is_found_by_its_time_and_by_verify(file, home):
    fetch(file, home)
    verify(file, home)
    state = (home / "data.gz").stat()
    (home / "data.gz").write_bytes(DATA[:-1] + b"x")
    assert not is_fetched(file, home)
    os.utime(home / "data.gz", ns=(state.st_atime_ns, state.st_mtime_ns))

    assert is_fetched(file, home)
    with pytest.raises(CorruptFileError, match="must be the published file"):
        verify(file, home)


def test_what_was_never_fetched_cannot_be_verified(file, home):
    with pytest.raises(MissingDataError, match=r"data\.gz is missing"):
        verify(file, home)


def test_without_a_published_hash_the_first_one_is_recorded(server, home, caplog):
    file = RemoteFile("data.gz", None, None, (server.address,))

    with caplog.at_level(logging.WARNING, "handwriting"):
        fetch(file, home)
        fetch(file, home)

    assert [record.getMessage() for record in caplog.records] == [
        f"no hash is published of data.gz; recorded the one seen now, sha256 {SHA256}"
    ]
    verify(file, home)
    (home / "data.gz").write_bytes(DATA + b"x")
    with pytest.raises(CorruptFileError, match=SHA256):
        verify(file, home)


def test_without_a_published_hash_another_file_is_not_taken_later(server, home):
    file = RemoteFile("data.gz", None, None, (server.address,))
    fetch(file, home).unlink()
    server.manner = lambda path: "flipped"

    with pytest.raises(MissingDataError, match="sent another file"):
        fetch(file, home)


@pytest.mark.parametrize("manner", ["cut", "silent"])
def test_without_a_published_hash_a_cut_is_seen_and_mended(manner, server, home):
    server.manners = [manner]

    assert fetch(RemoteFile("data.gz", None, None, (server.address,)), home).read_bytes() == DATA
    assert server.requests[1][2]["If-Range"] == '"version-1"'


def test_without_any_length_a_cut_could_not_be_seen(server, home):
    server.manner = lambda path: "endless"

    with pytest.raises(MissingDataError, match="does not say how long the file is"):
        fetch(RemoteFile("data.gz", None, None, (server.address,)), home)


@pytest.mark.parametrize("stamp", [b"", b"[]", b"{", b"\xff", b'{"size": 300000}'])
def test_a_damaged_stamp_means_that_the_file_is_verified_anew(stamp, server, file, home):
    fetch(file, home)
    (home / ".data.gz.json").write_bytes(stamp)

    assert not is_fetched(file, home)
    fetch(file, home)
    assert is_fetched(file, home)
    assert len(server.requests) == 1


def test_a_folder_that_cannot_be_written_is_named_with_the_variable(file, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(MissingDataError, match=r"cannot be written .* set HANDWRITING_HOME"):
        fetch(file, tmp_path / "file" / "folder")


def test_a_full_disk_leaves_no_file_and_is_no_network_failure(server, file, home, monkeypatch):
    real = download._Part.append

    def append(part, chunk):
        if part.size > 100_000:
            raise OSError(28, "No space left on device")
        real(part, chunk)

    monkeypatch.setattr(download._Part, "append", append)
    with pytest.raises(MissingDataError, match=r"cannot be written \(\[Errno 28\]"):
        fetch(file, home)
    assert len(server.requests) == 1
    assert not (home / "data.gz").exists()

    monkeypatch.setattr(download._Part, "append", real)
    assert fetch(file, home).read_bytes() == DATA
    assert server.requests[1][1] > 100_000
    assert left_in(home) == WHOLE


SCRIPT = """
import sys
from pathlib import Path
from handwriting.datasets import download
download.TIMEOUT, download.PAUSE = 2, 0.01
file = download.RemoteFile("data.gz", {size}, "{sha256}", ("{address}",))
{extra}
print("started", flush=True)
try:
    path = download.fetch(file, Path(sys.argv[1]))
except download.MissingDataError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
import hashlib
sys.exit(hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256)
"""
NO_LOCK = """
import contextlib
download._waiting_for_others = lambda path: contextlib.nullcontext()
"""


def start(server, home, extra=""):
    script = SCRIPT.format(size=len(DATA), sha256=SHA256, address=server.address, extra=extra)
    return subprocess.Popen(
        [sys.executable, "-c", script, str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def codes(processes):
    for process in processes:
        process.communicate(timeout=60)
    return [process.returncode for process in processes]


def test_processes_that_start_together_download_once(server, home):
    server.manner = lambda path: "slow"

    assert codes([start(server, home) for _ in range(8)]) == [0] * 8
    assert len(server.requests) == 1
    assert left_in(home) == WHOLE


def test_a_lock_that_locks_nothing_costs_only_work(server, home):
    server.manner = lambda path: "slow"

    assert codes([start(server, home, NO_LOCK) for _ in range(8)]) == [0] * 8
    assert len(server.requests) == 8
    assert (home / "data.gz").read_bytes() == DATA


def test_a_killed_download_goes_on_with_the_missing_bytes(server, file, home):
    server.manner = lambda path: "slow"
    process = start(server, home)
    process.stdout.readline()
    while not (parts := list(home.glob("*.part"))) or parts[0].stat().st_size < 60_000:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    server.manner = lambda path: "good"
    there = parts[0].stat().st_size

    assert fetch(file, home).read_bytes() == DATA
    assert server.requests[-1][1] == there
    assert left_in(home) == WHOLE


def test_processes_at_a_server_that_fails_at_random_never_end_with_a_wrong_file(server, home):
    server.at_random(0, ["good", "slow", "cut", "flipped", "silent", "a page", "broken"])

    finished = codes([start(server, home) for _ in range(12)])

    assert set(finished) <= {0, 3}
    assert (home / "data.gz").read_bytes() == DATA
