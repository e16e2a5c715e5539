"""What a hundred processes make of a server that misbehaves; docs/benchmarks.md.

    python benchmarks/downloading.py [--processes 100]

A server on this machine answers each request in a manner drawn at random: well, slowly, with half
of the file and then nothing or a closed connection, with one flipped bit, with a web page, or with
an error. All processes start on an empty folder and fetch one file of 300 kB.
"""

import argparse
import collections
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from misbehaving_server import DATA, SHA256, running

MANNERS = ("good", "slow", "cut", "silent", "flipped", "a page", "a page in disguise", "broken")
PROCESS = """
import hashlib, sys
from pathlib import Path
from handwriting.datasets import download
from handwriting.errors import MissingDataError
download.TIMEOUT, download.PAUSE = 3, 0.1
file = download.RemoteFile("data.gz", {size}, {sha256!r}, ({address!r}, {address!r} + "2/"))
if not {locked}:
    import contextlib
    download._waiting_for_others = lambda path: contextlib.nullcontext()
try:
    path = download.fetch(file, Path({folder!r}))
except MissingDataError:
    sys.exit("gave up")
if hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
    sys.exit("wrong")
"""
SAYS = {b"": "right file", b"gave up\n": "gave up and said why"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=100)
    count = parser.parse_args().processes
    print(f"| {count} processes on an empty folder | outcome | GETs | time |")
    print("|---|---|---|---|")
    for locked in (True, False):
        for manners in (("slow",), MANNERS):
            show(count, manners, locked=locked)


def show(count: int, manners: tuple[str, ...], *, locked: bool) -> None:
    """Run one round and print its row."""
    with running() as server, tempfile.TemporaryDirectory() as folder:
        server.at_random(0, manners)
        code = PROCESS.format(
            size=len(DATA), sha256=SHA256, address=server.address, folder=folder, locked=locked
        )
        start = time.perf_counter()
        processes = [
            subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)  # noqa: S603
            for _ in range(count)
        ]
        said = collections.Counter(process.communicate()[1] for process in processes)
        seconds = time.perf_counter() - start
        outcomes = [f"{number} {SAYS.get(text, text.decode())}" for text, number in said.items()]
        what = "a slow server" if len(manners) == 1 else "a server that fails at random"
        lock = "" if locked else ", no lock"
        print(
            f"| {what}{lock} | {', '.join(sorted(outcomes, reverse=True))} | "
            f"{len(server.requests)} | {seconds:.0f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
