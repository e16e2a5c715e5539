"""Trained models, and the sets of characters that they are measured on."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import characters_data

import handwriting as hw
from handwriting.data import CharacterDataset
from handwriting.predictor import Facts

__all__ = ["Network", "network", "sets"]


@dataclasses.dataclass(frozen=True)
class Network:
    """A trained network.

    Args:
        name: of its file, or of one that comes with the package.
        path: its file.
        facts: what it reads.
        parameters: how many; None where nothing can count them.
        run: a batch of images in, scores out.
    """

    name: str
    path: Path
    facts: Facts
    parameters: int | None
    run: Callable[..., Any]


def network(path: str, *, threads: int = 0) -> Network:
    """Open a ``.keras`` or ``.onnx`` file, or a network that comes with the package by its name."""
    if path in hw.pretrained.NAMES or Path(path).suffix == ".onnx":
        known = path in hw.pretrained.NAMES
        file = hw.pretrained.path(path) if known else Path(path)
        predictor = hw.predictor.Predictor(file, threads=threads)
        count = hw.pretrained.card(path)["parameters"] if known else _count(file)
        return Network(Path(path).stem, file, predictor.facts, count, predictor)
    card = hw.models.card(path)
    model = hw.models.load(path)
    lines = card.model in hw.models.LINE_NAMES
    facts = Facts(card.alphabet, card.image_shape, card.recipe, lines)
    run = model.predict_on_batch
    return Network(Path(path).stem, Path(path), facts, model.count_params(), run)


def _count(path: Path) -> int | None:
    """Parameters of an ONNX file, in which batch normalization is part of the convolutions."""
    try:
        import onnx
    except ImportError:
        return None
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    arrays = [each for each in onnx.load(path).graph.initializer if each.data_type in kinds]
    return sum(onnx.numpy_helper.to_array(array).size for array in arrays)


def sets(data: Path, *, share: float = 1.0) -> tuple[CharacterDataset, dict[str, CharacterDataset]]:
    """What models of recipes/train_characters.py chose their epoch by, and what measures them.

    Args:
        data: a folder with unipen/characters.npz, mnist/ and paper/characters62.npz.
        share: of the sets, for a trial.
    """
    _, held_back, tests = characters_data.parts(
        data / "unipen" / "characters.npz",
        data / "mnist",
        data / "paper" / "characters62.npz",
        share=share,
    )
    return held_back, tests
