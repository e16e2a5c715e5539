"""How fast strokes become images, against loops of Pillow calls.

    python benchmarks/strokes.py [CHARACTERS]

Prints rows of the table of docs/benchmarks.md. CHARACTERS is a file of strokes as
``StrokeDataset.open`` reads it; without one, curves of about as many points are made. One thread.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402 - the variables must stand before NumPy is loaded
from PIL import Image, ImageDraw  # noqa: E402

from handwriting.strokes import (  # noqa: E402
    StrokeDataset,
    Style,
    compose,
    render,
    render_lines,
)

COUNT = 5_000
ROUNDS = 7
SIDE, BOX, WIDTH = 28, 20, 2
VARIED = Style(width=(1, 4), slant=20, rotation=10, aspect=0.3, wave=0.05, size=0.3, shift=4)


def curves(n: int) -> StrokeDataset:
    """Samples of one or two smooth curves, 38 points together."""
    rng = np.random.default_rng(0)
    samples = []
    for _ in range(n):
        turns = np.cumsum(rng.normal(0, 0.4, 38))
        points = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)
        points = (points - points.min(axis=0)) / np.ptp(points, axis=0).max()
        samples.append([points] if rng.random() < 0.6 else [points[:20], points[20:]])
    return StrokeDataset.from_strokes(samples, ["?"] * n)


def pillow_loop(strokes: StrokeDataset, finer: int) -> None:
    """Lines with round joints, drawn ``finer`` times as large and made smaller."""
    for position in range(len(strokes)):
        points = np.concatenate(strokes.strokes(position))
        low, size = points.min(axis=0), np.ptp(points, axis=0)
        scale = finer * (BOX - WIDTH) / max(float(size.max()), 1e-6)
        start = (finer * SIDE - size * scale) / 2
        picture = Image.new("L", (finer * SIDE, finer * SIDE))
        draw = ImageDraw.Draw(picture)
        for stroke in strokes.strokes(position):
            places = ((stroke - low) * scale + start).ravel().tolist()
            draw.line(places, fill=255, width=finer * WIDTH, joint="curve")
        np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX))


def rate(function: Callable[[], Any], n: int) -> float:
    """Samples a second in the fastest round."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return n / min(times)


def rows(strokes: StrokeDataset) -> list[str]:
    """Rows of the table."""
    few = strokes.select(slice(500))
    plain = rate(lambda: render(strokes), len(strokes))
    varied = rate(lambda: render(strokes, style=VARIED, rng=0), len(strokes))
    chosen = np.random.default_rng(0).permutation(len(strokes))[:128]
    batch = rate(lambda: render(strokes.select(chosen), style=VARIED, rng=0), len(chosen))
    lines = rate(lambda: render_lines(few, (48, 256)), len(few))
    ready = sorted(set(strokes.texts))
    texts = ["".join(ready[(8 * i + j) % len(ready)] for j in range(8)) for i in range(1000)]
    composed = rate(lambda: compose(strokes, texts, rng=0), len(texts))
    smooth = rate(lambda: pillow_loop(few, 4), len(few))
    rough = rate(lambda: pillow_loop(few, 1), len(few))
    return [
        f"| `strokes.render`, characters to 28 x 28 | {plain:,.0f} images/s |",
        f"| the same, `Style` at random | {varied:,.0f} images/s |",
        f"| the same, a random batch of 128 selected and rendered | {batch:,.0f} images/s |",
        f"| a loop of Pillow's `ImageDraw.line`, drawn 4 x larger | {smooth:,.0f} images/s |",
        f"| the same loop in the size wanted, jagged | {rough:,.0f} images/s |",
        f"| `strokes.render_lines`, the same characters to 48 x 256 | {lines:,.0f} images/s |",
        f"| `strokes.compose`, lines of 8 characters | {composed:,.0f} lines/s |",
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("characters", nargs="?", help="file of strokes")
    file = parser.parse_args().characters
    strokes = StrokeDataset.open(file).sample(COUNT, rng=0) if file else curves(COUNT)
    print("\n".join(rows(strokes)))


if __name__ == "__main__":
    main()
