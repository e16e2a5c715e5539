"""Images of nothing, for the null class: faint noise, its contrast raised until specks stand out.

The recipe is the one that AlphaNum's null images were made with. There it is a loop of Pillow
calls; here it runs on batches, and the same noise becomes the same image to the bit.
"""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from handwriting.files import StrPath, replacing
from handwriting.images import Image, check

__all__ = ["Format", "null_images", "save"]

Format = Literal["png", "jpeg"]
_SUFFIXES = {"png": "png", "jpeg": "jpg"}

# Images are made in parts that stay in the cache.
_PART_PIXELS = 1 << 17


def null_images(
    n: int, size: tuple[int, int] = (24, 24), *, rng: int | np.random.Generator
) -> Image:
    """Make images of specks that are no character, as AlphaNum's null class has them.

    Each image is noise of 5 % of the gray levels, inverted, with its contrast raised by a factor of
    its own, abs(N(30, 15)). The levels have the distribution of the published script; the numbers
    are drawn in a cheaper way, so that the images of one seed differ from the script's.

    Args:
        n: how many.
        size: (height, width) of each, in pixels.
        rng: a seed or a generator.

    Returns:
        (n, height, width) uint8, ink on paper 0.

    Raises:
        ValueError: ``n`` is negative, or a side is under one pixel.

    Example:
        >>> images = null_images(1000, rng=0)
        >>> images.shape
        (1000, 24, 24)
        >>> bool((images == 0).any() and (images == 255).any())
        True

    Source:
        AlphaNum (Hugging Face, louisraedisch/AlphaNum), section "Null Category Image Generation".
    """
    if n < 0:
        raise ValueError(f"n must be at least 0, got {n}")
    if min(size) < 1:
        raise ValueError(f"size must be at least one pixel on each side, got {size}")
    generator = np.random.default_rng(rng)
    factors = np.abs(generator.normal(30, 15, n))
    pixels = size[0] * size[1]
    images = np.empty((n, pixels), np.uint8)
    count = max(1, _PART_PIXELS // pixels)
    for start in range(0, n, count):
        part = images[start : start + count]
        levels = _noise(part.size, generator).reshape(part.shape)
        part[:] = _enhance(levels, factors[start : start + count])
    return images.reshape(n, *size)


def save(images: Image, folder: StrPath, *, format: Format = "png") -> None:  # noqa: A002 - Pillow's
    """Write images as AlphaNum has them: files 0.png, 1.png and so on, black ink on white paper.

    Args:
        images: (n, h, w) uint8, ink on paper 0.
        folder: the folder to make, whole or not at all; it must not exist.
        format: ``"png"`` keeps the levels; ``"jpeg"``, as published, changes them a little (0.jpg).

    Raises:
        FileExistsError: the folder exists.
        ValueError: not a batch of images, or another format.
    """
    import PIL.Image

    if check(images).ndim != 3:
        raise ValueError(f"images must have shape (n, h, w), got {images.shape}")
    if format not in get_args(Format):
        raise ValueError(f"format must be one of {get_args(Format)}, got {format!r}")
    with replacing(folder) as temporary:
        temporary.mkdir()
        for number, image in enumerate(images):
            file = temporary / f"{number}.{_SUFFIXES[format]}"
            PIL.Image.fromarray(255 - image).save(file, format=format)


def _noise(count: int, rng: np.random.Generator) -> Image:
    """``count`` draws of ``floor(u * 0.05 * 255)``, u uniform in [0, 1).

    A level is floor(12.75 u), and 12.75 = 255 / 20: so it is a uniform integer in [0, 255), divided
    by 20. Bytes that are 255 are drawn anew.
    """
    words = rng.integers(2**64, size=-(-count // 8), dtype=np.uint64)
    draws = words.view(np.uint8)[:count]
    rejected = np.flatnonzero(draws == 255)
    draws[rejected] = rng.integers(255, size=len(rejected), dtype=np.uint8)
    levels: Image = draws // np.uint8(20)
    return levels


def _enhance(levels: Image, factors: NDArray[np.float64]) -> Image:
    """Invert noise, raise its contrast, and invert again so that ink is high.

    Equal to the bit to Pillow's ``ImageOps.invert`` and ``ImageEnhance.Contrast(...).enhance``,
    which move every level away from the image's rounded mean, in single precision, and truncate.

    Args:
        levels: (n, pixels) uint8.
        factors: (n,).
    """
    white = np.float32(255)
    # Pillow's own expression: another order of the operations rounds some means differently.
    sums = 255 * levels.shape[1] - levels.sum(axis=1, dtype=np.uint32).astype(np.int64)
    means = np.floor(sums / levels.shape[1] + 0.5).astype(np.float32)[:, None]
    blended = levels.astype(np.float32)
    np.subtract(white - means, blended, out=blended)
    blended *= factors.astype(np.float32)[:, None]
    blended += means
    np.clip(blended, 0, white, out=blended)
    result: Image = blended.astype(np.uint8)
    return np.subtract(255, result, out=result)
