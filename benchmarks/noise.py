"""How fast images of nothing are made, against the published loop of Pillow calls.

    python benchmarks/noise.py

Prints rows of the table of docs/benchmarks.md, as ``benchmarks/run.py`` does. One thread.
"""

import time
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

import handwriting as hw

ROUNDS = 5


def pillow_loop(n: int) -> None:
    """The script of AlphaNum's card, without its files."""
    for _ in range(n):
        factor = abs(np.random.normal(30, 15))  # noqa: NPY002 - as published
        noise = (np.random.rand(24, 24) * 0.05 * 255).astype(np.uint8)  # noqa: NPY002
        inverted = ImageOps.invert(Image.fromarray(noise))
        np.asarray(ImageEnhance.Contrast(inverted).enhance(factor))


def rate(function: Callable[[int], object], n: int) -> float:
    """Images a second in the fastest round."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function(n)
        times.append(time.perf_counter() - start)
    return n / min(times)


def rows() -> list[str]:
    """Rows of the table."""
    ours = rate(lambda n: hw.noise.null_images(n, rng=0), 100_000)
    theirs = rate(pillow_loop, 2_000)
    return [
        f"| `noise.null_images`, 24 x 24 | {ours:,.0f} images/s |",
        f"| the same recipe as a loop of Pillow calls | {theirs:,.0f} images/s |",
    ]


if __name__ == "__main__":
    print("\n".join(rows()))
