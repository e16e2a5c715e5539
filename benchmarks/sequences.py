"""How fast lines are composed, against the published generator's loop and a plain copy.

    python benchmarks/sequences.py [--mnist FOLDER]

Lines of 5 digits, 28 x 180, of MNIST where its folder is given, else of scikit-learn's digits. One
thread; the rounds of all rows alternate, so that a busy machine is busy for all of them.
"""

import argparse
import random
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

import handwriting as hw
from handwriting.images import Image

ROUNDS = 25
LENGTH, WIDTH = 5, 180


def published_loop(dataset: hw.data.CharacterDataset) -> Callable[[int], None]:
    """The published algorithm: random choices, and gap and digit stacked to the line one by one."""
    images = hw.sequences.black_on_white(dataset.images)
    members = [np.flatnonzero(dataset.labels == label).tolist() for label in range(10)]
    height, size = images.shape[1:]

    def line(digits: NDArray[np.int64], least: int, greatest: int) -> Image:
        gap = (WIDTH - len(digits) * size) / (len(digits) - 1)
        if not gap.is_integer() or not least <= gap <= greatest:
            raise ValueError(gap)
        paper = np.ones(height * int(gap), np.float32).reshape(height, int(gap))
        whole = images[random.choice(members[digits[0]])]  # noqa: S311 - no secret
        for digit in digits[1:]:
            whole = np.hstack((whole, paper))
            whole = np.hstack((whole, images[random.choice(members[digit])]))  # noqa: S311
        levels: Image = (whole * 255.0).astype(np.uint8)
        return levels

    def run(n: int) -> None:
        labels = [np.random.randint(0, 10, LENGTH) for _ in range(n)]  # noqa: NPY002 - as published
        np.array([line(digits, 0, 10) for digits in labels])

    return run


def best(functions: dict[str, tuple[Callable[[int], object], int]]) -> dict[str, float]:
    """Lines a second of each in its fastest round."""
    rates = dict.fromkeys(functions, 0.0)
    for _ in range(ROUNDS):
        for name, (function, n) in functions.items():
            start = time.perf_counter()
            function(n)
            rates[name] = max(rates[name], n / (time.perf_counter() - start))
    return rates


def rows(dataset: hw.data.CharacterDataset) -> list[str]:
    """Rows of the table."""
    n = 20_000
    output = hw.sequences.generate(dataset, n, length=LENGTH, width=WIDTH, rng=0).images
    words = ["".join(np.random.default_rng(i).choice(list("0123456789"), 5)) for i in range(20_000)]

    def ours(**options: object) -> tuple[Callable[[int], object], int]:
        options = {"length": LENGTH, "rng": 0, **options}
        return lambda n: hw.sequences.generate(dataset, n, **options), n  # type: ignore[arg-type]

    life = {"spacing": (-6, 2), "baseline": 2, "size": 0.2, "slant": 0.4, "null": 0.05}
    rates = best(
        {
            "the published loop": (published_loop(dataset), 1_000),
            "`generate`, equal gaps": ours(width=WIDTH),
            "`generate`, a gap drawn for each": ours(),
            "`generate`, of a list of 20,000 texts": ours(length=None, texts=words, width=WIDTH),
            "a copy of the images": (lambda _: output.copy(), n),
            "`generate` with every option of life": (ours(**life)[0], 2_000),
        }
    )
    loop, copy = rates["the published loop"], rates["a copy of the images"]
    return [
        f"| {name} | {rate:,.0f} lines/s | {rate / loop:.1f} | {copy / rate:.2f} |"
        for name, rate in rates.items()
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", help="the folder of MNIST's files")
    folder = parser.parse_args().mnist
    source = hw.datasets.mnist.load("train", folder) if folder else hw.datasets.digits.load("all")
    print("| what | rate | times the loop | times the time of a copy |\n|---|---|---|---|")
    print("\n".join(rows(source)))
