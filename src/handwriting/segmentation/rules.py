"""Ruled lines of paper, full and dotted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from handwriting.images import Image
from handwriting.segmentation.segment import Components, Indices, Mask, components, letter_height

__all__ = ["dotted", "ruled"]

# Rules are looked for in a picture of at most about so many columns.
_WIDTH = 1200
# A rule is straight for this part of the picture's width (height), and as long as that in all.
_STRAIGHT, _LONG = 1 / 25, 1 / 8
# Strokes of large letters are as long. Rules are longer than so many letters are high, and go from
# end to end, or all together as far; pictures of less than so many pixels have none.
_LETTERS, _WHOLE, _TINY = 3, 0.9, 150
_THICK = 9  # pixels, at most
_FAINT = 0.35  # of the threshold for ink
# A stroke is so many times as dark as three in four places of the rule where nothing is written.
_USUAL, _DARKER = 75, 1.2
# A dot or dash is at most this part of the picture's width high; a dotted rule has so many of them
# in a stretch that is so many times as long.
_DOTS_A_WIDTH, _DOTS, _REACH = 400, 6, 30


def ruled(strength: Image, threshold: int) -> Mask:
    """Where ruled lines are, but for the strokes that cross them.

    Args:
        strength: (h, w) uint8, how much darker than the paper each pixel is.
        threshold: what ink is above; rules may be fainter.
    """
    factor = max(1, round(strength.shape[1] / _WIDTH))
    small = _largest(strength, factor)
    faint, ink = small > max(6, _FAINT * threshold), small > threshold
    found = [_long_lines(faint, axis) for axis in (0, 1)]
    if ink.any() and any(lengths.any() for _, lengths in found):
        longest = _LETTERS * letter_height(components(ink))
        for axis, (_, lengths) in enumerate(found):
            lengths[lengths < min(longest, _WHOLE * ink.shape[axis])] = 0
    together = sum(lengths.sum() / faint.shape[axis] for axis, (_, lengths) in enumerate(found))
    least = _WHOLE if together < 1 else 0
    rest = np.zeros(ink.shape, np.bool_)
    for axis, (pieces, lengths) in enumerate(found):
        chosen = np.append(False, lengths > least * ink.shape[axis])
        labels = np.where(chosen[pieces.labels], pieces.labels, 0)
        rest |= _without_strokes(labels, small, ink, 1 - axis)
    whole: Mask = rest.repeat(factor, axis=0).repeat(factor, axis=1)
    return whole[: strength.shape[0], : strength.shape[1]]


def _long_lines(faint: Mask, axis: int) -> tuple[Components, Indices]:
    """Pieces that are straight along one axis, and how long they are; 0 for the short and thick."""
    length = faint.shape[axis]
    straight = max(30, round(_STRAIGHT * length))
    # Three rows together, so that a rule may lean a little.
    thick = _widened(faint, 1 - axis)
    pieces = components(_widened(_narrowed(thick, axis, straight // 2), axis, straight // 2))
    lengths = (pieces.heights, pieces.widths)[axis]
    long = (lengths > _LONG * length) & (pieces.areas < _THICK * lengths) & (length >= _TINY)
    return pieces, lengths * long


def _without_strokes(labels: Indices, strength: Image, ink: Mask, across: int) -> Mask:
    """Long lines without the ink that goes on beside them, or is darker than they are."""
    lines = labels > 0
    if not lines.any():
        return lines
    band = _widened(lines, across)
    outside, within = ink & ~band, ink & band
    beside = _widened(outside, across, 2)
    levels = _widened(_levels(labels, strength, outside, across), across)
    strokes = within & (beside | (strength > levels))
    for _ in range(_THICK // 2):
        strokes = _widened(strokes, across) & within
    rest: Mask = band & ~strokes
    return rest


def _levels(labels: Indices, strength: Image, ink: Mask, across: int) -> Image:
    """How dark the lines can be where nothing is written on them, in their places; 0 elsewhere."""
    from scipy import ndimage

    near = _widened(_widened(ink, across, 2 * _THICK), 1 - across, _THICK // 2)
    alone, peaks = np.where(near, 0, labels), _widened(strength, across)
    which = np.unique(labels[labels > 0])
    tops = ndimage.labeled_comprehension(
        peaks, alone, which, lambda values: np.percentile(values, _USUAL), np.float64, 255
    )
    levels = np.zeros(labels.max() + 1, np.uint8)
    levels[which] = np.minimum(_DARKER * tops, 255)
    found: Image = levels[labels]
    return found


def _widened(image: Any, axis: int, by: int = 1) -> Any:
    """The largest of the values from so many pixels before each to so many after, along an axis."""
    return _extreme(np.maximum, image, axis, by)


def _narrowed(image: Any, axis: int, by: int) -> Any:
    """The smallest of the values from so many pixels before each to so many after."""
    return _extreme(np.minimum, image, axis, by)


def _extreme(function: np.ufunc, image: Any, axis: int, by: int) -> Any:
    """An extreme of all values so far away, by whole pictures; a filter takes ten times as long."""
    found = np.moveaxis(image.copy("K"), axis, 0)
    reach = 0
    while reach < by:
        # Not further than where the windows of neighbors meet, so that borders are whole.
        step = min(reach + 1, by - reach)
        before = found.copy("K")
        function(found[step:], before[:-step], out=found[step:])
        function(found[:-step], before[step:], out=found[:-step])
        reach += step
    return np.moveaxis(found, 0, axis)


def dotted(pieces: Components) -> Mask:
    """Which pieces of ink are dots of dotted rules: small ones, with many others at their height.

    Returns:
        (n,)
    """
    size = max(3, round(pieces.labels.shape[1] / _DOTS_A_WIDTH))
    small = np.flatnonzero((pieces.heights <= size) & (pieces.widths <= _REACH * size // 2))
    rows = (pieces.boxes[small, 0] + pieces.boxes[small, 2]) // 2
    columns = pieces.boxes[small, 1] // (_REACH * size)
    dots = np.zeros(len(pieces.areas), np.bool_)
    # Bands of rows, and such that begin in the middle of those: one of them holds a whole rule,
    # even if it leans.
    for shift in (0, size):
        cells = (rows + shift) // (2 * size) * (columns.max(initial=0) + 1) + columns
        _, cell, counts = np.unique(cells, return_inverse=True, return_counts=True)
        dots[small] |= counts[cell] >= _DOTS
    return dots


def _largest(image: Image, factor: int) -> Image:
    """The image with each square of pixels made one, the strongest."""
    height, width = image.shape
    padded = np.pad(image, ((0, -height % factor), (0, -width % factor)))
    parts = [padded[i::factor, j::factor] for i in range(factor) for j in range(factor)]
    largest: NDArray[np.uint8] = parts[0]
    for part in parts[1:]:
        largest = np.maximum(largest, part)
    return largest
