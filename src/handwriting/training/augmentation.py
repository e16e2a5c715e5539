"""Change lines at random, a batch at a time, in NumPy."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Labels
from handwriting.images import Image

__all__ = ["LineAugmentation", "augment_lines"]

Floats = NDArray[np.float32]
_INK = 64
_PART_PIXELS = 1 << 16


@dataclasses.dataclass(frozen=True)
class LineAugmentation:
    """How far each line is changed at random, uniformly in both directions.

    Args:
        shift: (down, right) in shares of the height. Ink is not moved out of the image sideways.
        rotate: degrees.
        slant: degrees that upright strokes lean.
        scale: share of the size.
        stretch: share of the width, on top of ``scale``.
        wave: how far parts of a line move on their own, in shares of the height.
        thickness: share of the way to strokes a pixel thicker on each side; half as far to thinner.
        contrast: share of the darkness of the ink.
        neighbors: share of the lines that get the edge of another line above or below.
    """

    shift: tuple[float, float] = (0.08, 0.4)
    rotate: float = 1.5
    slant: float = 12.0
    scale: float = 0.12
    stretch: float = 0.15
    wave: float = 0.04
    thickness: float = 0.5
    contrast: float = 0.3
    neighbors: float = 0.15


def augment_lines(
    images: Image,
    widths: Labels,
    augmentation: LineAugmentation,
    *,
    rng: int | np.random.Generator,
) -> tuple[Image, Labels]:
    """Move, slant, stretch, bend, thicken and darken each line by its own random amounts.

    Args:
        images: (n, h, w) uint8, ink on paper 0.
        widths: (n,) int64, the width of each line before it was padded.
        augmentation: how far.
        rng: a seed or a generator.

    Returns:
        The same shape, and the new widths; what moves in from outside is paper.

    Example:
        >>> images, widths = np.zeros((2, 32, 128), np.uint8), np.array([128, 64])
        >>> images, widths = augment_lines(images, widths, LineAugmentation(), rng=0)
        >>> images.shape, widths.shape
        ((2, 32, 128), (2,))
    """
    generator = np.random.default_rng(rng)
    moved, widths = _move(images, widths, augmentation, generator)
    moved = _thicken(moved, augmentation.thickness, generator)
    darker = 1 + _uniform(generator, len(images), augmentation.contrast)
    moved = np.clip(moved * darker[:, None, None], 0, 255)
    result: Image = np.rint(moved).astype(np.uint8)
    return _add_neighbors(result, augmentation.neighbors, generator), widths


def _uniform(rng: np.random.Generator, n: int, amount: float) -> Floats:
    return (rng.uniform(-1, 1, n) * amount).astype(np.float32)


def _move(
    images: Image, widths: Labels, augmentation: LineAugmentation, rng: np.random.Generator
) -> tuple[Floats, Labels]:
    n, height, width = images.shape
    left, right = _ink_extents(images)
    size = 1 + _uniform(rng, n, augmentation.scale)
    # Never so wide that the end of the text leaves the image.
    wide = np.minimum(size * (1 + _uniform(rng, n, augmentation.stretch)), width / right)
    down = _uniform(rng, n, augmentation.shift[0] * height)
    along = _uniform(rng, n, augmentation.shift[1] * height)
    along = np.clip(along, np.minimum(-left * wide, 0), width - right * wide)
    lean = np.tan(np.radians(_uniform(rng, n, augmentation.slant)))
    turn = np.tan(np.radians(_uniform(rng, n, augmentation.rotate)))
    wave = augmentation.wave * height
    x = np.arange(width, dtype=np.float32)
    y = np.arange(height, dtype=np.float32) - (height - 1) / 2
    # Where in the old image each pixel of the new one comes from.
    columns = (x - along[:, None]) / wide[:, None] + _waves(n, width, height, wave, rng)
    rows = turn[:, None] * (x - width / 2) - down[:, None] + _waves(n, width, height, wave, rng)
    from_x = columns[:, None, :] + (lean[:, None] * y)[:, :, None]
    from_y = rows[:, None, :] + (y / size[:, None])[:, :, None] + (height - 1) / 2
    new_widths = np.clip(np.ceil(widths * wide + along), 1, width).astype(np.int64)
    return _sample(images, from_y, from_x), new_widths


def _ink_extents(images: Image) -> tuple[Floats, Floats]:
    """First column of each image with ink, and the one after the last."""
    inked = np.max(images, axis=1) > _INK
    width = images.shape[2]
    some = np.any(inked, axis=1)
    left = np.where(some, inked.argmax(axis=1), 0)
    right = np.where(some, width - inked[:, ::-1].argmax(axis=1), width)
    return left.astype(np.float32), right.astype(np.float32)


def _waves(n: int, width: int, period: int, amount: float, rng: np.random.Generator) -> Floats:
    """(n, width) smooth random curves of a given amplitude."""
    knots = rng.uniform(-amount, amount, (n, width // period + 2)).astype(np.float32)
    position = np.arange(width, dtype=np.float32) / period
    before = position.astype(np.int64)
    share = (position - before).astype(np.float32)
    share = share * share * (3 - 2 * share)
    curves: Floats = knots[:, before] * (1 - share) + knots[:, before + 1] * share
    return curves


def _sample(images: Image, y: Floats, x: Floats) -> Floats:
    """Bilinear values at places of each image; paper outside."""
    # In parts that stay in the cache: three times as fast.
    count = max(1, _PART_PIXELS // (images.shape[1] * images.shape[2]))
    parts = [slice(i, i + count) for i in range(0, len(images), count)]
    values = [_sample_part(images[part], y[part], x[part]) for part in parts]
    return np.concatenate(values) if values else np.zeros(images.shape, np.float32)


def _sample_part(images: Image, y: Floats, x: Floats) -> Floats:
    n, height, width = images.shape
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2)))
    y = np.clip(y + 1, 0, height + 1)
    x = np.clip(x + 1, 0, width + 1)
    top, left = y.astype(np.int32), x.astype(np.int32)
    dy, dx = y - top, x - left
    stride = width + 3
    first = np.arange(n, dtype=np.int32)[:, None, None] * (height + 3) * stride
    place = first + top * stride + left
    flat = padded.ravel().astype(np.float32)
    above = flat[place] * (1 - dx) + flat[place + 1] * dx
    below = flat[place + stride] * (1 - dx) + flat[place + stride + 1] * dx
    values: Floats = above * (1 - dy) + below * dy
    return values


def _thicken(images: Floats, amount: float, rng: np.random.Generator) -> Floats:
    share = (rng.uniform(-0.5, 1, len(images)) * amount).astype(np.float32)[:, None, None]
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    result = images.copy()
    for sign, extreme in ((1, np.maximum), (-1, np.minimum)):
        which = np.flatnonzero(share[:, 0, 0] * sign > 0)
        part = padded[which]
        across = extreme(extreme(part[:, :, :-2], part[:, :, 1:-1]), part[:, :, 2:])
        whole = extreme(extreme(across[:, :-2], across[:, 1:-1]), across[:, 2:])
        result[which] += np.abs(share[which]) * (whole - images[which])
    return result


def _add_neighbors(images: Image, share: float, rng: np.random.Generator) -> Image:
    """Let the bottom of another line show at the top of some lines, or its top at their bottom."""
    n, height, _ = images.shape
    result = images.copy()
    for index in np.flatnonzero(rng.random(n) < share):
        other = images[rng.integers(n)]
        inked = np.flatnonzero(other.max(axis=1) > _INK)
        if not len(inked):
            continue
        rows = int(rng.integers(1, max(2, height // 7)))
        if rng.random() < 0.5:
            edge = other[max(0, inked[-1] + 1 - rows) : inked[-1] + 1]
            place = slice(0, len(edge))
        else:
            edge = other[inked[0] : inked[0] + rows]
            place = slice(height - len(edge), height)
        result[index, place] = np.maximum(result[index, place], edge)
    return result
