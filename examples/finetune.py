"""Fine-tune a network on a few dozen characters of one writer, for some writers one after another.

    python examples/finetune.py --strokes characters.npz [--model FILE.keras] [--images 60]

characters.npz holds pen strokes of many writers, as docs/strokes.md tells; those taken here are of
its split "validation", which the networks of the package have not learnt from. For each writer it
prints how well his other characters are read before and after, and how well those of the writers
who were not taken.
"""

import argparse

import numpy as np

import handwriting as hw
from handwriting.data import CharacterDataset

parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
parser.add_argument("--strokes", required=True, help="samples of characters with their writers")
parser.add_argument("--model", default="characters", help="a name, or a model file")
parser.add_argument("--images", default=60, type=int, help="to learn from; one of each at least")
parser.add_argument("--writers", default=5, type=int, help="those with the most samples")
options = parser.parse_args()

if options.model in hw.pretrained.NAMES:
    model, card = options.model, hw.models.card(hw.pretrained.path(options.model, "npz"))
    network = hw.pretrained.model(model)
else:
    model, card = options.model, hw.models.card(options.model)
    network = hw.models.load(model)
strokes = hw.strokes.StrokeDataset.open(options.strokes, split="validation")
height, width = network.input_shape[1:3]
drawn = hw.strokes.to_characters(strokes, card.alphabet, (height, width), outside="drop")
if drawn.writers is None:
    parser.error(f"{options.strokes} does not tell who wrote what")
by = drawn.writers
writers, counts = np.unique(by[by >= 0], return_counts=True)
chosen = writers[np.argsort(-counts, kind="stable")][: options.writers]
others = drawn.select(~np.isin(by, chosen))
others = others.sample(min(2000, len(others)), rng=0)


def share(network: object, dataset: CharacterDataset) -> str:
    """How much of a dataset a network reads right."""
    return f"{hw.evaluation.evaluate(network, dataset).accuracy:.2%}"


print(f"other writers: {share(network, others)}")
for writer in chosen.tolist():
    own = drawn.select(by == writer)
    held_back = 1 - options.images / len(own)
    found = hw.training.finetune(model, own, held_back=held_back, rng=0)
    print(f"writer {writer}", found, f"other writers: {share(found.model, others)}", sep="\n")
