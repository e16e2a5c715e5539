"""From the characters of a line to its words."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handwriting.segmentation.segment import Mask, Segment

__all__ = ["group_words"]

Lengths = NDArray[np.float64]

# All in heights of a letter. Gaps are of two kinds if their means are so far apart, and so many
# times the other; gaps that are still wider do not count for more.
_APART, _TIMES, _WIDEST = 0.35, 2.0, 1.5
# Gaps of one kind are spaces if they are wider, those within words never.
_USUAL = 0.8
# Letters in boxes of equal width: so many gaps or more, uneven in comparison with the steps from
# middle to middle, and steps of this width at most.
_BOXES, _EVEN, _LONGEST = 4, 0.6, 2.0


def group_words(characters: Sequence[Segment]) -> list[Segment]:
    """Put the characters of a line together to words.

    Where the gaps of the line are of two kinds, the wider ones part words. Where they are of one
    kind, the line is a single word, or single letters that stand far apart, each a word; letters
    in the boxes of a form are one word, too.

    Args:
        characters: of one line, from left to right, such as :func:`find_characters` gives.

    Returns:
        The words from left to right, with their characters as parts.

    Example:
        >>> from handwriting.segmentation import Box
        >>> one = np.full((20, 10), 255, np.uint8)
        >>> letters = [Segment(Box(0, left, 20, left + 10), one) for left in (0, 13, 50, 64)]
        >>> [tuple(word.box) for word in group_words(letters)]
        [(0, 0, 20, 23), (0, 50, 20, 74)]
    """
    if not characters:
        return []
    heights = np.array([character.box.height for character in characters])
    letter = float(np.median(heights[heights >= 0.6 * np.percentile(heights, 90)]))
    rights = np.maximum.accumulate([character.box.right for character in characters])
    lefts = np.array([character.box.left for character in characters])
    gaps = (lefts[1:] - rights[:-1]) / letter
    middles = np.array([character.box.left + character.box.right for character in characters]) / 2
    starts = np.flatnonzero(_spaces(gaps, np.diff(middles) / letter)) + 1
    bounds = [0, *starts.tolist(), len(characters)]
    return [_joined(characters[a:b]) for a, b in itertools.pairwise(bounds)]


def _spaces(gaps: Lengths, steps: Lengths) -> Mask:
    """Which gaps part words.

    Args:
        gaps: (n,) between neighbors, in heights of a letter.
        steps: (n,) from the middle of a character to that of the next.
    """
    if not len(gaps):
        return np.zeros(0, np.bool_)
    bound, within, between, _ = _two_kinds(gaps.clip(0, _WIDEST))
    if within < _USUAL and between >= max(within + _APART, _TIMES * within):
        return gaps > bound
    boxes = len(gaps) >= _BOXES and _two_kinds(steps)[3] < _EVEN * _two_kinds(gaps)[3]
    spaced = np.median(gaps) > _USUAL and not (boxes and np.median(steps) <= _LONGEST)
    return np.full(len(gaps), spaced)


def _two_kinds(lengths: Lengths) -> tuple[float, float, float, float]:
    """The bound that parts lengths best into short and long ones.

    Returns:
        The bound, the mean of the short ones, the mean of the long ones, and the standard deviation
        from the mean of their kind.

    Source:
        Otsu: A threshold selection method from gray-level histograms. IEEE Trans. SMC 9 (1979).
    """
    lengths = np.sort(lengths)
    n = len(lengths)
    if n < 2:
        return float(lengths[0]), float(lengths[0]), float(lengths[0]), 0.0
    count, total = np.arange(1, n), lengths.cumsum()
    short, long = total[:-1] / count, (total[-1] - total[:-1]) / (n - count)
    variances = count * (n - count) / n**2 * (long - short) ** 2
    best = int(variances.argmax())
    rest = max(0.0, float(lengths.var() - variances[best]))
    bound = float(lengths[best] + lengths[best + 1]) / 2
    return bound, float(short[best]), float(long[best]), rest**0.5


def _joined(parts: Sequence[Segment]) -> Segment:
    """One segment of several."""
    box = parts[0].box
    for part in parts[1:]:
        box = box.united(part.box)
    image = np.zeros((box.height, box.width), np.uint8)
    for part in parts:
        inside = part.box.moved(-box.top, -box.left).slices
        np.maximum(image[inside], part.image, out=image[inside])
    return Segment(box, image, tuple(parts))
