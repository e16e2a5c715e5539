"""What pages are cut into, and the pieces of ink it is cut along."""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting.images import Image

__all__ = ["Box", "Components", "Segment", "boxes_of", "components", "cut", "letter_height"]

Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Box(NamedTuple):
    """A rectangle of whole pixels, half open: rows top to bottom - 1, columns left to right - 1.

    Example:
        >>> Box(10, 20, 40, 25).height, Box(10, 20, 40, 25).width
        (30, 5)
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """What an array is indexed with to get the rectangle."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def moved(self, rows: int, columns: int) -> "Box":
        """The same rectangle further down and to the right.

        Example:
            >>> Box(0, 0, 5, 5).moved(10, 2)
            Box(top=10, left=2, bottom=15, right=7)
        """
        return Box(self.top + rows, self.left + columns, self.bottom + rows, self.right + columns)

    def united(self, other: "Box") -> "Box":
        """The smallest rectangle around both.

        Example:
            >>> Box(0, 0, 5, 5).united(Box(2, 9, 4, 12))
            Box(top=0, left=0, bottom=5, right=12)
        """
        tops, bottoms = (self.top, other.top), (self.bottom, other.bottom)
        lefts, rights = (self.left, other.left), (self.right, other.right)
        return Box(min(tops), min(lefts), max(bottoms), max(rights))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Segment:
    """A line, a word or a character of a page.

    Args:
        box: where its ink is, in pixels of the picture that was cut.
        image: (height, width of the box) uint8, its own ink on paper 0. Ink of neighbors that
            reaches into the box is not in it.
        parts: what it was cut into, in reading order: a line's words, a word's characters.
    """

    box: Box
    image: Image
    parts: tuple["Segment", ...] = ()

    def __repr__(self) -> str:
        return f"Segment({tuple(self.box)}, {len(self.parts)} parts)"

    def moved(self, rows: int, columns: int) -> "Segment":
        """The same with its parts, further down and to the right."""
        parts = tuple(part.moved(rows, columns) for part in self.parts)
        return dataclasses.replace(self, box=self.box.moved(rows, columns), parts=parts)


class Components(NamedTuple):
    """Pieces of ink that hang together, also across corners.

    Args:
        labels: (h, w) int32, 0 on paper and i + 1 on piece i.
        boxes: (n, 4) top, left, bottom, right.
        areas: (n,) pixels of ink.
    """

    labels: NDArray[np.int32]
    boxes: Indices
    areas: Indices

    @property
    def heights(self) -> Indices:
        """(n,) rows."""
        return self.boxes[:, 2] - self.boxes[:, 0]

    @property
    def widths(self) -> Indices:
        """(n,) columns."""
        return self.boxes[:, 3] - self.boxes[:, 1]


def components(mask: Mask) -> Components:
    """The pieces of a mask (h, w), from the top down."""
    from scipy import ndimage

    labels, n = ndimage.label(mask, np.ones((3, 3)))
    boxes = list(boxes_of(labels, n).values())
    areas = np.bincount(labels[mask], minlength=n + 1)[1:]
    return Components(labels, np.array(boxes, np.int64).reshape(-1, 4), areas)


def letter_height(pieces: Components, which: Mask | None = None) -> float:
    """The height of a letter or of a word written in one stroke, in pixels: the usual one.

    Args:
        pieces: at least one.
        which: (n,) those that count; all if None, or if none does.
    """
    # Long strokes, such as the edges of paper, count little, and frames nothing: they are as large
    # as the page, and have less ink than all that is in them.
    height, width = pieces.labels.shape
    frame = (pieces.heights > height / 2) & (pieces.widths > width / 2)
    frame &= pieces.areas < pieces.areas.sum() / 2
    sizes = np.minimum(pieces.heights, pieces.widths).astype(np.float64)
    weights = sizes**2 * (~frame if which is None else which & ~frame)
    if not weights.any():
        weights = sizes
    order = np.argsort(pieces.heights)
    half = np.searchsorted(weights[order].cumsum(), weights.sum() / 2)
    return float(pieces.heights[order][half])


def boxes_of(owners: NDArray[np.integer], highest: int = 0) -> dict[int, Box]:
    """Where each number but 0 stands in an image (h, w) of them; 0 looks for the highest."""
    from scipy import ndimage

    found = enumerate(ndimage.find_objects(owners, highest), 1)
    return {
        number: Box(where[0].start, where[1].start, where[0].stop, where[1].stop)
        for number, where in found
        if where is not None
    }


def cut(
    image: Image, owners: NDArray[np.integer], boxes: dict[int, Box] | None = None
) -> list[Segment]:
    """The segments of an image, by their numbers.

    Args:
        image: (h, w) uint8 ink.
        owners: (h, w), the number from 1 of the segment that the pixel is of, 0 where of none.
        boxes: where each of them is, where that is known: looking takes longest.
    """
    found = []
    for number, box in sorted((boxes_of(owners) if boxes is None else boxes).items()):
        own = np.where(owners[box.slices] == number, image[box.slices], np.uint8(0))
        found.append(Segment(box, own))
    return found
