"""How well and how fast pages are cut into lines, words and characters; docs/segmentation.md.

    python benchmarks/segmentation.py --data FOLDER [--seeds N]

FOLDER holds ``mnist/`` (the IDX files), ``unipen/characters.npz`` (pen strokes), ``paper/
characters62.npz`` (letters on paper) and ``copiste/pages.zip`` (scans with the boxes of lines).
From the first three, pages are composed whose boxes are known: six lines of one to four words,
characters 2 to 9 pixels apart, words 18 to 33, on shaded paper with noise. The scans come as they
are, and enlarged to 2,400 x 3,400 for time and memory: one thread, the best of some rounds for each
page, a process of its own.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL.Image
import PIL.ImageDraw
from numpy.typing import NDArray
from scipy import ndimage

import handwriting as hw
from handwriting.images import Image
from handwriting.segmentation import Box, Segment

SOURCES = ("mnist", "unipen", "paper")
PAGES = 15  # for each seed
LINES, WORDS, LETTERS = 6, 4, 8
HEIGHT, WIDTH, PITCH = 510, 1000, 75  # of a page, and from one line to the next
GAPS, SPACES = (2, 9), (18, 33)
HIGH, MIDDLE, DEEP = "\"'`^*", "-~=+<>", "gjpqy,;"
SPEED = """
import json, re, sys, time
from pathlib import Path
import numpy as np
import handwriting as hw
hw.segmentation.segment(np.zeros((100, 100), np.uint8))  # the imports
page = np.load(sys.argv[1])
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
times = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    hw.segmentation.segment(page)
    times.append(time.perf_counter() - start)
print(json.dumps([min(times), peak()]))
"""


class Character(NamedTuple):
    """A character of a composed page."""

    text: str
    box: Box


Word = list[Character]
Draw = Callable[[str, np.random.Generator], Image]


def mnist(data: Path) -> tuple[list[str], Draw]:
    """Digits of MNIST's test set."""
    digits = hw.datasets.mnist.load("test", data / "mnist")
    which = [np.flatnonzero(digits.labels == label) for label in range(10)]

    def draw(text: str, rng: np.random.Generator) -> Image:
        return cropped(digits.images[rng.choice(which[int(text)])])

    return list("0123456789"), draw


def unipen(data: Path) -> tuple[list[str], Draw]:
    """Strokes of UNIPEN's validation writers, drawn with pens of several widths."""
    with np.load(data / "unipen" / "characters.npz") as file:
        stored: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    lengths = stored["points_per_stroke"].astype(np.int64)
    starts = lengths.cumsum() - lengths
    sums = stored["points_delta"].astype(np.int64).cumsum(axis=1)
    before = np.where(starts > 0, sums[:, starts - 1], 0)
    points = (sums - before.repeat(lengths, axis=1)).T / 1000
    counts = stored["strokes_per_sample"].astype(np.int64)
    firsts = counts.cumsum() - counts
    # Other writers' letters look alike: no scribbles, no wrong labels.
    good = np.flatnonzero((stored["agree"] > 3) & (stored["split"] == 1))
    codes = stored["codepoint"][good]
    which = {chr(code): good[codes == code] for code in np.unique(codes)}

    def draw(text: str, rng: np.random.Generator) -> Image:
        sample = rng.choice(which[text])
        strokes = range(firsts[sample], firsts[sample] + counts[sample])
        parts = [points[starts[i] : starts[i] + lengths[i]] for i in strokes]
        return drawn(parts, rng.uniform(26, 34), rng.uniform(1.6, 3.2))

    return [text for text, samples in which.items() if len(samples) > 5], draw


def drawn(strokes: Sequence[NDArray[np.float64]], size: float, pen: float) -> Image:
    """Strokes in units of ``size`` pixels, four times as large and then reduced."""
    every = np.concatenate(strokes)
    low = every.min(axis=0)
    width, height = (np.ptp(every, axis=0) * size + 2 * pen + 2).astype(int) + 1
    picture = PIL.Image.new("L", (4 * width, 4 * height))
    pencil = PIL.ImageDraw.Draw(picture)
    for stroke in strokes:
        places = [(4 * x, 4 * y) for x, y in ((stroke - low) * size + pen + 1).tolist()]
        pencil.line(places, 255, round(4 * pen), joint="curve")
        for x, y in (places[0], places[-1]):
            pencil.ellipse((x - 2 * pen, y - 2 * pen, x + 2 * pen, y + 2 * pen), 255)
    return cropped(np.asarray(picture.reduce(4)))


def paper(data: Path) -> tuple[list[str], Draw]:
    """Letters and digits in pen and pencil, without the specks and rules around them."""
    with np.load(data / "paper" / "characters62.npz") as file:
        images, codes = file["images"], file["codepoint"]
    which = {chr(code): np.flatnonzero(codes == code) for code in np.unique(codes)}

    def draw(text: str, rng: np.random.Generator) -> Image:
        gray = images[rng.choice(which[text])].astype(np.float64)
        level = np.percentile(gray, 85)
        ink = np.clip((level - gray) / max(30, level - gray.min()) * 280 - 30, 0, 255)
        labels, n = ndimage.label(ink > 64, np.ones((3, 3)))
        areas = np.bincount(labels.ravel(), minlength=n + 1)
        areas[0] = 0
        # An i's dot is a tenth of it; half a pixel of blur goes with each piece.
        kept = (areas > 0.05 * areas.max())[labels]
        ink[~ndimage.binary_dilation(kept, np.ones((3, 3)))] = 0
        small = PIL.Image.fromarray(ink.astype(np.uint8)).resize((40, 40), PIL.Image.Resampling.BOX)
        return cropped(np.asarray(small))

    return list(which), draw


def cropped(image: Image) -> Image:
    """The image within its ink."""
    ink = image > 64
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def compose(
    texts: list[str], draw: Draw, rng: np.random.Generator
) -> tuple[Image, list[list[Word]]]:
    """A page as a scanner gives it, and the words of its lines."""
    ink = np.zeros((HEIGHT, WIDTH), np.uint8)
    lines = []
    for number in range(LINES):
        left, words = int(rng.integers(20, 60)), []
        for _ in range(rng.integers(1, WORDS + 1)):
            word: Word = []
            for text in rng.choice(texts, rng.integers(1, LETTERS + 1)).tolist():
                image = draw(text, rng)
                box = placed(image, text, 80 + PITCH * number, left, rng)
                if box.right > WIDTH - 20:
                    break
                ink[box.slices] = np.maximum(ink[box.slices], image)
                word.append(Character(text, box))
                left = box.right + int(rng.integers(GAPS[0], GAPS[1] + 1))
            words += [word] if word else []
            left += int(rng.integers(SPACES[0], SPACES[1] + 1)) - GAPS[0]
        lines.append(words)
    down, across = np.linspace(0, 30, HEIGHT)[:, None], np.linspace(0, 40, WIDTH)
    light = 235 - across * rng.uniform() - down * rng.uniform()
    gray = light * (1 - ink / 255 * rng.uniform(0.6, 0.95)) + rng.normal(0, 3, ink.shape)
    blurred = ndimage.gaussian_filter(gray, rng.uniform(0, 0.6))
    return np.clip(blurred, 0, 255).astype(np.uint8), lines


def placed(image: Image, text: str, base: int, left: int, rng: np.random.Generator) -> Box:
    """Where a character stands on a line."""
    height, width = image.shape
    top = base - height + int(rng.integers(-1, 2))
    if text in HIGH:
        top = base - 30
    elif text in MIDDLE:
        top = base - 14 - height // 2
    elif text in DEEP:
        top += 6
    return Box(top, left, top + height, left + width)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    common = max(0, height) * max(0, width)
    return common / (one.height * one.width + other.height * other.width - common)


def matched(found: Sequence[Box], true: Sequence[Box]) -> int:
    """How many true boxes have a found one of their own with half of both in common."""
    left = list(found)
    for box in true:
        best = max(left, key=lambda other: overlap(box, other), default=None)
        if best is not None and overlap(box, best) >= 0.5:
            left.remove(best)
    return len(found) - len(left)


def right_words(words: Sequence[Word], lines: Sequence[Segment]) -> bool:
    """Whether a line is found with each of its words from where to where it is."""
    true = [(word[0].box.left, word[-1].box.right) for word in words]
    middle = np.mean([(c.box.top + c.box.bottom) / 2 for word in words for c in word])
    for line in lines:
        found = [(word.box.left, word.box.right) for word in line.parts]
        if line.box.top <= middle <= line.box.bottom and len(found) == len(true):
            return bool(np.abs(np.subtract(found, true)).max() <= 8)
    return False


def composed(data: Path, name: str, seeds: int) -> str:
    """The row of one source of characters."""
    texts, draw = {"mnist": mnist, "unipen": unipen, "paper": paper}[name](data)
    counts = np.zeros(6, np.int64)
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for _ in range(PAGES):
            gray, truth = compose(texts, draw, rng)
            lines = hw.segmentation.segment(gray)
            true = [character.box for words in truth for word in words for character in word]
            found = [c.box for line in lines for word in line.parts for c in word.parts]
            whole = sum(right_words(words, lines) for words in truth)
            counts += (len(true), matched(found, true), len(found), len(truth), len(lines), whole)
    characters, hits, found_, lines_, found_lines, words_ = counts.tolist()
    return (
        f"| {name} | {characters:,} | {hits / characters:.2%} | {hits / found_:.2%} "
        f"| {lines_:,} | {found_lines:,} | {words_ / lines_:.1%} |"
    )


def scans(data: Path) -> Iterator[tuple[Image, list[Box]]]:
    """Real pages, gray, and the boxes of their written lines."""
    with zipfile.ZipFile(data / "copiste" / "pages.zip") as archive:
        for name, lines in json.loads(archive.read("lines.json")).items():
            gray = hw.images.to_gray(io.BytesIO(archive.read(name)))
            yield gray, [Box(*line["box"]) for line in lines]


def real(data: Path) -> list[str]:
    """Rows of the real pages: all that is found, and without what stands above the writing."""
    counts = np.zeros(4, np.int64)
    for gray, true in scans(data):
        found = [line.box for line in hw.segmentation.segment(gray)]
        top = min(box.top for box in true)
        below = sum((box.top + box.bottom) / 2 >= top for box in found)
        counts += (len(true), matched(found, true), len(found), below)
    lines, hits, found_, below_ = counts.tolist()
    return [
        f"| all that is found | {lines} | {hits / lines:.1%} | {hits / found_:.1%} |",
        f"| without the printed lines above | {lines} | {hits / lines:.1%} | {hits / below_:.1%} |",
    ]


def speed(data: Path, rounds: int) -> str:
    """The row of time and memory."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    results = []
    for gray, _ in scans(data):
        large = PIL.Image.fromarray(gray).resize((2400, 3400), PIL.Image.Resampling.BICUBIC)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "page.npy"
            np.save(file, np.asarray(large))
            command = [sys.executable, "-c", SPEED, str(file), str(rounds)]
            done = subprocess.run(command, check=True, capture_output=True, env=environment)  # noqa: S603
        results.append(json.loads(done.stdout))
    times, peaks = zip(*results, strict=True)
    return (
        f"| {len(times)} pages of 2,400 x 3,400 | {np.mean(times):.2f} s | {max(times):.2f} s "
        f"| {max(peaks):,.0f} MiB |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of real handwriting")
    parser.add_argument("--seeds", type=int, default=5, help="runs of 15 composed pages each")
    parser.add_argument("--rounds", type=int, default=5, help="of which the fastest counts")
    options = parser.parse_args()
    print("| composed pages | characters | boxed | of the boxes | lines | found | words right |")
    print("|---|---|---|---|---|---|---|")
    for source in SOURCES:
        print(composed(options.data, source, options.seeds), flush=True)
    print("\n| real pages | lines | found | precision |\n|---|---|---|---|")
    print("\n".join(real(options.data)))
    print("\n| time | mean | slowest page | peak memory of the process |\n|---|---|---|---|")
    print(speed(options.data, options.rounds))
