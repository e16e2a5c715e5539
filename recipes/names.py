"""Train a line reader on the handwritten names, measure it once, keep figures and curves.

    python recipes/names.py --names ZIP --out FOLDER [--model crnn_small] [--epochs 16]
        [--strokes characters.npz] [--counts name_counts.tsv] [--start FILE] [--resume]

The network learns from the split "train" but for a twentieth, by which the best epoch is chosen;
"validation" is read once, at the end. With --strokes it first learns from many lines
drawn of UNIPEN's pen strokes (recipes/synthetic_names.py) beside the real ones, then from the real
ones with a few more drawn ones among them. Half of their texts are invented, half are those of the
training set; or, with --counts, they are drawn from a table of names and how often each occurs, but
for what the lines of "validation" contributed to it. OUT/MODEL.keras is the model,
OUT/MODEL.json what was measured, OUT/MODEL.png the curves. recipes/names_decoding.py tells what a
search with n-grams and a lexicon adds.
"""

import argparse
import collections
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import records
import synthetic_names
import transfer

import handwriting as hw
from handwriting.data import LineDataset
from handwriting.evaluation import LineReport

# The height of the small one is enough for most pictures to keep 256 pixels of width; the
# published one takes the pictures as its notebooks give them.
FORMS: dict[str, dict[str, Any]] = {
    "crnn_small": {"size": (40, 256), "fit": "pad"},
    "crnn_deep": {"size": (48, 320), "fit": "pad"},
    "crnn": {"size": (64, 256), "fit": "stretch"},
}
HELD_BACK = 0.05
DRAWN = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ-' ")


def main() -> None:
    """Train, evaluate, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--names", required=True, type=Path, help="Kaggle's zip file or folder")
    parser.add_argument("--out", required=True, type=Path, help="folder for all that is written")
    parser.add_argument("--model", default="crnn_small", choices=FORMS)
    parser.add_argument("--epochs", default=16, type=int)
    parser.add_argument("--strokes", type=Path, help="UNIPEN's characters as pen strokes")
    parser.add_argument("--counts", type=Path, help="NAME<tab>COUNT, one a line")
    parser.add_argument("--first", default=(30_000, 4), type=int, nargs=2, help="lines, epochs")
    parser.add_argument("--then", default=5_000, type=int, help="drawn lines beside the real ones")
    parser.add_argument(
        "--held-back", default=HELD_BACK, type=float, help="0 takes the last epoch's weights"
    )
    parser.add_argument("--start", help="as for train_lines.py, in place of --first")
    parser.add_argument("--name", help="of the files to write")
    parser.add_argument("--rate", type=float, help="learning rate at the start")
    parser.add_argument("--resume", action="store_true", help="go on where it was stopped")
    parser.add_argument("--seed", default=0, type=int)
    options = parser.parse_args()
    if options.start:
        options.first = [0, 0]
    options.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    real = hw.datasets.names.load("train", options.names, **FORMS[options.model])
    train, held_back = real, None
    if options.held_back:
        train, held_back = real.split(options.held_back, rng=options.seed)
    model = hw.models.build(options.model, train.alphabet, train.image_shape, rng=options.seed)
    if options.start:
        transfer.start_from(model, train.alphabet, options.start)
    settings: dict[str, Any] = {
        "validation": held_back,
        "augmentation": hw.training.LineAugmentation(),
        "resume": options.resume,
        "progress": True,
        "rng": options.seed,
    }
    name = options.name or options.model + ("-synthetic" if options.strokes else "")
    lines, test = train, hw.datasets.names.load("validation", options.names, **FORMS[options.model])
    if options.strokes:
        count, epochs = options.first
        texts = drawn_texts(train, test, options.counts, count + options.then, options.seed)
        drawn = draw(train, texts, options.strokes, options.seed)
        if epochs:
            hw.training.fit_lines(
                model,
                train.concat(drawn.select(slice(0, count))),
                epochs=epochs,
                checkpoint=options.out / f"{name}-first.keras",
                **settings,
            )
        lines = train.concat(drawn.select(slice(count, None)))
    history = hw.training.fit_lines(
        model,
        lines,
        epochs=options.epochs,
        learning_rate=options.rate or (1e-3 if options.strokes else 2e-3),
        checkpoint=options.out / f"{name}.keras",
        **settings,
    )
    minutes = (time.perf_counter() - start) / 60
    report = hw.evaluation.evaluate_lines(model, test, train.alphabet.with_null())
    print(repr(report), flush=True)
    files = (options.names, options.strokes, options.counts)
    facts = {
        "model": options.model,
        "parameters": model.count_params(),
        "lines": {"train": len(train), "chosen by": len(held_back or ()), "validation": len(test)},
        "drawn": [count, epochs, options.then] if options.strokes else [],
        "settings": records.settings(options),
        **records.sources(each for each in files if each),
        "minutes of the last call": round(minutes, 1),
        "greedy": figures(report),
        "history": history,
    }
    records.write(options.out, name, facts)


def figures(report: LineReport) -> dict[str, float]:
    """The rates, without a text of the set."""
    return {
        "cer": report.cer,
        "wer": report.wer,
        "exact": report.exact,
        "by_position": report.by_position,
    }


def read_counts(path: Path, without: LineDataset) -> "collections.Counter[str]":
    """Names and how often each occurs, but for what some lines contributed."""
    rows = (line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").splitlines())
    counts = collections.Counter({name: int(count) for name, count in rows})
    return counts - collections.Counter(without.texts)


def drawn_texts(
    train: LineDataset, test: LineDataset, counts: Path | None, n: int, seed: int
) -> list[str]:
    """Texts to draw: half of them invented, half as in the real lines or as in a table."""
    known = [text for text in train.texts if set(text) <= DRAWN]
    invented = synthetic_names.invented(known, n, rng=seed)
    rng = np.random.default_rng(seed)
    some = [known[i % len(known)] for i in range(n)]
    if counts:
        names = {
            name: count
            for name, count in read_counts(counts, test).items()
            if set(name) <= DRAWN & set(train.alphabet)
        }
        weights = np.sqrt(list(names.values()))
        some = rng.choice(list(names), n, p=weights / weights.sum()).tolist()
    return [some[i] if i % 2 else invented[i] for i in range(n)]


def draw(train: LineDataset, texts: list[str], strokes: Path, seed: int) -> LineDataset:
    """Lines drawn of pen strokes, in the form of the real ones."""
    samples = synthetic_names.load_strokes(strokes)
    return synthetic_names.synthetic(samples, texts, train.alphabet, train.image_shape, rng=seed)


if __name__ == "__main__":
    main()
