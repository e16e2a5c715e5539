"""A matplotlib figure of every step.

Every function returns a figure and leaves matplotlib's backend and global state alone. A notebook
shows the figure by itself; ``figure.savefig("name.png")`` writes it.
"""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from handwriting.data import CharacterDataset, LineDataset
from handwriting.evaluation import LineReport, Report
from handwriting.images import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from handwriting.recognizer import Reading

__all__ = [
    "class_counts",
    "class_samples",
    "confusion",
    "lines",
    "predictions",
    "reading",
    "reliability",
    "samples",
    "strip",
    "training_curves",
]

_RED, _BLUE = "#c62828", "#1565c0"
_DPI = 110
_MOST_PIXELS = 2000  # a side of a picture: matplotlib takes 110 bytes for each pixel


def samples(
    dataset: CharacterDataset, n: int = 50, *, rng: int | np.random.Generator = 0
) -> "Figure":
    """Some images of a dataset, drawn at random, with their characters.

    Args:
        dataset: where to draw from.
        n: how many, at most.
        rng: a seed or a generator.
    """
    which = _drawn(len(dataset), n, rng)
    titles = [dataset.alphabet.characters[label] or "null" for label in dataset.labels[which]]
    return _grid(dataset.images[which], titles, [False] * len(which), dataset.name)


def class_samples(
    dataset: CharacterDataset, n: int = 10, *, rng: int | np.random.Generator = 0
) -> "Figure":
    """A sheet with one row for each character of the alphabet: how many there are, and some images.

    Args:
        dataset: where to draw from.
        n: images a row, at most; characters with fewer leave the rest of their row blank.
        rng: a seed or a generator.

    Raises:
        ValueError: ``n`` is below 1, or the alphabet is empty.
    """
    if n < 1 or not len(dataset.alphabet):
        raise ValueError(f"there must be characters and images to show, got n={n} of {dataset!r}")
    generator = np.random.default_rng(rng)
    height, width = dataset.image_shape
    sheet = np.zeros((len(dataset.alphabet), n, height, width), np.uint8)
    for label, row in enumerate(sheet):
        members = np.flatnonzero(dataset.labels == label)
        which = members[_drawn(len(members), n, generator)]
        row[: len(which)] = dataset.images[which]
    names = [f"{_text(character)}   {count:,}" for character, count in dataset.counts().items()]
    blocks = np.array_split(np.arange(len(names)), math.ceil(len(names) / 26))
    figure = _figure((0.32 * n * width / height + 1.1) * len(blocks), 0.32 * len(blocks[0]) + 0.5)
    figure.suptitle(_text(dataset.name))
    for number, block in enumerate(blocks, 1):
        axes = figure.add_subplot(1, len(blocks), number)
        rows = sheet[block].swapaxes(1, 2).reshape(len(block) * height, n * width)
        axes.imshow(255 - rows, cmap="gray", vmin=0, vmax=255)
        axes.set_ylim(len(blocks[0]) * height - 0.5, -0.5)  # the last block may have fewer rows
        _no_frame(axes)
        axes.set_yticks((np.arange(len(block)) + 0.5) * height, [names[label] for label in block])
        axes.tick_params(length=0)
    return figure


def lines(dataset: LineDataset, n: int = 10, *, rng: int | np.random.Generator = 0) -> "Figure":
    """Some lines, drawn at random, each below its text.

    Args:
        dataset: where to draw from.
        n: how many, at most.
        rng: a seed or a generator.
    """
    which = _drawn(len(dataset), n, rng)
    width = max([1, *dataset.widths[which].tolist()])
    height = dataset.image_shape[0]
    inches = min(10.0, 0.5 * width / height)
    figure = _figure(max(4.0, inches), max(1, len(which)) * (inches * height / width + 0.4) + 0.4)
    figure.suptitle(_text(dataset.name if len(which) else f"{dataset.name}: nothing to show"))
    for number, position in enumerate(which.tolist(), 1):
        axes = figure.add_subplot(len(which), 1, number)
        image = dataset.images[position, :, :width]
        axes.imshow(255 - image, cmap="gray", vmin=0, vmax=255)
        text = _text(dataset.texts[position]) if dataset.texts[position] else "(no text)"
        axes.set_title(text, fontsize=9, loc="left", pad=2)
        _no_frame(axes)
    return figure


def class_counts(dataset: CharacterDataset) -> "Figure":
    """How many images each character has, as bars."""
    counts = dataset.counts()
    figure = _figure(max(6.0, 0.22 * len(counts)), 3.5)
    axes = figure.add_subplot()
    positions = np.arange(len(counts))
    axes.bar(positions, list(counts.values()))
    axes.set_xticks(positions, [_text(character) for character in counts])
    axes.set_ylabel("images")
    axes.set_title(_text(dataset.name))
    axes.margins(x=0.01)
    return figure


def training_curves(history: Mapping[str, Sequence[float]]) -> "Figure":
    """What :func:`handwriting.training.fit` or ``fit_lines`` returned, by epoch.

    Loss and accuracy; for lines loss, character error rate and share of exact texts.
    """
    from matplotlib.ticker import MaxNLocator

    names = ("loss", "cer", "exact") if "val_cer" in history else ("loss", "accuracy")
    figure = _figure(4.5 * len(names), 3.5)
    for number, name in enumerate(names, 1):
        axes = figure.add_subplot(1, len(names), number)
        for key, label in ((name, "train"), (f"val_{name}", "validation")):
            if key in history:
                axes.plot(
                    np.arange(1, len(history[key]) + 1), history[key], "o-", ms=3, label=label
                )
        axes.set_xlabel("epoch")
        axes.set_title(name)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def confusion(report: Report) -> "Figure":
    """How often each character was read as each other one.

    Shades are shares of the row; the numbers are counts, written where there is room for them.
    """
    matrix = report.confusion
    names = [_text(character) for character in report.alphabet]
    side = max(4.5, 0.24 * len(names))
    figure = _figure(side + 0.5, side)
    axes = figure.add_subplot()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(np.arange(len(names)), names)
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_xlabel("read as")
    axes.set_ylabel("true character")
    axes.set_title(_text(f"{report.name}: {report.accuracy:.2%} right"))
    if len(names) <= 30:
        for row, column in zip(*np.nonzero(matrix), strict=True):
            shade = "white" if shares[row, column] > 0.5 else _RED if row != column else "black"
            axes.text(column, row, str(matrix[row, column]), ha="center", va="center", color=shade)
    return figure


def predictions(
    dataset: CharacterDataset,
    report: Report,
    n: int = 50,
    *,
    wrong_only: bool = False,
    rng: int | np.random.Generator = 0,
) -> "Figure":
    """Images with what the model read in them; in red, "read, true", where it was wrong.

    Args:
        dataset: the one that the report is about.
        report: of :func:`handwriting.evaluation.evaluate`.
        n: how many images, at most.
        wrong_only: show errors only, the most confident first.
        rng: a seed or a generator, for what is drawn.

    Raises:
        ValueError: the report is about another dataset.
    """
    if len(dataset) != len(report.labels) or not np.array_equal(dataset.labels, report.labels):
        raise ValueError(f"the report on {report.name!r} is not about {dataset!r}")
    if wrong_only:
        wrong = np.flatnonzero(report.predicted != report.labels)
        which = wrong[np.argsort(-report.scores[wrong].max(axis=1), kind="stable")][:n]
    else:
        which = _drawn(len(dataset), n, rng)
    titles, marks = [], []
    for read, true in zip(report.predicted[which], report.labels[which], strict=True):
        characters = [report.alphabet.characters[label] or "null" for label in (read, true)]
        titles.append(characters[0] if read == true else f"{characters[0]}, is {characters[1]}")
        marks.append(bool(read != true))
    title = f"{report.name}: {report.accuracy:.2%} right"
    return _grid(dataset.images[which], titles, marks, title)


def strip(images: Image, text: str, truth: str | None = None) -> "Figure":
    """Images side by side like a written line, and below it what was read.

    Args:
        images: (n, h, w) uint8.
        text: one character for each image.
        truth: what is written; characters of ``text`` that differ from it are red.
    """
    line = np.hstack(list(images))
    height, width = line.shape
    figure = _figure(10, 10 * height / width + 0.75)
    axes = figure.add_subplot()
    axes.imshow(255 - line, cmap="gray", vmin=0, vmax=255)
    _no_frame(axes)
    middles = (np.arange(len(images)) + 0.5) * images.shape[2] - 0.5
    for middle, character, true in zip(middles, text, truth or text, strict=True):
        color = "black" if character == true else _RED
        axes.text(middle, height, _text(character), ha="center", va="top", fontsize=16, color=color)
    return figure


def reading(found: "Reading") -> "Figure":
    """A picture with what was read in it: a box around each word, and the word above it.

    The figure has as many pixels as the picture, or a whole part of them where the picture has more
    than 2,000 on a side. Words that are probably wrong (confidence under one half) are red.

    Args:
        found: what :func:`handwriting.read` gave.
    """
    import PIL.Image
    from matplotlib.patches import Rectangle

    height, width = found.picture.shape
    factor = math.ceil(max(height, width) / _MOST_PIXELS)
    picture = np.asarray(PIL.Image.fromarray(found.picture).reduce(factor))
    figure = _figure(picture.shape[1] / _DPI, picture.shape[0] / _DPI)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, aspect="auto", extent=extent)
    for word in found.words:
        box, color = word.box, _BLUE if word.confidence >= 0.5 else _RED
        corner = (box.left - 0.5, box.top - 0.5)
        axes.add_patch(Rectangle(corner, box.width, box.height, fill=False, color=color, lw=0.8))
        size = min(12.0, max(4.0, 0.45 * box.height / factor * 72 / _DPI))
        axes.text(box.left, box.top - 1, _text(word.text), fontsize=size, color=color, va="bottom")
    _no_frame(axes)
    return figure


def reliability(report: Report | LineReport) -> "Figure":
    """How often a reader is right that is so sure: it should be as often as it says.

    Dots are the bins of the report's ``reliability``: their mean confidence and what share is
    right. Above the dashed line the reader is too modest, below it too sure. The bars tell how many
    images (or lines) each bin holds.

    Args:
        report: of :func:`handwriting.evaluation.evaluate` or ``evaluate_lines``.

    Raises:
        ValueError: it has no confidences, as ``reliability`` says.
    """
    rows = report.reliability()
    counted = "lines" if isinstance(report, LineReport) else "images"
    figure = _figure(4.2, 4.8)
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    upper.plot([0, 1], [0, 1], "--", color="gray", lw=1)
    sure, right = ([row[name] for row in rows] for name in ("confidence", "accuracy"))
    upper.plot(sure, right, "o-", color=_BLUE, ms=4)
    upper.set_xlim(0, 1)
    upper.set_ylim(0, 1.02)
    upper.set_ylabel("share right")
    upper.grid(alpha=0.3)
    upper.set_title(_text(f"{report.name}\ncalibration error {report.calibration_error:.2%}"))
    lows, widths = [row["low"] for row in rows], [row["high"] - row["low"] for row in rows]
    lower.bar(lows, [row[counted] for row in rows], widths, align="edge", color=_BLUE, ec="white")
    lower.set_xlabel("confidence")
    lower.set_ylabel(counted)
    return figure


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        """Shows itself in a notebook, though pyplot does not know it."""

        def _repr_png_(self) -> bytes:
            file = io.BytesIO()
            self.savefig(file, format="png")
            return file.getvalue()

    return NotebookFigure(figsize=(width, height), layout="constrained", dpi=_DPI)


def _drawn(total: int, n: int, rng: int | np.random.Generator) -> np.ndarray[Any, Any]:
    return np.sort(np.random.default_rng(rng).permutation(total)[:n])


def _grid(images: Image, titles: Sequence[str], wrong: Sequence[bool], title: str) -> "Figure":
    columns = min(10, max(1, len(images)))
    rows = max(1, math.ceil(len(images) / columns))
    figure = _figure(max(4.0, 0.9 * columns), 1.05 * rows + 0.4)
    figure.suptitle(_text(title if len(images) else f"{title}: nothing to show"))
    for number, (image, text, mark) in enumerate(zip(images, titles, wrong, strict=True), 1):
        axes = figure.add_subplot(rows, columns, number)
        axes.imshow(255 - image, cmap="gray", vmin=0, vmax=255)
        axes.set_title(_text(text), fontsize=9, color=_RED if mark else "black", pad=2)
        _no_frame(axes)
    return figure


def _no_frame(axes: "Axes") -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _text(text: str) -> str:
    # matplotlib reads what stands between dollar signs as mathematics.
    return text.replace("$", r"\$") or "null"
