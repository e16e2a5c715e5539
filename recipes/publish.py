"""Make of a trained reader of characters what the package ships: two files and a card.

    python recipes/publish.py NAME MODEL.keras --data FOLDER --figures MODEL.json [--out FOLDER]

NAME is "digits" or "characters". The model is made as sure as it is right on what was held back
when it was trained; OUT/NAME.onnx reads, in whole numbers, OUT/NAME.npz is to train on, and the
card OUT/NAME.json tells what OUT/NAME.onnx itself reads right of every set. FOLDER is as for
benchmarks/models.py, MODEL.json what the recipe wrote beside the model.
"""

import argparse
import json
import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import train_emnist
import trained
from non_characters import non_characters

import handwriting as hw
from handwriting.data import CharacterDataset
from handwriting.predictor import Predictor

HOUSE = Path(__file__).parents[1] / "src" / "handwriting" / "pretrained"
UNIPEN = (
    "UNIPEN train_r01_v07, isolated characters as pen strokes (CC BY 4.0 in the repository it came "
    "from, 10.5281/zenodo.1195803; the CD of 1999 says research use, no commercial redistribution)"
)
MNIST = "MNIST, training images (CC BY-SA 3.0)"
PAPER = "4,567 characters in pen and pencil on paper (MIT in their repository, origin not stated)"
WORDS: dict[str, dict[str, Any]] = {
    "digits": {
        "reads": "one handwritten digit",
        "data": [MNIST],
        "limits": "Digits alone: whatever else is in the picture becomes a digit, too. Tablets and "
        "other pens than those of MNIST are read worse (see the table of docs/models.md).",
        "recipe": "recipes/train_emnist.py --set mnist --last, recipes/publish.py",
    },
    "characters": {
        "reads": "one handwritten character of the 94 printable ones of ASCII, or that it is none",
        "data": [UNIPEN, MNIST, PAPER],
        "limits": "Size is not seen: c and C, o, O and 0, l, I and | are told apart by their place "
        "in a line alone (handwriting.recognizer does so). Accents are not known.",
        "recipe": "recipes/train_characters.py, recipes/publish.py",
    },
}
IMAGES = 2000
ACCEPT = 0.99


def main() -> None:
    """Calibrate, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("name", choices=WORDS)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True, type=Path, help="folder of all sets")
    parser.add_argument("--figures", required=True, type=Path, help="what its recipe wrote")
    parser.add_argument("--out", default=HOUSE, type=Path)
    parser.add_argument("--share", default=1.0, type=float, help="of the sets, for a trial")
    options = parser.parse_args()
    held_back, tests = (
        digits(options)
        if options.name == "digits"
        else trained.sets(options.data, share=options.share)
    )
    card = hw.models.card(options.model)
    model = hw.models.load(options.model)
    temperature = hw.training.calibrate(model, held_back)
    path = options.out / f"{options.name}.onnx"
    some = held_back.sample(min(IMAGES, len(held_back)), rng=0)
    facts: dict[str, Any] = {"alphabet": card.alphabet, "recipe": card.recipe}
    hw.export.onnx(model, path, images=np.asarray(some.images), precision="int8", **facts)
    hw.models.save_weights(model, path.with_suffix(".npz"), **facts)
    reader = Predictor(path)
    told = json.loads(options.figures.read_text("utf-8"))
    keep = ("epochs", "images", "images an epoch", "settings", "minutes", "files", "versions")
    value = {
        "reads": WORDS[options.name]["reads"],
        "network": f"{card.model}, {model.input_shape[1]} x {model.input_shape[2]}, recipe "
        f"{card.recipe}, convolutions in 8-bit whole numbers",
        "parameters": model.count_params(),
        **{key: WORDS[options.name][key] for key in ("data", "limits", "recipe")},
        "measured": {name: measured(reader, test) for name, test in tests.items()},
        "temperature": round(temperature, 4),
        "training": {key: told[key] for key in keep if key in told},
    }
    if card.alphabet.has_null:
        value["rejection"] = rejection(reader, tests["unipen"])
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    with hw.files.replacing(path.with_suffix(".json")) as file:
        file.write_text(text, encoding="utf-8")
    print(text)


def digits(options: argparse.Namespace) -> tuple[CharacterDataset, dict[str, CharacterDataset]]:
    """The last of MNIST's training images, and its test images."""
    train, test = (
        hw.datasets.mnist.load(split, options.data / "mnist") for split in ("train", "test")
    )
    held_back = train_emnist.divided(train, train_emnist.HELD_BACK["mnist"], 0)[1]
    held_back, test = (
        each.sample(round(options.share * len(each)), rng=0) for each in (held_back, test)
    )
    return held_back, {"mnist": test}


def measured(reader: Predictor, test: CharacterDataset) -> dict[str, float]:
    """How much of a set is read right, and how far confidence is from that."""
    report = hw.evaluation.evaluate(reader, test)
    figures = {"top 1": report.accuracy, "top 3": report.top(3), "folded": report.folded()}
    figures["calibration error"] = report.calibration_error
    return {name: round(value, 4) for name, value in figures.items()}


def rejection(reader: Predictor, test: CharacterDataset) -> dict[str, Any]:
    """The confidence that 99 % of the characters reach, and what else does."""

    def sure(images: Any) -> Any:
        return hw.evaluation.predict(reader, images)[:, 1:].max(axis=1)

    others = non_characters(test, IMAGES, rng=0)
    found = hw.evaluation.rejection(
        sure(test.images), {kind: sure(each) for kind, each in others.items()}, accept=ACCEPT
    )
    return {
        "threshold": round(found.threshold, 4),
        "characters accepted": round(found.accepted, 4),
        "let through": {kind: round(share, 4) for kind, share in found.let_through.items()},
    }


if __name__ == "__main__":
    main()
