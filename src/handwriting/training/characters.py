"""Fit a model to a dataset, straight from its memory map.

Keras copies what it is given to fit; :class:`Batches` hands it one batch at a time instead, so that
a set larger than memory trains in the memory of a few batches. What is random (the order of the
images, augmentation, dropout) depends only on the seed, the epoch and the batch.
"""

import dataclasses
import functools
import importlib.util
import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import keras
import numpy as np
from numpy.typing import NDArray

from handwriting import models
from handwriting.alphabet import Labels
from handwriting.data import CharacterDataset
from handwriting.errors import HandwritingError
from handwriting.files import StrPath, check_writable
from handwriting.images import Image
from handwriting.training.callbacks import (
    Csv,
    History,
    Progress,
    Reseed,
    StopOnNaN,
    check_arguments,
    wants_progress,
)
from handwriting.training.watch import Watch, check_resumable, excerpt, fingerprint

__all__ = ["Augmentation", "Batches", "augment", "check_fits", "fit"]

Schedule = Literal["cosine", "plateau", "constant"]
Epochs = Callable[[int], CharacterDataset]
"""Makes the dataset of an epoch, from 0."""


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far each image is moved at random, uniformly in both directions.

    Args:
        shift: share of the image's side.
        rotate: degrees.
        scale: share of the size.
        shear: degrees that upright strokes lean.
    """

    shift: float = 0.07
    rotate: float = 8.0
    scale: float = 0.1
    shear: float = 8.0


def fit(
    model: keras.Model,
    train: CharacterDataset | Epochs,
    *,
    validation: CharacterDataset | float | None = 0.1,
    epochs: int = 10,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    schedule: Schedule = "cosine",
    optimizer: keras.Optimizer | None = None,
    label_smoothing: float = 0.0,
    patience: int = 5,
    augmentation: Augmentation | None = None,
    checkpoint: StrPath | None = None,
    resume: bool = False,
    csv: StrPath | None = None,
    tensorboard: StrPath | None = None,
    progress: bool | None = None,
    rng: int | np.random.Generator | None = None,
) -> History:
    """Train a model, keep its best weights, and tell how it went.

    The model is compiled with Adam and sparse categorical cross-entropy. With a validation set,
    training stops after ``patience`` epochs without a lower validation loss, and the weights of the
    best epoch come back.

    Args:
        model: from a builder of :mod:`handwriting.models`, or any Keras model that eats (n, h, w)
            uint8 and gives (n, classes).
        train: what to learn from; or a function of the epoch, from 0, that makes it, for images
            that are drawn afresh in each. All epochs have one alphabet, shape and number of images.
        validation: a dataset, the stratified share of ``train`` to hold back, or None. Of a share
            other images may be of the same writers; what ``train.split(0.1, by_writer=True,
            rng=0)`` holds back tells how strangers are read.
        epochs: passes over the training images, at most.
        batch_size: images a step.
        learning_rate: of Adam, at the start.
        schedule: what becomes of the learning rate: ``"cosine"`` goes down to 0 over all epochs,
            ``"plateau"`` halves it after ``patience // 2`` epochs without a lower validation loss,
            ``"constant"`` keeps it.
        optimizer: takes the place of Adam, and of ``learning_rate`` and ``schedule``.
        label_smoothing: in [0, 1), the share of the truth that all characters are given alike.
        patience: epochs without progress before training stops. With ``"cosine"`` a run that stops
            early misses the low learning rates at the end; ``patience=epochs`` never stops.
        augmentation: move the training images at random; they are never stored.
        checkpoint: a ``.keras`` file to keep the best model so far in, replaced as a whole. Beside
            it a file that ends in ``.state.npz`` holds what ``resume`` needs.
        resume: go on after the last whole epoch of an earlier call with the same arguments and the
            same ``rng``, which may have been killed; it gives the weights that it would have given.
            Without such a file training begins at the beginning.
        csv: a file for one line of figures an epoch.
        tensorboard: a folder for TensorBoard.
        progress: show a progress bar; by default only where there is a terminal or a notebook.
        rng: a seed or a generator. The same model, data and seed give the same weights.

    Returns:
        The figures of each epoch.

    Raises:
        ValueError: the model does not fit the dataset, an argument is out of range, or a set is
            empty.
        CorruptFileError: what ``resume`` finds is damaged or of another training.
        HandwritingError: the loss became NaN or infinite, or tensorboard is not installed.
        OSError: a file that was asked for cannot be written; found out before the first epoch.

    Example:
        >>> import handwriting as hw
        >>> train = hw.datasets.digits.load("train")
        >>> model = hw.models.lenet(train.alphabet, rng=0)
        >>> history = hw.training.fit(model, train, epochs=1, rng=0)
        >>> sorted(history)
        ['accuracy', 'learning_rate', 'loss', 'val_accuracy', 'val_loss']
    """
    check_arguments(epochs=epochs, batch_size=batch_size, patience=patience)
    _check_options(learning_rate, schedule, label_smoothing)
    check_resumable(checkpoint, rng, resume=resume)
    train, afresh = _first(train, validation)
    check_fits(model, train)
    if checkpoint is not None:
        models.check_savable(model, checkpoint)
    _check_outputs(checkpoint, csv, tensorboard)
    seed = int(np.random.default_rng(rng).integers(2**31))
    indices, held_back = _hold_back(model, train, validation, seed)
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed}
    batches = Batches(train, indices, augmentation=augmentation, afresh=afresh, **options)
    halving = optimizer is None and schedule == "plateau"
    if optimizer is None:
        optimizer = _adam(learning_rate, schedule, epochs * len(batches))
    model.compile(optimizer, _cross_entropy(label_smoothing), metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
    options |= {"epochs": epochs, "patience": patience, "label_smoothing": label_smoothing}
    options |= {"schedule": schedule, "augmentation": augmentation, "validation": validation}
    if isinstance(validation, CharacterDataset):
        options["watched"] = zlib.crc32(validation.labels.tobytes() + excerpt(validation.images))
    watch = Watch(
        "val_loss",
        patience=patience,
        halve_after=max(1, patience // 2) if halving else None,
        settings=fingerprint(
            model, optimizer, train.labels.tobytes() + excerpt(train.images), **options
        ),
        checkpoint=checkpoint,
        save=functools.partial(models.save, alphabet=train.alphabet, recipe=train.recipe),
    )
    first = watch.resume(model) if resume else 0
    batches.start(first)
    callbacks = [Reseed(seed), StopOnNaN(), watch]
    if csv is not None:
        callbacks.append(Csv(csv, earlier=watch.history))
    if tensorboard is not None:
        callbacks.append(keras.callbacks.TensorBoard(str(tensorboard)))
    if wants_progress(progress):
        callbacks.append(Progress(first))
    model.fit(
        batches,
        validation_data=held_back,
        initial_epoch=first,
        # Of a training that had ended the callbacks alone are called: its files may be gone.
        epochs=first if watch.stopped else epochs,
        callbacks=callbacks,
        # Batches shuffles by the seed; Keras would shuffle again by the global generator.
        shuffle=False,
        verbose=0,
    )
    return watch.finish(model)


class Batches(keras.utils.PyDataset):
    """Batches of a dataset, read from its memory map when they are needed.

    Args:
        dataset: where the images are.
        indices: positions to use; None for all of them.
        batch_size: images a batch; the last one may be smaller.
        seed: shuffle the images anew for each epoch; None leaves them in order.
        augmentation: move the images at random.
        afresh: makes the dataset of each epoch after the first.

    Raises:
        ValueError: there are no images, or those of a later epoch are others in number or shape.
    """

    def __init__(
        self,
        dataset: CharacterDataset,
        indices: Labels | None = None,
        *,
        batch_size: int = 128,
        seed: int | None = None,
        augmentation: Augmentation | None = None,
        afresh: Epochs | None = None,
    ) -> None:
        super().__init__()
        self._dataset, self._afresh = dataset, afresh
        self._take(dataset)
        self._indices = np.arange(len(dataset)) if indices is None else indices
        if not len(self._indices):
            raise ValueError(f"there must be images to make batches of, got none in {dataset!r}")
        self._batch_size = batch_size
        self._seed = seed
        self._augmentation = augmentation
        self._epoch = 0
        self._begun = False
        self._shuffle()

    def __len__(self) -> int:
        return math.ceil(len(self._indices) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Image, Labels]:
        start = index * self._batch_size
        which = self._order[start : start + self._batch_size]
        images = _rows(self._images, which)
        if self._augmentation is not None:
            rng = np.random.default_rng((self._seed or 0, 1 + self._epoch, index))
            images = augment(images, self._augmentation, rng=rng)
        return images, self._labels.take(which)

    def on_epoch_begin(self) -> None:
        """Called by Keras: make the order of the next epoch, and its images where they change.

        Not ``on_epoch_end``, which Keras also calls before the first epoch.
        """
        if self._begun:
            self.start(self._epoch + 1)
        self._begun = True

    def start(self, epoch: int) -> None:
        """Make the order of an epoch, counted from 0; it is the next one to begin."""
        if self._afresh is not None and epoch != self._epoch:
            self._take(self._afresh(epoch))
        self._epoch = epoch
        self._begun = False
        self._shuffle()

    def _take(self, dataset: CharacterDataset) -> None:
        first = self._dataset
        facts = len(first), first.image_shape, first.alphabet
        if (len(dataset), dataset.image_shape, dataset.alphabet) != facts:
            raise ValueError(f"all epochs must be like the first, {first!r}, got {dataset!r}")
        # Plain views: indexing a memory map as such costs half as much again.
        self._images, self._labels = np.asarray(dataset.images), np.asarray(dataset.labels)

    def _shuffle(self) -> None:
        self._order = self._indices
        if self._seed is not None:
            rng = np.random.default_rng((self._seed, self._epoch))
            self._order = rng.permutation(self._indices)


def _rows(images: Image, which: Labels) -> Image:
    # take is faster than indexing, but would copy all of an array that is not contiguous.
    rows: Image = images.take(which, axis=0) if images.flags.c_contiguous else images[which]
    return rows


def augment(images: Image, augmentation: Augmentation, *, rng: int | np.random.Generator) -> Image:
    """Shift, rotate, scale and shear each image by its own random amounts.

    Args:
        images: (n, h, w) uint8, ink on paper 0.
        augmentation: how far.
        rng: a seed or a generator.

    Returns:
        The same shape; what moves in from outside is paper.
    """
    generator = np.random.default_rng(rng)
    matrices = _random_matrices(len(images), images.shape[1:], augmentation, generator)
    moved = keras.ops.image.affine_transform(
        images[..., None].astype(np.float32),
        matrices,
        interpolation="bilinear",
        fill_mode="constant",
    )
    levels = keras.ops.convert_to_numpy(moved)[..., 0]
    result: Image = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return result


def _random_matrices(
    n: int, shape: tuple[int, ...], augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(n, 8) projective transforms from output to input pixels, about the image's middle."""
    height, width = shape
    angle, lean = np.radians(
        rng.uniform(-1, 1, (2, n)) * [[augmentation.rotate], [augmentation.shear]]
    )
    size = 1 + rng.uniform(-1, 1, n) * augmentation.scale
    shift = rng.uniform(-1, 1, (n, 2)) * augmentation.shift * [width, height]
    a, b = np.cos(angle) / size, (np.sin(angle) + np.tan(lean)) / size
    c, d = -np.sin(angle) / size, np.cos(angle) / size
    x, y = (width - 1) / 2, (height - 1) / 2
    zeros = np.zeros(n)
    columns = [
        *(a, b, x - a * (x + shift[:, 0]) - b * (y + shift[:, 1])),
        *(c, d, y - c * (x + shift[:, 0]) - d * (y + shift[:, 1])),
        *(zeros, zeros),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def _hold_back(
    model: keras.Model,
    train: CharacterDataset,
    validation: CharacterDataset | float | None,
    seed: int,
) -> tuple[Labels | None, "Batches | None"]:
    """Positions to train on (None: all), and what to validate on."""
    if validation is None:
        return None, None
    if isinstance(validation, CharacterDataset):
        check_fits(model, validation)
        if validation.alphabet != train.alphabet:
            raise ValueError(
                "validation must have the alphabet of the training set, got "
                f"{validation.alphabet!r} and {train.alphabet!r}; use relabel"
            )
        return None, Batches(validation, batch_size=1024)
    rest, part = train.split_indices(validation, rng=seed)
    return rest, Batches(train, part, batch_size=1024)


def _check_options(learning_rate: float, schedule: str, label_smoothing: float) -> None:
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate must be above 0, got {learning_rate}")
    if schedule not in get_args(Schedule):
        raise ValueError(f"schedule must be one of {get_args(Schedule)}, got {schedule!r}")
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing}")


def _first(
    train: CharacterDataset | Epochs, validation: CharacterDataset | float | None
) -> tuple[CharacterDataset, Epochs | None]:
    """The dataset of the first epoch, and what makes the others where they differ."""
    if isinstance(train, CharacterDataset):
        return train, None
    if validation is None or isinstance(validation, CharacterDataset):
        return train(0), train
    raise ValueError(
        "validation must be a dataset or None where train makes each epoch's images, got "
        f"{validation}: no share of them can be held back"
    )


def _adam(learning_rate: float, schedule: Schedule, steps: int) -> keras.Optimizer:
    if schedule == "cosine":
        learning_rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.Adam(learning_rate)


def _cross_entropy(smoothing: float) -> Any:
    """The loss, with a truth of which all characters have a share."""
    if not smoothing:
        return "sparse_categorical_crossentropy"

    def loss(labels: Any, scores: Any) -> Any:
        truths = keras.ops.one_hot(keras.ops.reshape(labels, [-1]), scores.shape[-1])
        return keras.losses.categorical_crossentropy(truths, scores, label_smoothing=smoothing)

    return loss


def _check_outputs(
    checkpoint: StrPath | None, csv: StrPath | None, tensorboard: StrPath | None
) -> None:
    for path in (checkpoint, csv):
        if path is not None:
            check_writable(path)
    if tensorboard is not None:
        if importlib.util.find_spec("tensorboard") is None:
            raise HandwritingError(
                'tensorboard is not installed; pip install "handwriting[tensorboard]"'
            )
        Path(tensorboard).mkdir(parents=True, exist_ok=True)


def check_fits(model: keras.Model, dataset: CharacterDataset) -> None:
    """Refuse images that the model cannot take, and no images."""
    if not len(dataset):
        raise ValueError(f"there must be images to learn from, got none in {dataset!r}")
    eats, gives = model.input_shape, model.output_shape
    if tuple(eats[1:3]) != dataset.image_shape or gives[-1] != len(dataset.alphabet):
        raise ValueError(
            f"model {model.name} eats images of {eats[1]} x {eats[2]} and knows {gives[-1]} "
            f"characters, got {dataset!r}; build it with dataset.alphabet and dataset.image_shape"
        )
