"""Models on disk: a standard ``.keras`` file that also says what its outputs mean.

Keras runs code that a ``.keras`` file describes, and its guards have been broken a dozen times. So
:func:`load` never lets Keras read the description. It builds the network anew with the builder that
the card names, checks that the weights have the shapes of that network, and takes the numbers only.
"""

import dataclasses
import json
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from handwriting.alphabet import Alphabet
from handwriting.errors import CorruptFileError, MissingDataError
from handwriting.files import StrPath, refusing_damage, replacing
from handwriting.models.registry import LINE_NAMES, NAMES, build
from handwriting.preprocessing import find_line_recipe, find_recipe

__all__ = ["Card", "card", "check_savable", "load", "save"]

CARD = "handwriting.json"
_WEIGHTS = "model.weights.h5"
_FORMAT = "handwriting model 1"
_BUILDERS = (*NAMES, *LINE_NAMES)
# They bound what a forged card can make load() allocate: about 70 MB of weights.
_MAX_SIDE = 128
_MAX_LINE = 8192  # no line reader has weights for each column
_MAX_CHARACTERS = 10_000
_MAX_CARD_BYTES = 1_000_000


@dataclasses.dataclass(frozen=True)
class Card:
    """What a model file says of its model.

    Args:
        model: name of the builder.
        alphabet: the characters of its outputs.
        image_shape: (height, width) that it eats; None stands for any width of lines.
        recipe: the name in ``preprocessing.RECIPES``, for line readers in ``LINE_RECIPES``, that
            makes such images of pictures, or None.

    Raises:
        ValueError: no such recipe.
    """

    model: str
    alphabet: Alphabet
    image_shape: tuple[int, int | None]
    recipe: str | None

    def __post_init__(self) -> None:
        if self.recipe is not None:
            find = find_line_recipe if self.model in LINE_NAMES else find_recipe
            find(self.recipe)


def save(
    model: keras.Model, path: StrPath, *, alphabet: Alphabet, recipe: str | None = None
) -> None:
    """Write a model with its alphabet to a file that Keras, too, can open.

    The file takes the place of an older one only when it is whole. The optimizer's state is left
    out.

    Args:
        model: made by a builder of :mod:`handwriting.models`.
        path: ends in ``.keras``.
        alphabet: the characters of the model's outputs; line readers get the null at label 0.
        recipe: the name of the recipe that its training images were made with.

    Raises:
        ValueError: the model is not of this package, has weights that are not finite or images
            over 128 pixels (lines may be wider), or ``path``, ``alphabet`` or ``recipe`` do not
            fit.
    """
    check_savable(model, path)
    facts, twin = describe(model, alphabet, recipe)
    with replacing(path) as temporary:
        twin.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(CARD, card_to_json(facts))


def describe(
    model: keras.Model, alphabet: Alphabet, recipe: str | None
) -> tuple[Card, keras.Model]:
    """The card of a model, and a twin of it without the optimizer's state.

    Raises:
        ValueError: as :func:`save`, but for the path.
    """
    _check_builder(model)
    if model.name in LINE_NAMES:
        alphabet = alphabet.with_null()
    facts = Card(model.name, alphabet, (model.input_shape[1], model.input_shape[2]), recipe)
    card_from_json(card_to_json(facts).encode())  # what cannot be read back is not written
    # A twin takes the weights without the optimizer, whose state would triple the file.
    twin = build(facts.model, alphabet, facts.image_shape)
    if [v.shape for v in twin.weights] != [v.shape for v in model.weights]:
        raise ValueError(
            f"model must be {facts.model} as its builder makes it for the {len(alphabet)} "
            f"characters of the alphabet, got one with {model.output_shape[-1]} outputs and "
            f"{model.count_params():,} parameters instead of {twin.count_params():,}"
        )
    twin.set_weights(model.get_weights())
    if not is_finite(twin):
        raise ValueError("model must have finite weights, got NaN or infinity; train it anew")
    return facts, twin


def check_savable(model: keras.Model, path: StrPath) -> None:
    """Refuse, before hours of training, what :func:`save` would refuse after them.

    Raises:
        ValueError: the model is not of this package, its images are too large, or ``path`` does not
            end in ``.keras``.
    """
    if Path(path).suffix != ".keras":
        raise ValueError(f"path must end in .keras, got {str(path)!r}")
    _check_builder(model)
    limits = _limits(lines=model.name in LINE_NAMES)
    for side, limit in zip(model.input_shape[1:3], limits, strict=True):
        if side is not None and side > limit:
            raise ValueError(
                f"images must be at most {limits[0]} x {limits[1]} pixels to save the model, got "
                f"{' x '.join(map(str, model.input_shape[1:3]))}; make them smaller with "
                "preprocessing.resize"
            )


def _check_builder(model: keras.Model) -> None:
    if model.name not in _BUILDERS:
        raise ValueError(
            f"model must come from one of the builders {', '.join(_BUILDERS)}, got one named "
            f"{model.name!r}; save networks of your own with model.save()"
        )


def card(path: StrPath) -> Card:
    """Read what a model file, of either kind, says of its model, without loading it.

    Args:
        path: what :func:`save` or :func:`handwriting.models.save_weights` wrote.

    Raises:
        MissingDataError: no such file.
        CorruptFileError: damaged, or not written by this package.
    """
    with refusing_damage(f"the card in {path}", "save the model again"):
        return card_from_json(read_member(path, CARD, _MAX_CARD_BYTES))


def load(path: StrPath) -> keras.Model:
    """Load a model that :func:`save` or :func:`handwriting.models.save_weights` wrote.

    Safe for files of any origin: nothing in the file is run, and nothing larger than the network
    that the card names is read.

    Args:
        path: the file; of ``save_weights`` it ends in ``.npz``.

    Returns:
        The model, not compiled.

    Raises:
        MissingDataError: no such file.
        CorruptFileError: damaged, forged, or not written by either.
    """
    if Path(path).suffix == ".npz":
        from handwriting.models.weights import load_weights  # which needs what is here

        return load_weights(path)
    facts = card(path)
    model = build_described(facts, path)
    weights = read_member(path, _WEIGHTS, 8 * model.count_params() + 1_000_000)
    misfit = CorruptFileError(
        f"the weights in {path} are not those of a {facts.model} for {len(facts.alphabet)} "
        f"characters and images of {facts.image_shape}; get a new copy, or save the model again"
    )
    if len(weights) < model.count_params():
        raise misfit
    with tempfile.TemporaryDirectory() as folder:
        own, foreign = Path(folder) / "own.weights.h5", Path(folder) / "foreign.weights.h5"
        model.save_weights(own)
        foreign.write_bytes(weights)
        if not _has_layout_of(foreign, own):
            raise misfit
        try:
            model.load_weights(foreign)
        except (OSError, ValueError, KeyError) as error:
            raise misfit from error
    if not is_finite(model):
        raise CorruptFileError(f"the weights in {path} are not all finite; get a new copy")
    return model


def build_described(facts: Card, path: StrPath) -> keras.Model:
    """The network that the card in a file names, with new weights.

    Raises:
        CorruptFileError: the builder makes no such network.
    """
    try:
        return build(facts.model, facts.alphabet, facts.image_shape)
    except ValueError as error:
        raise CorruptFileError(f"{path} describes no model: {error}") from None


def is_finite(model: keras.Model) -> bool:
    """Whether no weight is NaN or infinite."""
    return all(np.isfinite(weights).all() for weights in model.get_weights())


def read_member(path: StrPath, name: str, limit: int) -> bytes:
    """One file of the archive, if it has at most ``limit`` bytes.

    Raises:
        MissingDataError: no such archive.
        CorruptFileError: damaged, without such a file, or with a larger one.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as member:
            data = member.read(limit + 1)
    except FileNotFoundError:
        raise MissingDataError(f"{path}: no such model; check the path") from None
    except IsADirectoryError:
        raise MissingDataError(f"{path} is a folder, not a model file") from None
    except KeyError:
        raise CorruptFileError(
            f"{path} has no {name}: it was not written by handwriting.models.save; if you trust "
            "its origin, keras.models.load_model opens a .keras file"
        ) from None
    except PermissionError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OSError) as error:
        told = f"{path} is not a whole model file ({error})"
        if Path(path).suffix == ".onnx":
            told = f"{path} is for reading alone; give the .keras file that it was exported from"
        raise CorruptFileError(told) from error
    if len(data) > limit:
        raise CorruptFileError(f"{name} in {path} is over the {limit:,} bytes that it may have")
    return data


def _has_layout_of(foreign: Path, own: Path) -> bool:
    """Whether a weights file has every group and array of another, with its shape and type.

    Only what the own file has is looked at, and what lies beside it is never read: a foreign file
    may hold anything. Links, external and virtual storage would read other files of this machine.
    """
    import h5py

    wanted: dict[str, Any] = {}
    with h5py.File(own, "r") as file:
        file.visititems(lambda name, item: wanted.update({name: _kind(item)}))
    try:
        with h5py.File(foreign, "r") as file:
            return all(
                isinstance(file.get(name, getlink=True), h5py.HardLink)
                and _kind(file[name]) == kind
                for name, kind in wanted.items()
            )
    except (OSError, RuntimeError, KeyError, ValueError, TypeError):
        return False


def _kind(item: Any) -> Any:
    import h5py

    if isinstance(item, h5py.Dataset) and not item.external and not item.is_virtual:
        return item.shape, item.dtype.str
    return "group" if isinstance(item, h5py.Group) else None


def card_to_json(facts: Card) -> str:
    """A card as it stands in a file."""
    value = {
        "format": _FORMAT,
        "model": facts.model,
        "alphabet": list(facts.alphabet),
        "image_shape": list(facts.image_shape),
        "recipe": facts.recipe,
    }
    return json.dumps(value, ensure_ascii=False, indent=2)


def _limits(*, lines: bool) -> tuple[int, int]:
    """The largest height and width of images."""
    return (_MAX_SIDE, _MAX_LINE if lines else _MAX_SIDE)


def card_from_json(data: bytes) -> Card:
    """Read what :func:`card_to_json` wrote, or refuse it."""
    value = json.loads(data)
    if value["format"] != _FORMAT:
        raise ValueError(f"format must be {_FORMAT!r}, got {value['format']!r}")
    if value["model"] not in _BUILDERS:
        raise ValueError(f"model must be one of {', '.join(_BUILDERS)}, got {value['model']!r}")
    height, width = value["image_shape"]
    lines = value["model"] in LINE_NAMES
    limits = _limits(lines=lines)
    sides = zip((height, 1 if lines and width is None else width), limits, strict=True)
    if not all(type(side) is int and 0 < side <= limit for side, limit in sides):
        raise ValueError(
            f"image_shape must be integers in [1, {limits[0]}] and [1, {limits[1]}], got "
            f"{value['image_shape']}"
        )
    if not isinstance(value["alphabet"], list) or len(value["alphabet"]) > _MAX_CHARACTERS:
        raise ValueError(f"alphabet must be a list of at most {_MAX_CHARACTERS} characters")
    return Card(value["model"], Alphabet(value["alphabet"]), (height, width), value["recipe"])
