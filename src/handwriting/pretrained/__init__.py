"""Networks that come with the package, trained: read offline, without TensorFlow.

    >>> from handwriting import pretrained
    >>> pretrained.NAMES
    ('names',)
    >>> pretrained.load("names").facts.image_shape
    (40, 256)

:func:`card` tells of each what it is, what it learnt from, how well it reads and where it does not.
"""

import json
from pathlib import Path
from typing import Any

from handwriting.predictor import Predictor

__all__ = ["NAMES", "card", "load", "path"]

NAMES = ("names",)
"""All there are."""


def load(name: str) -> Predictor:
    """The network of a name, as something that turns a batch of images into scores.

    Args:
        name: one of :data:`NAMES`.

    Raises:
        ValueError: no such name.
    """
    return Predictor(path(name))


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
        605246
    """
    facts: dict[str, Any] = json.loads(path(name).with_suffix(".json").read_text("utf-8"))
    return facts


def path(name: str) -> Path:
    """The ONNX file of a network.

    Raises:
        ValueError: no such name.
    """
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    return Path(__file__).with_name(f"{name}.onnx")
