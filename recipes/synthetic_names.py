"""Lines that look like the handwritten names, drawn from pen strokes of single characters.

The strokes are those of UNIPEN (train_r01_v07) in one ``characters.npz``: ``points_delta``,
``points_per_stroke``, ``strokes_per_sample``, ``codepoint``, ``writer``, ``agree``, ``split``. What
disturbs the real pictures is drawn too: the form's printed NOM and PRENOM, to the left or above,
the lines below, and slices of the neighboring rows.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from numpy.typing import NDArray

from handwriting.alphabet import Alphabet
from handwriting.data import LineDataset

Strokes = list[NDArray[np.float64]]

SCALE = 2  # drawn so many times larger, then averaged
MARKS = {"-": [[(0.1, -0.45), (0.6, -0.45)]], "'": [[(0.2, -1.0), (0.1, -0.75)]]}
PRINTED = ("NOM :", "PRENOM :")
BELOW = "DATE DE NAISSANCE   CLASSE"


def load_strokes(path: Path) -> dict[str, list[Strokes]]:
    """Samples of each letter, as strokes (points, 2) of x and y, the letter's box 1 high."""
    with np.load(path) as file:
        per_stroke = file["points_per_stroke"].astype(np.int64)
        per_sample = file["strokes_per_sample"].astype(np.int64)
        delta = file["points_delta"].astype(np.int64)
        wanted = (file["agree"] > 2) & (file["split"] == 0)
        codes = file["codepoint"]
    starts = np.r_[0, np.cumsum(per_stroke)[:-1]]
    total = np.cumsum(delta, axis=1)
    before = np.where(starts > 0, total[:, starts - 1], 0)
    points = (total - np.repeat(before, per_stroke, axis=1)).T / 1000
    ends = np.cumsum(per_sample)
    found: dict[str, list[Strokes]] = collections.defaultdict(list)
    for sample in np.flatnonzero(wanted):
        letter = chr(codes[sample])
        if not (letter.isascii() and letter.isalpha()):
            continue
        which = range(ends[sample] - per_sample[sample], ends[sample])
        strokes = [points[starts[i] : starts[i] + per_stroke[i]] for i in which]
        everything = np.concatenate(strokes)
        low, high = everything.min(axis=0), everything.max(axis=0)
        height = max(high[1] - low[1], 0.3 * (high[0] - low[0]), 1e-3)
        found[letter].append([(s - [low[0], high[1]]) / height for s in strokes])
    return dict(found)


@dataclasses.dataclass
class _Page:
    """A picture to draw on, in pixels of the final image."""

    height: int
    width: int

    def __post_init__(self) -> None:
        self.picture = PIL.Image.new("L", (self.width * SCALE, self.height * SCALE))
        self.pen = PIL.ImageDraw.Draw(self.picture)

    def line(self, points: NDArray[np.float64], width: float) -> None:
        places = [(x * SCALE, y * SCALE) for x, y in points.tolist()]
        if len(places) == 1:
            places *= 2
        self.pen.line(places, 255, max(1, round(width * SCALE)), joint="curve")

    def type(self, x: float, y: float, text: str, size: float) -> None:
        font = font_of("DejaVuSans-Bold", max(4, round(size * SCALE)))
        self.pen.text((x * SCALE, y * SCALE), text, 255, font)

    def image(self) -> NDArray[np.uint8]:
        return np.asarray(self.picture.reduce(SCALE))


@lru_cache
def font_of(name: str, size: int) -> PIL.ImageFont.FreeTypeFont:
    """One of the fonts that come with Matplotlib, which have accents; that of Pillow has none."""
    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"
    return PIL.ImageFont.truetype(path, size)


def synthetic(
    strokes: Mapping[str, Sequence[Strokes]],
    texts: Sequence[str],
    alphabet: Alphabet,
    shape: tuple[int, int],
    *,
    rng: int | np.random.Generator,
) -> LineDataset:
    """One line for each text of capitals, spaces, hyphens and apostrophes."""
    generator = np.random.default_rng(rng)
    images = np.zeros((len(texts), *shape), np.uint8)
    for image, text in zip(images, texts, strict=True):
        image[:] = _draw(strokes, text, shape, generator)
    widths = np.full(len(texts), shape[1])
    return LineDataset(images, widths, list(texts), alphabet, "names/synthetic", "line")


def invented(texts: Sequence[str], n: int, *, rng: int | np.random.Generator) -> list[str]:
    """New names that have the letters' successions of the given ones, three at a time."""
    generator = np.random.default_rng(rng)
    follows: dict[str, list[str]] = collections.defaultdict(list)
    for text in texts:
        padded = f"^^{text}$"
        for i in range(len(text) + 1):
            follows[padded[i : i + 2]].append(padded[i + 2])
    names: list[str] = []
    while len(names) < n:
        name = "^^"
        while not name.endswith("$") and len(name) < 20:
            options = follows[name[-2:]]
            name += options[generator.integers(len(options))]
        name = name.strip("^$ ")
        if len(name) > 1:
            names.append(name)
    return names


def _draw(
    strokes: Mapping[str, Sequence[Strokes]],
    text: str,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    height, width = shape
    page = _Page(height, width)
    form = rng.choice(3, p=[0.45, 0.35, 0.2])
    size = height * rng.uniform(0.2, 0.5)
    x, base = rng.uniform(2, 25), height * rng.uniform(0.55, 0.8)
    if form == 1:
        size = height * rng.uniform(0.18, 0.36)
        base = height * rng.uniform(0.55, 0.7)
        label, letter = str(rng.choice(PRINTED)), height * rng.uniform(0.2, 0.26)
        page.type(rng.uniform(0, 8), base - letter * 1.1, label, letter)
        x = letter * 0.9 * len(label) + rng.uniform(0, 12)
    elif form == 2:
        size = height * rng.uniform(0.16, 0.35)
        base = height * rng.uniform(0.65, 0.85)
        letter = height * rng.uniform(0.14, 0.24)
        label = str(rng.choice(PRINTED)).strip(" :")
        top = max(0.0, base - size - letter * 1.5)
        page.type(x + rng.uniform(-2, 5), top, label, letter)
        if rng.random() < 0.5:
            page.type(x, base + rng.uniform(1, 4), BELOW, letter)
    _write(page, strokes, text, (x, base), size, rng)
    image = page.image().copy()
    if rng.random() < 0.4:
        other = _Page(height, width)
        letters = [str(rng.choice(list("0123456789OLIVES"))) for _ in range(rng.integers(5, 10))]
        row = "".join(c if c.isalpha() else str(rng.choice(list("OILSZCU"))) for c in letters)
        _write(other, strokes, row, (rng.uniform(20, 120), height * 0.6), size, rng)
        drawn = other.image()
        rows = np.flatnonzero(drawn.max(axis=1) > 64)
        if len(rows):
            cut = int(rng.integers(2, max(3, height // 6)))
            if rng.random() < 0.7:
                part = drawn[max(0, rows[-1] + 1 - cut) : rows[-1] + 1]
                image[: len(part)] = np.maximum(image[: len(part)], part)
            else:
                part = drawn[rows[0] : rows[0] + cut]
                image[-len(part) :] = np.maximum(image[-len(part) :], part)
    return image


def _write(
    page: _Page,
    strokes: Mapping[str, Sequence[Strokes]],
    text: str,
    start: tuple[float, float],
    size: float,
    rng: np.random.Generator,
) -> None:
    x, base = start
    small = rng.random() < 0.12
    width = rng.choice([0.6, 0.9, 1.2, 1.8, 2.6], p=[0.2, 0.3, 0.25, 0.15, 0.1])
    spread, aspect = rng.uniform(0.1, 0.9), rng.uniform(0.7, 1.1)
    lean = np.tan(np.radians(rng.uniform(-10, 15)))
    letters = []
    for position, character in enumerate(text):
        if character in MARKS:
            letters.append([np.array(part) for part in MARKS[character]])
        elif character == " ":
            letters.append([])
        else:
            lower = (small and position > 0) or (character == "I" and rng.random() < 0.35)
            options = strokes[character.lower() if lower else character]
            grown = 0.7 if lower and character not in "BDFHKLTI" else 1.0
            letters.append([part * grown for part in options[int(rng.integers(len(options)))]])
    extents = [max((float(part[:, 0].max()) for part in letter), default=0.5) for letter in letters]
    steps = [aspect * extent + spread * rng.uniform(0.7, 1.3) for extent in extents]
    size = min(size, (page.width - x - 2) / max(sum(steps), 1e-3))
    for letter, step in zip(letters, steps, strict=True):
        scale = size * rng.uniform(0.88, 1.12)
        offset = base + size * rng.uniform(-0.08, 0.08)
        for part in letter:
            across = part[:, 0] * aspect - part[:, 1] * lean
            page.line(np.stack([x + across * scale, offset + part[:, 1] * scale], 1), float(width))
        x += step * size
