"""From the ink of a line to its characters."""

import bisect
import collections
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handwriting import preprocessing
from handwriting.images import Image, check
from handwriting.segmentation.segment import (
    Box,
    Components,
    Indices,
    Segment,
    components,
    cut,
    letter_height,
)

__all__ = ["find_characters"]

Method = Literal["components", "columns"]
Scorer = Callable[[Sequence[Image]], NDArray[np.floating]]

# All in heights of a letter.
_SPECK = 0.06
_MARK = 0.45  # dots, accents and commas are smaller
_DOT = 0.3
_BESIDE, _REACH = 0.25, 0.9  # how far to the side of its letter a dot may be, and how far above
_QUOTE = 0.5  # how far apart the two strokes of a quotation mark may be
_WIDE = 1.75  # what is wider is several characters that touch
_DOUBTFUL = 0.9  # what is wider can be several, if a scorer says so
_LEAST_WIDTH, _USUAL_WIDTH = 0.25, 0.75
_THIN = 0.5  # a cut goes through so much ink at most


def find_characters(
    line: Image, *, method: Method = "components", scorer: Scorer | None = None
) -> list[Segment]:
    """Cut a line into its characters.

    Pieces of ink become characters by how they stand to one another: what another one encloses,
    dots and accents, the strokes of ``=``, ``:``, ``"`` and ``%``, and pieces above one another
    belong together; what is too wide for one character is cut where its ink is thinnest. The simple
    alternative, as published recognizers of single lines have it, is a character for each stretch
    of columns between blank ones.

    Args:
        line: (h, w) uint8 ink on paper 0, such as the image of a line of :func:`find_lines`.
        method: ``"components"`` as told, or ``"columns"`` for the alternative.
        scorer: tells of images (h, w) of possible characters how likely they are such, in [0, 1];
            it chooses among the cuts of wide ones. Without it they are cut by their width.

    Returns:
        The characters from left to right.

    Raises:
        ValueError: not one image, or no such method.

    Example:
        >>> line = np.zeros((40, 60), np.uint8)
        >>> line[15:30, 10:13] = line[8:11, 10:13] = 255  # an i
        >>> line[10:30, 30:45] = 255
        >>> [tuple(character.box) for character in find_characters(line)]
        [(8, 10, 30, 13), (10, 30, 30, 45)]
    """
    if check(line, name="line").ndim != 2:
        raise ValueError(f"line must be one image of shape (h, w), got shape {line.shape}")
    if method not in ("components", "columns"):
        raise ValueError(f"method must be 'components' or 'columns', got {method!r}")
    if method == "columns":
        return _columns(line)
    pieces = components(line > 0)
    if not len(pieces.areas):
        return []
    letter = letter_height(pieces)
    groups = _grouped(pieces, letter)
    numbers = np.append(0, groups).astype(np.int32)
    owners = numbers[pieces.labels]
    found = cut(line, owners)
    whole = [part for each in found for part in _divided(each, letter, scorer)]
    return sorted(whole, key=lambda each: (each.box.left + each.box.right, each.box.top))


def _columns(line: Image) -> list[Segment]:
    """A character for each stretch of columns with ink."""
    ink = line > 0
    written = ink.any(axis=0)
    numbers = np.cumsum(np.diff(written, prepend=False) & written)
    return cut(line, np.where(ink, numbers, 0))


class _Groups:
    """Pieces of ink, and which of them were put together."""

    def __init__(self, pieces: Components, letter: float) -> None:
        self.boxes = [Box(*box) for box in pieces.boxes.tolist()]
        self.letter = letter
        kept = np.flatnonzero(pieces.areas >= max(2, (_SPECK * letter) ** 2)).tolist()
        self.order = sorted(kept, key=lambda i: self.boxes[i].left)
        self._parents = list(range(len(self.boxes)))
        self._lefts = [self.boxes[i].left for i in self.order]
        # The furthest that any of the pieces up to one reaches.
        self._rights = list(itertools.accumulate((self.boxes[i].right for i in self.order), max))
        large = [each for each in self.boxes if each.height > 0.6 * letter]
        self.middle = float(np.median([(each.top + each.bottom) / 2 for each in large] or [np.inf]))

    def root(self, i: int) -> int:
        """The piece that stands for all that piece i was put together with."""
        while self._parents[i] != i:
            self._parents[i] = self._parents[self._parents[i]]
            i = self._parents[i]
        return i

    def join(self, i: int, j: int) -> None:
        """Put two pieces together, and all that are with them."""
        self._parents[self.root(j)] = self.root(i)

    def alone(self) -> list[int]:
        """The pieces that were put to no other, from left to right."""
        counts = collections.Counter(map(self.root, self.order))
        return [i for i in self.order if counts[self.root(i)] == 1]

    def near(self, i: int, reach: float) -> Iterator[int]:
        """Other pieces whose columns are at most so far from those of piece i."""
        box = self.boxes[i]
        first = bisect.bisect_left(self._rights, box.left - reach)
        last = bisect.bisect_right(self._lefts, box.right + reach)
        for j in self.order[first:last]:
            if j != i and self.boxes[j].right >= box.left - reach:
                yield j

    def numbers(self) -> list[int]:
        """The number, from 1, of the character of each piece; 0 for specks."""
        roots = {r: n for n, r in enumerate(dict.fromkeys(map(self.root, self.order)), 1)}
        numbers = [0] * len(self.boxes)
        for i in self.order:
            numbers[i] = roots[self.root(i)]
        return numbers


def _grouped(pieces: Components, letter: float) -> list[int]:
    """The number, from 1, of the character of each piece; 0 for specks."""
    groups = _Groups(pieces, letter)
    boxes = groups.boxes
    for i in groups.order:
        for j in groups.near(i, 0):
            if _above(boxes[i], boxes[j], letter):
                groups.join(i, j)
    alone = groups.alone()
    joined = set(groups.order) - set(alone)
    for i in alone:
        _join_dot(groups, i, joined)
    quotes = [i for i in groups.alone() if _is_tick(boxes[i], groups)]
    for i, j in itertools.pairwise(quotes):
        if _is_quote(boxes[i], boxes[j], letter):
            groups.join(i, j)
    return groups.numbers()


def _above(a: Box, b: Box, letter: float) -> bool:
    """Whether pieces stand above one another, or cross: marks, bars, and strokes of one letter."""
    shared = min(a.right, b.right) - max(a.left, b.left)
    share = shared / min(a.width, b.width)
    mark = min(max(a.height, a.width), max(b.height, b.width)) <= _MARK * letter
    flat = min(a.height, b.height) <= 0.3 * letter
    return share >= (0.2 if mark or flat else 0.4)


def _is_dot(box: Box, letter: float) -> bool:
    return max(box.height, box.width) <= _DOT * letter


def _join_dot(groups: _Groups, i: int, joined: set[int]) -> None:
    """Put a dot to what it stands above or below, a little to the side: as in i, j, !, ? and ;."""
    dot, letter = groups.boxes[i], groups.letter
    if not _is_dot(dot, letter):
        return
    best, nearest = i, _REACH * letter
    for j in groups.near(i, _BESIDE * letter):
        body = groups.boxes[j]
        if j in joined and _is_dot(body, letter):  # that of another character
            continue
        between = max(dot.top, body.top) - min(dot.bottom, body.bottom)
        narrow = body.width <= max(0.5 * letter, dot.width) and body.height >= 0.8 * body.width
        if narrow and 0 < between < nearest:
            best, nearest = j, between
    if best != i:
        groups.join(best, i)


def _is_tick(box: Box, groups: _Groups) -> bool:
    """Whether a piece can be a stroke of a quotation mark: upright, and high above the baseline."""
    letter = groups.letter
    upright = 0.1 * letter < box.height <= 0.75 * letter and box.width <= 1.3 * box.height
    return upright and box.bottom <= groups.middle + 0.25 * letter


def _is_quote(a: Box, b: Box, letter: float) -> bool:
    """Whether two such strokes are one mark: side by side, at one height."""
    level = abs(a.top - b.top) < 0.25 * letter and abs(a.bottom - b.bottom) < 0.35 * letter
    return level and b.left - a.right <= _QUOTE * letter


def _divided(character: Segment, letter: float, scorer: Scorer | None) -> list[Segment]:
    """The characters that one wide segment holds, from left to right."""
    box = character.box
    wide = (_WIDE if scorer is None else _DOUBTFUL) * letter
    if box.width <= wide:
        return [character]
    ink = character.image > 0
    if components(ink).heights.max() <= 0.5 * letter:  # as in =
        return [character]
    heights = ink.sum(axis=0)
    places = _thin_places(heights, letter)
    pairs = list(_stretches(places, letter))
    costs = _costs(character.image, places, pairs, letter, scorer)
    cuts = _cheapest(places, pairs, costs)
    if len(cuts) <= 2:
        return [character]
    edges = np.searchsorted(cuts, np.arange(box.width), "right").astype(np.int32)
    parts = cut(character.image, np.where(ink, edges, 0))
    return [part.moved(box.top, box.left) for part in parts]


def _thin_places(heights: Indices, letter: float) -> list[int]:
    """Columns where a cut goes through little ink, and both ends."""
    from scipy import ndimage

    window = max(3, round(0.25 * letter) | 1)
    lowest = ndimage.minimum_filter1d(heights, window, mode="nearest") == heights
    middles, n = ndimage.label(lowest & (heights <= _THIN * letter))
    means = ndimage.mean(np.arange(len(heights)), middles, np.arange(1, n + 1))
    inner = [round(place) for place in means.tolist()]
    margin = _LEAST_WIDTH * letter / 2
    inner = [place for place in inner if margin < place < len(heights) - margin]
    return [0, *inner, len(heights)]


def _stretches(places: list[int], letter: float) -> Iterator[tuple[int, int]]:
    """Pairs of places that can be the ends of a character, by the width between them."""
    for a, start in enumerate(places[:-1]):
        least = bisect.bisect_left(places, start + _LEAST_WIDTH * letter, a + 1)
        greatest = bisect.bisect_right(places, start + _WIDE * letter, a + 1)
        # What can be cut nowhere stays whole, however wide.
        for b in range(least, max(greatest, min(a + 2, len(places)))):
            yield a, b


def _costs(
    image: Image,
    places: list[int],
    pairs: list[tuple[int, int]],
    letter: float,
    scorer: Scorer | None,
) -> NDArray[np.float64]:
    """What each stretch between two places costs as a character."""
    if not pairs:
        return np.zeros(0)
    if scorer is not None:
        images = [preprocessing.crop(image[:, places[a] : places[b]]) for a, b in pairs]
        return -np.log(np.maximum(np.asarray(scorer(images), np.float64), 1e-6))
    heights = np.append((image > 0).sum(axis=0), 0)
    widths = np.array([places[b] - places[a] for a, b in pairs]) / letter
    through = np.array(
        [0.0 if places[b] == image.shape[1] else heights[places[b]] for _, b in pairs]
    )
    return (widths - _USUAL_WIDTH) ** 2 + through / letter


def _cheapest(
    places: list[int], pairs: list[tuple[int, int]], costs: NDArray[np.float64]
) -> list[int]:
    """The places, first and last among them, between which the stretches cost least in all."""
    best = [0.0] + [math.inf] * (len(places) - 1)
    before = [-1] * len(places)
    for (a, b), cost in sorted(zip(pairs, costs.tolist(), strict=True)):
        if best[a] + cost < best[b]:
            best[b], before[b] = best[a] + cost, a
    if math.isinf(best[-1]):
        return [places[0], places[-1]]
    way = [len(places) - 1]
    while way[-1] > 0:
        way.append(before[way[-1]])
    return [places[i] for i in reversed(way)]
