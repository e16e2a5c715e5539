"""Trained models, and the sets that they are measured on."""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import characters_data
import train_lines

import handwriting as hw
from handwriting.data import CharacterDataset, LineDataset
from handwriting.predictor import Facts

__all__ = ["Network", "line_sets", "network", "sets"]


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


def line_sets(each: Network, data: Path, *, share: float = 1.0) -> dict[str, list[LineDataset]]:
    """The sets that measure a reader of lines, as far as it can read them.

    Args:
        each: the reader; one of a certain width reads names only.
        data: a folder with names/handwriting-recognition.zip, unipen/words.npz and
            copiste/lines.zip.
        share: of the sets, for a trial.
    """
    archive = data / "names" / "handwriting-recognition.zip"
    height, width = each.facts.image_shape
    if width is None:
        words, copiste = data / "unipen" / "words.npz", data / "copiste" / "lines.zip"
        where = {"strokes": words, "copiste": copiste, "names": archive}
        return train_lines.sources(argparse.Namespace(**where, share=share, seed=0))[2]
    fit = hw.preprocessing.find_line_recipe(each.facts.recipe or "line").fit
    lines = hw.datasets.names.load("validation", archive, size=(height, width), fit=fit)
    return {"names": [lines.sample(round(share * len(lines)), rng=0) if share < 1 else lines]}
