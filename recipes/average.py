"""Write the mean of trained networks of one kind, which read together as one of their size.

    python recipes/average.py MODEL MODEL ... --out FILE.keras

A MODEL is a ``.keras`` file, or the name of a network that comes with the package. They are to be
runs that began with the same weights, or one and what was trained on from it: such networks are
near enough for their mean to read better than each of them ("Model soups", Wortsman et al., ICML
2022, arXiv 2203.05482). The mean of others reads nothing.
"""

import argparse
from pathlib import Path

import numpy as np

import handwriting as hw


def main() -> None:
    """Read, average, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("models", metavar="MODEL", nargs="+")
    parser.add_argument("--out", required=True, type=Path, help="the .keras file to write")
    options = parser.parse_args()
    paths = [hw.pretrained.find(model, "npz") for model in options.models]
    card, *others = [hw.models.card(path) for path in paths]
    for name, other in zip(options.models[1:], others, strict=True):
        if other != card:
            raise SystemExit(
                f"{name} must be of the kind of {options.models[0]}, {card}, got {other}"
            )
    networks = [hw.models.load(path) for path in paths]
    arrays = zip(*(network.get_weights() for network in networks), strict=True)
    networks[0].set_weights([np.mean(each, axis=0) for each in arrays])
    hw.models.save(networks[0], options.out, alphabet=card.alphabet, recipe=card.recipe)


if __name__ == "__main__":
    main()
