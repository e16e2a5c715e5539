"""Train a reader of single characters: the 94 printable ones of ASCII, and null.

    python recipes/train_characters.py --strokes characters.npz --mnist FOLDER
        --paper characters62.npz --out FOLDER [--model vgg_deep] [--epochs 24] [--calm 8]
        [--start FILE] [--only strokes] [--share 1] [--resume]

It learns from UNIPEN's pen strokes, drawn afresh in each epoch as many pens and hands would, from
MNIST, from characters on paper and from images of nothing; in the last epochs they are changed
less, so that it ends near what it will meet. Of what is learnt from, whole writers
and some images are held back: the weights of the epoch that reads them best are kept. Writers of
the strokes' validation part, a part of the paper and MNIST's test images choose nothing and are
measured once, at the end. OUT/MODEL.keras is the model, OUT/MODEL.json what was measured,
OUT/MODEL.png the curves.
"""

import dataclasses
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import character_training
import characters_data
import numpy as np
import records
from character_training import AUGMENTATION, measured
from characters_data import ALPHABET, RECIPE, Learnt
from non_characters import non_characters
from numpy.typing import NDArray
from scipy import ndimage

import handwriting as hw
from handwriting.alphabet import Alphabet
from handwriting.data import CharacterDataset
from handwriting.images import Image
from handwriting.strokes import StrokeDataset, Style

STYLE = Style(width=(1.0, 3.8), slant=20, rotation=8, aspect=0.2, wave=0.03, size=0.1, shift=2)
CALM = dataclasses.replace(
    STYLE, width=(1.2, 3.2), slant=8, rotation=4, aspect=0.1, wave=0.012, size=0.05, shift=1
)
CALMLY_MOVED = hw.training.Augmentation(shift=0.03, rotate=4, scale=0.05, shear=5)
WORN, CALMLY_WORN = 0.7, 0.35  # shares of the images
LEAST = 500  # of each character in an epoch
# With more of MNIST l, O, s, g and q are taken for digits.
MNIST_SHARE, PAPER_TIMES = 1 / 10, 3
NULL_SHARES = {"noise": 0.03, "touching": 0.02, "scribbles": 0.01, "blots": 0.005, "pieces": 0.005}


@dataclasses.dataclass
class Sources:
    """What is learnt from, in the form of the recipe."""

    strokes: StrokeDataset
    mnist: CharacterDataset
    paper: CharacterDataset
    alphabet: Alphabet
    seed: int
    calm_from: int

    def epoch(self, number: int) -> CharacterDataset:
        """All images of one epoch."""
        rng = np.random.default_rng((self.seed, number))
        calm = number >= self.calm_from
        chosen = self.strokes.select(self._balanced(rng))
        style = CALM if calm else STYLE
        drawn = hw.strokes.to_characters(chosen, ALPHABET, style=style, rng=rng)
        digits = self.mnist.sample(round(MNIST_SHARE * len(self.mnist)), rng=rng)
        parts = [drawn, digits, *[self.paper] * PAPER_TIMES]
        moved = CALMLY_MOVED if calm else AUGMENTATION
        images = np.concatenate(
            [drawn.images, *(hw.training.augment(p.images, moved, rng=rng) for p in parts[1:])]
        )
        labels = np.concatenate([part.labels for part in parts])
        whole = CharacterDataset(stretched(images), labels, ALPHABET, "characters", RECIPE)
        whole = whole.concat(self._nothing(whole, rng))
        # What is nothing is worn as well: else crisp ink alone would tell it from characters. But
        # noise that is not stays as faint as it is.
        images = np.array(whole.images)
        which = np.flatnonzero(rng.random(len(images)) < (CALMLY_WORN if calm else WORN))
        images[which] = stretched(worn(images[which], rng))
        return dataclasses.replace(whole, images=images).relabel(self.alphabet)

    def _nothing(self, whole: CharacterDataset, rng: np.random.Generator) -> CharacterDataset:
        """Images of noise, and of ink that is no character."""
        count = max(1, round(max(NULL_SHARES.values()) * len(whole)))
        made = non_characters(whole, count, recipe=RECIPE, rng=rng)
        some = [made[kind][: round(share * len(whole))] for kind, share in NULL_SHARES.items()]
        images = np.concatenate(some)
        return CharacterDataset(images, np.zeros(len(images), int), ALPHABET, "null", RECIPE)

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


def stretched(images: Image) -> Image:
    """The darkest ink as dark as can be, as the recipe leaves what it is given."""
    highest = np.maximum(images.max(axis=(1, 2), keepdims=True), 1)
    result: Image = np.rint(images * (np.float32(255) / highest)).astype(np.uint8)
    return result


def main() -> None:
    """Train, measure, write."""
    parser = character_training.parser(__doc__, model="vgg_deep", epochs=24)
    parser.add_argument("--strokes", required=True, type=Path, help="UNIPEN's characters")
    parser.add_argument("--mnist", required=True, type=Path, help="the folder of MNIST's files")
    parser.add_argument("--paper", required=True, type=Path, help="images and codepoint, .npz")
    parser.add_argument("--calm", default=8, type=int, help="epochs at the end, changed less")
    parser.add_argument(
        "--only", choices=Learnt._fields, help="learn from one source alone, and its characters"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts, held_back, tests = characters_data.parts(
        *(options.strokes, options.mnist, options.paper),
        share=options.share,
        only=options.only,
        seed=options.seed,
    )
    alphabet = characters_data.known(parts) if options.only else ALPHABET
    held_back = held_back.relabel(alphabet, outside="drop")
    tests = {name: test.relabel(alphabet, outside="drop") for name, test in tests.items()}
    learnt = Sources(*parts, alphabet, options.seed, options.epochs - options.calm)
    model = character_training.network(options, alphabet)
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
        "settings": character_training.settings(options),
        **records.sources([options.strokes, *options.mnist.glob("*ubyte*"), options.paper]),
        "minutes of the last call": minutes,
        "tests": {name: measured(model, test) for name, test in tests.items()},
        "history": history,
    }
    for name, figures in facts["tests"].items():
        print(f"{name:10}", {key: f"{value:.2%}" for key, value in figures.items()}, flush=True)
    records.write(options.out, options.model, facts)


if __name__ == "__main__":
    main()
