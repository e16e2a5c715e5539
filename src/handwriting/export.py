"""Trained networks in the form of other programs."""

import importlib.util
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.errors import HandwritingError
from handwriting.files import StrPath, replacing
from handwriting.images import Image
from handwriting.predictor import KEY, Facts, Predictor

__all__ = ["onnx"]

_TOLERANCE = {"float32": 1e-4, "float16": 5e-3}


def onnx(
    model: Any,
    path: StrPath,
    *,
    alphabet: Alphabet,
    recipe: str | None = None,
    images: Image | None = None,
    half: bool = False,
) -> None:
    """Write a Keras model as ONNX, for reading without Keras, and compare what the two give.

    Args:
        model: a Keras model that takes (n, h, w) uint8 and gives (n, classes) or, for lines,
            (n, steps, classes) probabilities.
        path: ends in ``.onnx``.
        alphabet: the characters of the outputs; readers of lines get the null at label 0.
        recipe: the name of the recipe that the model's training images were made with, for
            :func:`handwriting.recognizer.load`.
        images: (n, h, w) uint8 to compare with, such as a few of the training set; random ones
            without it.
        half: keep weights in half precision, which makes the file half as large; they are
            calculated with in single precision.

    Raises:
        ValueError: ``path``, ``alphabet`` or ``recipe`` do not fit.
        HandwritingError: what the export needs is not installed, or the file gives other scores
            than the model.
    """
    _check_installed()
    if Path(path).suffix != ".onnx":
        raise ValueError(f"path must end in .onnx, got {str(path)!r}")
    shape, lines = (model.input_shape[1], model.input_shape[2]), len(model.output_shape) == 3
    facts = Facts(alphabet.with_null() if lines else alphabet, shape, recipe, lines)
    if model.output_shape[-1] != len(facts.alphabet):
        raise ValueError(
            f"alphabet must have the {model.output_shape[-1]} characters of the model's outputs, "
            f"got {facts.alphabet!r}"
        )
    if images is None:
        sides = (4, shape[0], shape[1] or 256)
        images = np.random.default_rng(0).integers(0, 256, sides, dtype=np.uint8)
    with replacing(path) as temporary:
        temporary.write_bytes(_converted(model, images[:1], facts, half=half))
        found = Predictor(temporary)(images)
        difference = float(np.abs(found - np.asarray(model.predict_on_batch(images))).max())
        if not difference <= _TOLERANCE["float16" if half else "float32"]:
            raise HandwritingError(
                f"the exported network gives scores that differ by {difference:.2g} from the "
                "model's; nothing was written"
            )


def _check_installed() -> None:
    missing = [name for name in ("onnx", "tf2onnx") if not importlib.util.find_spec(name)]
    if missing:
        raise HandwritingError(
            f'{" and ".join(missing)} must be installed; pip install "handwriting[export]"'
        )


def _converted(model: Any, one: Image, facts: Facts, *, half: bool) -> bytes:
    import onnx as standard

    model.predict_on_batch(one)  # a model that was never called cannot be exported
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tf2onnx, for names that NumPy no longer has
        file = Path(folder) / "model.onnx"
        model.export(file, format="onnx", verbose=False)
        network = standard.load(file)
    _name(network, facts)
    if half:
        _halve(network)
    entry = network.metadata_props.add()
    entry.key, entry.value = KEY, facts.to_json()
    standard.checker.check_model(network)
    data: bytes = network.SerializeToString()
    return data


def _name(network: Any, facts: Facts) -> None:
    """Give the input, the output and their dimensions names that tell what they are."""
    graph = network.graph
    names = {graph.input[0].name: "images", graph.output[0].name: "scores"}
    for node in graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(value, value) for value in values]
    graph.input[0].name, graph.output[0].name = "images", "scores"
    dimensions = graph.output[0].type.tensor_type.shape.dim
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = dimensions[0].dim_param = "n"
    dimensions[len(dimensions) - 1].dim_value = len(facts.alphabet)
    if facts.lines:
        dimensions[1].dim_param = "steps"
    if facts.image_shape[1] is None:
        graph.input[0].type.tensor_type.shape.dim[2].dim_param = "width"


def _halve(network: Any) -> None:
    """Keep large weights in half precision, and cast them when the file is opened."""
    import onnx as standard

    casts = []
    for weights in network.graph.initializer:
        values = standard.numpy_helper.to_array(weights)
        if values.dtype == np.float32 and values.size >= 64:
            name = weights.name
            half = standard.numpy_helper.from_array(values.astype(np.float16), f"{name}:half")
            weights.CopyFrom(half)
            to = standard.TensorProto.FLOAT
            casts.append(standard.helper.make_node("Cast", [half.name], [name], to=to))
    nodes = [*casts, *network.graph.node]
    del network.graph.node[:]
    network.graph.node.extend(nodes)
