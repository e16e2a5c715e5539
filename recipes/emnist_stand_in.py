"""Draw files of EMNIST's form from pen strokes, to try recipes/train_emnist.py without EMNIST.

    python recipes/emnist_stand_in.py --strokes characters.npz --out FOLDER [--set emnist/balanced]
        [--each 600]

The names, the header, the exchanged rows and columns, the labels and the map of labels are those of
EMNIST; the images are NOT. They are drawn of UNIPEN's strokes, those of the test part of other
writers' than those to train on, as many of each class. A file STAND-IN.txt says so, by which
train_emnist.py knows them.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import handwriting as hw
from handwriting.alphabet import Alphabet
from handwriting.data import CharacterDataset
from handwriting.datasets import emnist, idx
from handwriting.strokes import StrokeDataset, Style

MARK = "STAND-IN.txt"
STYLE = Style(
    width=(1.5, 3.5), ink=(200, 255), slant=15, rotation=8, aspect=0.15, wave=0.03, size=0.1
)
SPLITS = {"train": ("train", 1.0), "test": ("validation", 1 / 6)}  # as many as EMNIST's


def main() -> None:
    """Draw both splits, write them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--strokes", required=True, type=Path, help="UNIPEN's characters")
    parser.add_argument("--out", required=True, type=Path, help="folder to write to")
    subsets = [f"emnist/{subset}" for subset in emnist.subsets()]
    parser.add_argument("--set", default="emnist/balanced", choices=subsets)
    parser.add_argument("--each", default=600, type=int, help="images of each class to train on")
    parser.add_argument("--seed", default=0, type=int)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / MARK).write_text(
        f"NOT EMNIST: images drawn of the pen strokes in {options.strokes.name}\n", encoding="utf-8"
    )
    subset = options.set.removeprefix("emnist/")
    first = 1 if subset == "letters" else 0
    rng = np.random.default_rng(options.seed)
    for split, (source, share) in SPLITS.items():
        strokes = StrokeDataset.open(options.strokes, split=source)
        drawn = draw(strokes, subset, max(1, round(options.each * share)), rng)
        arrays = drawn.images.transpose(0, 2, 1), (drawn.labels + first).astype(np.uint8)
        for kind, array in zip(idx.KINDS, arrays, strict=True):
            idx.write(options.out / f"emnist-{subset}-{split}-{kind}-ubyte.gz", array)
        print(f"{split}: {drawn!r}, NOT EMNIST's", flush=True)
    path = options.out / f"emnist-{subset}-mapping.txt"
    path.write_text(label_map(subset, first), encoding="ascii", newline="\r\n")


def draw(
    strokes: StrokeDataset, subset: emnist.Subset, each: int, rng: np.random.Generator
) -> CharacterDataset:
    """As many images of each class, in random order; strokes of rare ones are drawn again."""
    names = np.array([class_of(text, emnist.ALPHABETS[subset]) for text in strokes.texts])
    chosen: list[NDArray[np.int64]] = []
    for character in emnist.ALPHABETS[subset]:
        members = np.flatnonzero(names == character)
        if not len(members):
            raise ValueError(f"there must be strokes of {character!r}, got none in {strokes!r}")
        chosen.append(rng.choice(members, each, replace=len(members) < each))
    some = strokes.select(rng.permutation(np.concatenate(chosen)))
    drawn = hw.strokes.to_characters(some, emnist.ALPHABETS["byclass"], style=STYLE, rng=rng)
    return emnist.convert(drawn, subset)


def class_of(character: str, alphabet: Alphabet) -> str:
    """A character of the alphabet, or no text: lower case goes to the upper where it must."""
    known = [each for each in (character, character.upper()) if each in alphabet]
    return known[0] if known else ""


def label_map(subset: emnist.Subset, first: int) -> str:
    """EMNIST's table of labels and code points, of letters both cases."""
    rows = [[label, ord(c)] for label, c in enumerate(emnist.ALPHABETS[subset], start=first)]
    if subset == "letters":
        rows = [[*row, row[1] + 32] for row in rows]
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)


if __name__ == "__main__":
    main()
