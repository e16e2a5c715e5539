"""Fine-tune a network on a few dozen characters, or words, of one writer; several, one by one.

    python examples/finetune.py --strokes characters.npz [--model FILE.keras] [--images 60]
    python examples/finetune.py --strokes words.npz --model lines

The file holds pen strokes of many writers, as docs/strokes.md tells; those taken here are of its
split "validation", which the networks of the package have not learnt from. For each writer it
prints how well the rest of his writing is read before and after, and how well that of the writers
who were not taken.
"""

import argparse

import numpy as np

import handwriting as hw
from handwriting.data import CharacterDataset, LineDataset

WORD = 7  # UNIPEN's number for it; other samples are lines and short texts

parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
parser.add_argument("--strokes", required=True, help="samples with their writers")
parser.add_argument("--model", default="characters", help="a name, or a model file")
parser.add_argument("--images", default=60, type=int, help="to learn from; one of each at least")
parser.add_argument("--writers", default=5, type=int, help="those with the most samples")
options = parser.parse_args()

file = hw.pretrained.find(options.model, "npz")
card, network = hw.models.card(file), hw.models.load(file)
height, width = card.image_shape
drawn: CharacterDataset | LineDataset
if card.model in hw.models.LINE_NAMES:
    strokes = hw.strokes.StrokeDataset.open(options.strokes, split="validation", kinds=[WORD])
    shape = (height, width or 384)
    drawn = hw.strokes.to_lines(strokes, card.alphabet, shape, outside="drop")
else:
    strokes = hw.strokes.StrokeDataset.open(options.strokes, split="validation")
    shape = (height, width or height)
    drawn = hw.strokes.to_characters(strokes, card.alphabet, shape, outside="drop")
if drawn.writers is None:
    parser.error(f"{options.strokes} does not tell who wrote what")
by = drawn.writers
writers, counts = np.unique(by[by >= 0], return_counts=True)
chosen = writers[np.argsort(-counts, kind="stable")][: options.writers]
others = drawn.select(~np.isin(by, chosen))
others = others.sample(min(2000, len(others)), rng=0)


def share(model: object) -> str:
    """How well a network reads the others."""
    if isinstance(others, LineDataset):
        report = hw.evaluation.evaluate_lines(model, others, card.alphabet)
        return f"other writers: CER {report.cer:.2%}, {report.exact:.2%} exact"
    return f"other writers: {hw.evaluation.evaluate(model, others).accuracy:.2%}"


print(share(network))
for writer in chosen.tolist():
    own = drawn.select(by == writer)
    held_back = 1 - options.images / len(own)
    found = hw.training.finetune(options.model, own, held_back=held_back, rng=0)
    print(f"writer {writer}", found, share(found.model), sep="\n")
