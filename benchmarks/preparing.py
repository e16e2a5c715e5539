"""How pictures of digits on paper should be prepared for a network that learned from MNIST.

    python benchmarks/preparing.py MODEL.keras --mnist FOLDER --paper characters62.npz

Prints the table of docs/preprocessing.md. MODEL is left by ``handwriting train mnist --epochs 5``.
"""

import argparse
import os
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import handwriting as hw
from handwriting.images import Image
from handwriting.preprocessing import binarize, clean, normalize

WAYS: dict[str, Callable[[Image], Image]] = {
    "`normalize(ink)`": normalize,
    "`normalize(clean(ink))`": lambda ink: normalize(clean(ink)),
    "`normalize(binarize(ink))`": lambda ink: normalize(binarize(ink)),
    '`normalize(clean(ink), "emnist")`': lambda ink: normalize(clean(ink), "emnist"),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--mnist", required=True, help="folder with the four IDX files")
    parser.add_argument("--paper", required=True, help="gray characters, dark on light, as .npz")
    options = parser.parse_args()
    model = hw.models.load(options.model)
    test = hw.datasets.mnist.load("test", options.mnist)
    paper = np.load(options.paper)
    digits = (paper["codepoint"] >= ord("0")) & (paper["codepoint"] <= ord("9"))
    sets = [
        (hw.preprocessing.to_ink(paper["images"][digits]), paper["codepoint"][digits] - ord("0")),
        (np.asarray(test.images), test.labels),
    ]
    print(f"| prepared by | {len(sets[0][0])} digits on paper | {len(test):,} of MNIST |")
    print("|---|---|---|")
    for name, prepare in WAYS.items():
        cells = []
        for ink, labels in sets:
            read = hw.evaluation.predict(model, prepare(ink)).argmax(axis=1)
            cells.append(f"{np.mean(read == labels):.2%}")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
