"""What models read wrong, by cause; the tables of docs/failures.md.

    python benchmarks/failures.py --data FOLDER MODEL [--sheets FOLDER]

FOLDER is as for ``benchmarks/models.py``. An error between characters of one shape
(``evaluation.SAME_SHAPE``) is a look-alike, which only a line can settle; one between other
characters is the model's, the pen's or the label's. --sheets writes a picture of the errors that
the model is surest of for each set: written, read, confidence; of readers of lines those whose
reading is more probable than the label by the most. They hold images of the sets, so keep them to
yourself. Of readers of lines it tells the error rates of short and long texts and of writers, too.
"""

import argparse
import dataclasses
import itertools
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw
from synthetic_names import font_of
from trained import Network, line_sets, network, sets

import handwriting as hw
from handwriting.data import CharacterDataset, LineDataset
from handwriting.evaluation import SAME_SHAPE, LineReport, Report
from handwriting.images import Image

PAIRS = 12
SHOWN, COLUMNS, SIDE = 120, 15, 84
LINES_SHOWN, WRITERS = 50, 5
LENGTHS = (1, 3, 5, 8, math.inf)  # of texts, from one to below the next
SURE = 0.9
FONT = font_of("DejaVuSans", 10)


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
            looked = Looked.at(model, lines)
            print("\n".join(line_tables(name, looked)), flush=True)
            if options.sheets:
                hw.images.write(options.sheets / f"{name}.png", np.asarray(line_sheet(looked)))
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
        text = f"{written} > {read or 'null'}  {sure[i]:.0%}"
        draw.text((left + 4, top + 1), text, fill=0, font=FONT)
    return picture


@dataclasses.dataclass
class Looked:
    """What a reader read of several sets of lines, and how sure it was of that and of the truth."""

    images: list[Image]
    writers: list[int]
    report: LineReport
    odds: NDArray[np.float64]

    @classmethod
    def at(cls, model: Network, sets_of_lines: list[LineDataset]) -> "Looked":
        """Read each set once, greedily."""
        alphabet = model.facts.alphabet
        images: list[Image] = []
        writers: list[int] = []
        truths: list[str] = []
        readings: list[str] = []
        likelihoods = []
        for lines in sets_of_lines:
            scores, steps = hw.evaluation.predict_lines(model.run, lines, batch_size=64)
            read = [each.text for each in hw.ctc.greedy(scores, alphabet, lengths=steps)]
            likelihoods.append(
                [
                    hw.ctc.likelihood(scores, texts, alphabet, lengths=steps)
                    for texts in (read, lines.texts)
                ]
            )
            images += list(lines.images)
            writers += [-1] * len(lines) if lines.writers is None else lines.writers.tolist()
            truths += lines.texts
            readings += read
        ours, theirs = np.concatenate(likelihoods, axis=1)
        report = hw.evaluation.compare(truths, readings, confidences=ours)
        odds = np.log(np.maximum(ours, 1e-30)) - np.log(np.maximum(theirs, 1e-30))
        return cls(images, writers, report, odds)


def line_tables(name: str, looked: Looked) -> list[str]:
    """How many errors there are of each kind, the most frequent edits, and where they stand."""
    report = looked.report
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
            f"alone. Of {sure:,} errors the model is over {SURE:.0%} sure. CER {report.cer:.2%}, "
            f"with cases folded {lower.cer:.2%}.\n"
        ),
        "| written | read | times |",
        "|---|---|---|",
        *rows,
        *by_length(report),
        *by_writer(looked),
    ]


def by_length(report: LineReport) -> list[str]:
    """Error rates of short and of long texts."""
    lengths = np.array([len(text) for text in report.truths])
    rows = []
    for low, high in itertools.pairwise(LENGTHS):
        which = (lengths >= low) & (lengths < high)
        if which.any():
            rate = report.edits[which].sum() / lengths[which].sum()
            title = f"{low} or more" if math.isinf(high) else f"{low} to {high - 1}"
            rows.append(f"| {title} | {which.sum():,} | {rate:.1%} |")
    return ["\n| characters | lines | CER |", "|---|---|---|", *rows]


def by_writer(looked: Looked) -> list[str]:
    """The writers that are read worst, where the set tells its writers."""
    edits = looked.report.edits
    lengths = np.array([len(text) for text in looked.report.truths])
    writers = np.array(looked.writers)
    known = np.unique(writers[writers >= 0])
    if not len(known):
        return []
    found = [
        (float(edits[which].sum() / lengths[which].sum()), int(writer), which)
        for writer in known
        for which in [writers == writer]
    ]
    rows = [
        f"| {writer} | {which.sum():,} | {rate:.1%} | {lengths[which].sum() / lengths.sum():.1%} "
        f"| {edits[which].sum() / max(1, edits.sum()):.1%} |"
        for rate, writer, which in sorted(found, key=lambda each: -each[0])[:WRITERS]
    ]
    middle = np.median([rate for rate, _, _ in found])
    return [
        f"\nHalf of the {len(known)} writers are read at a CER under {middle:.1%}; the worst are\n",
        "| writer | lines | CER | of all characters | of all errors |",
        "|---|---|---|---|---|",
        *rows,
    ]


def _lowered(texts: Sequence[str]) -> list[str]:
    return [text.lower() for text in texts]


def line_sheet(looked: Looked) -> PillowImage.Image:
    """The readings that the model thinks more probable than the labels, by the most."""
    report = looked.report
    order = np.argsort(-looked.odds, kind="stable").tolist()
    worst = [i for i in order if report.edits[i] > 0][:LINES_SHOWN]
    width = max((looked.images[i].shape[1] for i in worst), default=1)
    height = max((looked.images[i].shape[0] for i in worst), default=1) + 18
    rows = max(1, math.ceil(len(worst) / 2))
    picture = PillowImage.new("L", (2 * width + 20, rows * height), 255)
    draw = ImageDraw.Draw(picture)
    for place, i in enumerate(worst):
        left, top = place % 2 * (width + 20), place // 2 * height
        text = f"{report.truths[i]} > {report.readings[i]}  {report.confidences[i]:.0%}"
        picture.paste(PillowImage.fromarray(255 - looked.images[i]), (left, top + 14))
        draw.text((left + 4, top + 1), f"{place + 1}. {text}", fill=0, font=FONT)
    return picture


if __name__ == "__main__":
    main()
