"""From the ink of a page to its lines."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting.images import Image, check
from handwriting.segmentation.rules import dotted
from handwriting.segmentation.segment import (
    Box,
    Components,
    Indices,
    Mask,
    Segment,
    boxes_of,
    components,
    cut,
    letter_height,
)

__all__ = ["find_lines"]

Values = NDArray[np.float32]

# Lines are looked for in a picture in which letters are so many pixels high. All lengths that
# follow are in heights of a letter.
_UNIT = 12
# The ink is smeared along lines so much, and across them so little.
_ALONG, _ACROSS = 1.6, 0.22
_RIDGE = 0.25  # how much denser than its surroundings the middle of a line is
_STEEP = 0.15  # rows a column, at most
# A ridge goes on at most so much above or below where the one before leads to, and the more the
# further away, but not further than this. They may overlap a little.
_LEVEL, _LEAN, _FAR, _OVERLAP = 0.65, 0.03, 10, 1.5
_LEAST_HEIGHT = 0.35
_NEAR = 0.8  # ink that is further from the middle of any line is of none


def find_lines(ink: Image) -> list[Segment]:
    """Cut a page into its lines.

    The ink is smeared along the direction of writing; ridges of what comes out are the middles of
    lines, and those that go on one another are joined. Each piece of ink goes to the line that it
    is nearest to; pieces of two lines that touch are cut between them. Lines may lean and bend a
    little, and may be of different sizes.

    Args:
        ink: (h, w) uint8 ink on paper 0, such as :func:`find_ink` gives.

    Returns:
        The lines from the top down, and from the left where two are at one height, without parts.

    Raises:
        ValueError: not one image.

    Example:
        >>> page = np.zeros((100, 300), np.uint8)
        >>> page[20:40, 10:290:20] = page[60:80, 10:200:20] = 255
        >>> [tuple(line.box) for line in find_lines(page)]
        [(20, 10, 40, 271), (60, 10, 80, 191)]

    Source:
        The ridges: Bukhari, Shafait, Breuel: Script-independent handwritten textlines segmentation
        using active contours. ICDAR 2009, section 2.
    """
    if check(ink, name="ink").ndim != 2:
        raise ValueError(f"ink must be one image of shape (h, w), got shape {ink.shape}")
    pieces = components(ink > 0)
    if not len(pieces.areas):
        return []
    dots = dotted(pieces)
    letter = letter_height(pieces, ~dots)
    text = _is_text(pieces, letter) & ~dots
    factor = max(1, round(letter / _UNIT))
    density = _density(np.append(False, text)[pieces.labels], factor)
    middles, n = _middles(density, letter / factor)
    if n == 0:
        return []
    owners = _owners(pieces, text, middles, n, letter, factor)
    return _in_order(cut(ink, owners, _absorb(owners, letter)))


def _is_text(pieces: Components, letter: float) -> Mask:
    """Which pieces can be writing: no specks, no frames, no long straight lines."""
    heights, widths = pieces.heights, pieces.widths
    speck = pieces.areas < max(3, (0.06 * letter) ** 2)
    frame = heights > 6 * letter
    straight = (widths > 8 * letter) & (heights < 0.25 * letter)
    text: Mask = ~(speck | frame | straight)
    return text


def _density(mask: Mask, factor: int) -> Values:
    """How much of each square of pixels is ink, in [0, 1]."""
    import PIL.Image

    picture = PIL.Image.fromarray(mask.view(np.uint8) * np.uint8(255))
    return np.asarray(picture.reduce(factor)).astype(np.float32) / np.float32(255)


def _middles(density: Values, unit: float) -> tuple[NDArray[np.int32], int]:
    """The middles of lines.

    Returns:
        An array like ``density``, k + 1 on the middle of line k and 0 elsewhere; and the number of
        lines.
    """
    from scipy import ndimage

    across = _ACROSS * unit
    smeared = ndimage.gaussian_filter1d(density, across, 0, mode="constant")
    smeared = _smeared(smeared, _ALONG * unit)
    curved = -ndimage.gaussian_filter1d(smeared, across, 0, order=2, mode="constant") * across**2
    window = (_odd(3 * unit), _odd(6 * unit))
    around = ndimage.uniform_filter(smeared, window, mode="constant")
    written = around[around > 0]
    if not len(written):
        return np.zeros(density.shape, np.int32), 0
    # Where there is next to nothing all around, noise would be a ridge.
    ridges = curved > _RIDGE * (around + 0.15 * np.percentile(written, 75))
    labels, _ = ndimage.label(ridges)
    slices = ndimage.find_objects(labels)
    long = [i for i, where in enumerate(slices, 1) if _width(where) >= 0.5 * unit]
    ridge_list = [_Ridge.of(labels[slices[i - 1]] == i, slices[i - 1], unit) for i in long]
    numbers = np.zeros(len(slices) + 1, np.int32)
    numbers[long] = _chained(ridge_list, unit)
    return numbers[labels], int(numbers.max(initial=0))


def _smeared(density: Values, deviation: float) -> Values:
    """Smeared along the rows by three means, which are next to a wide Gaussian at a fifth of time.

    Source:
        Wells: Efficient synthesis of Gaussian filters by cascaded uniform filters. IEEE PAMI 8(2),
        1986.
    """
    from scipy import ndimage

    width = _odd((4 * deviation**2 + 1) ** 0.5)
    for _ in range(3):
        density = ndimage.uniform_filter1d(density, width, 1, mode="constant")
    return density


class _Ridge(NamedTuple):
    """Where a ridge begins and ends, in pixels, and how steep it is there."""

    left: float
    right: float
    left_row: float
    right_row: float
    left_slope: float
    right_slope: float

    @classmethod
    def of(cls, mask: Mask, where: tuple[slice, slice], unit: float) -> "_Ridge":
        rows, columns = where
        middles = rows.start + (mask * np.arange(len(mask))[:, None]).sum(axis=0) / mask.sum(axis=0)
        count = max(1, round(3 * unit))
        first, last = middles[:count], middles[-count:]
        return cls(
            columns.start,
            columns.stop,
            first.mean(),
            last.mean(),
            _slope(first, unit),
            _slope(last, unit),
        )


def _slope(rows: NDArray[np.float64], unit: float) -> float:
    if len(rows) < 2 * unit:
        return 0.0
    return float(np.polyfit(np.arange(len(rows)), rows, 1)[0])


def _chained(ridges: list[_Ridge], unit: float) -> list[int]:
    """The number, from 1, of the line of each ridge: those that go on one another have one."""
    if not ridges:
        return []
    before, after, costs = _links(ridges, unit)
    following = np.full(len(ridges), -1)
    preceded = np.zeros(len(ridges), np.bool_)
    for link in np.argsort(costs, kind="stable").tolist():
        one, other = before[link], after[link]
        if following[one] < 0 and not preceded[other]:
            following[one], preceded[other] = other, True
    numbers = [0] * len(ridges)
    for number, first in enumerate(np.flatnonzero(~preceded).tolist(), 1):
        ridge = first
        while ridge >= 0:
            numbers[ridge] = number
            ridge = int(following[ridge])
    return numbers


def _links(ridges: list[_Ridge], unit: float) -> tuple[Indices, Indices, NDArray[np.float64]]:
    """Which ridge can go on to the right as which, and what speaks against it."""
    order = np.argsort([ridge.left_row for ridge in ridges], kind="stable")
    left, right, left_row, _, left_slope, _ = np.array(ridges)[order].T
    reach = (_LEVEL + _STEEP * _FAR + _LEAN * _FAR) * unit
    found = []
    for i, ridge in enumerate(ridges):
        bounds = np.searchsorted(left_row, (ridge.right_row - reach, ridge.right_row + reach))
        near = slice(*bounds)
        gaps = left[near] - ridge.right
        forward = np.maximum(gaps, 0)
        slopes = np.clip((ridge.right_slope + left_slope[near]) / 2, -_STEEP, _STEEP)
        steps = np.abs(left_row[near] - ridge.right_row - slopes * forward)
        possible = (gaps >= -_OVERLAP * unit) & (gaps <= _FAR * unit)
        possible &= (left[near] > ridge.left) & (right[near] > ridge.right)
        possible &= steps < _LEVEL * unit + _LEAN * forward
        which = np.flatnonzero(possible)
        costs = steps[which] + 0.1 * forward[which]
        found.append((np.full(len(which), i), order[which + bounds[0]], costs))
    before, after, costs = map(np.concatenate, zip(*found, strict=True))
    return before, after, costs


def _owners(
    pieces: Components,
    text: Mask,
    middles: NDArray[np.int32],
    n: int,
    letter: float,
    factor: int,
) -> NDArray[np.int32]:
    """The number of the line, from 1, that each pixel of ink is of; 0 is none."""
    from scipy import ndimage

    # A line goes on along itself more than across.
    distances, (rows, columns) = ndimage.distance_transform_edt(
        middles == 0, sampling=(1, 0.5), return_indices=True
    )
    nearest = middles[rows, columns]
    rows, columns = np.nonzero(pieces.labels > 0)  # ten times as fast as of the numbers
    small = (rows // factor, columns // factor)
    piece, line = pieces.labels[rows, columns] - np.int64(1), nearest[small]
    count = len(pieces.areas)
    pairs, votes = np.unique(piece * (n + 1) + line, return_counts=True)
    order = np.argsort(votes, kind="stable")  # of several values for one piece the last one stays
    winner, most = np.zeros(count, np.int64), np.zeros(count, np.int64)
    winner[pairs[order] // (n + 1)] = pairs[order] % (n + 1)
    most[pairs[order] // (n + 1)] = votes[order]
    closest = np.full(count, np.inf)
    np.minimum.at(closest, piece, distances[small])
    # Only what is higher than a line can be of two.
    divided = (pieces.heights > 1.6 * letter) & (most < 0.75 * pieces.areas)
    kept = text & (closest * factor < _NEAR * letter)
    owners = np.zeros(pieces.labels.shape, np.int32)
    owners[rows, columns] = np.where(divided[piece], line, winner[piece]) * kept[piece]
    return owners


def _absorb(owners: NDArray[np.int32], letter: float) -> dict[int, Box]:
    """Make small lines beside or within a larger one part of it, and remove what is none.

    Returns:
        The boxes of the lines that stay.
    """
    boxes = boxes_of(owners)
    areas = np.bincount(owners[owners > 0])
    whole: dict[int, Box] = {}
    for number in sorted(boxes, key=lambda number: -areas[number]):
        box = boxes[number]
        near = [i for i in whole if _belongs(box, whole[i], letter)]
        passing = ((i, _passing(owners, i, whole[i], box, letter)) for i in near)
        into = next((i for i, other in passing if _belongs(box, other, letter)), 0)
        if into:
            whole[into] = whole[into].united(box)
        elif box.height >= _LEAST_HEIGHT * letter and areas[number] >= letter:
            whole[number] = box
            continue
        part = owners[box.slices]
        part[part == number] = into
    return whole


def _belongs(small: Box, large: Box, letter: float) -> bool:
    """Whether a line is a part of a larger one that was cut off: at its height, within or near."""
    rows = min(small.bottom, large.bottom) - max(small.top, large.top)
    columns = min(small.right, large.right) - max(small.left, large.left)
    if rows <= 0.65 * small.height or columns <= -1.5 * letter:
        return False
    return small.width < 3 * letter or columns > 0.6 * small.width


def _passing(owners: NDArray[np.int32], number: int, large: Box, small: Box, letter: float) -> Box:
    """The box of a line where it passes another one; if it leans, that is less high than it all."""
    reach = round(3 * letter)
    left, right = max(large.left, small.left - reach), min(large.right, small.right + reach)
    ink = owners[large.top : large.bottom, left:right] == number
    rows = large.top + np.flatnonzero(ink.any(axis=1))
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (large.top, large.top)
    return large._replace(top=top, bottom=bottom)


def _in_order(lines: list[Segment]) -> list[Segment]:
    """From the top down; of two at one height the left one first."""
    ordered: list[Segment] = []
    for line in sorted(lines, key=lambda line: line.box.top + line.box.bottom):
        place = len(ordered)
        while place and _beside(line.box, ordered[place - 1].box):
            place -= 1
        ordered.insert(place, line)
    return ordered


def _beside(box: Box, other: Box) -> bool:
    """Whether a box stands to the left of another one, at its height."""
    rows = min(box.bottom, other.bottom) - max(box.top, other.top)
    return box.right <= other.left and rows > 0.5 * min(box.height, other.height)


def _odd(length: float) -> int:
    return int(length) | 1


def _width(where: tuple[slice, slice]) -> int:
    return int(where[1].stop - where[1].start)
