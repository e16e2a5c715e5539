"""Train a network on one of EMNIST's six subsets or on MNIST, and measure it once.

    python recipes/train_emnist.py --data FOLDER --out FOLDER [--set emnist/balanced]
        [--model vgg_deep] [--epochs 20] [--last] [--start digits]
        [--strength 1] [--resume]

FOLDER holds the set's own files, as they are downloaded. Some of the training images are held back:
the last ones, as many as EMNIST's authors name, or where they name none a share of each class. The
weights of the epoch that reads them best are kept; with --last, those of the last epoch. With
--start a network that was trained before goes on. The test images are read once, at the end.
OUT/SET-MODEL.keras is the model, OUT/SET-MODEL.json what was measured and of what,
OUT/SET-MODEL.png the curves.
"""

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import character_training
import emnist_stand_in
import records

import handwriting as hw
from handwriting.data import CharacterDataset

# Top 1, of single networks: the records that papers and their collections tell, which some of them
# chose by the test images. For MNIST the record's own log reads 99.78 % in its best epoch.
PUBLISHED: dict[str, dict[str, float]] = {
    "emnist/balanced": {"record (WaveMix)": 0.9106, "47-class notebook": 0.8695},
    "emnist/byclass": {"record (WaveMixLite)": 0.8843, "62-class notebook": 0.8679},
    "emnist/bymerge": {"record (WaveMixLite)": 0.9180},
    "emnist/letters": {"record (WaveMixLite)": 0.9596},
    "emnist/digits": {"record": 0.9982},
    "emnist/mnist": {},
    "mnist": {"one network, last epoch (MnistSimpleCNN)": 0.9972},
}
# The last part of the training images, as large as the test part (Cohen et al., section II); of
# MNIST the last 5,000.
HELD_BACK = {"mnist": 1 / 12} | {
    f"emnist/{subset}": 1 / 6 for subset in ("balanced", "letters", "digits", "mnist")
}
STRATIFIED = 0.05  # of byclass and bymerge, whose authors name no part


@dataclasses.dataclass(frozen=True)
class Parts:
    """What is learnt from, what is held back of it, and what is measured."""

    learnt: CharacterDataset
    held_back: CharacterDataset
    test: CharacterDataset
    genuine: bool


def main() -> None:
    """Train, measure, write."""
    parser = character_training.parser(__doc__, model="vgg_deep", epochs=20)
    parser.add_argument("--data", required=True, type=Path, help="a folder with the set's files")
    parser.add_argument("--set", default="emnist/balanced", choices=PUBLISHED)
    parser.add_argument("--last", action="store_true", help="keep the weights of the last epoch")
    parser.add_argument(
        "--strength", default=1.0, type=float, help="how much images are changed, to the usual"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    parts = load(options)
    if not parts.genuine:
        print(warning(options.set), flush=True)
    model = character_training.network(options, parts.learnt.alphabet)
    name = f"{options.set.replace('/', '-')}-{options.model}"
    augmentation = changes(options.strength)
    history, minutes = character_training.train(
        model,
        parts.learnt,
        len(parts.learnt),
        options,
        validation=None if options.last else parts.held_back,
        augmentation=augmentation,
        checkpoint=options.out / f"{name}.keras",
    )
    figures = {
        part: character_training.measured(model, getattr(parts, part))
        for part in ("held_back", "test")
    }
    print(table(options, model, figures["test"], genuine=parts.genuine), flush=True)
    facts = {
        "set": options.set,
        "genuine": parts.genuine,
        "model": options.model,
        "parameters": model.count_params(),
        "images": {part: len(getattr(parts, part)) for part in ("learnt", "held_back", "test")},
        "settings": character_training.settings(options, augmentation),
        **records.sources(files(options)),
        "minutes of the last call": minutes,
        **figures,
        "published": PUBLISHED[options.set] if parts.genuine else {},
        "history": history,
    }
    records.write(options.out, name, facts)


def changes(strength: float) -> hw.training.Augmentation:
    """How images are changed at random."""
    usual = dataclasses.asdict(character_training.AUGMENTATION)
    return hw.training.Augmentation(**{name: strength * value for name, value in usual.items()})


def load(options: argparse.Namespace) -> Parts:
    """The three parts, and whether they are the published ones."""
    train, test = (load_split(options, split) for split in ("train", "test"))
    name, _, subset = options.set.partition("/")
    loader = hw.datasets.module(name)
    counts = hw.datasets.emnist.subsets()[subset] if subset else loader.COUNTS
    genuine = counts == {"train": len(train), "test": len(test)}
    genuine = genuine and not (options.data / emnist_stand_in.MARK).exists()
    learnt, held_back = divided(train, HELD_BACK.get(options.set), options.seed)
    if options.share < 1:
        learnt, held_back, test = (
            part.sample(round(options.share * len(part)), rng=options.seed)
            for part in (learnt, held_back, test)
        )
    return Parts(learnt, held_back, test, genuine)


def load_split(options: argparse.Namespace, split: str) -> CharacterDataset:
    """One split, as the package loads it."""
    dataset = hw.datasets.load(options.set, split, options.data)
    if not isinstance(dataset, CharacterDataset):
        raise TypeError(f"{options.set} must be a set of characters, got {dataset!r}")
    return dataset


def divided(
    train: CharacterDataset, last: float | None, seed: int
) -> tuple[CharacterDataset, CharacterDataset]:
    """What is learnt from and what is held back: the last images, or some of each class."""
    if last is None:
        return train.split(STRATIFIED, rng=seed)
    rest = len(train) - round(last * len(train))
    return train.select(slice(rest)), train.select(slice(rest, None))


def files(options: argparse.Namespace) -> list[Path]:
    """The files that the set is read from."""
    start = f"{options.set.replace('/', '-')}-" if "/" in options.set else ""
    return [*options.data.glob(f"{start}*ubyte*")] if options.data.is_dir() else [options.data]


def table(
    options: argparse.Namespace, model: Any, figures: dict[str, float], *, genuine: bool
) -> str:
    """What was measured, beside what was published of the same images."""
    name = f"{options.model}, {model.count_params():,} parameters"
    rows = [(name, figures), *((key, {"top 1": x}) for key, x in PUBLISHED[options.set].items())]
    head = f"{options.set + ', test':42}" + "".join(f"{key:>9}" for key in figures)
    lines = [head] + [
        f"{row:42}" + "".join(f"{values[key]:9.2%}" for key in figures if key in values)
        for row, values in (rows if genuine else rows[:1])
    ]
    notes = [] if genuine else [warning(options.set)]
    notes += [f"on a share of {options.share:g} of the images"] if options.share < 1 else []
    return "\n".join([*lines, *notes])


def warning(name: str) -> str:
    """Said wherever figures are printed that are of other images."""
    return f"NOT {name.upper()}: these are other images than the published ones; compare nothing"


if __name__ == "__main__":
    main()
