"""Measure the speeds that docs/benchmarks.md tells, and print its table.

    python benchmarks/run.py [--mnist FOLDER]

Everything runs on one thread, except training. Each figure is the best of several rounds, because
what else the machine does can only add to a time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402 - the variables must stand before NumPy is loaded
from PIL import Image  # noqa: E402

import handwriting as hw  # noqa: E402

COUNT = 10_000
SIDE = 40


def best(function: Callable[[], Any], rounds: int = 5) -> float:
    """Seconds of the fastest round."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def command(*arguments: str) -> Callable[[], Any]:
    """A function that runs a process."""
    return lambda: subprocess.run(arguments, check=True, capture_output=True)  # noqa: S603


def crops() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Digits of many sizes and places in images of 40 x 40."""
    rng = np.random.default_rng(0)
    digits = hw.datasets.digits.load("all").images
    images = np.zeros((COUNT, SIDE, SIDE), np.uint8)
    for image, which in zip(images, rng.integers(0, len(digits), COUNT), strict=True):
        height, width = rng.integers(12, SIDE, 2)
        top, left = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - width + 1)
        scaled = hw.preprocessing.resize(digits[which], (int(height), int(width)))
        image[top : top + height, left : left + width] = scaled
    return images


def pillow_loop(images: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    """What the recipe emnist is elsewhere: Pillow, one image after the other."""
    for image in images:
        picture = Image.fromarray(image)
        box = picture.getbbox()
        ink = picture.crop(box)
        side = max(ink.size)
        square = Image.new("L", (side, side))
        square.paste(ink, ((side - ink.width) // 2, (side - ink.height) // 2))
        result = Image.new("L", (28, 28))
        result.paste(square.resize((20, 20), Image.Resampling.BICUBIC), (4, 4))
        np.asarray(result)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", help="folder with the four IDX files")
    options = parser.parse_args()

    print("| what | figure |")
    print("|---|---|")
    python = sys.executable
    bare = best(command(python, "-c", "pass"))
    imported = best(command(python, "-c", "import handwriting")) - bare
    print(f"| `import handwriting`, beyond starting Python | {imported * 1e3:.0f} ms |")
    script = str(Path(python).with_name("handwriting"))
    print(f"| `handwriting --help`, the whole command | {best(command(script, '--help')):.2f} s |")

    images = crops()
    photos = (220 - images // 2).astype(np.uint8)
    rows = {f"`normalize(..., {name!r})`": name for name in hw.preprocessing.RECIPES}
    for label, name in rows.items():
        seconds = best(lambda name=name: hw.preprocessing.normalize(images, name))  # type: ignore[misc]
        print(f"| {label}, 10,000 crops of 40 x 40 | {COUNT / seconds:,.0f} images/s |")
    seconds = best(lambda: pillow_loop(images), 2)
    print(f"| the recipe `emnist` as a loop of Pillow calls | {COUNT / seconds:,.0f} images/s |")
    for function in (hw.preprocessing.to_ink, hw.preprocessing.clean, hw.preprocessing.binarize):
        seconds = best(lambda function=function: function(photos))  # type: ignore[misc]
        print(f"| `{function.__name__}`, the same crops | {COUNT / seconds:,.0f} images/s |")
    sys.stdout.flush()
    subprocess.run([python, Path(__file__).with_name("noise.py")], check=True)  # noqa: S603

    if options.mnist:
        with tempfile.TemporaryDirectory() as home:
            os.environ["HANDWRITING_HOME"] = home
            first = best(lambda: hw.datasets.mnist.load("train", options.mnist), 1)
            again = best(lambda: hw.datasets.mnist.load("train", options.mnist), 20)
        print(f"| MNIST train from its .gz files, first time | {first:.2f} s |")
        print(f"| the same, every later time | {again * 1e3:.1f} ms |")


if __name__ == "__main__":
    main()
