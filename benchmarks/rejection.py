"""What a reader says of ink that is no character, and below which confidence to say nothing.

    python benchmarks/rejection.py --data FOLDER MODEL... [--sheet FILE]

FOLDER is as for ``benchmarks/models.py``. For each MODEL (``.keras``, ``.onnx``, or the name of one
that comes with the package): the threshold that 99 % of the characters of UNIPEN's validation
writers and of the paper held back reach, and the share of each kind of ink that is no character
(recipes/non_characters.py) which does so, too; by the highest probability of a character, by the
probability that it is not null, and by the first where null is not the most probable class.
--sheet writes some images of each kind.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1] / "recipes"))

import numpy as np
from non_characters import non_characters
from numpy.typing import NDArray
from trained import network, sets

import handwriting as hw
from handwriting.images import Image

COUNT = 2000
ACCEPT = 0.99
Scores = NDArray[np.float32]


def confidences(scores: Scores) -> dict[str, Scores]:
    """Three ways to tell how surely an image is a character; null is class 0."""
    best = scores[:, 1:].max(axis=1)
    return {
        "the best character": best,
        "not null": 1 - scores[:, 0],
        "the best, null is none": np.where(scores.argmax(axis=1) == 0, 0, best),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--data", required=True, type=Path, help="folder of all sets")
    parser.add_argument("--sheet", type=Path, help="picture to write, some images of each kind")
    parser.add_argument("models", nargs="+", metavar="MODEL")
    options = parser.parse_args()
    _, tests = sets(options.data)
    others = non_characters(tests["unipen"], COUNT, rng=0)
    if options.sheet:
        hw.images.write(options.sheet, 255 - sheet(others))
    print(f"| model | set | confidence | threshold | characters | {' | '.join(others)} |")
    print("|---|---|---|---|---|" + "---|" * len(others))
    for path in options.models:
        model = network(path)
        if not model.facts.alphabet.has_null:
            raise SystemExit(f"{path} knows no null")
        said = {kind: hw.evaluation.predict(model.run, each) for kind, each in others.items()}
        for name in ("unipen", "paper"):
            scores = hw.evaluation.predict(model.run, tests[name].images)
            for way, sure in confidences(scores).items():
                found = hw.evaluation.rejection(
                    sure,
                    {kind: confidences(each)[way] for kind, each in said.items()},
                    accept=ACCEPT,
                )
                shares = " | ".join(f"{share:.1%}" for share in found.let_through.values())
                print(
                    f"| `{model.name}` | {name} | {way} | {found.threshold:.3f} | "
                    f"{found.accepted:.1%} | {shares} |",
                    flush=True,
                )


def sheet(others: dict[str, Image]) -> Image:
    """A row of twenty images for each kind."""
    rows = [
        np.hstack(list(np.pad(images[:20], ((0, 0), (1, 1), (1, 1))))) for images in others.values()
    ]
    return np.vstack(rows)


if __name__ == "__main__":
    main()
