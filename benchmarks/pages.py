"""How well whole pages are read, and how much of what is read wrong is cut wrong; docs/reading.md.

    python benchmarks/pages.py --copiste FOLDER [--model lines]

FOLDER holds ``pages.zip``, scanned pages with the boxes and the texts of their lines, and
``lines.zip``, which tells what writers the model learned from. Each page is read as it comes, and
again with each line cut out by its known box. A line that is found counts for the known line that
it covers most of; one that covers none, such as print at the head of the page, counts for nothing.
"""

import argparse
import collections
import dataclasses
import json
import os
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))

import numpy as np
import train_lines

import handwriting as hw
from handwriting.images import Image
from handwriting.recognizer import LineRecognizer, Reading
from handwriting.segmentation import Box

MARGIN = 8  # pixels of paper around a line that is cut out


@dataclasses.dataclass(frozen=True)
class Page:
    """A scanned page, the boxes and texts of its lines, and whether its writer is unknown."""

    gray: Image
    boxes: list[Box]
    texts: list[str]
    unseen: bool


def main() -> None:
    """Read all pages, and print the error rates."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--copiste", required=True, type=Path)
    parser.add_argument("--model", default="lines", help="a file, or a name")
    options = parser.parse_args()
    reader = hw.recognizer.load(options.model)
    if not isinstance(reader, LineRecognizer):
        raise SystemExit(f"{options.model} reads characters; this is for readers of lines")
    pages = list(read_pages(options.copiste))
    start = time.perf_counter()
    readings = [reader.read(page.gray) for page in pages]
    seconds = time.perf_counter() - start
    found = [by_box(reading, page.boxes) for reading, page in zip(readings, pages, strict=True)]
    cut = [
        [line.text for line in reader.read_crops([cropped(page.gray, box) for box in page.boxes])]
        for page in pages
    ]
    for name, unseen in (("writers it learned from", False), ("other writers", True)):
        which = [i for i, page in enumerate(pages) if page.unseen is unseen]
        truths = [train_lines.plain(text) for i in which for text in pages[i].texts]
        rates = [
            hw.evaluation.compare(truths, [text for i in which for text in read[i]]).cer
            for read in (found, cut)
        ]
        print(
            f"{name:24} {len(which):3} pages, {len(truths):4} lines: CER {rates[0]:6.2%} as they "
            f"come, {rates[1]:6.2%} with known boxes"
        )
    print(f"{seconds / len(pages):.2f} s a page")


def read_pages(folder: Path) -> Iterator[Page]:
    """The pages of the archive."""
    splits = collections.defaultdict(set)
    with zipfile.ZipFile(folder / "lines.zip") as archive:
        for row in archive.read("lines.tsv").decode().splitlines()[1:]:
            _, _, split, text = row.split("\t")
            splits[text].add(split)
    with zipfile.ZipFile(folder / "pages.zip") as archive:
        for name, lines in json.loads(archive.read("lines.json")).items():
            gray = hw.images.to_gray(archive.read(name))
            texts = [line["text"] for line in lines]
            known = [splits[text] for text in texts if splits[text]]
            learned = sum("train" in each for each in known) > len(known) / 2
            yield Page(gray, [Box(*line["box"]) for line in lines], texts, not learned)


def by_box(reading: Reading, boxes: Sequence[Box]) -> list[str]:
    """What was read in each of some boxes."""
    parts: list[list[str]] = [[] for _ in boxes]
    for line in reading.lines:
        covered = [overlap(line.box, box) / (box.height * box.width) for box in boxes]
        best = int(np.argmax(covered))
        if covered[best] > 0:
            parts[best].append(line.text)
    return [" ".join(part) for part in parts]


def overlap(one: Box, other: Box) -> int:
    """Pixels that lie in both."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    return max(0, height) * max(0, width)


def cropped(gray: Image, box: Box) -> Image:
    """A line with a little of the paper around it."""
    rows = slice(max(0, box.top - MARGIN), box.bottom + MARGIN)
    return gray[rows, max(0, box.left - MARGIN) : box.right + MARGIN]


if __name__ == "__main__":
    main()
