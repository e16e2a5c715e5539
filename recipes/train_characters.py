"""Train a reader of single characters: the 94 printable ones of ASCII, and null.

    python recipes/train_characters.py --strokes characters.npz --mnist FOLDER
        --paper characters62.npz --out FOLDER [--model vgg_small] [--epochs 20] [--share 1]
        [--resume]

It learns from UNIPEN's pen strokes, drawn afresh in each epoch as many pens and hands would, from
MNIST, from characters on paper and from images of nothing. Of what is learnt from, whole writers
and some images are held back: the weights of the epoch that reads them best are kept. Writers of
the strokes' validation part, a part of the paper and MNIST's test images choose nothing and are
measured once, at the end. OUT/MODEL.keras is the model, OUT/MODEL.json what was measured,
OUT/MODEL.png the curves.
"""

import argparse
import dataclasses
import os
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import character_training
import numpy as np
from character_training import AUGMENTATION, measured
from numpy.typing import NDArray
from scipy import ndimage

import handwriting as hw
from handwriting.data import CharacterDataset
from handwriting.images import Image
from handwriting.strokes import StrokeDataset, Style

T = TypeVar("T", StrokeDataset, CharacterDataset)

ALPHABET = hw.alphabet.ASCII.with_null()
RECIPE = "emnist"
STYLE = Style(
    width=(1.0, 3.8), ink=(170, 255), slant=20, rotation=8, aspect=0.2, wave=0.03, size=0.1, shift=2
)
PLAIN = Style(width=(2.0, 2.0))
LEAST = 500  # of each character in an epoch
MNIST_SHARE, PAPER_TIMES, NULL_SHARE = 1 / 3, 3, 0.04
UNSEEN = 0.2  # of the paper
HELD_BACK = 0.04


@dataclasses.dataclass
class Sources:
    """What is learnt from, in the form of the recipe."""

    strokes: StrokeDataset
    mnist: CharacterDataset
    paper: CharacterDataset
    seed: int

    def epoch(self, number: int) -> CharacterDataset:
        """All images of one epoch."""
        rng = np.random.default_rng((self.seed, number))
        drawn = hw.strokes.to_characters(
            self.strokes.select(self._balanced(rng)), ALPHABET, style=STYLE, rng=rng
        )
        digits = self.mnist.sample(round(MNIST_SHARE * len(self.mnist)), rng=rng)
        parts = [drawn, digits, *[self.paper] * PAPER_TIMES]
        images = np.concatenate([drawn.images, *(self._moved(p.images, rng) for p in parts[1:])])
        labels = np.concatenate([part.labels for part in parts])
        whole = CharacterDataset(worn(images, rng), labels, ALPHABET, "characters", RECIPE)
        return whole.with_null(NULL_SHARE, rng=rng)

    def _balanced(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Every sample once, and those of rare characters more often."""
        labels = ALPHABET.encode(self.strokes.texts)
        least = round(LEAST * min(1, len(labels) / 50_000))
        more = [
            rng.choice(np.flatnonzero(labels == label), least - count)
            for label, count in zip(*np.unique(labels, return_counts=True), strict=True)
            if count < least
        ]
        return np.concatenate([np.arange(len(labels)), *more]).astype(np.int64)

    def _moved(self, images: Image, rng: np.random.Generator) -> Image:
        return hw.training.augment(images, AUGMENTATION, rng=rng)


def worn(images: Image, rng: np.random.Generator) -> Image:
    """Ink as a camera sees it: often blurred, uneven, with a piece gone here and there."""
    result = images.astype(np.float32)
    blurred = rng.random(len(images)) < 0.5
    for share, sigma in ((0.5, 0.45), (1.0, 0.8)):
        which = np.flatnonzero(blurred & (rng.random(len(images)) < share))
        result[which] = ndimage.gaussian_filter(result[which], (0, sigma, sigma))
        blurred[which] = False
    height, width = images.shape[1:]
    coarse = rng.uniform(0.65, 1.25, (len(images), 4, 4)).astype(np.float32)
    result *= ndimage.zoom(coarse, (1, height / 4, width / 4), order=1)
    gone = np.flatnonzero(rng.random(len(images)) < 0.15)
    tops, lefts = rng.integers(0, height - 4, len(gone)), rng.integers(0, width - 4, len(gone))
    for place, top, left in zip(gone, tops, lefts, strict=True):
        result[place, top : top + rng.integers(2, 5), left : left + rng.integers(2, 5)] *= 0.2
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def main() -> None:
    """Train, measure, write."""
    parser = character_training.parser(__doc__, model="vgg_small", epochs=20)
    parser.add_argument("--strokes", required=True, type=Path, help="UNIPEN's characters")
    parser.add_argument("--mnist", required=True, help="the folder of MNIST's files")
    parser.add_argument("--paper", required=True, type=Path, help="images and codepoint, .npz")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    learnt, held_back, tests = sources(options)
    model = hw.models.build(options.model, ALPHABET, (28, 28), rng=options.seed)
    images = len(learnt.epoch(0))
    history, minutes = character_training.train(
        model,
        learnt.epoch,
        images,
        options,
        validation=held_back,
        checkpoint=options.out / f"{options.model}.keras",
    )
    facts = {
        "model": options.model,
        "parameters": model.count_params(),
        "epochs": options.epochs,
        "images an epoch": images,
        "minutes": minutes,
        "tests": {name: measured(model, test) for name, test in tests.items()},
        "history": history,
    }
    for name, figures in facts["tests"].items():
        print(f"{name:10}", {key: f"{value:.2%}" for key, value in figures.items()}, flush=True)
    character_training.write(options.out, options.model, facts)


def sources(
    options: argparse.Namespace,
) -> tuple[Sources, CharacterDataset, dict[str, CharacterDataset]]:
    """What is learnt from, what is held back of it, and what is measured."""
    strokes = StrokeDataset.open(options.strokes, split="train")
    others = StrokeDataset.open(options.strokes, split="validation")
    digits, test = (hw.datasets.mnist.load(each, options.mnist) for each in ("train", "test"))
    paper, unseen = read_paper(options.paper).split(UNSEEN, rng=options.seed)
    if options.share < 1:
        rng = np.random.default_rng(options.seed)
        strokes, others = (part_of(each, options.share, rng) for each in (strokes, others))
        digits, test, paper, unseen = (
            part_of(each, options.share, rng) for each in (digits, test, paper, unseen)
        )
    strokes, some_strokes = strokes.split(HELD_BACK, by_writer=True, rng=options.seed)
    digits, some_digits = digits.split(HELD_BACK, rng=options.seed)
    paper, some_paper = paper.split(HELD_BACK, rng=options.seed)
    held_back = together([drawn(some_strokes), normalized(some_digits), some_paper])
    tests = {"unipen": drawn(others), "paper": unseen, "mnist": normalized(test)}
    return Sources(strokes, normalized(digits), paper, options.seed), held_back, tests


def drawn(strokes: StrokeDataset) -> CharacterDataset:
    """Strokes as an ordinary pen draws them."""
    return hw.strokes.to_characters(strokes, ALPHABET, style=PLAIN)


def together(parts: list[CharacterDataset]) -> CharacterDataset:
    """Several sets as one."""
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return CharacterDataset(images, labels, ALPHABET, "characters", RECIPE)


def part_of(dataset: T, share: float, rng: np.random.Generator) -> T:
    """A share of a set, but some hundreds."""
    return dataset.sample(max(300, round(share * len(dataset))), rng=rng)


def read_paper(path: Path) -> CharacterDataset:
    """Characters in pen and pencil, cleaned as a reader cleans what it cuts out."""
    with np.load(path) as file:
        images, codes = file["images"], file["codepoint"]
    ink = hw.preprocessing.clean(hw.preprocessing.to_ink(images, "dark"))
    labels = ALPHABET.encode([chr(code) for code in codes.tolist()])
    return CharacterDataset(
        hw.preprocessing.normalize(ink, RECIPE), labels, ALPHABET, "paper", RECIPE
    )


def normalized(dataset: CharacterDataset) -> CharacterDataset:
    """A set in the form of the recipe."""
    images = hw.preprocessing.normalize(dataset.images, RECIPE)
    return dataclasses.replace(dataset, images=images, recipe=RECIPE).relabel(ALPHABET)


if __name__ == "__main__":
    main()
