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
    from scipy import ndimage

    length = faint.shape[axis]
    straight = max(30, round(_STRAIGHT * length))
    # Three rows together, so that a rule may lean a little.
    thick = _widened(faint, 1 - axis)
    runs = ndimage.minimum_filter1d(thick.view(np.uint8), straight, axis=axis)
    runs = ndimage.maximum_filter1d(runs, straight, axis=axis)
    pieces = components(runs.view(np.bool_))
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
    beside = _widened(_widened(outside, across), across)
    levels = _widened(_levels(labels, strength, outside, across), across)
    strokes = within & (beside | (strength > levels))
    for _ in range(_THICK // 2):
        strokes = _widened(strokes, across) & within
    rest: Mask = band & ~strokes
    return rest


def _levels(labels: Indices, strength: Image, ink: Mask, across: int) -> Image:
    """How dark the lines can be where nothing is written on them, in their places; 0 elsewhere."""
    from scipy import ndimage

    size = (4 * _THICK, _THICK) if across == 0 else (_THICK, 4 * _THICK)
    alone = np.where(ndimage.maximum_filter(ink.view(np.uint8), size), 0, labels)
    peaks = ndimage.maximum_filter1d(strength, 3, axis=across)
    which = np.unique(labels[labels > 0])
    tops = ndimage.labeled_comprehension(
        peaks, alone, which, lambda values: np.percentile(values, _USUAL), np.float64, 255
    )
    levels = np.zeros(labels.max() + 1, np.uint8)
    levels[which] = np.minimum(_DARKER * tops, 255)
    found: Image = levels[labels]
    return found


def _widened(mask: Any, axis: int) -> Any:
    """A mask with the pixels on both sides along an axis; a filter would take ten times as long."""
    wide = mask.copy()
    one, other = (slice(1, None), slice(None, -1))
    ahead, behind = (one, other) if axis == 0 else ((slice(None), one), (slice(None), other))
    np.maximum(wide[ahead], mask[behind], out=wide[ahead])
    np.maximum(wide[behind], mask[ahead], out=wide[behind])
    return wide


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
