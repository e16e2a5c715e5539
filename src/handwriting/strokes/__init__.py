"""Online handwriting: the movements of a pen, and images rendered from them.

A :class:`StrokeDataset` holds characters or lines as strokes, curves from where the pen came down
to where it was lifted. Drawn afresh each time by a :class:`Style` that varies pen, slant and form,
one sample gives any number of images: :func:`render` draws characters, :func:`render_lines` words
and lines, a batch at a time. :func:`to_characters` and :func:`to_lines` make datasets of images,
and :func:`compose` makes lines of single characters.

    >>> cross = [[(0, 0), (1, 1)], [(1, 0), (0, 1)]]  # two strokes; x to the right, y down
    >>> dataset = StrokeDataset.from_strokes([cross, [[(0, 0)]]], ["x", "."])
    >>> dataset
    StrokeDataset('': 2 samples, 3 strokes, 5 points)
    >>> render(dataset, style=Style(width=(1, 4), slant=20), rng=0).shape
    (2, 28, 28)
"""

from handwriting.strokes.composition import compose
from handwriting.strokes.conversion import to_characters, to_lines
from handwriting.strokes.dataset import StrokeDataset
from handwriting.strokes.rendering import render, render_lines
from handwriting.strokes.style import Style

__all__ = [
    "StrokeDataset",
    "Style",
    "compose",
    "render",
    "render_lines",
    "to_characters",
    "to_lines",
]
