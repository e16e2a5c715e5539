"""Draw the pictures of the docs anew.

    python docs/pictures/make.py

All handwriting in them is from scikit-learn's digits, or made of lines here or in the tests.
Learning curves are those of the runs in recipes/results.
"""

import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
import own_hand

import handwriting as hw
from handwriting.preprocessing import clean, normalize, to_ink

HERE = Path(__file__).parent
RESULTS = HERE.parents[1] / "recipes" / "results"
RUNS = {
    "characters": ("characters-vgg_deep", "characters-vgg_deep-calm"),
    "digits": ("digits-vgg_deep", "digits-vgg_deep-strong"),
    "lines": ("lines-crnn_deep", "lines-crnn_deep-composed"),
    "names": ("names-crnn_deep",),
}
PAGE = ("The quick brown fox", "jumps over the lazy dog.", "Born in 1984, in Zurich")


def steps() -> Figure:
    """A digit as a photograph would show it, and after each step of preprocessing."""
    rng = np.random.default_rng(0)
    ink = hw.preprocessing.resize(hw.datasets.digits.load("test").images[3], (90, 90))
    page = np.pad(ink, ((30, 10), (60, 20))).astype(float)
    photo = (185 - 0.45 * page + rng.normal(0, 4, page.shape)).clip(0, 255).astype(np.uint8)
    gray = hw.images.to_gray(photo)
    images = {
        "to_gray": gray,
        "to_ink": to_ink(gray),
        "clean": clean(to_ink(gray)),
        'normalize "mnist"': normalize(clean(to_ink(gray)), "mnist"),
    }
    figure = Figure(figsize=(10, 2.4), layout="constrained", dpi=110)
    for number, (name, image) in enumerate(images.items(), 1):
        axes = figure.add_subplot(1, len(images), number)
        axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(f"{name}, {image.shape[0]} x {image.shape[1]}", fontsize=10)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def lines(**life: Any) -> Figure:
    """A few lines of digits."""
    digits = hw.datasets.digits.load("all")
    return hw.plots.lines(hw.sequences.generate(digits, 5, rng=3, **life))


def strokes() -> Figure:
    """A few characters of lines and arcs, each drawn plainly and then seven times at random."""
    turns = np.linspace(-0.5, 1.6, 30)[:, None] * np.pi
    ring = np.hstack([0.5 + 0.4 * np.cos(turns), 0.5 + 0.5 * np.sin(turns)])
    samples: list[list[Any]] = [
        [ring[4:]],
        [ring * (1, 0.5) + (0, 0.5), [(0.88, 0.5), (0.88, 0.9), (1, 1)]],
        [[(0, 0.1), (0.9, 0), (0.4, 1)], [(0.2, 0.55), (0.85, 0.5)]],
        [[(0.6, 0), (0, 0.7), (0.9, 0.65)], [(0.6, 0.4), (0.55, 1)]],
        [[(0, 0), (0.8, 1)], [(0.9, 0), (0, 1)]],
        [[(0.1, 0.3), (0.1, 1)], [(0.12, 0)]],
    ]
    dataset = hw.strokes.StrokeDataset.from_strokes(samples, list("0a74xi"))
    style = hw.strokes.Style(width=(1, 5), slant=20, rotation=10, aspect=0.3, wave=0.08, size=0.3)
    plain = hw.strokes.render(dataset, (56, 56))
    many = dataset.select(np.tile(np.arange(len(dataset)), 7))
    drawn = hw.strokes.render(many, (56, 56), style=style, rng=0)
    columns = np.concatenate([plain, drawn]).reshape(8, len(dataset), 56, 56)
    figure = Figure(figsize=(8, 6), layout="constrained", dpi=80)
    axes = figure.add_subplot()
    axes.imshow(255 - columns.transpose(1, 2, 0, 3).reshape(len(dataset) * 56, -1), cmap="gray")
    axes.set_axis_off()
    return figure


def reading() -> Figure:
    """A page, and what is read in it."""
    page = np.pad(own_hand.page(*PAGE), 24, constant_values=255)
    return hw.plots.reading(hw.read(page))


def curves(*runs: str) -> Figure:
    """Loss and what was measured in each epoch of runs that went on from one another."""
    files = [RESULTS / f"{run}.json" for run in runs]
    histories = [json.loads(file.read_text("utf-8"))["history"] for file in files]
    joined = itertools.chain.from_iterable
    return hw.plots.training_curves(
        {key: list(joined(each[key] for each in histories)) for key in histories[0]}
    )


def main() -> None:
    """Draw and save."""
    for name, runs in RUNS.items():
        curves(*runs).savefig(HERE / f"{name}-curves.png")
    reading().savefig(HERE / "reading.png")
    lines(length=5, width=160).savefig(HERE / "lines.png")
    lines(
        texts=["2026 11 21", "007", "31415926"],
        spacing=(-8, 0),
        baseline=2,
        size=0.2,
        slant=0.4,
        null=0.05,
    ).savefig(HERE / "lines-with-life.png")
    strokes().savefig(HERE / "strokes.png")
    steps().savefig(HERE / "steps.png")
    with tempfile.TemporaryDirectory() as folder:
        hw.demo.run(folder)
        for name in ("strip.png", "training-curves.png", "confusion.png"):
            (HERE / name).write_bytes((Path(folder) / name).read_bytes())


if __name__ == "__main__":
    main()
