"""How strokes are drawn."""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Amounts", "Style"]

Floats = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Style:
    """How strokes are drawn: each sample by amounts of its own, uniform within these bounds.

    By default nothing is random.

    Args:
        width: (least, greatest) width of the pen, in pixels.
        ink: (least, greatest) level of the ink, in [1, 255].
        slant: degrees that upright strokes lean, to the left or right; under 80.
        rotation: degrees, in either direction.
        aspect: how much wider or narrower a sample gets: 0.2 is up to 1.2 times.
        wave: how far parts of a sample move on their own, in units of the strokes (1 is the height
            of a letter).
        size: share of the size that a sample may lose, at most 0.9.
        shift: pixels that a sample is moved at most, along each axis. Ink is never moved out of
            the image.

    Raises:
        ValueError: an amount is out of its range.

    Example:
        >>> Style(width=(1.5, 3.5), slant=15, size=0.2).is_random
        True
        >>> Style().is_random
        False
    """

    width: tuple[float, float] = (2.0, 2.0)
    ink: tuple[int, int] = (255, 255)
    slant: float = 0.0
    rotation: float = 0.0
    aspect: float = 0.0
    wave: float = 0.0
    size: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        for name, least, greatest in (("width", 0.1, _LARGEST), ("ink", 1, 255)):
            low, high = getattr(self, name)
            if not least <= low <= high <= greatest:
                raise ValueError(
                    f"{name} must be (least, greatest) within [{least}, {greatest}], got "
                    f"({low}, {high})"
                )
        for name, limit in _LIMITS.items():
            if not 0 <= getattr(self, name) <= limit:
                raise ValueError(
                    f"{name} must lie in [0, {limit}], the bound in both directions, got "
                    f"{getattr(self, name)}"
                )

    @property
    def is_random(self) -> bool:
        """Whether samples are drawn differently each time."""
        ranges = (self.width, self.ink)
        return any(low < high for low, high in ranges) or any(getattr(self, n) for n in _LIMITS)

    def draw(self, n: int, rng: int | np.random.Generator | None) -> Amounts:
        """Amounts of ``n`` samples.

        Raises:
            ValueError: the style is random, and ``rng`` is None.
        """
        if rng is None and self.is_random:
            raise ValueError("a style that is random needs rng, a seed or a generator")
        # All of them at once: what one option draws does not depend on the others.
        uniform = np.random.default_rng(0 if rng is None else rng).uniform(-1, 1, (_COLUMNS, n))
        width, ink, slant, rotation, aspect, size, *rest = uniform
        angle = np.radians(self.rotation * rotation)
        lean = np.tan(np.radians(self.slant * slant))
        wide = np.exp(np.log1p(self.aspect) * aspect)
        cosine, sine = np.cos(angle), np.sin(angle)
        # Wider, then leaning (y points down), then turned.
        matrix = [cosine * wide, -cosine * lean - sine, sine * wide, cosine - sine * lean]
        return Amounts(
            width=_between(self.width, width),
            ink=np.rint(_between(self.ink, ink)),
            matrix=np.array(matrix, np.float32),
            waves=np.array(rest[:6], np.float32),
            size=(1 - self.size * (size + 1) / 2).astype(np.float32),
            shift=(self.shift * np.array(rest[6:])).astype(np.float32),
        )


_LARGEST = 1000
_COLUMNS = 14
_LIMITS = {
    "slant": 80,
    "rotation": 180,
    "aspect": 10,
    "wave": 1,
    "size": 0.9,
    "shift": _LARGEST,
}


class Amounts(NamedTuple):
    """What one draw of a style gives, for n samples.

    Args:
        width: (n,) pixels.
        ink: (n,) levels.
        matrix: (4, n), the entries xx, xy, yx, yy of each sample's linear map.
        waves: (6, n) in [-1, 1]: for x and for y, two frequencies and a phase.
        size: (n,) factors.
        shift: (2, n) pixels to the right and down.
    """

    width: Floats
    ink: Floats
    matrix: Floats
    waves: Floats
    size: Floats
    shift: Floats

    def part(self, which: slice) -> Amounts:
        """Those of some samples."""
        return Amounts(*(values[..., which] for values in self))


def _between(bounds: tuple[float, float], uniform: NDArray[np.float64]) -> Floats:
    low, high = bounds
    return (low + (high - low) * (uniform + 1) / 2).astype(np.float32)
