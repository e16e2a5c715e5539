"""Handwritten-character datasets and models: one road from files to text.

    files -> dataset -> preprocess -> model -> train -> evaluate -> read

Each step is a module, loaded when first used. ``__all__`` lists them in the order of the road, and
a module imports only modules that stand before it there.

    >>> import handwriting as hw
    >>> train = hw.datasets.digits.load("train")
    >>> train
    CharacterDataset('digits/train': 1437 images of 28 x 28, 10 characters)

========================  ==========================================================================
``errors``                three exceptions
``files``                 files that are whole or not there
``alphabet``              characters and their labels
``images``                pictures of any kind to arrays of one kind
``preprocessing``         ink polarity, binarize, crop, pad, resize, center
``noise``                 images of nothing, for the null class
``data``                  labeled characters and lines: select, split, concat, save, open
``datasets``              one loader for each published set
``strokes``               movements of a pen, rendered to images
``sequences``             lines of text from images of characters
``segmentation``          pages to lines, words and characters
``models``                Keras networks: dense, LeNet, convolutional
``ctc``                   lines: targets of texts, texts of scores, n-grams, lexicon
``evaluation``            accuracy, per-class table, confusions, error rates of lines
``predictor``             networks in ONNX files, run without Keras; views of alphabets
``pretrained``            networks that come with the package, trained
``training``              fit a model to a dataset, or a trained one to a hand
``conversion``            datasets for tf.data, torch, Hugging Face, pandas
``export``                trained networks as ONNX
``recognizer``            pictures in, text out
``plots``                 a figure of every step
``demo``                  the whole road in under a minute
``cli``                   the same from the command line
========================  ==========================================================================
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handwriting import (
        alphabet,
        cli,
        conversion,
        ctc,
        data,
        datasets,
        demo,
        errors,
        evaluation,
        export,
        files,
        images,
        models,
        noise,
        plots,
        predictor,
        preprocessing,
        pretrained,
        recognizer,
        segmentation,
        sequences,
        strokes,
        training,
    )
    from handwriting.recognizer import read as read

__version__ = "0.1.0"

# The order is the architecture: see docs/architecture.md.
__all__ = [  # noqa: RUF022 - sorted by the road, not by the alphabet
    "errors",
    "files",
    "alphabet",
    "images",
    "preprocessing",
    "noise",
    "data",
    "datasets",
    "strokes",
    "sequences",
    "segmentation",
    "models",
    "ctc",
    "evaluation",
    "predictor",
    "pretrained",
    "training",
    "conversion",
    "export",
    "recognizer",
    "plots",
    "demo",
    "cli",
]


def __getattr__(name: str) -> Any:
    if name == "read":
        return importlib.import_module(f"{__name__}.recognizer").read
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "read"})
