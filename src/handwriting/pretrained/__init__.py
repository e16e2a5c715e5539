"""Networks that come with the package, trained: read offline, without TensorFlow.

    >>> from handwriting import pretrained
    >>> pretrained.NAMES
    ('characters', 'digits', 'lines', 'names')
    >>> pretrained.load("names").facts.image_shape
    (48, 320)

:func:`card` tells of each what it is, what it learnt from, how well it reads and where it does not.
:func:`model` gives it as a Keras model, to train on.

Each is three files here: ``NAME.onnx`` (:func:`handwriting.export.onnx`, in less than single
precision), ``NAME.npz`` (:func:`handwriting.models.save_weights`) and the card ``NAME.json``; and a
name in :data:`NAMES`.
"""

import json
from pathlib import Path
from typing import Any, Literal

from handwriting.alphabet import Alphabet
from handwriting.errors import MissingDataError
from handwriting.files import StrPath
from handwriting.predictor import Predictor, View

__all__ = ["NAMES", "card", "find", "load", "model", "path"]

NAMES = ("characters", "digits", "lines", "names")
"""All there are."""


def load(name: str, *, alphabet: Alphabet | None = None) -> Predictor | View:
    """The network of a name, as something that turns a batch of images into scores.

    Args:
        name: one of :data:`NAMES`.
        alphabet: give scores of these characters only (see :class:`handwriting.predictor.View`);
            all that the network knows if None.

    Raises:
        ValueError: no such name, or the network does not know a character of the alphabet.

    Example:
        >>> load("names", alphabet=Alphabet("ABC")).facts.alphabet
        Alphabet('ABC').with_null()
    """
    network = Predictor(path(name))
    return network if alphabet is None else View(network, alphabet)


def model(name: str, *, image_shape: tuple[int, int | None] | None = None) -> Any:
    """The network of a name as a ``keras.Model``, to train on or to look into.

    It is built by :mod:`handwriting.models` and gives the scores of :func:`load`, but for what half
    precision rounds away, and in ``characters`` and ``digits`` whole numbers, with which some
    0.3 % of the readings are others. :func:`handwriting.training.finetune` takes the name itself.

    Args:
        name: one of :data:`NAMES`.
        image_shape: (height, width) of the images to read, such as AlphaNum's 24 x 24; those of
            ``load(name).facts`` if None.

    Returns:
        A model that is not compiled. Its alphabet and recipe are in ``load(name).facts``.

    Raises:
        ValueError: no such name, or no shape of images for this network.
        CorruptFileError: the file of its weights is damaged.

    Example:
        >>> model("names").count_params()
        999486
        >>> model("characters", image_shape=(24, 24)).output_shape
        (None, 95)
    """
    from handwriting import models

    return models.load_weights(path(name, "npz"), image_shape=image_shape)


def card(name: str) -> dict[str, Any]:
    """What is to be known of a network before it is used.

    Args:
        name: one of :data:`NAMES`.

    Returns:
        ``reads``, ``parameters``, ``data`` with licenses, ``measured``, ``limits``, ``recipe``.

    Raises:
        ValueError: no such name.

    Example:
        >>> card("names")["parameters"]
        999486
    """
    facts: dict[str, Any] = json.loads(path(name, "json").read_text("utf-8"))
    return facts


def path(name: str, form: Literal["onnx", "npz", "json"] = "onnx") -> Path:
    """A file of a network: its ONNX file, its weights or its card.

    Raises:
        ValueError: no such name.
    """
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    return Path(__file__).with_name(f"{name}.{form}")


def find(model: StrPath, form: Literal["onnx", "npz", "json"] = "onnx") -> Path:
    """The file that is meant by the name of a network that comes with the package, or by a path.

    Args:
        model: one of :data:`NAMES`, or the path of a file of one's own.
        form: which file of a network of the package.

    Raises:
        MissingDataError: neither.
    """
    if str(model) in NAMES:
        return path(str(model), form)
    if not Path(model).exists():
        raise MissingDataError(
            f"{model}: no such model; check the path, or give the name of one that comes with the "
            f"package, {', '.join(NAMES)}"
        )
    return Path(model)
