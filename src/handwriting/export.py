"""Trained networks in the form of other programs."""

import importlib.util
import tempfile
import warnings
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Alphabet
from handwriting.errors import HandwritingError
from handwriting.files import StrPath, replacing
from handwriting.images import Image, check
from handwriting.predictor import KEY, Facts, Predictor
from handwriting.preprocessing import check_makes

__all__ = ["Precision", "onnx"]

Scores = NDArray[np.float32]

Precision = Literal["float32", "float16", "int8"]

_ADVICE = {
    "float32": "The converter does not know one of the layers; say so to its makers",
    "float16": "The weights may be larger than half precision can hold: give another precision",
}
_TOLERANCE = {"float32": 1e-4, "float16": 1e-2}
_LEAST_IMAGES = 100
_LEAST_CONVOLUTIONS = 2
_LEAST_AGREEMENT = 0.97


def onnx(
    model: Any,
    path: StrPath,
    *,
    alphabet: Alphabet,
    recipe: str | None = None,
    images: Image | None = None,
    precision: Precision = "float32",
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
        precision: ``"float16"`` keeps the weights in half precision, which makes the file half as
            large; they are calculated with in single precision. ``"int8"`` convolves in whole
            numbers, but for the first layer: convolutions take a quarter of the size and, by the
            processor, a third to two thirds of the time. Their ranges are found with ``images``,
            at least 100 like those that will be read.

    Raises:
        ValueError: ``path``, ``alphabet``, ``recipe``, ``images`` or ``precision`` do not fit:
            there are too few images for whole numbers, or too few convolutions.
        HandwritingError: what the export needs is not installed, or the file gives other scores
            than the model; of whole numbers, another best character for over 3 % of the images.
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
    if recipe is not None and not lines:
        check_makes(recipe, shape)
    _check_images(images, shape, precision)
    if images is None:
        sides = (4, shape[0], shape[1] or 256)
        images = np.random.default_rng(0).integers(0, 256, sides, dtype=np.uint8)
    with replacing(path) as temporary:
        temporary.write_bytes(_converted(model, images, facts, precision))
        _compare(
            Predictor(temporary)(images), np.asarray(model.predict_on_batch(images)), precision
        )


def _compare(found: Scores, wanted: Scores, precision: Precision) -> None:
    """Refuse a file that gives other scores than its model."""
    if precision == "int8":
        best = wanted.argmax(axis=-1)
        # Of lines only steps with a character: most of them are blank for both.
        told = best > 0 if wanted.ndim == 3 and best.any() else np.ones(best.shape, np.bool_)
        agreement = float((found.argmax(axis=-1) == best)[told].mean())
        if not agreement >= _LEAST_AGREEMENT:
            raise HandwritingError(
                f"in whole numbers only {agreement:.1%} of the best characters are the model's; "
                "nothing was written. Give images like those it learnt from, or another precision"
            )
        return
    # Where a model is torn between two characters, half precision may move much from one to the
    # other: of it the mean is what tells.
    apart = np.abs(found - wanted)
    difference = float(apart.max() if precision == "float32" else apart.sum(axis=-1).mean() / 2)
    if not difference <= _TOLERANCE[precision]:
        raise HandwritingError(
            f"the exported network gives scores that differ by {difference:.2g} from the "
            f"model's; nothing was written. {_ADVICE[precision]}"
        )


def _check_images(images: Image | None, shape: tuple[int, int | None], precision: str) -> None:
    """Refuse an unknown precision, and images that the model cannot take or that are too few."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {get_args(Precision)}, got {precision!r}")
    height, width = shape
    if images is not None:
        fits = check(images).ndim == 3 and len(images) and images.shape[1] == height
        if not fits or (images.shape[2] % 4 if width is None else images.shape[2] != width):
            raise ValueError(
                f"images must be one or more of {height} x {width or 'a multiple of 4'}, got an "
                f"array of shape {images.shape}"
            )
    if precision != "int8":
        return
    count = 0 if images is None else int(images.any(axis=(1, 2)).sum())
    if count < _LEAST_IMAGES:
        raise ValueError(
            f"precision 'int8' needs at least {_LEAST_IMAGES} images with ink, like those that "
            f"will be read, got {count or 'none'}"
        )


def _check_installed() -> None:
    missing = [name for name in ("onnx", "tf2onnx") if not importlib.util.find_spec(name)]
    if missing:
        raise HandwritingError(
            f'{" and ".join(missing)} must be installed; pip install "handwriting[export]"'
        )


def _converted(model: Any, images: Image, facts: Facts, precision: Precision) -> bytes:
    import onnx as standard

    model.predict_on_batch(images[:1])  # a model that was never called cannot be exported
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tf2onnx, for names that NumPy no longer has
        file = Path(folder) / "model.onnx"
        model.export(file, format="onnx", verbose=False)
        if precision == "int8":
            _quantize(file, images)
        network = standard.load(file)
    _name(network, facts)
    if precision == "float16":
        _halve(network)
    entry = network.metadata_props.add()
    entry.key, entry.value = KEY, facts.to_json()
    standard.checker.check_model(network)
    data: bytes = network.SerializeToString()
    return data


def _quantize(file: Path, images: Image) -> None:
    """Let convolutions calculate in whole numbers, whose ranges are those of some images.

    The first one, which is quick and sees the fewest numbers, and the last layer stay as they are.
    """
    import onnx as standard
    import onnxruntime
    from onnxruntime import quantization

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    class Batches(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._rest = iter(np.array_split(images, max(1, len(images) // 64)))

        def get_next(self) -> dict[str, Image] | None:
            part = next(self._rest, None)
            return None if part is None else {name: part}

    prepared = file.with_suffix(".prepared.onnx")
    # Normalizations become part of the convolutions before them.
    quantization.quant_pre_process(file, prepared, skip_symbolic_shape=True)
    convolutions = [node for node in standard.load(prepared).graph.node if node.op_type == "Conv"]
    if len(convolutions) < _LEAST_CONVOLUTIONS:
        raise ValueError(
            f"precision 'int8' is for networks of {_LEAST_CONVOLUTIONS} convolutions or more, got "
            f"{len(convolutions)}; float16 halves the file"
        )
    quantization.quantize_static(
        prepared,
        file,
        Batches(),
        per_channel=True,
        # Weights of 7 bits, whose sums of products fit processors that add them up in 16.
        reduce_range=True,
        # Without these the numbers below zero, which are cut off, would take half of the range.
        op_types_to_quantize=["Conv", "Relu", "MaxPool"],
        nodes_to_exclude=[convolutions[0].name],
    )


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
