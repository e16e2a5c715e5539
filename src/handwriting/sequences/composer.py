"""Where the characters of lines stand, and the drawing of them, many lines at a time."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting import noise, preprocessing
from handwriting.alphabet import Labels
from handwriting.data import CharacterDataset, LineDataset
from handwriting.images import Image
from handwriting.sequences.pool import Pool
from handwriting.sequences.texts import NOTHING, SPACE, Lengths, Text, Texts

__all__ = ["Composer", "Style"]

Mask = NDArray[np.bool_]
_Places = tuple[Labels, Labels, Labels]  # line, top, left

# The label of an image of nothing, beside those of texts.py.
_NULL = -3


@dataclasses.dataclass(frozen=True)
class Style:
    """How lines look: the options of :func:`compose`."""

    spacing: tuple[int, int]
    width: int | None
    baseline: int
    size: float
    slant: float
    null: float
    space: int | None

    def __post_init__(self) -> None:
        least, greatest = self.spacing
        if least > greatest:
            raise ValueError(f"spacing must be (least, greatest), got {self.spacing}")
        if self.baseline < 0:
            raise ValueError(f"baseline must be at least 0 pixels, got {self.baseline}")
        if not 0 <= self.size < 1:
            raise ValueError(f"size must lie in [0, 1), got {self.size}")
        if not 0 <= self.slant < math.inf:
            raise ValueError(f"slant must be at least 0, got {self.slant}")
        if not 0 <= self.null <= 1:
            raise ValueError(f"null must lie in [0, 1], got {self.null}")
        if self.space is not None and self.space < 1:
            raise ValueError(f"space must be at least 1 pixel, got {self.space}")
        if self.width is not None and (self.size or self.null):
            raise ValueError(
                "width spaces characters of one size evenly, so size and null must be 0 with it, "
                f"got {self.size} and {self.null}"
            )


class _Layout(NamedTuple):
    """Where the items of lines stand, (n, items) each; the widths are (n,)."""

    labels: Labels
    lefts: Labels
    tops: Labels
    sizes: Labels
    widths: Labels


class Composer:
    """Everything about lines but their number and the random numbers."""

    def __init__(
        self,
        dataset: CharacterDataset,
        style: Style,
        length: int | tuple[int, int] | None = None,
        texts: Sequence[Text] | None = None,
        weights: Sequence[float] | None = None,
        *,
        one_writer: bool = False,
    ) -> None:
        if (length is None) == (texts is None):
            raise ValueError(f"give length or texts, one of them, got {length} and {texts!r:.80}")
        if weights is not None and texts is None:
            raise ValueError("weights are those of texts, and there are no texts")
        self._pool = Pool(dataset, one_writer=one_writer)
        self._texts: Texts | Lengths
        if texts is None:
            assert length is not None  # noqa: S101 - told above, for the type checker
            self._texts = Lengths(length, dataset, self._pool)
        else:
            self._texts = Texts(texts, weights, dataset, self._pool)
        self._dataset, self._style = dataset, style
        width = dataset.image_shape[1]
        self._least, self._greatest = self._scaled(1 - style.size), self._scaled(1 + style.size)
        if style.spacing[0] <= -self._least:
            raise ValueError(
                f"spacing must be above {-self._least}, the least width of a character, got "
                f"{style.spacing}"
            )
        self._space = max(1, width // 2) if style.space is None else style.space
        self._height = self._rows(self._greatest) + 2 * style.baseline
        self._lean = math.ceil(style.slant * (self._height - 1) / 2)
        self._width = self._longest() if style.width is None else self._checked_width(style.width)

    def _scaled(self, factor: float) -> int:
        return max(1, round(self._dataset.image_shape[1] * factor))

    def _rows(self, width: int) -> int:
        """The height of a character that is scaled to a width."""
        height, original = self._dataset.image_shape
        return max(1, round(height * width / original))

    def _longest(self) -> int:
        """The width of the longest line that can be drawn, without the slant."""
        images, spaces, gaps = self._texts.extents()
        gap = self._style.spacing[1]
        if self._style.null:
            gap = max(gap, 2 * gap + self._greatest)
        return int((images * self._greatest + spaces * self._space + gaps * gap).max())

    def _checked_width(self, width: int) -> int:
        """The width without the slant, if all texts can be spaced evenly in it."""
        inner = width - 2 * self._lean
        images, spaces, gaps = self._texts.extents()
        least, greatest = self._style.spacing
        totals = images * self._greatest + spaces * self._space
        gap = (inner - totals) // np.maximum(gaps, 1)
        fits = (totals + gap * gaps == inner) & ((gaps == 0) | (least <= gap) & (gap <= greatest))
        if not fits.all():
            number = int(fits.argmin())
            total = int(totals[number])
            steps = range(least, greatest + 1) if gaps[number] else range(1)
            good = [total + 2 * self._lean + step * int(gaps[number]) for step in steps]
            raise ValueError(
                f"width must be {_some(good)} for {self._texts.text(number)!r} "
                f"({images[number]} characters, {total} pixels in all) with spacing "
                f"{self._style.spacing}, got {width}"
            )
        return inner

    def lines(self, n: int, rng: np.random.Generator) -> LineDataset:
        """``n`` lines of texts that are drawn."""
        labels, texts, writers = self._texts.draw(n, rng)
        layout = self._layout(labels, rng)
        images = np.zeros((n, self._height, self._width), np.uint8)
        self._draw(images, layout, writers, rng)
        widths = layout.widths + 2 * self._lean
        if self._lean:
            slants = rng.uniform(-self._style.slant, self._style.slant, n)
            images = _sheared(images, slants, self._lean)
        name = f"{self._dataset.name} lines"
        numbers = None
        if writers is not None and self._pool.numbers is not None:
            numbers = self._pool.numbers[writers]
        return LineDataset(images, widths, texts, self._texts.alphabet, name, writers=numbers)

    def _layout(self, labels: Labels, rng: np.random.Generator) -> _Layout:
        style = self._style
        drawn: Mask = labels >= 0
        gaps = np.zeros(labels.shape, bool)
        gaps[:, 1:] = drawn[:, 1:] & drawn[:, :-1]
        if style.null:
            labels, gaps = _with_nulls(labels, gaps, style.null, rng)
            drawn = (labels >= 0) | (labels == _NULL)
        sizes = self._sizes(labels, drawn, rng)
        if style.width is None:
            distances = gaps * rng.integers(style.spacing[0], style.spacing[1] + 1, labels.shape)
        else:
            free = self._width - sizes.sum(axis=1)
            distances = gaps * (free // np.maximum(gaps.sum(axis=1), 1))[:, None]
        ends = np.cumsum(sizes + distances, axis=1)
        tops = np.full(labels.shape, style.baseline)
        if style.baseline:
            tops += rng.integers(-style.baseline, style.baseline + 1, labels.shape)
        return _Layout(labels, ends - sizes, tops, sizes, ends[:, -1])

    def _sizes(self, labels: Labels, drawn: Mask, rng: np.random.Generator) -> Labels:
        """The width of each item, in pixels."""
        sizes = np.full(labels.shape, self._greatest)
        if self._style.size:
            factors = rng.uniform(1 - self._style.size, 1 + self._style.size, labels.shape)
            sizes = np.rint(self._dataset.image_shape[1] * factors).astype(np.int64).clip(1)
        if not drawn.all():
            sizes[~drawn] = 0
            sizes[labels == SPACE] = self._space
        return sizes

    def _draw(
        self, out: Image, layout: _Layout, writers: Labels | None, rng: np.random.Generator
    ) -> None:
        """Set the characters of lines into their images, which are paper."""
        drawn = (layout.labels >= 0) | (layout.labels == _NULL)
        lines, columns = np.nonzero(drawn)
        whose = None if writers is None else writers[lines]
        which = self._chosen(layout.labels[drawn], whose, rng)
        lefts, tops, sizes = layout.lefts[drawn], layout.tops[drawn], layout.sizes[drawn]
        groups: list[slice | Labels] = [slice(None)]
        if self._style.spacing[0] < 0:
            # Among the items of one column none meets another.
            groups = [np.flatnonzero(columns == column) for column in range(drawn.shape[1])]
        for group in groups:
            places = (lines[group], tops[group], lefts[group])
            self._place(out, which[group], sizes[group], places, rng)

    def _chosen(self, labels: Labels, writers: Labels | None, rng: np.random.Generator) -> Labels:
        """The position in the dataset of an image of each label, and _NULL for _NULL."""
        which: Labels = np.full(len(labels), _NULL)
        known = slice(None) if not self._style.null else np.flatnonzero(labels != _NULL)
        whose = None if writers is None else writers[known]
        which[known] = self._pool.choose(labels[known], whose, rng)
        return which

    def _place(
        self, out: Image, which: Labels, sizes: Labels, places: _Places, rng: np.random.Generator
    ) -> None:
        """Set the images of the dataset at ``which``, scaled to ``sizes``, at places."""
        height, width = self._dataset.image_shape
        count = max(1, _PART_PIXELS // (height * width))
        overlapping = self._style.spacing[0] < 0
        for start in range(0, len(which), count):
            part = slice(start, start + count)
            pieces, (lines, tops, lefts) = self._taken(which[part], rng), (p[part] for p in places)
            if not self._style.size:
                _set(out, pieces, (lines, tops, lefts), overlapping=overlapping)
                continue
            for size in np.unique(sizes[part]).tolist():
                these = np.flatnonzero(sizes[part] == size)
                rows = self._rows(size)
                above = (self._rows(self._greatest) - rows) // 2
                scaled = preprocessing.resize(pieces[these], (rows, size))
                where = (lines[these], tops[these] + above, lefts[these])
                _set(out, scaled, where, overlapping=overlapping)

    def _taken(self, which: Labels, rng: np.random.Generator) -> Image:
        """The images at some positions, and new images of nothing for _NULL."""
        images, known = self._dataset.images, which
        if self._style.null:
            known = np.maximum(which, 0)
        # np.take is faster, but would first copy images that are not contiguous as a whole.
        contiguous = images.flags.c_contiguous
        pieces: Image = np.take(images, known, axis=0) if contiguous else images[known].copy()
        if self._style.null:
            nulls = np.flatnonzero(which == _NULL)
            pieces[nulls] = noise.null_images(len(nulls), self._dataset.image_shape, rng=rng)
        return pieces


# Characters are taken in parts that stay in the cache.
_PART_PIXELS = 1 << 20


def _set(out: Image, pieces: Image, places: _Places, *, overlapping: bool = False) -> None:
    """Set each piece (m, h, w) into ``out`` (n, H, W) at (line, top, left)."""
    n, height, width = out.shape
    rows, size = pieces.shape[1:]
    # A row of a piece is one element, so that NumPy moves w bytes at a time.
    row = np.dtype(("V", size))
    view: NDArray[Any] = np.ndarray(
        (n, height - rows + 1, width - size + 1, rows),
        row,
        out,
        strides=(height * width, width, 1, width),
    )
    if overlapping:
        there = view[places].view(np.uint8).reshape(pieces.shape)
        pieces = np.maximum(pieces, there)
    view[places] = pieces.view(row)[..., 0]


def _with_nulls(
    labels: Labels, gaps: Mask, chance: float, rng: np.random.Generator
) -> tuple[Labels, Mask]:
    """Labels and gaps with an item more between each two, which is null by chance."""
    n, count = labels.shape
    null = gaps[:, 1:] & (rng.random((n, count - 1)) < chance)
    both = np.full((n, 2 * count - 1), NOTHING)
    both[:, ::2], both[:, 1::2] = labels, np.where(null, _NULL, NOTHING)
    before = np.zeros(both.shape, bool)
    before[:, ::2], before[:, 1::2] = gaps, null
    return both, before


def _sheared(images: Image, slants: NDArray[np.float64], lean: int) -> Image:
    """Lines that lean to the right by ``slants`` (n,), wider by ``lean`` on both sides."""
    n, height, width = images.shape
    out = np.zeros((n, height, width + 2 * lean), np.uint8)
    middle = (height - 1) / 2
    count = max(1, _PART_PIXELS // (height * width))
    for start in range(0, n, count):
        part = images[start : start + count].reshape(-1, 1, width)
        some = slants[start : start + count, None]
        shifts = (lean + some * (middle - np.arange(height))).clip(0, 2 * lean).ravel()
        target = out[start : start + count].reshape(-1, 1, width + 2 * lean)
        # A pixel's ink is shared between the two that it falls on, and none is lost.
        low = np.floor(shifts).astype(np.int64)
        share = (shifts - low).astype(np.float32)[:, None, None]
        right = np.rint(part * share).astype(np.uint8)
        rows, zero = np.arange(len(part)), np.zeros(len(part), np.int64)
        _set(target, part - right, (rows, zero, low))
        shifted = np.zeros_like(target)
        _set(shifted, right, (rows, zero, np.minimum(low + 1, 2 * lean)))
        target += shifted
    return out


def _some(numbers: list[int]) -> str:
    """A few of them in words."""
    if len(numbers) == 1:
        return str(numbers[0])
    if len(numbers) <= 4:
        return f"one of {', '.join(map(str, numbers))}"
    return f"one of {', '.join(map(str, numbers[:3]))} ... {numbers[-1]}"
