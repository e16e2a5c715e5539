"""Networks as ONNX Runtime runs them: read in a tenth of a second, without TensorFlow.

:func:`handwriting.export.onnx` writes such files. A :class:`View` gives any network another
alphabet.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Alphabet
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath, refusing_damage
from handwriting.images import Image, check
from handwriting.preprocessing import find_line_recipe, find_recipe

__all__ = ["KEY", "Facts", "Predictor", "View"]

KEY = "handwriting"
"""Under this name the facts stand in an ONNX file's metadata."""

_FORMAT = "handwriting onnx 1"
_MAX_BYTES = 200_000_000


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a file says of its network.

    Args:
        alphabet: the characters of its outputs.
        image_shape: (height, width) of the images that it takes; None stands for any width of
            lines.
        recipe: the name in ``preprocessing.RECIPES``, for lines in ``LINE_RECIPES``, that
            makes such images of pictures, or None.
        lines: whether it reads lines, and gives scores for each time step.

    Raises:
        ValueError: no such recipe, or sides below one pixel.
    """

    alphabet: Alphabet
    image_shape: tuple[int, int | None]
    recipe: str | None
    lines: bool

    def __post_init__(self) -> None:
        height, width = self.image_shape
        if width is None and not self.lines:
            raise ValueError(f"image_shape must have a width, got {self.image_shape}")
        if min(height, 1 if width is None else width) < 1:
            raise ValueError(f"image_shape must be at least (1, 1), got {self.image_shape}")
        if self.recipe is not None:
            (find_line_recipe if self.lines else find_recipe)(self.recipe)

    def to_json(self) -> str:
        """As it stands in the file."""
        value = dataclasses.asdict(self) | {"format": _FORMAT, "alphabet": list(self.alphabet)}
        return json.dumps(value, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Facts":
        """Read what :meth:`to_json` wrote."""
        value = json.loads(text)
        if value["format"] != _FORMAT:
            raise ValueError(f"format must be {_FORMAT!r}, got {value['format']!r}")
        height, width = value["image_shape"]
        shape = (int(height), None if width is None else int(width))
        return cls(Alphabet(value["alphabet"]), shape, value["recipe"], bool(value["lines"]))


class Predictor:
    """A network from an ONNX file: images in, scores out.

    Args:
        path: what :func:`handwriting.export.onnx` wrote. Such a file is data: nothing in it is run
            but the operators of ONNX.
        threads: how many to use for one batch; 0 takes as many as there are cores.

    Raises:
        MissingDataError: no such file.
        CorruptFileError: damaged, or not written by this package.

    Attributes:
        facts: what the file says of the network.
    """

    def __init__(self, path: StrPath, *, threads: int = 0) -> None:
        import onnxruntime

        data = _content(Path(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        with refusing_damage(str(path), "get a new copy, or export the model again"):
            try:
                self._session = onnxruntime.InferenceSession(
                    data, options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # its errors have no base class but Exception
                raise ValueError(str(error)) from error
            metadata = self._session.get_modelmeta().custom_metadata_map
            if KEY not in metadata:
                raise ValueError("it was not written by handwriting.export")
            self.facts = Facts.from_json(metadata[KEY])
            self._check()

    def __call__(self, images: Image) -> NDArray[np.float32]:
        """Scores of a batch.

        Args:
            images: (n, h, w) uint8; w is a multiple of 4 where the network takes any width.

        Returns:
            (n, classes) float32 probabilities, or (n, steps, classes) for lines.

        Raises:
            ValueError: images of another shape or dtype.
        """
        height, width = self.facts.image_shape
        fits = check(images).ndim == 3 and images.shape[1] == height
        if not fits or (images.shape[2] != width and (width or images.shape[2] % 4)):
            raise ValueError(
                f"images must be of shape (n, {height}, {width or 'a multiple of 4'}), got "
                f"{images.shape}"
            )
        scores: NDArray[np.float32] = self._session.run(None, {self._input: images})[0]
        return scores

    def _check(self) -> None:
        (image,), (scores,) = self._session.get_inputs(), self._session.get_outputs()
        wanted = 3 if self.facts.lines else 2
        height, width = self.facts.image_shape
        fits = (
            image.type == "tensor(uint8)"
            and tuple(image.shape[1:]) == (height, "width" if width is None else width)
            and len(scores.shape) == wanted
            and scores.shape[-1] == len(self.facts.alphabet)
        )
        if not fits:
            raise ValueError(
                f"a network of {image.type} {image.shape} to {scores.shape} is not what it says: "
                f"{self.facts}"
            )
        self._input = image.name


class View:
    """A network whose scores are those of another alphabet's characters.

    The probability of a lower-case letter that the alphabet lacks adds to that of its upper case,
    as in EMNIST's 47 and 26 classes. What the alphabet has no place for is left out, and the rest
    is brought to a sum of 1. Where that is nothing at all, all characters are alike.

    Args:
        predictor: a :class:`Predictor`, a view of one, a Keras model or any other function of a
            (n, h, w) uint8 batch that gives probabilities (n, classes), or (n, steps, classes).
        alphabet: characters that the network knows, in the order of the scores wanted. For lines
            the blank, null at label 0, is always among them; for characters null is where the
            alphabet has it.
        facts: what is known of the network; ``predictor.facts`` if None.

    Raises:
        ValueError: the network does not know a character of the alphabet, or it has none.
        TypeError: ``alphabet`` is none.

    Attributes:
        facts: those of the network, with the alphabet of the view.

    Example:
        >>> from handwriting.alphabet import UPPERCASE
        >>> of_three = lambda images: np.full((len(images), 3), [0.5, 0.3, 0.2], np.float32)
        >>> facts = Facts(Alphabet("Cc7"), (28, 28), "emnist", lines=False)
        >>> View(of_three, Alphabet("7C"), facts)(np.zeros((1, 28, 28), np.uint8))
        array([[0.2, 0.8]], dtype=float32)
    """

    def __init__(self, predictor: Any, alphabet: Alphabet, facts: Facts | None = None) -> None:
        if not isinstance(alphabet, Alphabet):
            raise TypeError(
                f"alphabet must be an Alphabet, such as Alphabet('17'), got {alphabet!r:.80}"
            )
        if not len(alphabet):
            raise ValueError("alphabet must have a character, got none")
        own: Facts = predictor.facts if facts is None else facts
        if own.lines:
            alphabet = alphabet.with_null()
        unknown = [character or "null" for character in alphabet if character not in own.alphabet]
        if unknown:
            raise ValueError(
                f"the network does not know {', '.join(map(repr, unknown))}; alphabet must be "
                f"characters of {own.alphabet!r}"
            )
        self.facts = dataclasses.replace(own, alphabet=alphabet)
        self._function = getattr(predictor, "predict_on_batch", predictor)
        self._table = np.zeros((len(own.alphabet), len(alphabet)), np.float32)
        for label, character in enumerate(own.alphabet):
            seen = character if character in alphabet else character.upper()
            if seen in alphabet:
                self._table[label, alphabet.encode([seen])[0]] = 1

    def __call__(self, images: Image) -> NDArray[np.float32]:
        """Scores of a batch.

        Args:
            images: (n, h, w) uint8.

        Returns:
            (n, characters) float32 probabilities, or (n, steps, characters) for lines.

        Raises:
            ValueError: as the network does.
        """
        scores = np.asarray(self._function(images), np.float32) @ self._table
        total = scores.sum(axis=-1, keepdims=True)
        nothing = total == 0
        alike = np.float32(1 / scores.shape[-1])
        return np.where(nothing, alike, scores / np.where(nothing, 1, total))


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise MissingDataError(f"{path}: no such model; check the path") from None
    except IsADirectoryError:
        raise MissingDataError(f"{path} is a folder, not a model file") from None
    if len(data) > _MAX_BYTES:
        raise CorruptFileError(f"{path} is over the {_MAX_BYTES:,} bytes that a model may have")
    return data
