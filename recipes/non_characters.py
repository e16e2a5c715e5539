"""Images of ink that is no character, of six kinds, for the null class and for tests of it.

What a page is cut into is not always a character: letters break or touch, pens blot and scribble,
and rules stay behind. Some of it looks like a character by chance (half of an O, a rule), so that
no reader of single characters can tell all of it.
"""

import numpy as np
from scipy import ndimage

import handwriting as hw
from handwriting.data import CharacterDataset
from handwriting.images import Image
from handwriting.strokes import StrokeDataset, render

SIDE = 28
ROOM = 40  # side of the paper that ink is put on before it is brought to the form of the recipe

__all__ = ["non_characters"]


def non_characters(
    characters: CharacterDataset, n: int, *, recipe: str = "emnist", rng: int | np.random.Generator
) -> dict[str, Image]:
    """Images of each kind, in the form of a recipe.

    Args:
        characters: what pieces are cut of, and what touches.
        n: images of each kind.
        recipe: a name in ``preprocessing.RECIPES``.
        rng: a seed or a generator.

    Returns:
        (n, h, w) uint8 for each of ``"noise"``, ``"pieces"``, ``"touching"``, ``"blots"``,
        ``"scribbles"`` and ``"rules"``.
    """
    generator = np.random.default_rng(rng)
    inked = characters.images[generator.choice(len(characters), (2, n))]
    made = {
        "pieces": pieces(inked[0], generator),
        "touching": touching(inked[0], inked[1], generator),
        "blots": blots(n, generator),
        "scribbles": scribbles(n, generator),
        "rules": rules(n, generator),
    }
    size = hw.preprocessing.find_recipe(recipe).size
    noise = hw.noise.null_images(n, (size, size), rng=generator)
    normalized = {k: hw.preprocessing.normalize(images, recipe) for k, images in made.items()}
    return {"noise": noise, **normalized}


def pieces(images: Image, rng: np.random.Generator) -> Image:
    """A third to two thirds of the ink of characters, on one side of a straight cut."""
    height, width = images.shape[1:]
    rows, columns = np.mgrid[:height, :width]
    angles = rng.uniform(0, 2 * np.pi, len(images))[:, None, None]
    depth = (rows * np.sin(angles) + columns * np.cos(angles)).reshape(len(images), -1)
    ink = images.reshape(len(images), -1)
    order = depth.argsort(axis=1)
    sums = np.take_along_axis(ink, order, axis=1).cumsum(axis=1, dtype=np.int64)
    share = rng.uniform(1 / 3, 2 / 3, len(images))[:, None]
    kept = np.empty(ink.shape, bool)
    np.put_along_axis(kept, order, sums <= share * sums[:, -1:], axis=1)
    result: Image = (ink * kept).reshape(images.shape)
    return result


def touching(left: Image, right: Image, rng: np.random.Generator) -> Image:
    """Two characters side by side whose ink meets."""
    n, height, width = left.shape
    result = np.zeros((n, height, 2 * width), np.uint8)
    for line, one, other in zip(result, left, right, strict=True):
        line[:, :width] = one
        # As far left as it goes until some row's ink meets, and up to two pixels more.
        ends = np.where(one.any(axis=1), width - 1 - one[:, ::-1].argmax(axis=1), -width)
        starts = np.where(other.any(axis=1), other.argmax(axis=1), 2 * width)
        shift = int((ends - starts).max()) + 1 - int(rng.integers(0, 3))
        shift = int(np.clip(shift, 0, width))
        line[:, shift : shift + width] = np.maximum(line[:, shift : shift + width], other)
    return result


def blots(n: int, rng: np.random.Generator) -> Image:
    """Spots of ink with uneven borders."""
    rows, columns = (np.mgrid[:ROOM, :ROOM] - (ROOM - 1) / 2)[:, None]
    heights, widths = rng.uniform(4, 14, (2, n, 1, 1))
    rough = ndimage.gaussian_filter(rng.normal(0, 1, (n, ROOM, ROOM)), (0, 2.5, 2.5)) * 5
    inside = (rows / heights) ** 2 + (columns / widths) ** 2 + 0.35 * rough < 1
    return np.where(inside, 255, 0).astype(np.uint8)


def scribbles(n: int, rng: np.random.Generator) -> Image:
    """Pens that went to and fro."""
    drawn = []
    for _ in range(n):
        steps = int(rng.integers(40, 120))
        turns = np.cumsum(rng.normal(rng.normal(0, 0.15), 0.45, steps))
        walk = np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)
        drawn.append([walk])
    strokes = StrokeDataset.from_strokes(drawn, ["~"] * n)
    return render(strokes, (SIDE, SIDE))


def rules(n: int, rng: np.random.Generator) -> Image:
    """Parts of ruled or squared paper: one or two lines, some of them crossed."""
    result = np.zeros((n, ROOM, ROOM), np.uint8)
    for image in result:
        slope, thick = rng.uniform(-0.06, 0.06), int(rng.integers(1, 3))
        start, stop = np.sort(rng.choice(np.arange(1, ROOM - 1), 2, replace=False))
        columns = np.arange(min(start, stop - 8) if stop > 8 else 1, max(stop, start + 8))
        columns = columns[(columns >= 0) & (columns < ROOM)]
        for top in rng.choice([8, 18, 28], rng.integers(1, 3), replace=False).tolist():
            rows = np.rint(top + slope * columns).astype(int)
            for extra in range(thick):
                image[rows + extra, columns] = 255
        if rng.random() < 0.5:
            left = int(rng.integers(columns[0], columns[-1] + 1))
            image[rng.integers(0, 8) : rng.integers(30, ROOM), left : left + thick] = 255
    return result
