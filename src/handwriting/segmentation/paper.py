"""From the gray picture of a page to its ink alone."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from handwriting import preprocessing
from handwriting.images import Image, check
from handwriting.preprocessing import Polarity
from handwriting.segmentation.rules import ruled
from handwriting.segmentation.segment import Mask

__all__ = ["FAINTEST", "find_ink", "find_ink_and_rules"]

FAINTEST = 64
"""The lowest level of ink that :func:`find_ink` gives."""

# The paper's level is looked for in cells of so many pixels, in windows of so many cells.
_CELL, _WINDOW = 8, 7
# Ink is darker than the paper around it by this part of the contrast of all ink, by so many of 255
# levels at least, and by so many standard deviations of the paper's own levels.
_SHARE, _LEAST, _FAINTEST, _ABOVE_NOISE = 0.6, 20, 15, 5
# Strokes grow fainter by this factor without being broken.
_FAINT = 0.5
# So many rows at once, whose numbers stay near the processor.
_ROWS = 32
# The edge of a sheet: from one cell to the next but one its level changes by this factor somewhere
# and by that factor all along. The edges of shadows are softer.
_EDGE, _FAINT_EDGE = 0.18, 0.09
# A darker part of the picture is of the sheet, in a shadow, if it has so many times as much ink for
# its size. Tables have much less, or grain and edges that look like much more.
_LEAST_INK, _MOST_INK = 0.5, 1.5
_FULL = 0.02  # a sheet with less ink does not tell
# A sheet that fills the picture but for its rim is no sheet that lies somewhere.
_NEARLY_ALL = 0.97


def find_ink(
    gray: Image, polarity: Polarity = "auto", *, sheet: bool = True, rules: bool = True
) -> Image:
    """The ink of a page, whatever the light and the paper.

    Each pixel is compared with the paper around it, so that shadows, uneven light and tinted paper
    leave nothing behind. What lies around a sheet of paper in a photograph, and ruled lines, are
    taken away; strokes that cross a ruled line stay whole.

    Args:
        gray: (h, w) uint8 gray levels, such as :func:`handwriting.images.to_gray` gives.
        polarity: ``"dark"`` ink on light paper, ``"light"`` ink on dark paper, or ``"auto"``: the
            ink is what differs more from its surroundings.
        sheet: take away what lies around a sheet of paper.
        rules: take away ruled lines, full or dotted.

    Returns:
        (h, w) uint8: paper exactly 0, ink from :data:`FAINTEST` up to 255.

    Raises:
        ValueError: not one image.

    Example:
        >>> page = np.tile(np.linspace(120, 240, 200).astype(np.uint8), (100, 1))  # a shadow
        >>> page[40:60, 50:53] //= 3
        >>> int(np.count_nonzero(find_ink(page)))
        60
    """
    return _parted(gray, polarity, sheet=sheet, rules=rules)[0]


def find_ink_and_rules(
    gray: Image, polarity: Polarity = "auto", *, sheet: bool = True
) -> tuple[Image, Image]:
    """The ink of a page, and its ruled lines: what :func:`find_ink` takes away as such.

    Args:
        gray: as for :func:`find_ink`.
        polarity: as for :func:`find_ink`.
        sheet: as for :func:`find_ink`.

    Returns:
        Two images (h, w) uint8 like that of :func:`find_ink`. Where one has ink the other has none;
        rules that are fainter than ink are in neither.

    Raises:
        ValueError: not one image.

    Example:
        >>> page = np.full((300, 400), 240, np.uint8)
        >>> page[200, :] = page[150:180, 50:53] = 60
        >>> ink, rules = find_ink_and_rules(page)
        >>> int(np.count_nonzero(ink)), int(np.count_nonzero(rules))
        (90, 400)
    """
    ink, taken, threshold, noise = _parted(gray, polarity, sheet=sheet, rules=True)
    return ink, _levels(_connected(taken, threshold, noise), threshold)


def _parted(
    gray: Image, polarity: Polarity, *, sheet: bool, rules: bool
) -> tuple[Image, Image, int, float]:
    """The ink, how dark the rules are that were taken away, the threshold and the noise."""
    if check(gray, name="gray").ndim != 2:
        raise ValueError(f"gray must be one image of shape (h, w), got shape {gray.shape}")
    dark = 255 - gray if _is_light(gray, polarity) else gray
    cell = min(_CELL, max(1, min(gray.shape) // _CELL))
    level = _paper_level(dark, cell)
    strength = _strength(dark, level, cell)
    noise = _noise(dark, level)
    if sheet:
        strength[~_enlarged(_sheet(level, strength, cell, noise), cell, gray.shape)] = 0
    threshold = _threshold(strength, noise)
    taken = strength[:0]
    if rules:
        mask = ruled(strength, threshold)
        taken = strength * mask
        strength[mask] = 0
    return _levels(_connected(strength, threshold, noise), threshold), taken, threshold, noise


def _is_light(gray: Image, polarity: Polarity) -> bool:
    """Whether the ink is lighter than the paper."""
    from scipy import ndimage

    if polarity not in ("auto", "dark", "light"):
        raise ValueError(f"polarity must be 'auto', 'dark' or 'light', got {polarity!r}")
    if polarity != "auto":
        return polarity == "light"
    factor = max(1, round(gray.size**0.5) // 500)
    small = _means(gray, factor).astype(np.float32)
    window = max(9, 16 // factor)
    typical = ndimage.median_filter(small[::4, ::4], window).repeat(4, axis=0).repeat(4, axis=1)
    # Ink is rare and stands far from the paper around it, on one side.
    differences = small - typical[: small.shape[0], : small.shape[1]]
    return bool((differences * differences * differences).sum() > 0)


def _means(image: Image, factor: int) -> Image:
    """The image with each square of pixels made one, their mean."""
    import PIL.Image

    return np.asarray(PIL.Image.fromarray(image).reduce(factor))


def _paper_level(dark: Image, cell: int) -> Image:
    """How light the paper is in each cell: the gray level without ink, which is darker and thin."""
    from scipy import ndimage

    means = ndimage.median_filter(_means(dark, cell), 3).astype(np.int16)
    # Light that falls off towards a border goes on beyond it.
    margin = _WINDOW - 1
    wide = np.pad(means, margin, mode="reflect", reflect_type="odd")
    closed = ndimage.grey_closing(wide, (_WINDOW, _WINDOW))
    level: Image = closed[margin:-margin, margin:-margin].clip(0, 255).astype(np.uint8)
    return level


def _strength(dark: Image, level: Image, cell: int) -> Image:
    """How much darker than the paper each pixel is, 255 for black on any paper."""
    import PIL.Image
    from scipy import ndimage

    height, width = dark.shape
    smooth = PIL.Image.fromarray(ndimage.uniform_filter(level, 5))
    box = (0, 0, width / cell, height / cell)
    paper = np.asarray(smooth.resize((width, height), PIL.Image.Resampling.BILINEAR, box))
    # 255 / paper to 8 binary places: a division of every pixel would take four times as long.
    scale = np.append(0, 255 * 256 // np.arange(1, 256)).astype(np.uint32)
    strength = np.empty_like(dark)
    for top in range(0, height, _ROWS):
        part = slice(top, top + _ROWS)
        darker = np.maximum(paper[part], dark[part]) - dark[part]
        strength[part] = np.minimum((darker * scale[paper[part]]) >> 8, 255)
    return strength


def _sheet(level: Image, strength: Image, cell: int, noise: float) -> Mask:
    """Which cells are of the paper that is written on.

    Parts of the picture are those between sharp edges of its brightness. The paper is the largest
    and brightest, with all that are as bright, and with shadows: those that it surrounds, and those
    that are written on as it is.
    """
    from scipy import ndimage

    everything = np.ones(level.shape, np.bool_)
    if min(level.shape) < 16:
        return everything
    light = np.log(level.astype(np.float32) + 8)
    square = np.ones((3, 3))
    change = ndimage.maximum_filter(light, 3) - ndimage.minimum_filter(light, 3)
    faint, n = ndimage.label(change > _FAINT_EDGE, square)
    sharp = np.bincount(faint[change > _EDGE], minlength=n + 1) > 0
    sharp[0] = False
    edges = _padded(ndimage.binary_closing, sharp[faint], square, 4)
    parts, n = ndimage.label(~edges)
    if n < 2:
        return everything
    areas = np.bincount(parts.ravel(), minlength=n + 1)
    areas[0] = 0
    levels = ndimage.median(level, parts, np.arange(n + 1))
    brightest = levels[np.argmax(areas * levels**2)]
    paper = (levels > 0.85 * brightest) & (areas > 0.01 * parts.size)
    paper[0] = False
    paper |= _shadows(parts, areas, paper)
    paper |= _written(parts, paper, strength, cell, noise)
    mask = ndimage.binary_fill_holes(ndimage.binary_dilation(paper[parts], square))
    mask = _padded(ndimage.binary_closing, mask, square, 5)
    mask = ndimage.binary_fill_holes(_padded(ndimage.binary_opening, mask, square, 3))
    if mask.mean() > _NEARLY_ALL:
        return everything
    inner: Mask = ndimage.binary_erosion(mask, square, border_value=1)
    return inner


def _shadows(parts: NDArray[np.int32], areas: NDArray[np.int64], paper: Mask) -> Mask:
    """Which parts are no paper by their brightness, but have paper on most sides."""
    from scipy import ndimage

    outside = len(areas)
    bordered = np.pad(parts, 8, constant_values=outside)
    isolated = np.zeros(len(areas), np.bool_)
    for part, (rows, columns) in enumerate(ndimage.find_objects(parts), 1):
        if paper[part] or areas[part] <= 12:
            continue
        around = bordered[rows.start : rows.stop + 16, columns.start : columns.stop + 16]
        near = around[ndimage.binary_dilation(around == part, np.ones((3, 3)), iterations=7)]
        near = near[(near != part) & (near != 0)]
        isolated[part] = np.append(paper, False)[near].sum() > 0.6 * len(near)
    return isolated


def _written(
    parts: NDArray[np.int32], paper: Mask, strength: Image, cell: int, noise: float
) -> Mask:
    """Which parts have as much ink as the paper."""
    from scipy import ndimage

    known = strength[_enlarged(paper[parts], cell, strength.shape)]
    threshold = _threshold(known, noise)
    ink = _means((strength > threshold).view(np.uint8) * np.uint8(255), cell)
    # Near the edges of a part its own level is not known.
    smooth = ndimage.minimum_filter(parts, 5) == ndimage.maximum_filter(parts, 5)
    areas = np.bincount(parts[smooth], minlength=len(paper))
    inks = np.bincount(parts[smooth], ink[smooth], len(paper))
    usual = inks[paper].sum() / max(1, areas[paper].sum())
    alike: Mask = (inks > _LEAST_INK * usual * areas) & (inks < _MOST_INK * usual * areas)
    alike &= (areas > 0.03 * parts.size) & (usual > _FULL * 255)
    return alike


def _padded(step: Any, mask: Mask, structure: NDArray[Any], times: int) -> Mask:
    """A morphological step for which the picture goes on beyond its borders as it ends there."""
    wide = np.pad(mask, times + 1, mode="edge")
    inner = slice(times + 1, -times - 1)
    result: Mask = step(wide, structure, iterations=times)[inner, inner]
    return result


def _enlarged(mask: Mask, factor: int, shape: tuple[int, ...]) -> Mask:
    """A mask of cells as one of pixels."""
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]


def _noise(dark: Image, level: Image) -> float:
    """The standard deviation of the strength of paper."""
    some = dark[:: 1 + dark.size // 1_000_000].astype(np.int16)
    differences = np.sort(np.abs(some[:, 2:] - some[:, :-2]), axis=None)
    if not len(differences):
        return 0.0
    # The lesser half is paper; of a normal distribution its mean is 0.459 standard deviations.
    lesser = differences[: (len(differences) + 1) // 2].mean()
    return float(lesser / 0.459 * 255 / max(1, np.median(level)))


def _threshold(strength: Image, noise: float) -> int:
    """What ink is above."""
    least = max(_LEAST, _ABOVE_NOISE * noise)
    darker = strength[strength > max(_FAINTEST, _ABOVE_NOISE / 2 * noise)]
    if len(darker):
        some = darker[:: 1 + len(darker) // 1_000_000]
        least = max(least, _SHARE * int(preprocessing.otsu(some[None])))
    return round(least)


def _connected(strength: Image, threshold: int, noise: float) -> Image:
    """Only ink: what is above the threshold, and what is fainter but hangs together with it."""
    from scipy import ndimage

    faint = max(_FAINTEST, _ABOVE_NOISE / 2 * noise, _FAINT * threshold)
    mask = strength > faint
    labels, n = ndimage.label(mask, np.ones((3, 3)))
    values, labels = strength[mask], labels[mask]
    sure = np.zeros(n + 1, np.uint8)
    sure[labels[values > threshold]] = 1
    connected = np.zeros_like(strength)
    connected[mask] = values * sure[labels]
    return connected


def _levels(strength: Image, threshold: int) -> Image:
    """Paper 0, ink from the faintest up to 255 for what is twice the threshold."""
    above = np.arange(256) - threshold // 2
    table = np.clip(FAINTEST + above * (255 - FAINTEST) // (threshold * 3 // 2), FAINTEST, 255)
    table[0] = 0
    return table.astype(np.uint8)[strength]
