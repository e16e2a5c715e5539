"""How fast and in how much memory large sets open, with other ways beside; docs/benchmarks.md.

    python benchmarks/datasets.py [--folder FOLDER]

Makes two files of the true form in FOLDER (about 250 MB, kept for the next run): an EMNIST
``gzip.zip`` whose byclass-train part has the real number of images, each packed to about the real
249 bytes, and an AlphaNum-like ``train.zip`` of 76,000 PNG files. Every figure comes from a process
of its own: the best time of several, and the largest peak of memory beyond that after the imports.
"""

import argparse
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

import handwriting as hw
from handwriting.images import Image

BYCLASS = 697_932
PNGS = 76_000

# What runs in each process, after the imports in the first part.
HEAD = """
import re, sys, time
from pathlib import Path
import numpy as np
{imports}
def peak():  # not getrusage, which begins with what the parent process had
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s*(\\d+)", status)[1]) / 1024
before = peak()
start = time.perf_counter()
{code}
seconds = time.perf_counter() - start
import json
print(json.dumps([seconds, peak() - before, peak()]))
"""
OURS = "from handwriting.datasets import {module}, archive, store"
LOAD = 'data = emnist.load("train", {path!r}, subset="byclass")'
MEMBER = "gzip/emnist-byclass-train-images-idx3-ubyte.gz"
ZIPPED = "zipfile.ZipFile({path!r}).open({member!r})"
PEERS = {
    "the `emnist` package's way (patched for NumPy 2)": (
        "import gzip, zipfile",
        (
            f"data = gzip.open({ZIPPED}).read()\n"
            "data = np.frombuffer(bytearray(data[16:]), np.uint8).reshape(-1, 28, 28)"
            ".transpose(0, 2, 1)"
        ),
    ),
    "`idx2numpy` on `gzip.open`": (
        "import gzip, zipfile, idx2numpy",
        f"data = idx2numpy.convert_from_file(gzip.open({ZIPPED}))",
    ),
    "`gzip.open().read()` and `numpy.frombuffer`": (
        "import gzip, zipfile",
        (
            f"data = np.frombuffer(gzip.open({ZIPPED}).read(), np.uint8, offset=16)"
            ".reshape(-1, 28, 28)"
        ),
    ),
}
WITHOUT = {
    "zlib": "sys.modules['isal'] = sys.modules['zlib_ng'] = None",
    "isal": "sys.modules['zlib_ng'] = None",
    "zlib-ng": "",
}
EPOCH = """
batches = Batches(data, batch_size=128, seed=0)
start = time.perf_counter()
for number in range(len(batches)):
    batches[number]
"""


def measured(imports: str, code: str, home: str, rounds: int = 3) -> tuple[float, float, float]:
    """(least seconds, most MiB beyond the imports, most MiB in all) of some processes."""
    environment = {**os.environ, "HANDWRITING_HOME": home}
    program = HEAD.format(imports=imports, code=code)
    results = []
    for _ in range(rounds):
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, check=True, capture_output=True, env=environment)  # noqa: S603
        results.append(json.loads(done.stdout))
    seconds, above, peak = zip(*results, strict=True)
    return min(seconds), max(above), max(peak)


def make_emnist(path: Path) -> None:
    """Write byclass-train in EMNIST's form: as many images, packed to as many bytes."""
    rng = np.random.default_rng(0)
    digits = hw.datasets.digits.load("all").images
    count, packed = 0, io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream:
        header = hw.datasets.idx.Header(np.dtype(np.uint8), (BYCLASS, 28, 28))
        stream.write(header.encoded)
        while count < BYCLASS:
            size = min(4096, BYCLASS - count)
            stream.write(varied(digits[rng.integers(0, len(digits), size)], rng).tobytes())
            count += size
    labels = gzip.compress(
        hw.datasets.idx.Header(np.dtype(np.uint8), (BYCLASS,)).encoded
        + rng.integers(0, 62, BYCLASS).astype(np.uint8).tobytes(),
        mtime=0,
    )
    with hw.files.replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, data in ((MEMBER, packed.getvalue()), (MEMBER.replace(*TO_LABELS), labels)):
            archive.writestr(name, data, zipfile.ZIP_DEFLATED)
    print(f"made {path}: {len(packed.getvalue()) / BYCLASS:.0f} bytes an image", file=sys.stderr)


TO_LABELS = ("images-idx3", "labels-idx1")


def varied(images: Image, rng: np.random.Generator) -> Image:
    """Rolled by a few pixels, with some noise in the gray rim of the strokes."""
    rolled = np.roll(images, rng.integers(-3, 4, 2), axis=(1, 2))
    noise = rng.integers(0, NOISE, rolled.shape).astype(np.uint8)
    return np.where((rolled > 0) & (rolled < 200), rolled ^ noise, rolled)


NOISE = 3


def make_pngs(path: Path) -> None:
    """Write an AlphaNum-like train.zip."""
    rng = np.random.default_rng(0)
    digits = hw.preprocessing.resize(hw.datasets.digits.load("all").images, (24, 24))
    codes = [*(code for code in range(33, 127) if code != 92), 999]
    with hw.files.replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for number in range(PNGS):
            image = varied(digits[rng.integers(0, len(digits))][None], rng)[0]
            png = io.BytesIO()
            PillowImage.fromarray(255 - image).save(png, "png")
            archive.writestr(f"train/{codes[number % len(codes)]}/{number}.png", png.getvalue())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "hw-bench")
    folder = parser.parse_args().folder
    emnist, pngs = folder / "gzip.zip", folder / "train.zip"
    for file, make in ((emnist, make_emnist), (pngs, make_pngs)):
        if not file.exists():
            make(file)

    print("| what | time | memory |")
    print("|---|---|---|")
    show_emnist(str(emnist))
    show_pngs(str(pngs))


def show_emnist(path: str) -> None:
    """Print the rows of byclass-train."""
    what = "EMNIST byclass-train, 697,932 images"
    imports = OURS.format(module="emnist")
    load = LOAD.format(path=path)
    for name, (modules, code) in PEERS.items():
        with tempfile.TemporaryDirectory() as home:
            row = measured(modules, code.format(path=path, member=MEMBER), home, 2)
        print(f"| {what}, {name} | {row[0]:.2f} s | {row[1]:,.0f} MiB |", flush=True)
    for name, without in WITHOUT.items():
        seconds, above = [], []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as home:
                row = measured(f"{imports}\n{without}", load, home, 1)
                seconds.append(row[0])
                above.append(row[1])
        print(f"| {what}, first load, {name} | {min(seconds):.2f} s | {max(above):.0f} MiB |")
    with tempfile.TemporaryDirectory() as home:
        measured(imports, load, home, 1)
        row = measured(imports, load, home, 10)
        print(f"| {what}, later loads | {row[0] * 1e3:.1f} ms | {row[2]:.0f} MiB in all |")
        imports = f"import dataclasses\nfrom handwriting.training import Batches\n{imports}\n{load}"
        in_memory = "data = dataclasses.replace(data, images=np.array(data.images))"
        for name, how in (("the map", ""), ("memory", in_memory)):
            row = measured(f"{imports}\n{how}", EPOCH, home, 5)
            print(f"| {what}, a shuffled epoch in 128s from {name} | {row[0]:.3f} s | |")


def show_pngs(path: str) -> None:
    """Print the rows of the zip of PNG files."""
    imports, load = OURS.format(module="alphanum"), f'data = alphanum.load("train", {path!r})'
    with tempfile.TemporaryDirectory() as home:
        row = measured(imports, load, home, 1)
        rate = PNGS / row[0]
        print(
            f"| 76,000 PNG files in a zip, first load | {rate:,.0f} images/s | {row[1]:.0f} MiB |"
        )
        row = measured(imports, load, home, 10)
        print(f"| the same, later loads | {row[0] * 1e3:.1f} ms | {row[2]:.0f} MiB in all |")


if __name__ == "__main__":
    main()
