"""From the characters of a line to its words."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handwriting.segmentation.segment import Mask, Segment

__all__ = ["group_words"]

# A gap within these bounds, in heights of a letter, can be a space or not.
_LEAST, _GREATEST, _USUAL = 0.35, 1.0, 0.6
# So many steps in turn that differ by this part at most are those of a form's boxes; they are this
# wide at most.
_BOXES, _UNEVEN, _WIDEST = 3, 0.4, 2.5


def group_words(characters: Sequence[Segment]) -> list[Segment]:
    """Put the characters of a line together to words.

    Gaps are measured in the height of the line's own letters. Those below a third of it never part
    words, those above it always do; between, the words are parted where the widest step is among
    the gaps of this line. A single word stays whole, and a line of single letters that stand far
    apart is parted at each.

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
    spaces = gaps > _least_space(gaps)
    centers = np.array([character.box.left + character.box.right for character in characters]) / 2
    spaces &= ~_even(np.diff(centers) / letter, spaces)
    starts = np.flatnonzero(spaces) + 1
    bounds = [0, *starts.tolist(), len(characters)]
    return [_joined(characters[a:b]) for a, b in itertools.pairwise(bounds)]


def _least_space(gaps: NDArray[np.float64]) -> float:
    """The gap, in heights of a letter, above which words are parted."""
    inside = np.sort(gaps[(gaps > _LEAST) & (gaps < _GREATEST)])
    below, above = gaps[gaps <= _LEAST], gaps[gaps >= _GREATEST]
    ladder = np.concatenate([[below.max(initial=0.0)], inside, [above.min(initial=_GREATEST)]])
    if not len(inside):
        return _USUAL
    # The widest step, in proportion, and rather one near the usual bound.
    middles = (ladder[1:] + ladder[:-1]) / 2
    steps = np.diff(ladder) * np.exp(-2 * np.abs(middles - _USUAL))
    return float(middles[steps.argmax()])


def _even(steps: NDArray[np.float64], spaces: Mask) -> Mask:
    """Which steps from one character to the next are those of letters in the boxes of a form.

    Such letters stand apart as words do, but at equal distances.
    """
    even = np.zeros(len(steps), np.bool_)
    start = 0
    while start < len(steps):
        end = start
        while end < len(steps) and spaces[end] and _equal(steps[start : end + 1]):
            end += 1
        even[start:end] = end - start >= _BOXES
        start = max(end, start + 1)
    return even


def _equal(steps: NDArray[np.float64]) -> bool:
    """Whether all steps are nearly the same, and not too wide."""
    return bool(np.ptp(steps) <= _UNEVEN * np.median(steps) and steps.max() < _WIDEST)


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
