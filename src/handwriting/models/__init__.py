"""Networks that recognize characters, written on Keras 3.

A builder takes an alphabet (or a number of classes) and an image shape and returns a plain, not yet
compiled ``keras.Model``: raw ``uint8`` images (n, h, w) in, probabilities out; (n, classes) for
characters, (n, steps, labels) for lines.

    >>> import handwriting as hw
    >>> model = hw.models.lenet(hw.alphabet.DIGITS)
    >>> model.count_params()
    95044

:func:`save` and :func:`load` keep a model with its alphabet in one standard ``.keras`` file;
:func:`save_weights` and :func:`load_weights` in a small one, in half precision.
"""

from handwriting.models.convnet import convnet_deep, convnet_small
from handwriting.models.crnn import crnn, crnn_deep, crnn_small
from handwriting.models.dense import dense, dense_small
from handwriting.models.file import Card, card, check_savable, load, save
from handwriting.models.lenet import lenet
from handwriting.models.registry import LINE_NAMES, NAMES, build
from handwriting.models.vgg import vgg, vgg_deep, vgg_small
from handwriting.models.weights import load_weights, save_weights

__all__ = [
    "LINE_NAMES",
    "NAMES",
    "Card",
    "build",
    "card",
    "check_savable",
    "convnet_deep",
    "convnet_small",
    "crnn",
    "crnn_deep",
    "crnn_small",
    "dense",
    "dense_small",
    "lenet",
    "load",
    "load_weights",
    "save",
    "save_weights",
    "vgg",
    "vgg_deep",
    "vgg_small",
]
