"""Fit a line reader to transcribed lines with CTC."""

import functools
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from handwriting import ctc, models
from handwriting.alphabet import Alphabet, Labels
from handwriting.data import LineDataset
from handwriting.files import StrPath, check_writable
from handwriting.images import Image
from handwriting.training.augmentation import LineAugmentation, augment_lines
from handwriting.training.callbacks import (
    Csv,
    History,
    Reseed,
    StopOnNaN,
    check_arguments,
    wants_progress,
)
from handwriting.training.watch import Watch, check_resumable, fingerprint

__all__ = ["LineBatches", "fit_lines"]


def fit_lines(
    model: keras.Model,
    train: LineDataset,
    *,
    validation: LineDataset | float | None = 0.1,
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    optimizer: keras.Optimizer | None = None,
    patience: int | None = None,
    augmentation: LineAugmentation | None = None,
    checkpoint: StrPath | None = None,
    resume: bool = False,
    csv: StrPath | None = None,
    progress: bool | None = None,
    rng: int | np.random.Generator | None = None,
) -> History:
    """Train a model to read lines, keep its best weights, and tell how it went.

    The loss is that of CTC, over as many time steps as each line is wide. In the first epoch the
    lines come from the shortest text to the longest: so the network learns early that there are
    letters at all, where it else gives blanks alone for many epochs. With a validation set, its
    lines are decoded greedily after each epoch, and the weights with the lowest character error
    rate come back.

    Args:
        model: from one of the builders in ``models.LINE_NAMES``, or any Keras model that eats
            (n, h, w) uint8 and gives (n, steps, labels) probabilities, the blank's first.
        train: what to learn from.
        validation: a dataset, the share of ``train`` to hold back, or None. Its texts may hold
            characters that the model does not know; they count as errors.
        epochs: passes over the training lines, at most.
        batch_size: lines a step.
        learning_rate: at the start; it goes down to 0 over all epochs along a cosine.
        optimizer: takes the place of AdamW, whose gradients are clipped at norm 1, and of
            ``learning_rate``.
        patience: epochs without a lower error rate before training stops; None never stops.
        augmentation: change the training lines at random; they are never stored.
        checkpoint: a ``.keras`` file to keep the best model so far in, replaced as a whole. Beside
            it a file that ends in ``.state.npz`` holds what ``resume`` needs.
        resume: go on after the last whole epoch of an earlier call with the same arguments and the
            same ``rng``, which may have been killed; it gives the weights that it would have given.
            Without such a file training begins at the beginning.
        csv: a file for one line of figures an epoch.
        progress: write a line to standard error after each epoch: its figures, and some lines of
            the validation set with what was read; by default only in a terminal or a notebook.
        rng: a seed or a generator. The same model, data and seed give the same weights.

    Returns:
        The figures of each epoch: ``loss``, ``learning_rate``, and with a validation set
        ``val_cer``, wrong characters to characters, and ``val_exact``, the share of texts without
        error.

    Raises:
        ValueError: the model does not fit the dataset, a text has more characters than its line has
            time steps, an argument is out of range, or a set is empty.
        CorruptFileError: what ``resume`` finds is damaged or of another training.
        HandwritingError: the loss became NaN or infinite.
        OSError: a file that was asked for cannot be written; found out before the first epoch.
    """
    check_arguments(epochs=epochs, batch_size=batch_size, patience=patience or 1)
    _check_options(learning_rate, checkpoint, csv)
    check_resumable(checkpoint, rng, resume=resume)
    if checkpoint is not None:
        models.check_savable(model, checkpoint)
    seed = int(np.random.default_rng(rng).integers(2**31))
    if isinstance(validation, float):
        train, validation = train.split(validation, rng=seed)
    _check_fits(model, train, validation)
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "augmentation": augmentation}
    batches = LineBatches(train, steps=model.output_shape[1], **options)
    if optimizer is None:
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(batches))
        optimizer = keras.optimizers.AdamW(rate, global_clipnorm=1.0)
    # XLA takes 14 times as long for LSTMs on a CPU.
    model.compile(optimizer, _ctc, jit_compile=False)
    optimizer.build(model.trainable_variables)
    about = f"{train.alphabet!r} {list(train.texts)}".encode()
    options |= {"epochs": epochs, "patience": patience, "validation": validation}
    watch = _Watch(
        train,
        validation,
        patience=patience,
        settings=fingerprint(model, optimizer, about, **options),
        checkpoint=checkpoint,
        verbose=wants_progress(progress),
    )
    first = watch.resume(model) if resume else 0
    batches.start(first)
    callbacks = [Reseed(seed), StopOnNaN(), watch]
    if csv is not None:
        callbacks.append(Csv(csv, earlier=watch.history))
    if first < epochs and not watch.stopped:
        model.fit(
            batches,
            initial_epoch=first,
            epochs=epochs,
            callbacks=callbacks,
            shuffle=False,
            verbose=0,
        )
    return watch.finish(model)


class LineBatches(keras.utils.PyDataset):
    """Batches of lines for CTC, read from a dataset's memory map when they are needed.

    A batch is images (b, h, w) uint8 and targets (b, 1 + longest) int32: how many time steps the
    line takes up, then the labels of its text, padded with the blank, 0.

    Args:
        dataset: where the lines are.
        steps: time steps that the model makes of an image's whole width.
        batch_size: lines a batch; the last one may be smaller.
        seed: the first epoch goes from short texts to long ones, the others are shuffled.
        augmentation: change the images at random.

    Raises:
        ValueError: there are no lines, or a text needs more time steps than its line has.
    """

    def __init__(
        self,
        dataset: LineDataset,
        *,
        steps: int,
        batch_size: int = 64,
        seed: int = 0,
        augmentation: LineAugmentation | None = None,
    ) -> None:
        super().__init__()
        self._dataset = dataset
        if not len(dataset):
            raise ValueError(f"there must be lines to make batches of, got none in {dataset!r}")
        self._steps = steps
        self._batch_size = batch_size
        self._seed = seed
        self._augmentation = augmentation
        has = _steps(dataset.widths, dataset.image_shape[1], steps)
        self._labels = ctc.targets(dataset.texts, dataset.alphabet, steps=has).labels
        self._needed = np.array([ctc.steps_needed(text) for text in dataset.texts])
        self.start(0)

    def __len__(self) -> int:
        return math.ceil(len(self._dataset) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[Image, NDArray[np.int32]]:
        first = index * self._batch_size
        which = self._order[first : first + self._batch_size]
        images, widths = self._dataset.images[which], self._dataset.widths[which]
        if self._augmentation is not None:
            rng = np.random.default_rng((self._seed, 1 + self._epoch, index))
            images, widths = augment_lines(images, widths, self._augmentation, rng=rng)
        steps = np.maximum(_steps(widths, images.shape[2], self._steps), self._needed[which])
        targets = np.concatenate([steps[:, None], self._labels[which]], axis=1)
        return images, targets.astype(np.int32)

    def on_epoch_end(self) -> None:
        """Called by Keras: make the order of the next epoch."""
        self.start(self._epoch + 1)

    def start(self, epoch: int) -> None:
        """Make the order of an epoch, counted from 0."""
        self._epoch = epoch
        rng = np.random.default_rng((self._seed, epoch))
        self._order = rng.permutation(len(self._dataset))
        if epoch == 0:
            lengths = np.array([len(text) for text in self._dataset.texts])
            self._order = self._order[np.argsort(lengths[self._order], kind="stable")]


def _steps(widths: Labels, width: int, steps: int) -> Labels:
    """How many of the time steps each line takes up."""
    return -(-widths * steps // width)


def _ctc(targets: Any, probabilities: Any) -> Any:
    """CTC's loss, from what :class:`LineBatches` gives and a model's probabilities."""
    targets = keras.ops.cast(targets, "int32")
    steps, labels = targets[:, 0], targets[:, 1:]
    lengths = keras.ops.sum(keras.ops.cast(labels > 0, "int32"), axis=1)
    logits = keras.ops.log(probabilities + keras.config.epsilon())
    return keras.ops.ctc_loss(labels, logits, lengths, steps, mask_index=0)


def _read(model: Any, lines: LineDataset, alphabet: Alphabet, batch_size: int = 256) -> list[str]:
    """What a model reads in lines, decoded greedily."""
    texts: list[str] = []
    for first in range(0, len(lines), batch_size):
        part = slice(first, first + batch_size)
        scores = np.asarray(model.predict_on_batch(np.ascontiguousarray(lines.images[part])))
        steps = _steps(lines.widths[part], lines.image_shape[1], scores.shape[1])
        texts += [reading.text for reading in ctc.greedy(scores, alphabet, lengths=steps)]
    return texts


def _error_rates(pairs: Sequence[tuple[str, str]]) -> tuple[float, float]:
    """Character error rate, and the share of exact texts."""
    from rapidfuzz.distance import Levenshtein

    errors = sum(Levenshtein.distance(truth, text) for truth, text in pairs)
    exact = sum(truth == text for truth, text in pairs)
    return errors / max(1, sum(len(truth) for truth, _ in pairs)), exact / len(pairs)


class _Watch(Watch):
    """Reads the validation set after each epoch, and tells it."""

    def __init__(
        self,
        train: LineDataset,
        validation: LineDataset | None,
        *,
        verbose: bool,
        **options: Any,
    ) -> None:
        alphabet, recipe = train.alphabet.with_null(), train.recipe
        save = functools.partial(models.save, alphabet=alphabet, recipe=recipe)
        super().__init__("val_cer", save=save, **options)
        self._validation = validation
        self._alphabet = alphabet
        self._verbose = verbose
        self._pairs: list[tuple[str, str]] = []

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        if self._verbose:
            _tell(_HEAD[0] if self._validation is None else _HEAD[1])

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._since = time.perf_counter()

    def measure(self) -> dict[str, float]:
        if self._validation is None:
            return {}
        texts = _read(self.model, self._validation, self._alphabet)
        self._pairs = list(zip(self._validation.texts, texts, strict=True))
        cer, exact = _error_rates(self._pairs)
        return {"val_cer": cer, "val_exact": exact}

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self._verbose:
            seconds = time.perf_counter() - self._since
            figures = [values[-1] for values in self.history.values()]
            _tell(_row([epoch + 1, *figures, seconds], self._pairs))


_HEAD = (
    "epoch     loss     rate  seconds",
    "epoch     loss     rate      CER    exact  seconds  truth: read",
)


def _row(figures: Sequence[float], pairs: Sequence[tuple[str, str]]) -> str:
    """A line of the table: epoch, loss, learning rate, error rates if any, seconds, some texts."""
    epoch, loss, rate, *shares, seconds = figures
    columns = [f"{epoch:5.0f} {loss:8.3f} {rate:8.1e}", *(f"{share:8.2%}" for share in shares)]
    some = np.linspace(0, len(pairs) - 1, 4).astype(int).tolist() if pairs else []
    read = (f"{truth}: {text or '-'}" for truth, text in (pairs[row] for row in some))
    return "  ".join([" ".join([*columns, f"{seconds:8.0f}"]), *read])


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _check_options(learning_rate: float, checkpoint: StrPath | None, csv: StrPath | None) -> None:
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate must be above 0, got {learning_rate}")
    for path in (checkpoint, csv):
        if path is not None:
            check_writable(path)


def _check_fits(model: keras.Model, train: LineDataset, validation: LineDataset | None) -> None:
    eats, gives = tuple(model.input_shape[1:3]), model.output_shape
    for lines in (train, *((validation,) if validation is not None else ())):
        if not len(lines):
            raise ValueError(f"there must be lines to learn from, got none in {lines!r}")
        if eats != lines.image_shape or len(gives) != 3:
            raise ValueError(
                f"model {model.name} eats images of {eats[0]} x {eats[1]} and gives outputs of "
                f"shape {gives}, got {lines!r}; build one of {', '.join(models.LINE_NAMES)} with "
                "dataset.alphabet and dataset.image_shape"
            )
    if gives[2] != (labels := len(train.alphabet.with_null())):
        raise ValueError(
            f"model {model.name} knows {gives[2]} labels, got {labels}: the characters of "
            f"{train!r} and the blank; build it with dataset.alphabet"
        )
