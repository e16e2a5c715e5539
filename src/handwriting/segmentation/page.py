"""From the picture of a page to its lines, words and characters."""

import dataclasses

from handwriting.images import Image
from handwriting.preprocessing import Polarity
from handwriting.segmentation.characters import Method, Scorer, find_characters
from handwriting.segmentation.lines import find_lines
from handwriting.segmentation.paper import find_ink
from handwriting.segmentation.segment import Segment
from handwriting.segmentation.words import group_words

__all__ = ["segment"]


def segment(
    gray: Image,
    *,
    polarity: Polarity = "auto",
    method: Method = "components",
    scorer: Scorer | None = None,
) -> list[Segment]:
    """Cut the picture of a page into lines, words and characters.

    Args:
        gray: (h, w) uint8 gray levels of any paper, such as :func:`handwriting.images.to_gray`
            gives.
        polarity: as for :func:`find_ink`.
        method: as for :func:`find_characters`.
        scorer: as for :func:`find_characters`.

    Returns:
        The lines in reading order. A line's parts are its words, a word's parts its characters; all
        boxes are in pixels of the picture.

    Raises:
        ValueError: not one image.

    Example:
        >>> import numpy as np
        >>> page = np.full((80, 200), 230, np.uint8)
        >>> for left in (20, 50, 120):
        ...     page[30:50, left : left + 20] = 40
        >>> for line in segment(page):
        ...     print([[tuple(character.box) for character in word.parts] for word in line.parts])
        [[(30, 20, 50, 40), (30, 50, 50, 70)], [(30, 120, 50, 140)]]
    """
    lines = find_lines(find_ink(gray, polarity))
    return [_with_parts(line, method, scorer) for line in lines]


def _with_parts(line: Segment, method: Method, scorer: Scorer | None) -> Segment:
    words = group_words(find_characters(line.image, method=method, scorer=scorer))
    moved = tuple(word.moved(line.box.top, line.box.left) for word in words)
    return dataclasses.replace(line, parts=moved)
