"""From gray pictures of characters to the images that models eat.

Arrays in, arrays out. Every function takes one image (h, w) or a batch (n, h, w) of equal size,
``uint8``, and gives the same kind back. The road from a picture::

    gray = hw.images.to_gray("seven.jpg")    # (h, w), any polarity
    ink = hw.preprocessing.to_ink(gray)      # ink 255 on paper 0
    clean = hw.preprocessing.clean(ink)      # paper exactly 0, strokes up to 255
    image = hw.preprocessing.normalize(clean, "mnist")   # (28, 28)

:data:`RECIPES` holds the published ways of normalizing a character, by name, and
:data:`LINE_RECIPES` those for lines.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from handwriting.images import Image, check

__all__ = [
    "LINE_RECIPES",
    "RECIPES",
    "LineRecipe",
    "Recipe",
    "binarize",
    "center",
    "check_makes",
    "clean",
    "crop",
    "find_line_recipe",
    "find_recipe",
    "fit_box",
    "fit_line",
    "is_clean",
    "normalize",
    "otsu",
    "pad_square",
    "resize",
    "to_ink",
]

Polarity = Literal["auto", "dark", "light"]
Center = Literal["mass", "box"]
_WHITE = 8  # of 255: paper that no network sees
LineFit = Literal["pad", "stretch"]
Indices = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a set of characters was normalized, so that a new picture can be brought to its form.

    Args:
        name: what :func:`normalize` calls it.
        size: side of the square image, in pixels.
        box: side of the square that the ink fills, its aspect ratio kept, in pixels.
        center: what stands at the center of the image: the ink's center of ``"mass"`` or its
            bounding ``"box"``.
        transposed: rows and columns exchanged, as EMNIST's files have them.
        source: where the recipe is published.
    """

    name: str
    size: int
    box: int
    center: Center
    transposed: bool = False
    source: str = ""


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            Recipe(
                "mnist",
                size=28,
                box=20,
                center="mass",
                source="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to "
                "document recognition. Proc. IEEE 86 (1998), section III.A: 20 x 20 box, aspect "
                "ratio kept, anti-aliased, center of mass at the center of 28 x 28.",
            ),
            Recipe(
                "emnist",
                size=28,
                box=20,
                center="box",
                source="The preparation that EMNIST readers apply to new pictures: padded to a "
                "square with paper, 20 x 20, 4 pixels of paper on every side. (Cohen et al., arXiv "
                "1702.05373, section II.B, made the set itself with a 2-pixel border before "
                "scaling to 28 x 28 by bi-cubic interpolation.)",
            ),
            Recipe(
                "emnist-raw",
                size=28,
                box=20,
                center="box",
                transposed=True,
                source="As emnist, in the orientation of EMNIST's own files.",
            ),
            Recipe(
                "alphanum",
                size=24,
                box=17,
                center="mass",
                source="AlphaNum (Hugging Face, louisraedisch/AlphaNum): MNIST's 28 x 28 images "
                "resized to 24 x 24, which makes of the 20 pixel box 17.",
            ),
        )
    }
)


def find_recipe(name: str) -> Recipe:
    """The published recipe of a name.

    Raises:
        ValueError: no such recipe.

    Example:
        >>> find_recipe("alphanum").size
        24
    """
    if name not in RECIPES:
        raise ValueError(f"recipe must be one of {', '.join(RECIPES)}, got {name!r}")
    return RECIPES[name]


def check_makes(recipe: str, image_shape: tuple[int, int | None]) -> None:
    """Refuse a recipe for characters that makes images of another size than a network takes.

    Raises:
        ValueError: it does, or there is no such recipe.
    """
    size = find_recipe(recipe).size
    if image_shape != (size, size):
        raise ValueError(
            f"recipe must make images of {image_shape}, which the network takes, got {recipe!r} of "
            f"{(size, size)}"
        )


@dataclasses.dataclass(frozen=True)
class LineRecipe:
    """How a set of lines was brought to one size, so that a new picture can be, too.

    Args:
        name: what models and datasets call it.
        fit: how :func:`fit_line` brings the ink of a picture to the size of the set.
        margin: paper around the lines, in heights of the line, to be left around one that is found
            on a page.
        clean: whether paper and ink were cleaned first, as of pages; pictures whose paper is white
            are else taken as they are.
        rules: whether lines that were written on ruled paper have their rules in the images.
        source: where the recipe is published.
    """

    name: str
    fit: LineFit
    margin: float = 0.4
    clean: bool = False
    rules: bool = False
    source: str = ""


LINE_RECIPES: Mapping[str, LineRecipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            LineRecipe("line", fit="pad"),
            LineRecipe("line-tight", fit="pad", margin=0.1, clean=True, rules=True),
            LineRecipe(
                "line-stretched",
                fit="stretch",
                source="The notebooks published with Kaggle's handwriting-recognition.",
            ),
        )
    }
)


def find_line_recipe(name: str) -> LineRecipe:
    """The recipe for lines of a name.

    Raises:
        ValueError: no such recipe.

    Example:
        >>> find_line_recipe("line").fit
        'pad'
    """
    if name not in LINE_RECIPES:
        raise ValueError(f"recipe must be one of {', '.join(LINE_RECIPES)} for lines, got {name!r}")
    return LINE_RECIPES[name]


def to_ink(images: Image, polarity: Polarity = "auto") -> Image:
    """Make ink 255 and paper 0, by inverting the images whose ink is dark.

    With ``"auto"`` each image is cut in two at Otsu's threshold. The side with fewer pixels is the
    ink, where it is clearly the smaller one (under 40 %); else the paper is what touches the border
    most. An image of one level has no ink and becomes paper.

    Args:
        images: (h, w) or (n, h, w) uint8 gray levels.
        polarity: ``"dark"`` ink on light paper, ``"light"`` ink on dark paper, or ``"auto"``.

    Returns:
        The same shape, ink high, levels otherwise untouched.

    Example:
        >>> note = np.full((5, 5), 250, np.uint8)
        >>> note[2, 1:4] = 30
        >>> to_ink(note)[2]
        array([  5, 225, 225, 225,   5], dtype=uint8)
    """
    check(images)
    if polarity == "light":
        return images.copy()
    if polarity == "dark":
        return 255 - images
    if polarity != "auto":
        raise ValueError(f"polarity must be 'auto', 'dark' or 'light', got {polarity!r}")
    return _batched(_to_ink_found, images)


def otsu(images: Image) -> int | Indices:
    """The threshold that parts each image's levels into two classes best.

    Args:
        images: (h, w) or (n, h, w) uint8.

    Returns:
        An int for one image, (n,) int64 for a batch: levels **above** it are the upper class. An
        image of one level gives that level.

    Source:
        Otsu: A threshold selection method from gray-level histograms. IEEE Trans. SMC 9 (1979).
    """
    check(images)
    if images.ndim == 2:
        return int(_otsu(_histograms(images[None]))[0])
    parts = [_otsu(_histograms(part)) for part in _parts(images)]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def binarize(images: Image, threshold: int | None = None) -> Image:
    """Make every pixel 0 or 255.

    Args:
        images: (h, w) or (n, h, w) uint8.
        threshold: levels above it become 255; without one, Otsu's for each image.

    Returns:
        The same shape. An image of one level becomes 0 with Otsu's threshold.
    """
    check(images)
    if threshold is not None:
        return np.where(images > threshold, np.uint8(255), np.uint8(0))
    return _batched(_binarize, images)


def clean(images: Image) -> Image:
    """Take gray paper down to 0 and gray strokes up to 255.

    The levels of a scan or photograph never are 0 and 255, and a network that learned from clean
    images reads little of it. Otsu's threshold parts paper from ink; between the medians of the
    two, the lower 30 % become 0, the upper 20 % become 255, linearly between, so that strokes keep
    smooth edges. An image without contrast (medians under 16 levels apart) comes back blank.

    Args:
        images: (h, w) or (n, h, w) uint8, ink high.

    Returns:
        The same shape.

    Source:
        The two shares are the best of a grid, measured on digits on paper and on MNIST with a
        network trained on MNIST: docs/preprocessing.md.
    """
    check(images)
    return _batched(_clean, images)


def is_clean(image: Image) -> bool:
    """Whether the paper of one image is as good as 0, so that it needs no :func:`clean`.

    Args:
        image: (h, w) uint8, ink high.

    Example:
        >>> page = np.full((20, 60), 40, np.uint8)
        >>> page[8:12, 5:50] = 230
        >>> is_clean(page), is_clean(clean(page))
        (False, True)
    """
    return bool(np.median(check(image)) <= _WHITE)


def crop(image: Image, *, margin: int = 0) -> Image:
    """Cut one image down to its ink.

    Args:
        image: (h, w) uint8, ink on paper 0: every pixel above 0 is ink.
        margin: paper to leave or to add on every side, in pixels.

    Returns:
        (height of the ink + 2 margin, width + 2 margin). A blank image comes back as it is.
    """
    if check(image, name="image").ndim != 2:
        raise ValueError(f"crop takes one image of shape (h, w), got shape {image.shape}")
    if margin < 0:
        raise ValueError(f"margin must be at least 0, got {margin}")
    (top, bottom, left, right), blank = _ink_boxes(image[None])
    if blank[0]:
        return image.copy()
    return np.pad(image[top[0] : bottom[0], left[0] : right[0]], margin)


def pad_square(images: Image, *, level: int = 0) -> Image:
    """Pad the shorter side on both ends until height and width are equal.

    Args:
        images: (h, w) or (n, h, w) uint8.
        level: what to pad with; paper by default.

    Returns:
        (side, side) or (n, side, side); an odd pixel goes to the bottom or right.

    Raises:
        ValueError: ``level`` is no gray level.
    """
    if not 0 <= level <= 255:
        raise ValueError(f"level must lie in [0, 255], got {level}")
    height, width = check(images).shape[-2:]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    border = ((top, side - height - top), (left, side - width - left))
    return np.pad(images, ((0, 0),) * (images.ndim - 2) + border, constant_values=level)


def resize(images: Image, shape: tuple[int, int]) -> Image:
    """Scale to a height and width with bicubic interpolation, anti-aliased when made smaller.

    Equal to Pillow's ``resize(..., BICUBIC)``, first of the width and then of the height, within
    one level; batches are faster. (In one call Pillow takes the directions in an order of its own,
    which shows where one of them grows and the other shrinks.)

    Args:
        images: (h, w) or (n, h, w) uint8.
        shape: (height, width) wanted.

    Raises:
        ValueError: a side under one pixel.
    """
    if min(shape) < 1:
        raise ValueError(f"shape must be at least one pixel on each side, got {shape}")
    height, width = check(images).shape[-2:]
    rows, columns = _scaling(height, shape[0]), _scaling(width, shape[1])
    return _batched(lambda part: _resample(part.astype(np.float32), rows, columns), images)


def center(images: Image, *, by: Center = "mass") -> Image:
    """Move the ink so that its center of mass, or of its bounding box, is the image's center.

    Args:
        images: (h, w) or (n, h, w) uint8, ink on paper 0.
        by: ``"mass"`` or ``"box"``.

    Returns:
        The same shape, moved by whole pixels and never past the border.
    """
    check(images)
    return _batched(lambda part: _fit(part, images.shape[-2:], None, by), images)


def fit_box(images: Image, size: int = 28, *, box: int = 20, by: Center = "mass") -> Image:
    """Scale the ink of each image into a square box and center it in a square image.

    In order: find the ink's bounding box (pixels above 0), scale it with its aspect ratio kept so
    that the longer side is ``box``, anti-aliased, and place it by whole pixels. No ink is ever
    lost: where centering by mass would push some over the border, it stops there.

    Args:
        images: (h, w) or (n, h, w) uint8, ink on paper 0, upright.
        size: side of the images wanted, in pixels.
        box: side of the square that the ink fills, at most ``size``, in pixels.
        by: center of ``"mass"`` or of the bounding ``"box"``.

    Returns:
        (size, size) or (n, size, size). An image without ink comes back as blank paper. The result
        does not change when the ink is shifted in the input.

    Raises:
        ValueError: ``box`` does not fit into ``size``.

    Example:
        >>> stroke = np.zeros((60, 40), np.uint8)
        >>> stroke[10:50, 30:34] = 255
        >>> image = fit_box(stroke)
        >>> image.shape, crop(image).shape
        ((28, 28), (20, 2))

    Source:
        See :data:`RECIPES`; the resampling is Pillow's bicubic (a = -0.5).
    """
    check(images)
    if not 1 <= box <= size:
        raise ValueError(f"box must lie in [1, size={size}], got {box}")
    return _batched(lambda part: _fit(part, (size, size), box, by), images)


def fit_line(
    image: Image, shape: tuple[int, int | None], *, fit: LineFit = "pad"
) -> tuple[Image, int]:
    """Scale the image of a word or line to a height and width.

    Args:
        image: (h, w) uint8, ink on paper 0.
        shape: (height, width) wanted; a width of None is that of the line, scaled.
        fit: ``"pad"`` keeps the aspect ratio: the line is scaled until its height or its width is
            the one wanted, and the rest becomes paper, on the right or in equal parts above and
            below. ``"stretch"`` scales height and width each to the one wanted.

    Returns:
        The image of ``shape``, and the width that the line takes up in it.

    Raises:
        ValueError: not one image, a side under one pixel, or another ``fit``.

    Example:
        >>> image, width = fit_line(np.full((20, 60), 255, np.uint8), (32, 128))
        >>> image.shape, width
        ((32, 128), 96)

    Source:
        The resampling is Pillow's bicubic, anti-aliased when made smaller.
    """
    import PIL.Image

    if check(image, name="image").ndim != 2:
        raise ValueError(f"fit_line takes one image of shape (h, w), got shape {image.shape}")
    if fit not in ("pad", "stretch"):
        raise ValueError(f"fit must be 'pad' or 'stretch', got {fit!r}")
    rows, columns = shape
    if columns is None:
        columns = max(1, round(image.shape[1] * rows / image.shape[0]))
    if min(rows, columns) < 1:
        raise ValueError(f"shape must be at least one pixel on each side, got {shape}")
    height, width = rows, columns
    if fit == "pad":
        scale = min(rows / image.shape[0], columns / image.shape[1])
        height, width = (max(1, round(side * scale)) for side in image.shape)
    picture = PIL.Image.fromarray(image)
    scaled = np.asarray(picture.resize((width, height), PIL.Image.Resampling.BICUBIC))
    above, right = (rows - height) // 2, max(0, columns - width)
    return np.pad(scaled, ((above, rows - height - above), (0, right))), width


def normalize(images: Image, recipe: str | Recipe = "mnist") -> Image:
    """Bring characters to the form of a published set.

    Args:
        images: (h, w) or (n, h, w) uint8, ink on paper 0 (see :func:`to_ink`, :func:`clean`).
        recipe: a name in :data:`RECIPES` (``"mnist"``, ``"emnist"``, ``"emnist-raw"``,
            ``"alphanum"``), or a recipe of your own.

    Returns:
        (size, size) or (n, size, size) uint8.

    Raises:
        ValueError: no such recipe.

    Example:
        >>> normalize(np.eye(50, dtype=np.uint8) * 255, "alphanum").shape
        (24, 24)
    """
    if isinstance(recipe, str):
        recipe = find_recipe(recipe)
    result = fit_box(images, recipe.size, box=recipe.box, by=recipe.center)
    return np.ascontiguousarray(result.swapaxes(-1, -2)) if recipe.transposed else result


# Large batches go through in parts, so that what a step leaves is still in the cache for the next,
# and memory stays that of a part.
_PART_PIXELS = 1 << 20


def _parts(images: Image) -> Iterator[Image]:
    count = max(1, _PART_PIXELS // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), count):
        yield images[start : start + count]


def _batched(step: Callable[[Image], Image], images: Image) -> Image:
    """Apply a function of batches to one image, or to a batch part by part."""
    if images.ndim == 2:
        single: Image = step(images[None])[0]
        return single
    parts = [step(part) for part in _parts(images)] or [step(images)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _histograms(images: Image) -> Indices:
    """(n, 256) counts of levels."""
    n = len(images)
    offsets = np.arange(n)[:, None] * 256
    flat = (images.reshape(n, images.shape[1] * images.shape[2]) + offsets).ravel()
    counts: Indices = np.bincount(flat, minlength=n * 256)
    return counts.reshape(n, 256)


def _otsu(histograms: Indices) -> Indices:
    below = histograms.cumsum(axis=1).astype(np.float64)
    mass = (histograms * np.arange(256.0)).cumsum(axis=1)
    total, total_mass = below[:, -1:], mass[:, -1:]
    # Between-class variance times n^2; where one class is empty it stays 0 and cannot win.
    pairs = below * (total - below)
    variance = (mass * total - below * total_mass) ** 2 / np.maximum(pairs, 1)
    # All levels of an empty stretch between two classes are equally good: take its middle.
    best = variance.max(axis=1, keepdims=True)
    tied = variance >= best * (1 - 1e-12)
    first = tied.argmax(axis=1)
    last = 255 - tied[:, ::-1].argmax(axis=1)
    only_level = (histograms > 0).argmax(axis=1)
    thresholds: Indices = np.where(best[:, 0] > 0, (first + last) // 2, only_level)
    return thresholds


def _binarize(images: Image) -> Image:
    thresholds = _otsu(_histograms(images)).astype(np.uint8)
    return (images > thresholds[:, None, None]).astype(np.uint8) * np.uint8(255)


def _to_ink_found(images: Image) -> Image:
    thresholds = _otsu(_histograms(images)).astype(np.uint8)[:, None, None]
    light = images > thresholds
    share = light.mean(axis=(1, 2))
    border = (
        light[:, 0].sum(1) + light[:, -1].sum(1) + light[:, :, 0].sum(1) + light[:, :, -1].sum(1)
    ) / (2 * sum(images.shape[1:]))
    dark_ink = np.where(np.abs(share - 0.5) > 0.1, share > 0.5, border > 0.5)
    flat = images.max(axis=(1, 2)) == images.min(axis=(1, 2))
    result: Image = images ^ (dark_ink.astype(np.uint8) * np.uint8(255))[:, None, None]
    result[flat] = 0
    return result


_MIN_CONTRAST = 16
_PAPER_UP_TO, _INK_FROM = 0.3, 0.8


def _clean(images: Image) -> Image:
    histograms = _histograms(images)
    lower = np.arange(256) <= _otsu(histograms)[:, None]
    paper = _median(np.where(lower, histograms, 0))
    contrast = _median(np.where(lower, 0, histograms)) - paper
    contrast[contrast < _MIN_CONTRAST] = 0
    floor = (paper + _PAPER_UP_TO * contrast).astype(np.float32)
    scale = 255 / np.maximum((_INK_FROM - _PAPER_UP_TO) * contrast, 1).astype(np.float32)
    scale[contrast == 0] = 0
    return _to_levels((images - floor[:, None, None]) * scale[:, None, None])


def _median(histograms: Indices) -> Indices:
    counts = histograms.cumsum(axis=1)
    result: Indices = (counts * 2 >= counts[:, -1:]).argmax(axis=1)
    return result


def _resample(
    values: NDArray[np.float32],
    rows: NDArray[np.float32],
    columns: NDArray[np.float32],
) -> Image:
    # Pillow keeps 8 bits between its two passes, which cuts the overshoot of the first one.
    half = np.clip(np.rint(values @ columns.swapaxes(-1, -2)), 0, 255)
    levels: NDArray[np.float32] = rows @ half
    return _to_levels(levels)


def _to_levels(values: NDArray[np.float32]) -> Image:
    np.add(values, np.float32(0.5), out=values)
    np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)


def _ink_boxes(
    images: Image,
) -> tuple[tuple[Indices, Indices, Indices, Indices], NDArray[np.bool_]]:
    """(top, bottom, left, right) of the ink of each image, half open, and which have none."""
    rows = images.max(axis=2) > 0
    columns = images.max(axis=1) > 0
    edges = []
    for ink in (rows, columns):
        edges += [ink.argmax(axis=1), ink.shape[1] - ink[:, ::-1].argmax(axis=1)]
    top, bottom, left, right = edges
    return (top, bottom, left, right), ~rows.any(axis=1)


def _fit(images: Image, shape: tuple[int, ...], box: int | None, by: Center) -> Image:
    """Scale each image's ink to ``box`` (or keep its size) and place it in ``shape``."""
    if by not in ("mass", "box"):
        raise ValueError(f"by must be 'mass' or 'box', got {by!r}")
    (top, bottom, left, right), blank = _ink_boxes(images)
    longest = np.maximum(bottom - top, right - left)
    values = images.astype(np.float32)
    weights = []
    for axis, start, stop in ((1, top, bottom), (2, left, right)):
        size = shape[axis - 1]
        first, extent = start, stop - start
        if by == "box" and box is not None:
            # As padding to a square does it: an odd pixel of paper goes to the far side.
            first, extent = start - (longest - extent) // 2, longest
        goal = extent if box is None else np.maximum(_rounded(extent * box, longest), 1)
        if by == "box":
            offset = (size - goal) // 2
        else:
            # Sums of whole numbers below 2**24 are exact in float32: a shift cannot change them.
            offset = _mass_offset(values.sum(axis=3 - axis), first, extent, goal, size)
        weights.append(_placements((first, extent, offset, goal), images.shape[axis], size))
    result = _resample(values, weights[0], weights[1])
    result[blank] = 0
    return result


def _rounded(numerator: Indices, denominator: Indices) -> Indices:
    return (2 * numerator + denominator) // (2 * denominator)


def _mass_offset(
    profile: NDArray[np.float32], start: Indices, extent: Indices, goal: Indices, size: int
) -> Indices:
    """Where the scaled ink begins when its center of mass is at the image's center."""
    positions = np.arange(profile.shape[1]) + 0.5 - start[:, None]
    mass = profile.astype(np.float64)
    middle = (positions * mass).sum(axis=1) / np.maximum(mass.sum(axis=1), 1)
    # MNIST's own images have their center of mass in [14, 15), the upper one of the two middle
    # pixels: this rounding gives back unchanged every one whose ink is 20 pixels long.
    offset: Indices = np.ceil(size / 2 - middle * goal / extent).astype(np.int64)
    return np.clip(offset, 0, size - goal)


def _placements(keys: tuple[Indices, ...], length: int, size: int) -> NDArray[np.float32]:
    """(n, size, length) matrices that scale [first, first + extent) to ``goal`` at ``offset``.

    Many images share a matrix, so each different one is built once.
    """
    distinct, which = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)
    matrices = np.zeros((len(distinct), size, length), np.float32)
    for matrix, (first, count, to, wanted) in zip(matrices, distinct.tolist(), strict=True):
        # What a square reaches beyond the image is paper, and paper weighs nothing.
        low, high = max(first, 0), min(first + count, length)
        scaling = _scaling(count, wanted)
        matrix[to : to + wanted, low:high] = scaling[:, low - first : high - first]
    gathered: NDArray[np.float32] = matrices[which.ravel()]
    return gathered


@functools.lru_cache(maxsize=4096)
def _scaling(length: int, goal: int) -> NDArray[np.float32]:
    """(goal, length) matrix of bicubic resampling, the kernel widened when made smaller.

    The weights are those of Pillow's ``precompute_coeffs`` (Resample.c).
    """
    scale = length / goal
    width = max(scale, 1.0)
    middles = (np.arange(goal)[:, None] + 0.5) * scale
    positions = np.arange(length)[None] + 0.5
    # Pillow takes the pixels whose middle lies in the rounded support, and no others.
    low = np.maximum((middles - 2 * width + 0.5).astype(np.int64), 0)
    high = np.minimum((middles + 2 * width + 0.5).astype(np.int64), length)
    pixels = np.arange(length)[None]
    weights = np.where(
        (pixels >= low) & (pixels < high), _bicubic((positions - middles) / width), 0
    )
    # Whole multiples of 2**-15 times 8-bit levels add up exactly in float32, in whatever order the
    # matrix product takes them: that is why a shifted input gives the same output to the bit.
    # Rounding the running sum keeps the total at exactly 1.
    running = np.rint((weights / weights.sum(axis=1, keepdims=True)).cumsum(axis=1) * 2**15)
    matrix: NDArray[np.float32] = (np.diff(running, axis=1, prepend=0) / 2**15).astype(np.float32)
    return matrix


def _bicubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    a = -0.5
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))
