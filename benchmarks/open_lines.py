"""How long it takes to open a saved LineDataset: python benchmarks/open_lines.py."""

import tempfile
import time
from pathlib import Path

import numpy as np

import handwriting as hw


def main() -> None:
    """Print the median of nine openings of small and large sets of made-up words."""
    rng = np.random.default_rng(0)
    for n in (100, 330_000):
        letters = rng.integers(26, size=(n, 7))
        texts = [hw.alphabet.LOWERCASE.decode(word) for word in letters]
        images, widths = np.zeros((n, 8, 16), np.uint8), np.full(n, 16)
        lines = hw.data.LineDataset(images, widths, texts, hw.alphabet.LOWERCASE)
        with tempfile.TemporaryDirectory() as folder:
            lines.save(Path(folder) / "set")
            seconds = [opening(Path(folder) / "set") for _ in range(9)]
        print(f"{n:>7,} lines: {1000 * float(np.median(seconds)):.1f} ms")


def opening(path: Path) -> float:
    """Seconds to open a set."""
    start = time.perf_counter()
    hw.data.LineDataset.open(path)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
