"""What models read wrong, by cause; the tables of docs/failures.md.

    python benchmarks/failures.py --data FOLDER MODEL [--sheets FOLDER]

FOLDER is as for ``benchmarks/models.py``. An error between characters of one shape
(``evaluation.SAME_SHAPE``) is a look-alike, which only a line can settle; one between other
characters is the model's, the pen's or the label's. --sheets writes a picture of the errors that
the model is surest of for each set: written, read, confidence; of readers of lines those whose
reading is more probable than the label by the most. They hold images of the sets, so keep them to
yourself.
"""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))

import numpy as np
import train_lines
from PIL import Image as PillowImage
from PIL import ImageDraw
from trained import Network, line_sets, network, sets

import handwriting as hw
from handwriting.data import CharacterDataset, LineDataset
from handwriting.evaluation import SAME_SHAPE, Report
from handwriting.images import Image

PAIRS = 12
SHOWN, COLUMNS, SIDE = 120, 15, 84
LINES_SHOWN = 50
SURE = 0.9


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", required=True, type=Path, help="folder of all sets")
    parser.add_argument("--sheets", type=Path, help="folder for a picture of each set")
    parser.add_argument("model", metavar="MODEL")
    options = parser.parse_args()
    model = network(options.model)
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
    if model.facts.lines:
        for name, lines in line_sets(model, options.data).items():
            print("\n".join(line_table(name, model, lines)))
            if options.sheets:
                hw.images.write(
                    options.sheets / f"{name}.png", np.asarray(line_sheet(model, lines))
                )
        return
    for name, test in sets(options.data)[1].items():
        report = hw.evaluation.evaluate(model.run, test.relabel(model.facts.alphabet))
        print("\n".join(table(name, report)))
        if options.sheets:
            hw.images.write(options.sheets / f"{name}.png", np.asarray(sheet(test, report)))


def table(name: str, report: Report) -> list[str]:
    """How many errors there are of each kind, and the most frequent pairs."""
    wrong = int((report.predicted != report.labels).sum())
    alike = round((report.folded() - report.accuracy) * len(report.labels))
    sure = int(((report.predicted != report.labels) & (report.scores.max(axis=1) > SURE)).sum())
    pairs: dict[tuple[str, str], list[int]] = {}
    for true, read, count in report.most_confused(len(report.alphabet) ** 2):
        both = pairs.setdefault((min(true, read), max(true, read)), [0, 0])
        both[true > read] += count
    ranked = sorted(pairs.items(), key=lambda item: -sum(item[1]))[:PAIRS]
    rows = [
        (
            f"| {shown(one)} {shown(other)} | {there + back} | {there} | {back} "
            f"| {'look-alike' if one_shape(one, other) else ''} |"
        )
        for (one, other), (there, back) in ranked
    ]
    return [
        f"\n### {name}\n",
        (
            f"{wrong:,} of {len(report.labels):,} images are read wrong; {alike:,} of them "
            f"({alike / max(1, wrong):.0%}) as a look-alike. Of {sure:,} errors the model is over "
            f"{SURE:.0%} sure.\n"
        ),
        "| pair | errors | first read as second | second as first | cause |",
        "|---|---|---|---|---|",
        *rows,
    ]


def one_shape(one: str, other: str) -> bool:
    """Whether two characters look alike."""
    return any(one in group and other in group for group in SAME_SHAPE if one and other)


def shown(character: str) -> str:
    """A character as Markdown's tables can hold it."""
    return "null" if not character else "&#124;" if character == "|" else f"`` {character} ``"


def sheet(test: CharacterDataset, report: Report) -> PillowImage.Image:
    """The errors that the model is surest of, look-alikes left out."""
    characters = report.alphabet.characters
    sure = report.scores.max(axis=1)
    which = [
        i
        for i in np.argsort(-sure, kind="stable").tolist()
        if (report.predicted != report.labels)[i]
        and not one_shape(characters[report.predicted[i]], characters[report.labels[i]])
    ][:SHOWN]
    rows = max(1, math.ceil(len(which) / COLUMNS))
    picture = PillowImage.new("L", (COLUMNS * SIDE, rows * (SIDE + 14)), 255)
    draw = ImageDraw.Draw(picture)
    for place, i in enumerate(which):
        left, top = place % COLUMNS * SIDE, place // COLUMNS * (SIDE + 14)
        image = PillowImage.fromarray(255 - test.images[i]).resize((SIDE - 8, SIDE - 8))
        picture.paste(image, (left + 4, top + 14))
        written, read = (characters[labels[i]] for labels in (report.labels, report.predicted))
        draw.text((left + 4, top + 1), f"{written} > {read or 'null'}  {sure[i]:.0%}", fill=0)
    return picture


def line_table(name: str, model: Network, lines: list[LineDataset]) -> list[str]:
    """How many errors there are of each kind, and the most frequent edits."""
    report = train_lines.read_greedily(model.run, lines, model.facts.alphabet)
    wrong, one = report.edits > 0, int((report.edits == 1).sum())
    sure = int((wrong & (np.array(report.confidences) > SURE)).sum())
    lower = hw.evaluation.compare(*map(_lowered, (report.truths, report.readings)))
    rows = [
        f"| {shown(written or 'nothing')} | {shown(read or 'nothing')} | {count} |"
        for written, read, count in report.most_confused(PAIRS)
    ]
    return [
        f"\n### {name}\n",
        (
            f"{wrong.sum():,} of {len(wrong):,} lines are read wrong, {one:,} of them "
            f"in one character alone and {(wrong & (lower.edits == 0)).sum():,} in case "
            f"alone. Of {sure:,} errors the model is over {SURE:.0%} sure.\n"
        ),
        "| written | read | times |",
        "|---|---|---|",
        *rows,
    ]


def _lowered(texts: Sequence[str]) -> list[str]:
    return [text.lower() for text in texts]


def line_sheet(model: Network, sets_of_lines: list[LineDataset]) -> PillowImage.Image:
    """The readings that the model thinks more probable than the labels, by the most."""
    found: list[tuple[float, Image, str]] = []
    for lines in sets_of_lines:
        scores, steps = hw.evaluation.predict_lines(model.run, lines, batch_size=64)
        readings = [
            each.text for each in hw.ctc.greedy(scores, model.facts.alphabet, lengths=steps)
        ]
        ours, theirs = (
            hw.ctc.likelihood(scores, texts, model.facts.alphabet, lengths=steps)
            for texts in (readings, lines.texts)
        )
        odds = np.log(np.maximum(ours, 1e-30)) - np.log(np.maximum(theirs, 1e-30))
        found += [
            (odds[i], lines.images[i], f"{lines.texts[i]} > {reading}  {ours[i]:.0%}")
            for i, reading in enumerate(readings)
            if reading != lines.texts[i]
        ]
    worst = sorted(found, key=lambda each: -each[0])[:LINES_SHOWN]
    width = max(image.shape[1] for _, image, _ in worst)
    height = max(image.shape[0] for _, image, _ in worst) + 18
    picture = PillowImage.new("L", (2 * width + 20, math.ceil(len(worst) / 2) * height), 255)
    draw = ImageDraw.Draw(picture)
    for place, (_, image, text) in enumerate(worst):
        left, top = place % 2 * (width + 20), place // 2 * height
        picture.paste(PillowImage.fromarray(255 - image), (left, top + 14))
        draw.text((left + 4, top + 1), f"{place + 1}. {text}", fill=0)
    return picture


if __name__ == "__main__":
    main()
