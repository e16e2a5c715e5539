"""What the context of a character is worth: its size, its height in the line, its neighbors.

    python benchmarks/reading.py --unipen FOLDER [--mnist FOLDER]

FOLDER of UNIPEN holds words.npz, words as pen strokes (docs/reading.md). Words by other writers
than those that the reader of characters learnt from, with the sizes and heights that their writers
gave each character, are drawn, cut and read. Counted are those that are cut into as many characters
as they have: what context mends is which character one is, not where it ends. Lines of MNIST's
digits, read by the reader of digits, show that context does no harm where it can tell nothing.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray

import handwriting as hw
from handwriting.alphabet import ASCII, Alphabet
from handwriting.images import Image
from handwriting.predictor import Predictor
from handwriting.recognizer import context
from handwriting.segmentation import Segment

Scores = NDArray[np.float64]
Settle = Callable[[list[Scores], list[list[hw.segmentation.Box]], Alphabet], list[Scores]]


class Strokes:
    """Samples of pen strokes: those of sample i are strokes[samples[i]:samples[i + 1]]."""

    def __init__(self, path: Path) -> None:
        self.file = np.load(path)
        counts = self.file["points_per_stroke"].astype(np.int64)
        self.cuts = np.concatenate([[0], np.cumsum(counts)])
        self.samples = np.concatenate([[0], np.cumsum(self.file["strokes_per_sample"], dtype=int)])
        total = np.cumsum(self.file["points_delta"].astype(np.int64), axis=1)
        starts = self.cuts[:-1]
        before = np.where(starts > 0, total[:, starts - 1], 0)
        self.points = (total - np.repeat(before, counts, axis=1)).T

    def draw(self, sample: int, height: int, pen: int) -> Image:
        """One sample, black on white; ``height`` is that of 1,000 units."""
        first, last = self.samples[sample : sample + 2]
        points = self.points[self.cuts[first] : self.cuts[last]]
        corner, scale = points.min(axis=0), height / 1000
        size = ((points.max(axis=0) - corner) * scale).astype(int) + 1 + 4 * pen
        picture = PIL.Image.new("L", (int(size[0]), int(size[1])), 255)
        drawing = PIL.ImageDraw.Draw(picture)
        for stroke in range(first, last):
            line = (self.points[self.cuts[stroke] : self.cuts[stroke + 1]] - corner) * scale
            path = [tuple(point) for point in (line + 2 * pen).tolist()]
            x, y = path[0]
            drawing.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=0)
            drawing.line(path, fill=0, width=pen, joint="curve")
        return np.asarray(picture)


class Cut(NamedTuple):
    """A line that was cut into as many characters as it has."""

    words: list[str]
    parts: tuple[Segment, ...]


def written(strokes: Strokes, n: int) -> Iterator[tuple[str, Image]]:
    """Words and lines of the other writers."""
    texts = bytes(strokes.file["text"]).decode().split("\n")
    others = np.flatnonzero(strokes.file["split"] == 1)
    for i in np.random.default_rng(1).permutation(others)[:n].tolist():
        text, picture = texts[i], strokes.draw(i, 64, 3)
        if text.strip() and set(text) <= {" ", *ASCII} and picture.shape[1] < 40 * 64:
            yield text, picture


def composed(digits: hw.data.CharacterDataset, n: int) -> Iterator[tuple[str, Image]]:
    """Lines of MNIST's digits."""
    rng = np.random.default_rng(1)
    for _ in range(n):
        text = "".join(map(str, rng.integers(0, 10, 8)))
        line = hw.sequences.compose(digits, text, spacing=(-4, 2), baseline=2, size=0.2, rng=rng)
        yield text, 255 - np.pad(line, 20)


def cut(pictures: Iterator[tuple[str, Image]]) -> tuple[list[Cut], int]:
    """The lines that are cut into as many characters as they have, and how many there were."""
    found, n = [], 0
    for text, picture in pictures:
        n += 1
        lines = hw.segmentation.segment(picture)
        words = text.split()
        if len(lines) == 1 and [len(w.parts) for w in lines[0].parts] == list(map(len, words)):
            found.append(Cut(words, lines[0].parts))
    return found, n


def scores(network: Predictor, cuts: list[Cut]) -> list[list[Scores]]:
    """What the network says of each character, by line and word."""
    parts = [c.image for each in cuts for word in each.parts for c in word.parts]
    padded = [np.pad(part, max(part.shape) // 2 + 1) for part in parts]
    form = network.facts.recipe or "mnist"
    batch = [hw.preprocessing.normalize(hw.preprocessing.clean(part), form) for part in padded]
    rows = iter(hw.evaluation.predict(network, np.stack(batch)).astype(np.float64))
    return [[np.stack([next(rows) for _ in word]) for word in each.words] for each in cuts]


def alone(words: list[Scores], _: Any, __: Alphabet) -> list[Scores]:
    """Shape alone."""
    return words


def size(words: list[Scores], boxes: list[list[Any]], alphabet: Alphabet) -> list[Scores]:
    """Size and height in the line alone."""
    ends = np.cumsum([len(word) for word in words])[:-1]
    every = [box for word in boxes for box in word]
    return np.split(context._sized(np.concatenate(words), every, alphabet), ends)  # noqa: SLF001


def right(
    cuts: list[Cut], rows: list[list[Scores]], alphabet: Alphabet, settle: Settle
) -> tuple[float, float]:
    """Shares of characters and of words that are read right."""
    hits: list[NDArray[np.bool_]] = []
    for each, words in zip(cuts, rows, strict=True):
        boxes = [[c.box for c in word.parts] for word in each.parts]
        for word, row in zip(each.words, settle(words, boxes, alphabet), strict=True):
            hits.append(row.argmax(axis=1) == alphabet.encode(word))
    return float(np.concatenate(hits).mean()), float(np.mean([hit.all() for hit in hits]))


def rows(
    name: str, network: Predictor, cuts: list[Cut], kinds: Sequence[tuple[str, Settle]]
) -> Iterator[str]:
    """Rows of the table."""
    every, alphabet = scores(network, cuts), network.facts.alphabet
    count = sum(len(word) for each in cuts for word in each.words)
    for kind, settle in kinds:
        of_characters, of_words = right(cuts, every, alphabet, settle)
        yield f"| {name}, {count:,} characters | {kind} | {of_characters:.1%} | {of_words:.1%} |"


def main() -> None:
    """Cut, read, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unipen", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--mnist", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    kinds: list[tuple[str, Settle]] = [
        ("shape alone", alone),
        ("size and height, too", size),
        ("and neighbors", context.settle),
    ]
    print("| what | by | characters right | words right |\n|---|---|---|---|")
    reader = Predictor(hw.pretrained.path("characters"))
    cuts, n = cut(written(Strokes(options.unipen / "words.npz"), 9000))
    groups: dict[str, Callable[[str], bool]] = {
        "words": lambda text: len(text) > 1,
        "capitals alone": lambda text: len(text) > 1 and text.isalpha() and text.isupper(),
        "digits alone": lambda text: len(text) > 1 and text.isdigit(),
        "single characters": lambda text: len(text) == 1,
    }
    for name, fits in groups.items():
        chosen = [each for each in cuts if fits("".join(each.words))]
        print("\n".join(rows(f"UNIPEN, {name}", reader, chosen, kinds)))
    print(f"{len(cuts):,} of {n:,} of UNIPEN were cut into as many characters as they have.")
    if options.mnist:
        digits = Predictor(hw.pretrained.path("digits"))
        lines, n = cut(composed(hw.datasets.mnist.load("test", options.mnist), 500))
        print("\n".join(rows("MNIST in lines of 8", digits, lines, kinds)))
        print(f"{len(lines):,} of {n:,} of MNIST were.")


if __name__ == "__main__":
    main()
