"""Begin with what another network has learnt."""

import keras
import numpy as np

import handwriting as hw
from handwriting.alphabet import Alphabet

__all__ = ["start_from"]


def start_from(model: keras.Model, alphabet: Alphabet, source: str) -> None:
    """Take the weights of another reader of lines, as far as its layers have the same shapes.

    Where all before the last one have, the last one knows the characters that both know. A network
    that knows no letter yet answers blanks alone for most of an epoch.

    Args:
        model: the network to begin with; its weights are changed.
        alphabet: of its outputs.
        source: a ``.keras`` file, or the name of a network that comes with the package.
    """
    path = hw.pretrained.find(source, "npz")
    other = hw.models.load(path)
    fits = [
        [each.shape for each in layer.weights] == [each.shape for each in known.weights]
        for layer, known in zip(model.layers, other.layers, strict=False)
    ]
    for fit, layer, known in zip(fits[:-1], model.layers, other.layers, strict=False):
        if fit:
            layer.set_weights(known.get_weights())
    if len(model.layers) == len(other.layers) and all(fits[:-1]):
        _take_characters(
            model.layers[-1],
            alphabet.with_null(),
            other.layers[-1],
            hw.models.card(path).alphabet.with_null(),
        )


def _take_characters(
    layer: keras.layers.Dense, alphabet: Alphabet, known: keras.layers.Dense, others: Alphabet
) -> None:
    shared = [character for character in alphabet if character in set(others)]
    ours, theirs = alphabet.encode(shared), others.encode(shared)
    weights = [np.array(each) for each in layer.get_weights()]
    for mine, given in zip(weights, known.get_weights(), strict=True):
        mine[..., ours] = given[..., theirs]
    layer.set_weights(weights)
