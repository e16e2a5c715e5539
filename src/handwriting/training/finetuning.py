"""Fine-tune a trained network on a little handwriting of one writer."""

import dataclasses
import os
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from handwriting import evaluation, models, pretrained
from handwriting.alphabet import Alphabet
from handwriting.data import CharacterDataset, LineDataset
from handwriting.evaluation import LineReport, Report
from handwriting.files import StrPath
from handwriting.training.augmentation import LineAugmentation
from handwriting.training.callbacks import check_arguments
from handwriting.training.characters import Augmentation, fit
from handwriting.training.lines import fit_lines

__all__ = ["Finetuned", "finetune"]

_BATCH_SIZE = 16


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Finetuned:
    """What :func:`finetune` made, and how well it reads what was held back.

    Args:
        model: the network with the better weights of the two: the old ones, if the new ones read
            no more of what was held back.
        alphabet: the characters of its outputs.
        recipe: the name of the recipe that its images are made with, if it is known.
        before: how the network read what was held back.
        after: how it reads it with the new weights.
    """

    model: keras.Model
    alphabet: Alphabet
    recipe: str | None
    before: Report | LineReport
    after: Report | LineReport

    @property
    def improved(self) -> bool:
        """Whether fewer characters are read wrong than before, and the new weights were kept."""
        return _errors(self.after) < _errors(self.before)

    @property
    def mended(self) -> int:
        """Images that are read right now, and were not."""
        return int((_right(self.after) & ~_right(self.before)).sum())

    @property
    def spoilt(self) -> int:
        """Images that were read right, and are not with the new weights."""
        return int((_right(self.before) & ~_right(self.after)).sum())

    def save(self, path: StrPath) -> None:
        """Write the model as :func:`handwriting.models.save` does.

        Raises:
            ValueError: as there.
        """
        models.save(self.model, path, alphabet=self.alphabet, recipe=self.recipe)

    def __str__(self) -> str:
        verdict = f"{self.mended} read right that were not, {self.spoilt} no longer"
        if not self.improved:
            verdict += "; this is no better, and the old weights are kept"
        return "\n".join(
            [f"before: {_summary(self.before)}", f"after: {_summary(self.after)}", verdict]
        )

    def __repr__(self) -> str:
        return f"Finetuned({self.model.name}: {_summary(self.before)}, then {_summary(self.after)})"


def finetune(
    model: str | os.PathLike[str] | keras.Model,
    dataset: CharacterDataset | LineDataset,
    *,
    alphabet: Alphabet | None = None,
    held_back: float = 0.3,
    epochs: int = 20,
    learning_rate: float = 1e-4,
    augmentation: Augmentation | LineAugmentation | None = None,
    progress: bool | None = None,
    rng: int | np.random.Generator | None = None,
) -> Finetuned:
    """Train a trained network on, so that it reads one hand better, and measure whether it does.

    For a few dozen to a few hundred images. The learning rate is a twentieth of that of :func:`fit`
    and goes down to 0, the images are changed at random, and batch normalization keeps its
    statistics, which a few images of a few characters would distort: so what the network knows
    of other hands and other characters is kept.

    Args:
        model: the name of a network that comes with the package (``pretrained.NAMES``), a
            file that :func:`handwriting.models.load` takes, or a Keras model, which is left as it
            is.
        dataset: characters or lines, as the network reads them, of the size and, where names and
            files tell it, the recipe of the network; their alphabet may be a part of the network's.
            :func:`handwriting.datasets.folders.load` and
            :func:`handwriting.datasets.transcripts.load` bring pictures to them.
        alphabet: the characters of the outputs of a Keras model; the dataset's if None. Names
            and files tell theirs.
        held_back: share of the images that is not learnt from but measured on, in (0, 1); of
            characters stratified.
        epochs: passes over the other images.
        learning_rate: at the start; it goes down to 0 along a cosine.
        augmentation: how far images are changed at random; the defaults of :class:`Augmentation`
            or :class:`LineAugmentation` if None.
        progress: show how far it is; by default only where there is a terminal or a notebook.
        rng: a seed or a generator: for what is held back, for the order and the changes of images.

    Returns:
        The model with the better weights, and the reports of the held-back part before and after.

    Raises:
        ValueError: no such name; the network reads images of another shape, recipe or kind, does
            not know a character that stands in the dataset, or an argument is out of range.
        MissingDataError: no such file.
        CorruptFileError: the file is damaged, or not written by this package.
        HandwritingError: the loss became NaN or infinite.

    Example:
        >>> import handwriting as hw
        >>> digits = hw.datasets.digits.load("train")
        >>> model = hw.models.dense_small(digits.alphabet, rng=0)
        >>> history = hw.training.fit(model, digits, epochs=1, rng=0)
        >>> found = hw.training.finetune(model, digits.select(slice(99)), epochs=2, rng=0)
        >>> len(found.before.labels)
        30
    """
    check_arguments(epochs=epochs)
    network, known, recipe = _opened(model, dataset, alphabet)
    dataset = _fitted(dataset, network, known, recipe)
    seed = int(np.random.default_rng(rng).integers(2**31))
    train, test = dataset.split(held_back, rng=seed)
    old, before = network.get_weights(), _report(network, test, known)
    options: dict[str, Any] = {
        "validation": None,
        "epochs": epochs,
        "batch_size": _BATCH_SIZE,
        "learning_rate": learning_rate,
        "progress": progress,
        "rng": seed,
    }
    frozen = _freeze(network)
    if isinstance(train, CharacterDataset):
        fit(network, train, augmentation=_of(Augmentation, augmentation), **options)
    else:
        fit_lines(network, train, augmentation=_of(LineAugmentation, augmentation), **options)
    for layer in frozen:
        layer.trainable = True
    found = Finetuned(
        network, known, recipe or dataset.recipe, before, _report(network, test, known)
    )
    if not found.improved:
        network.set_weights(old)
    return found


def _opened(
    model: Any, dataset: CharacterDataset | LineDataset, alphabet: Alphabet | None
) -> tuple[keras.Model, Alphabet, str | None]:
    """A network of one's own to train, its alphabet and its recipe."""
    if isinstance(model, keras.Model):
        network = keras.models.clone_model(model)
        network.set_weights(model.get_weights())
        known = dataset.alphabet if alphabet is None else alphabet
        if len(model.output_shape) == 3:
            known = known.with_null()
        if model.output_shape[-1] != len(known):
            raise ValueError(
                f"alphabet must have the {model.output_shape[-1]} characters of the model's "
                f"outputs, got {known!r}"
            )
        return network, known, None
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            f"model must be a name, a model file or a Keras model, got {type(model).__name__}"
        )
    if alphabet is not None:
        raise ValueError("alphabet is for Keras models; names and files tell theirs")
    file = pretrained.find(model, "npz")
    card = models.card(file)
    return models.load(file), card.alphabet, card.recipe


def _fitted(
    dataset: Any, network: keras.Model, alphabet: Alphabet, recipe: str | None
) -> CharacterDataset | LineDataset:
    """A dataset with the labels of the network, if the network can read it."""
    if not isinstance(dataset, CharacterDataset | LineDataset):
        raise TypeError(
            f"dataset must be a CharacterDataset or a LineDataset, got {type(dataset).__name__}"
        )
    (height, width), lines = network.input_shape[1:3], len(network.output_shape) == 3
    fits = dataset.image_shape == (height, width or dataset.image_shape[1])
    if not fits or isinstance(dataset, LineDataset) != lines:
        kind = "lines" if lines else "characters"
        raise ValueError(
            f"{network.name} reads {kind} of {height} x {width or 'any width'}, got {dataset!r}; "
            "load the dataset in that size"
        )
    if None not in (recipe, dataset.recipe) and dataset.recipe != recipe:
        raise ValueError(
            f"images must be made with the recipe of the network, {recipe}, got those of "
            f"{dataset.recipe}; load the dataset with recipe={recipe!r}"
        )
    unknown = [c or "null" for c, n in dataset.counts().items() if n and c not in alphabet]
    if unknown:
        raise ValueError(
            f"the network does not know {', '.join(map(repr, unknown))}, which stand in "
            f"{dataset!r}; leave them out with dataset.relabel(alphabet, outside='drop')"
        )
    return dataset.relabel(alphabet)


def _freeze(network: keras.Model) -> list[keras.Layer]:
    """Let batch normalization stay as it is; the layers that were not so before."""
    layers = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    for layer in layers:
        layer.trainable = False
    return layers


def _of(kind: type[Any], augmentation: Any) -> Any:
    if not isinstance(augmentation, kind | None):
        raise TypeError(
            f"augmentation must be of {kind.__name__}, got {type(augmentation).__name__}"
        )
    return kind() if augmentation is None else augmentation


def _report(
    network: keras.Model, test: CharacterDataset | LineDataset, alphabet: Alphabet
) -> Report | LineReport:
    if isinstance(test, CharacterDataset):
        return evaluation.evaluate(network, test)
    return evaluation.evaluate_lines(network, test, alphabet)


def _right(report: Report | LineReport) -> NDArray[np.bool_]:
    """(n,) whether each image is read right."""
    right = report.predicted == report.labels if isinstance(report, Report) else report.edits == 0
    return np.asarray(right, bool)


def _errors(report: Report | LineReport) -> int:
    """Characters that are read wrong."""
    wrong = ~_right(report) if isinstance(report, Report) else report.edits
    return int(wrong.sum())


def _summary(report: Report | LineReport) -> str:
    right = int(_right(report).sum())
    if isinstance(report, Report):
        return f"{report.accuracy:.2%} of {len(report.labels)} images right ({right})"
    return f"CER {report.cer:.2%}, {report.exact:.2%} of {len(report.truths)} lines right ({right})"
