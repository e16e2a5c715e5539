"""Strokes to datasets of images."""

# Annotations stay text: numpy.random takes 5 MB and 10 ms, and opening a set needs none of it.
from __future__ import annotations

from typing import Literal

import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.data import CharacterDataset, LineDataset
from handwriting.preprocessing import RECIPES
from handwriting.strokes.dataset import StrokeDataset
from handwriting.strokes.rendering import PLAIN, default_box, render, render_lines
from handwriting.strokes.style import Style

__all__ = ["to_characters", "to_lines"]

Outside = Literal["error", "drop"]


def to_characters(
    strokes: StrokeDataset,
    alphabet: Alphabet,
    shape: tuple[int, int] = (28, 28),
    *,
    box: int | None = None,
    keep_size: bool = False,
    outside: Outside = "error",
    style: Style = PLAIN,
    rng: int | np.random.Generator | None = None,
) -> CharacterDataset:
    """Images of characters, as :func:`render` draws them.

    Args:
        strokes: samples whose texts are one character each.
        alphabet: the characters that the labels stand for.
        shape: (height, width) of the images, in pixels.
        box: side of the box that the ink fills, in pixels; by default 5/7 of the shorter side.
        keep_size: let small characters stay small.
        outside: what to do with samples whose text is no character of the alphabet.
        style: pen and distortions.
        rng: a seed or a generator; needed where the style is random.

    Returns:
        A dataset with the strokes' name and writers. Its recipe is the published one whose box and
        shape are these, where there is one: ``"emnist"`` for the defaults.

    Raises:
        ValueError: there are texts outside the alphabet, and ``outside`` is ``"error"``; or as
            :func:`render`.

    Example:
        >>> from handwriting.alphabet import DIGITS
        >>> one, minus = [[(0.3, 0), (0.3, 1)]], [[(0, 0.5), (0.6, 0.5)]]
        >>> dataset = StrokeDataset.from_strokes([one, minus], ["1", "-"], name="mine")
        >>> to_characters(dataset, DIGITS, outside="drop")
        CharacterDataset('mine': 1 images of 28 x 28, 10 characters)
    """
    inside = [text != "" and text in alphabet for text in strokes.texts]
    strokes = _kept(strokes, inside, alphabet, outside)
    images = render(strokes, shape, box=box, keep_size=keep_size, style=style, rng=rng)
    return CharacterDataset(
        images,
        alphabet.encode(strokes.texts),
        alphabet,
        strokes.name,
        None if keep_size else _recipe(shape, default_box(shape) if box is None else box),
        writers=strokes.writers,
    )


def to_lines(
    strokes: StrokeDataset,
    alphabet: Alphabet,
    shape: tuple[int, int] = (48, 768),
    *,
    outside: Outside = "error",
    style: Style = PLAIN,
    rng: int | np.random.Generator | None = None,
) -> LineDataset:
    """Images of words and lines, as :func:`render_lines` draws them.

    Args:
        strokes: samples of words or lines.
        alphabet: the characters that may stand in texts.
        shape: (height, width) of the images, in pixels.
        outside: what to do with samples whose text has other characters.
        style: pen and distortions.
        rng: a seed or a generator; needed where the style is random.

    Returns:
        A dataset with the strokes' name, texts and writers, and the recipe
        ``"line-tight"``, for ink fills the height.

    Raises:
        ValueError: there are texts outside the alphabet, and ``outside`` is ``"error"``; or as
            :func:`render_lines`.

    Example:
        >>> from handwriting.alphabet import LOWERCASE
        >>> ill = [[(0, 0.4), (0, 1)], [(0, 0)], [(0.3, 0), (0.3, 1)], [(0.6, 0), (0.6, 1)]]
        >>> dataset = StrokeDataset.from_strokes([ill], ["ill"])
        >>> to_lines(dataset, LOWERCASE, (32, 128)).widths
        array([20])
    """
    characters = set(alphabet)
    inside = [characters.issuperset(text) for text in strokes.texts]
    strokes = _kept(strokes, inside, alphabet, outside)
    images, widths = render_lines(strokes, shape, style=style, rng=rng)
    return LineDataset(
        images,
        widths,
        strokes.texts,
        alphabet,
        strokes.name,
        "line-tight",
        writers=strokes.writers,
    )


def _kept(
    strokes: StrokeDataset, inside: list[bool], alphabet: Alphabet, outside: Outside
) -> StrokeDataset:
    if outside not in ("error", "drop"):
        raise ValueError(f"outside must be 'error' or 'drop', got {outside!r}")
    if all(inside):
        return strokes
    if outside == "error":
        lost = sorted({text for text, fits in zip(strokes.texts, inside, strict=True) if not fits})
        raise ValueError(
            f"{', '.join(map(repr, lost[:5]))} stand in the samples and are not made of "
            f"{alphabet!r}; give another alphabet, or outside='drop' to leave them out"
        )
    return strokes.select(np.array(inside))


def _recipe(shape: tuple[int, int], box: int) -> str | None:
    """The published recipe that fits a picture as these images are fitted."""
    for recipe in RECIPES.values():
        upright = recipe.center == "box" and not recipe.transposed
        if upright and (recipe.size, recipe.size, recipe.box) == (*shape, box):
            return recipe.name
    return None
