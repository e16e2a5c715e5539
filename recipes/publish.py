"""Make of a trained reader what the package ships: two files and a card.

    python recipes/publish.py NAME MODEL.keras --data FOLDER --figures MODEL.json ... [--out FOLDER]

NAME is "digits", "characters", "lines" or "names". The model is made as sure as it is right on what
was held back when it was trained; OUT/NAME.onnx reads, characters in whole numbers and lines with
weights in half precision, OUT/NAME.npz is to train on, and the card OUT/NAME.json tells what
OUT/NAME.onnx itself reads right of every set; of what was held back it is printed. FOLDER is as for
benchmarks/models.py, MODEL.json what the recipe wrote beside the model, and before it beside the
one that it began with.
"""

import argparse
import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import names
import numpy as np
import train_emnist
import train_lines
import trained
from non_characters import non_characters

import handwriting as hw
from handwriting.data import CharacterDataset, LineDataset
from handwriting.predictor import Predictor

HOUSE = Path(__file__).parents[1] / "src" / "handwriting" / "pretrained"
UNIPEN = (
    "UNIPEN train_r01_v07, isolated characters as pen strokes (CC BY 4.0 in the repository it came "
    "from, 10.5281/zenodo.1195803; the CD of 1999 says research use, no commercial redistribution)"
)
MNIST = "MNIST, training images (CC BY-SA 3.0)"
COPISTE = (
    "Copiste d'un jour (BAnQ, 2024), lines of French handwriting by volunteers (CC BY 4.0; the "
    "sentence that they copied speaks of non-commercial use)"
)
NAMES = (
    "pictures of Kaggle's landlord/handwriting-recognition (CC0), labels read off the pictures anew"
)
PAPER = "4,567 characters in pen and pencil on paper (MIT in their repository, origin not stated)"
WORDS: dict[str, dict[str, Any]] = {
    "digits": {
        "reads": "one handwritten digit",
        "data": [MNIST],
        "limits": "Digits alone: whatever else is in the picture becomes a digit, too. It has seen "
        "no tablets, and no pens but those of MNIST.",
        "recipe": "recipes/train_emnist.py --set mnist --last, recipes/publish.py",
    },
    "characters": {
        "reads": "one handwritten character of the 94 printable ones of ASCII, or that it is none",
        "data": [UNIPEN, MNIST, PAPER],
        "limits": "Size is not seen: c and C, o, O and 0, l, I and | are told apart by their place "
        "in a line alone (handwriting.recognizer does so). Accents are not known.",
        "recipe": "recipes/train_characters.py, recipes/publish.py",
    },
    "lines": {
        "reads": "one line of Latin handwriting, print or cursive, with French accents",
        "data": [
            UNIPEN.replace("isolated characters", "words, short texts and lines of characters"),
            COPISTE,
            NAMES,
        ],
        "limits": "English words of tablets of the 1990s, French lines of volunteers' pages and "
        "French names in capitals is what it has seen; other languages, old scripts and formulas "
        "are read worse. Where a line is cut badly, it is read badly.",
        "recipe": "recipes/train_lines.py, recipes/average.py, recipes/publish.py",
    },
    "names": {
        "reads": "one handwritten name or word in capitals, with hyphens, apostrophes and spaces, "
        "from the picture of a form's field; printed NOM or PRENOM beside it is passed over",
        "data": [
            NAMES,
            UNIPEN.replace("isolated characters as pen strokes", "lines drawn of its characters"),
            "texts of names from the same Kaggle set (CC0), but for the measured pictures",
            "by way of the weights it began with, those of lines: "
            + UNIPEN.replace("isolated characters", "words and short texts"),
            COPISTE,
        ],
        "limits": "No digits, no small letters, no accents. French names of pupils; other names "
        "are read worse. It reads a whole picture as one line: give ready-cut pictures, and "
        "cut=False.",
        "recipe": "recipes/names.py, recipes/publish.py",
    },
}
IMAGES, IMAGES_OF_LINES = 2000, 16
ACCEPT = 0.99
KEPT = (
    *("epochs", "images", "images an epoch", "lines", "lines an epoch", "settings"),
    "minutes of the last call",
    *("files", "versions"),
)


def main() -> None:
    """Calibrate, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("name", choices=WORDS)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", required=True, type=Path, help="folder of all sets")
    parser.add_argument(
        "--figures",
        required=True,
        nargs="+",
        type=Path,
        help="what its recipe wrote; of several runs, one after another, of each",
    )
    parser.add_argument("--out", default=HOUSE, type=Path)
    parser.add_argument("--share", default=1.0, type=float, help="of the sets, for a trial")
    options = parser.parse_args()
    held_back, tests = SETS[options.name](options)
    card = hw.models.card(options.model)
    model = hw.models.load(options.model)
    reader, temperature, network = (lines if card.model in hw.models.LINE_NAMES else characters)(
        model, held_back, options.out / f"{options.name}.onnx", card
    )
    print("held back:", measured(reader, held_back), flush=True)
    runs = [json.loads(path.read_text("utf-8")) for path in options.figures]
    value = {
        "reads": WORDS[options.name]["reads"],
        "network": network,
        "parameters": model.count_params(),
        **{key: WORDS[options.name][key] for key in ("data", "limits", "recipe")},
        "measured": {name: measured(reader, test) for name, test in tests.items()},
        "temperature": round(temperature, 4),
        "training": [{key: run[key] for key in KEPT if key in run} for run in runs],
    }
    if options.name == "characters":
        value["rejection"] = rejection(reader, tests["unipen"])
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    with hw.files.replacing(options.out / f"{options.name}.json") as file:
        file.write_text(text, encoding="utf-8")
    print(text)


def characters(
    model: Any, held_back: CharacterDataset, path: Path, card: hw.models.Card
) -> tuple[Predictor, float, str]:
    """Calibrate and write a reader of characters; the reader, its temperature and what it is."""
    temperature = hw.training.calibrate(model, held_back)
    facts: dict[str, Any] = {"alphabet": card.alphabet, "recipe": card.recipe}
    some = held_back.sample(min(IMAGES, len(held_back)), rng=0)
    hw.export.onnx(model, path, images=np.asarray(some.images), precision="int8", **facts)
    hw.models.save_weights(model, path.with_suffix(".npz"), **facts)
    size = " x ".join(map(str, model.input_shape[1:]))
    form = "convolutions in whole numbers, weights of 7 bits"
    return Predictor(path), temperature, f"{card.model}, {size}, recipe {card.recipe}, {form}"


def lines(
    model: Any, held_back: Sequence[LineDataset], path: Path, card: hw.models.Card
) -> tuple[Predictor, float, str]:
    """Calibrate and write a reader of lines; the reader, its temperature and what it is."""
    before = model.get_weights()
    temperature = hw.training.calibrate_lines(model, held_back)
    if temperature < 1:
        # The lines that chose the epoch are read better than others are: what they say of being
        # surer is not to be believed.
        model.set_weights(before)
        temperature = 1.0
    facts: dict[str, Any] = {"alphabet": card.alphabet, "recipe": card.recipe}
    some = np.asarray(held_back[len(held_back) // 2].images[:IMAGES_OF_LINES])
    hw.export.onnx(model, path, images=some, precision="float16", **facts)
    hw.models.save_weights(model, path.with_suffix(".npz"), **facts)
    network = f"{card.model}, {model.input_shape[1]} high, recipe {card.recipe}, half precision"
    return Predictor(path), temperature, network


def digits(options: argparse.Namespace) -> tuple[CharacterDataset, dict[str, CharacterDataset]]:
    """The last of MNIST's training images, and its test images."""
    train, test = (
        hw.datasets.mnist.load(split, options.data / "mnist") for split in ("train", "test")
    )
    held_back = train_emnist.divided(train, train_emnist.HELD_BACK["mnist"], 0)[1]
    held_back, test = trial(options.share, held_back, test)
    return held_back, {"mnist": test}


def several(
    options: argparse.Namespace,
) -> tuple[list[LineDataset], dict[str, list[LineDataset]]]:
    """What the reader of lines chose its epoch by, and what measures it."""
    places = {
        "strokes": options.data / "unipen" / "words.npz",
        "copiste": options.data / "copiste" / "lines.zip",
        "names": options.data / "names" / "handwriting-recognition.zip",
    }
    _, held_back, tests = train_lines.sources(
        argparse.Namespace(**places, share=options.share, seed=0)
    )
    return train_lines.together(itertools.chain(*held_back.values())), tests


def fields(options: argparse.Namespace) -> tuple[list[LineDataset], dict[str, list[LineDataset]]]:
    """What the reader of names chose its epoch by, and what measures it."""
    form = names.FORMS[hw.models.card(options.model).model]
    path = options.data / "names" / "handwriting-recognition.zip"
    train, test = (hw.datasets.names.load(split, path, **form) for split in ("train", "validation"))
    held_back, test = trial(options.share, train.split(names.HELD_BACK, rng=0)[1], test)
    return [held_back], {"names": [test]}


def trial(share: float, *sets: Any) -> list[Any]:
    """A share of each set."""
    return [each.sample(round(share * len(each)), rng=0) for each in sets]


def measured(reader: Predictor, test: Any) -> dict[str, float]:
    """How much of a set is read right, and how far confidence is from that."""
    if not isinstance(test, CharacterDataset):
        rates = train_lines.measured(reader, test, reader.facts.alphabet)
        return {name: round(value, 4) for name, value in rates.items()}
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


SETS: dict[str, Any] = {
    "digits": digits,
    "characters": lambda options: trained.sets(options.data, share=options.share),
    "lines": several,
    "names": fields,
}


if __name__ == "__main__":
    main()
