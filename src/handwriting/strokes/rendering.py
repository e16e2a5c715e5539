"""Strokes to images, a batch at a time, in NumPy."""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Labels
from handwriting.images import Image
from handwriting.strokes.dataset import StrokeDataset
from handwriting.strokes.style import Amounts, Style

__all__ = ["PLAIN", "default_box", "render", "render_lines"]

Floats = NDArray[np.float32]
PLAIN = Style()

# Discs are set so close that they leave out at most this share of a pixel at the edge of a stroke.
_ERROR = 1 / 16
_LEAST_SPACING = 0.2
# Samples are drawn in parts: as many as stay in the cache, and enough to be worth the calls.
_PART_PIXELS, _PART_SAMPLES = 1 << 18, 64


def render(
    strokes: StrokeDataset,
    shape: tuple[int, int] = (28, 28),
    *,
    box: int | None = None,
    keep_size: bool = False,
    style: Style = PLAIN,
    rng: int | np.random.Generator | None = None,
) -> Image:
    """Draw each sample in the middle of an image, with a round pen.

    The ink is scaled into a square box, its aspect ratio kept, so that its longer side fills the
    box. It stays within the box whatever the style, until ``style.shift`` moves it: nothing is cut
    off.

    Args:
        strokes: n samples.
        shape: (height, width) of the images, in pixels.
        box: side of the box, in pixels; by default 5/7 of the shorter side, as MNIST has it (20 of
            28).
        keep_size: scale every sample alike, so that one unit of the strokes, the size of the
            writer's letters, fills the box, and a full stop stays small. What is larger than that
            is scaled into the box.
        style: pen and distortions.
        rng: a seed or a generator; needed where the style is random.

    Returns:
        (n, height, width) uint8, ink on paper 0, anti-aliased. A sample without strokes is blank
        paper; strokes of one point are dots.

    Raises:
        ValueError: the box does not fit into the image, the pen is not narrower than the box, or a
            random style comes without ``rng``.

    Example:
        >>> dataset = StrokeDataset.from_strokes([[[(0, 0), (0, 1)]]], ["l"])
        >>> render(dataset, (8, 8), box=6)[0, 4]
        array([  0,   0,   0, 255, 255,   0,   0,   0], dtype=uint8)
    """
    check_shape(shape)
    side = default_box(shape) if box is None else box
    if not 1 <= side <= min(shape):
        raise ValueError(f"box must lie in [1, {min(shape)}], the image's shorter side, got {side}")
    frame = _Frame(shape, (side, side), "center", keep_size)
    return _render(strokes, frame, style, rng)[0]


def render_lines(
    strokes: StrokeDataset,
    shape: tuple[int, int] = (48, 768),
    *,
    style: Style = PLAIN,
    rng: int | np.random.Generator | None = None,
) -> tuple[Image, Labels]:
    """Draw each sample as a word or line, as high as the image, at its left.

    Lines that would become wider than the image are scaled down as a whole, with paper in equal
    parts above and below. So :func:`handwriting.preprocessing.fit_line` fits pictures, by the
    recipe ``line``.

    Args:
        strokes: n samples.
        shape: (height, width) of the images, in pixels.
        style: pen and distortions; ``shift`` moves lines to the right, and up and down where there
            is room.
        rng: a seed or a generator; needed where the style is random.

    Returns:
        (n, height, width) uint8, ink on paper 0, and (n,) int64, the width of each line in its
        image.

    Raises:
        ValueError: the pen is not narrower than the image is high, or a random style comes without
            ``rng``.

    Example:
        >>> zigzag = [[(0, 0), (1, 1), (2, 0), (3, 1)]]
        >>> dataset = StrokeDataset.from_strokes([zigzag], ["w"])
        >>> images, widths = render_lines(dataset, (32, 128))
        >>> images.shape, widths
        ((1, 32, 128), array([92]))
    """
    check_shape(shape)
    return _render(strokes, _Frame(shape, shape, "left"), style, rng)


def default_box(shape: tuple[int, int]) -> int:
    """Side of the box of characters, in pixels."""
    return max(1, round(min(shape) * 5 / 7))


def check_shape(shape: tuple[int, int]) -> None:
    """Refuse images without pixels."""
    if min(shape) < 1:
        raise ValueError(f"shape must be at least one pixel on each side, got {shape}")


class _Frame(NamedTuple):
    """Where ink goes, in pixels: (height, width) of the image, and of the box in it."""

    shape: tuple[int, int]
    box: tuple[int, int]
    align: str
    keep_size: bool = False


class _Points(NamedTuple):
    """Points of several samples, one after another.

    Args:
        x: (m,) float32, to the right.
        y: (m,) float32, down.
        owner: (m,) int64, the position of each point's sample.
        last: (m,) bool, whether a stroke ends here.
    """

    x: Floats
    y: Floats
    owner: Labels
    last: NDArray[np.bool_]


def _render(
    strokes: StrokeDataset, frame: _Frame, style: Style, rng: int | np.random.Generator | None
) -> tuple[Image, Labels]:
    if style.width[1] >= min(frame.box):
        raise ValueError(
            f"the pen must be narrower than the box of {min(frame.box)} pixels, got a width of "
            f"{style.width[1]}"
        )
    amounts = style.draw(len(strokes), rng)
    images = np.zeros((len(strokes), *frame.shape), np.uint8)
    widths = np.ones(len(strokes), np.int64)
    for part in _parts(len(strokes), frame.shape):
        own = amounts.part(part)
        points = _distort(_points_of(strokes, part), own, style.wave)
        if len(points.x):
            points, widths[part] = _place(points, own, frame)
            images[part] = _stamp(_densify(points, own), own, frame.shape)
    return images, widths


def _parts(n: int, shape: tuple[int, int]) -> Iterator[slice]:
    count = max(_PART_SAMPLES, _PART_PIXELS // (shape[0] * shape[1]))
    for start in range(0, n, count):
        yield slice(start, min(start + count, n))


def _points_of(strokes: StrokeDataset, part: slice) -> _Points:
    first, end = strokes.sample_starts[part.start], strokes.sample_starts[part.stop]
    points = strokes.points[strokes.stroke_starts[first] : strokes.stroke_starts[end]]
    per_sample = np.diff(strokes.stroke_starts[strokes.sample_starts[part.start : part.stop + 1]])
    last = np.zeros(len(points), bool)
    last[np.cumsum(strokes.stroke_lengths[first:end]) - 1] = True
    owner = np.repeat(np.arange(part.stop - part.start), per_sample)
    return _Points(points[:, 0], points[:, 1], owner, last)


def _distort(points: _Points, amounts: Amounts, wave: float) -> _Points:
    xx, xy, yx, yy = amounts.matrix[:, points.owner]
    x, y = xx * points.x + xy * points.y, yx * points.x + yy * points.y
    if wave:
        turns = (amounts.waves * np.float32(2 * np.pi))[:, points.owner]
        right = np.sin(turns[0] * x + turns[1] * y + turns[2])
        down = np.sin(turns[3] * x + turns[4] * y + turns[5])
        x, y = x + np.float32(wave) * right, y + np.float32(wave) * down
    return points._replace(x=x, y=y)


def _place(points: _Points, amounts: Amounts, frame: _Frame) -> tuple[_Points, Labels]:
    """Points in pixels of the image, and the width of each sample there."""
    low, size = _extents(points, len(amounts.width))
    room = np.array(frame.box[::-1], np.float32)[:, None] - amounts.width
    scales = np.full_like(size, np.inf)
    np.divide(room, size, out=scales, where=size > _NOTHING)
    scale = scales.min(axis=0)
    if frame.keep_size:
        scale = np.minimum(scale, room.min(axis=0))
    scale = np.where(np.isfinite(scale), scale, np.float32(1)) * amounts.size
    ink = size * scale + amounts.width
    spare = np.maximum(np.array(frame.shape[::-1], np.float32)[:, None] - ink, 0)
    start = spare / 2
    if frame.align == "left":
        start[0] = 0
    start = np.clip(start + amounts.shift, 0, spare)
    offset = start + amounts.width / 2
    x = (points.x - low[0][points.owner]) * scale[points.owner] + offset[0][points.owner]
    y = (points.y - low[1][points.owner]) * scale[points.owner] + offset[1][points.owner]
    # Less a rounding error.
    widths = np.ceil(start[0] + ink[0] - 1e-3).astype(np.int64)
    widths[np.bincount(points.owner, minlength=len(widths)) == 0] = 1
    return points._replace(x=x, y=y), np.clip(widths, 1, frame.shape[1])


_NOTHING = 1e-6


def _extents(points: _Points, n: int) -> tuple[Floats, Floats]:
    """(2, n) least x and y of each sample, and its extents; 0 without points."""
    counts = np.bincount(points.owner, minlength=n)
    some = counts > 0
    starts = (np.cumsum(counts) - counts)[some]
    low, high = np.zeros((2, n), np.float32), np.zeros((2, n), np.float32)
    for axis, values in enumerate((points.x, points.y)):
        low[axis, some] = np.minimum.reduceat(values, starts)
        high[axis, some] = np.maximum.reduceat(values, starts)
    return low, high - low


def _densify(points: _Points, amounts: Amounts) -> _Points:
    """The same strokes with points so close that discs around them leave no gaps."""
    right = np.diff(points.x, append=np.float32(0))
    down = np.diff(points.y, append=np.float32(0))
    right[points.last] = down[points.last] = 0
    # Half way between two points the edge, `inner` off the line, is farther from both of them.
    inner = np.abs(amounts.width - 1) / 2
    spacing = np.maximum(2 * np.sqrt(_ERROR**2 + 2 * _ERROR * inner), _LEAST_SPACING)
    pieces = np.ceil(np.hypot(right, down) / spacing[points.owner]).astype(np.int64)
    pieces = np.maximum(pieces, 1)
    before = np.repeat(np.arange(len(pieces)), pieces)
    first = np.cumsum(pieces) - pieces
    step = (np.arange(len(before)) - first[before]).astype(np.float32)
    share = step / pieces.astype(np.float32)[before]
    x = points.x[before] + right[before] * share
    y = points.y[before] + down[before] * share
    return _Points(x, y, points.owner[before], points.last[before])


def _stamp(points: _Points, amounts: Amounts, shape: tuple[int, int]) -> Image:
    """Images of discs around points.

    Every point tells the k x k pixels around it how far they are; a pixel keeps the least of its
    distances, and is covered by as much as the disc reaches past its center.
    """
    height, width = shape
    radius = amounts.width / 2
    reach = radius.max() + np.float32(0.5)
    k = int(2 * reach) + 1
    left = np.clip(np.ceil(points.x - reach - np.float32(0.5)), -k, width)
    top = np.clip(np.ceil(points.y - reach - np.float32(0.5)), -k, height)
    steps = np.arange(k, dtype=np.float32)[:, None] + np.float32(0.5)
    across, along = (left + steps - points.x) ** 2, (top + steps - points.y) ** 2
    # Discs reach k pixels over each border. What stands left of a row is the margin right of the
    # row before it, and what stands above an image is the margin below the one before.
    rows, columns = height + k, width + k
    distances = np.full((len(radius) * rows + k + 1) * columns, np.inf, np.float32)
    corner = (points.owner * rows + top.astype(np.int64) + k) * columns
    corner += left.astype(np.int64) + k
    for row in range(k):
        for column in range(k):
            place = corner + (row * columns + column)
            np.minimum.at(distances, place, along[row] + across[column])
    inside = distances[: len(radius) * rows * columns].reshape(-1, rows, columns)[:, k:, k:]
    edge = (radius + np.float32(0.5))[:, None, None]
    # A pen narrower than a pixel covers no more of it than its width.
    covered = np.clip(edge - np.sqrt(inside), 0, np.minimum(amounts.width, 1)[:, None, None])
    images: Image = (covered * amounts.ink[:, None, None] + np.float32(0.5)).astype(np.uint8)
    return images
