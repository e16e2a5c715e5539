"""Measure trained models on every set, and print the tables of docs/models.md as Markdown.

    python benchmarks/models.py --data FOLDER [--cross] [--alphanum] [--share 1] [NAME=]MODEL...

FOLDER holds ``unipen/characters.npz``, ``mnist/``, ``paper/characters62.npz`` and, for readers of
lines, ``names/handwriting-recognition.zip``, ``unipen/words.npz`` and ``copiste/lines.zip``. A
MODEL is a ``.keras`` or ``.onnx`` file, or the name of a network that comes with the package; NAME
is what the table calls it. Models of characters are measured on UNIPEN's validation writers, drawn
plainly, on the paper held back and on MNIST's test images, each on the images whose character it
knows, and the first is compared with each other one, image by image (the exact test of McNemar,
Psychometrika 12, 1947, p. 153); readers of lines, greedily, on the pictures of names of the part
"validation", and those of any width on words of UNIPEN's validation writers and lines of Copiste's,
too. Their times are those of words of 160 columns. With --cross the models learnt from one source
each, which NAME tells, and the table is how many images of the other sources they read right. With
--alphanum the networks that come with the package read UNIPEN's characters in AlphaNum's form: with
the same weights at 24 x 24, and scaled up to the form that they learnt from.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))

import numpy as np
import scipy.stats
import train_lines
from characters_data import ALPHABET
from trained import Network, line_sets, network, sets

import handwriting as hw
from handwriting.data import CharacterDataset
from handwriting.evaluation import LineReport, Report
from handwriting.strokes import StrokeDataset, Style

RECIPES = Path(__file__).parents[1] / "recipes"
WORST = 8
# In a process of its own, so that nothing runs on more cores than it may.
SPEED = """
import json, os, sys, time
model, recipes, cores, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
sys.path.insert(0, recipes)
import numpy as np
from trained import network
opened = network(model, threads=cores)
height, width = opened.facts.image_shape
images = np.random.default_rng(0).integers(0, 256, (n, height, width or 160)).astype(np.uint8)
opened.run(images)  # what is compiled at the first call
best = 1e9
start = time.perf_counter()
while time.perf_counter() - start < 3:
    before = time.perf_counter()
    opened.run(images)
    best = min(best, time.perf_counter() - before)
print(json.dumps(best / n))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", required=True, type=Path, help="folder of all sets")
    parser.add_argument("--cross", action="store_true", help="models are named by their source")
    parser.add_argument("--alphanum", action="store_true", help="read images of 24 x 24")
    parser.add_argument("--share", default=1.0, type=float, help="of the sets, for a trial")
    parser.add_argument("models", nargs="+", metavar="[NAME=]MODEL")
    options = parser.parse_args()
    models = [named.rpartition("=") for named in options.models]
    networks = {name or Path(file).stem: network(file) for name, _, file in models}
    readers = {name: each for name, each in networks.items() if not each.facts.lines}
    if options.alphanum:
        print(alphanum_table(readers, options.data, options.share))
        return
    tests = sets(options.data, share=options.share)[1] if readers else {}
    if options.cross:
        print(cross_table(readers, tests))
        return
    tables = [characters_table(readers, tests)] if readers else []
    if lines := {name: each for name, each in networks.items() if each.facts.lines}:
        tables.append(lines_table(lines, options.data, options.share))
    print("\n".join(tables))


def fitted(each: Network, test: CharacterDataset) -> CharacterDataset:
    """The images of a set whose character a network knows, in the form that it takes."""
    facts = each.facts
    if test.image_shape != facts.image_shape or facts.recipe not in (None, test.recipe):
        raise SystemExit(
            f"{each.path} takes images of {facts.recipe}, {test.name} has {test.recipe}"
        )
    return test.relabel(facts.alphabet, outside="drop")


def characters_table(networks: dict[str, Network], tests: dict[str, CharacterDataset]) -> str:
    """A row for each network and set, and the characters that it reads worst."""
    rows = [
        (
            "| model | parameters | file | ms an image, 1 core | images/s, 2 cores | set | images "
            "| top 1 | top 3 | folded | calibration error |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    worst = ["", "| model | set | read worst: right of how many, mostly read as |", "|---|---|---|"]
    reports: dict[str, dict[str, Report]] = {}
    for name, each in networks.items():
        first = facts_of(name, each)
        reports[name] = {
            kind: hw.evaluation.evaluate(each.run, fitted(each, test))
            for kind, test in tests.items()
        }
        for kind, report in reports[name].items():
            rows.append(f"{first} {kind} | {figures(report)} |")
            worst.append(f"| `{name}` | {kind} | {', '.join(worst_read(report))} |")
            first = "| | | | | |"
    return "\n".join([*rows, *worst, *compared(reports)])


def compared(reports: dict[str, dict[str, Report]]) -> Iterator[str]:
    """The first network against each other that was measured on the same images."""
    (name, own), *others = reports.items()
    if others:
        yield ""
        yield (
            f"| `{name}` against | set | right by it alone | by the other alone | p "
            "| wrong by both | and taken for the same |"
        )
        yield "|---|---|---|---|---|---|---|"
    for other, theirs in others:
        for kind, report in own.items():
            if report.alphabet == theirs[kind].alphabet:
                yield f"| `{other}` | {kind} | {difference(report, theirs[kind])} |"


def difference(one: Report, other: Report) -> str:
    """The columns of two networks on the same images."""
    first, second = one.predicted == one.labels, other.predicted == other.labels
    alone, beside = np.count_nonzero(first & ~second), np.count_nonzero(second & ~first)
    p = scipy.stats.binomtest(alone, max(1, alone + beside)).pvalue
    wrong = ~first & ~second
    alike = np.count_nonzero(wrong & (one.predicted == other.predicted))
    return f"{alone} | {beside} | {p:.2g} | {np.count_nonzero(wrong)} | {alike}"


def facts_of(name: str, each: Network) -> str:
    """The first columns of a network."""
    parameters = "?" if each.parameters is None else f"{each.parameters:,}"
    size = each.path.stat().st_size / 1e6
    return (
        f"| `{name}` | {parameters} | {size:.1f} MB | {1e3 * seconds(each, 1, 1):.2f} "
        f"| {1 / seconds(each, 2, 256):,.0f} |"
    )


def seconds(each: Network, cores: int, n: int) -> float:
    """The least time of an image in batches of ``n``."""
    command = [sys.executable, "-c", SPEED, str(each.path), str(RECIPES), str(cores), str(n)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return float(json.loads(result.stdout.splitlines()[-1]))


def figures(report: Report) -> str:
    """The columns of a set."""
    return (
        f"{len(report.labels):,} | {report.accuracy:.2%} | {report.top(3):.2%} "
        f"| {report.folded():.2%} | {report.calibration_error:.2%}"
    )


def worst_read(report: Report) -> Iterator[str]:
    """The characters with the lowest recall of those that are not rare."""
    taken_for: dict[str, str] = {}
    for true, read, _ in report.most_confused(len(report.alphabet) ** 2):
        taken_for.setdefault(true, read)
    common = [row for row in report.per_class() if row["images"] >= 10]
    for row in sorted(common, key=lambda row: float(row["recall"]))[:WORST]:
        character, right = row["character"], round(row["recall"] * row["images"])
        read = shown(taken_for.get(character, character))
        yield f"{shown(character)} {right} of {row['images']}, {read}"


def shown(character: str) -> str:
    """A character as Markdown's tables can hold it."""
    return "null" if not character else "&#124;" if character == "|" else f"`` {character} ``"


def lines_table(networks: dict[str, Network], data: Path, share: float) -> str:
    """A row for each reader of lines."""
    rows = [
        "",
        (
            "| reader | parameters | file | ms a line, 1 core | lines/s, 2 cores | set | lines "
            "| exact | CER | right by position | calibration error |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, each in networks.items():
        first = facts_of(name, each)
        for kind, lines in line_sets(each, data, share=share).items():
            report = train_lines.read_greedily(each.run, lines, each.facts.alphabet)
            rows.append(f"{first} {kind} | {line_figures(report)} |")
            first = "| | | | | |"
    return "\n".join(rows)


def line_figures(report: LineReport) -> str:
    """The columns of a set of lines."""
    return (
        f"{len(report.truths):,} | {report.exact:.2%} | {report.cer:.2%} "
        f"| {report.by_position:.2%} | {report.calibration_error:.2%}"
    )


def cross_table(networks: dict[str, Network], tests: dict[str, CharacterDataset]) -> str:
    """Accuracy of each network on each set; and on what share of it, where not on all."""
    rows = [f"| learnt from | {' | '.join(tests)} |", "|---|" + "---|" * len(tests)]
    for name, each in networks.items():
        cells: list[str] = []
        for test in tests.values():
            known = fitted(each, test)
            share = len(known) / len(test)
            all_known = "" if share == 1 else f" of {share:.0%}"
            accuracy = hw.evaluation.evaluate(each.run, known).accuracy
            cells.append(f"{accuracy:.2%}{all_known}")
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def alphanum_table(networks: dict[str, Network], data: Path, share: float) -> str:
    """Accuracy of the same weights on the same characters, smaller."""
    strokes = StrokeDataset.open(data / "unipen" / "characters.npz", split="validation")
    if share < 1:
        strokes = strokes.sample(round(share * len(strokes)), rng=0)
    plain = Style(width=(4.0, 4.0))  # twice of everything, which is then made smaller
    large = hw.strokes.to_characters(strokes, ALPHABET, (56, 56), box=40, style=plain)
    form = hw.preprocessing.find_recipe("alphanum")
    small = dataclasses.replace(
        large, images=hw.preprocessing.normalize(large.images, form), recipe=form.name
    )
    rows = ["| model | 24 x 24 | scaled up to its form |", "|---|---|---|"]
    for name, each in networks.items():
        model = hw.pretrained.model(name, image_shape=(form.size, form.size))
        recipe = each.facts.recipe or form.name
        up = hw.preprocessing.normalize(small.images, recipe)
        scaled = dataclasses.replace(small, images=up, recipe=recipe)
        accuracies = [
            hw.evaluation.evaluate(run, test.relabel(each.facts.alphabet, outside="drop")).accuracy
            for run, test in ((model.predict_on_batch, small), (each.run, scaled))
        ]
        rows.append(f"| `{name}` | {accuracies[0]:.2%} | {accuracies[1]:.2%} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
