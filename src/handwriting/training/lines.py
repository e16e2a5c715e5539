"""Fit a line reader to transcribed lines with CTC."""

import functools
import math
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
from handwriting.training.watch import Watch, check_resumable, excerpt, fingerprint

__all__ = ["LineBatches", "Sets", "as_sets", "check_fits", "fit_lines", "steps_of"]

Sets = LineDataset | Sequence[LineDataset]
Epochs = Callable[[int], Sets]
"""Makes the lines of an epoch, from 0."""


def fit_lines(
    model: keras.Model,
    train: Sets | Epochs,
    *,
    validation: Sets | float | None = 0.1,
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

    The loss is that of CTC for each character, over as many time steps as each line is wide. In the
    first epoch the lines come from the shortest text to the longest: so the network learns early
    that there are letters at all, where it else gives blanks alone for many epochs. Of several
    datasets the short texts come more often at first. With a validation set, its lines are decoded
    greedily after each epoch, and the weights with the lowest character error rate come
    back.

    Args:
        model: from one of the builders in ``models.LINE_NAMES``, or any Keras model that eats
            (n, h, w) uint8 and gives (n, steps, labels) probabilities, the blank's first.
        train: what to learn from. For a model of any width several datasets of one height and
            alphabet, such as short and long lines: each step takes lines of one of them. Or a
            function of the epoch, from 0, that makes what is learnt from, for lines that are drawn
            afresh in each.
        validation: a dataset, or several, the share of the one dataset ``train`` to hold back, or
            None. Texts may hold characters that the model does not know; they count as errors. Of
            a share other lines may be of the same writers; what ``train.split(0.1, by_writer=True,
            rng=0)`` holds back tells how strangers are read.
        epochs: passes over the training lines, at most.
        batch_size: lines a step; of datasets narrower than the widest, as many more as have the
            same number of pixels.
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
    sets, afresh = _first(train)
    if isinstance(validation, float):
        sets, validation = _hold_back(sets, validation, afresh, seed)
    watched = () if validation is None else as_sets(validation)
    check_fits(model, sets, watched)
    options: dict[str, Any] = {"batch_size": batch_size, "seed": seed, "augmentation": augmentation}
    batches = LineBatches(sets, step=_step(model, sets[0]), afresh=afresh, **options)
    if optimizer is None:
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(batches))
        optimizer = keras.optimizers.AdamW(rate, global_clipnorm=1.0)
    # XLA takes 14 times as long for LSTMs on a CPU.
    model.compile(optimizer, _ctc, jit_compile=False)
    optimizer.build(model.trainable_variables)
    texts = [text for lines in sets for text in lines.texts]
    about = f"{sets[0].alphabet!r} {texts}".encode() + b"".join(excerpt(s.images) for s in sets)
    options |= {"epochs": epochs, "patience": patience, "validation": watched}
    options["watched"] = zlib.crc32(b"".join(excerpt(lines.images) for lines in watched))
    watch = _Watch(
        sets[0],
        watched,
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
    model.fit(
        batches,
        initial_epoch=first,
        # Of a training that had ended the callbacks alone are called: its files may be gone.
        epochs=first if watch.stopped else epochs,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    return watch.finish(model)


class LineBatches(keras.utils.PyDataset):
    """Batches of lines for CTC, read from datasets' memory maps when they are needed.

    A batch is images (b, h, w) uint8 and targets (b, 1 + longest) int32: how many time steps the
    line takes up, then the labels of its text, padded with the blank, 0.

    Args:
        sets: where the lines are; a batch has lines of one of them.
        step: pixels of the width for each of the model's time steps.
        batch_size: lines a batch of the widest images, and more of narrower ones; the last batch
            of a set may be smaller.
        seed: the first epoch goes from short texts to long ones, the others are shuffled.
        augmentation: change the images at random.
        afresh: makes the sets of each epoch after the first; of the same number of batches.

    Raises:
        ValueError: there are no lines, a text needs more time steps than its line has, the
            alphabets differ, or a later epoch has another number of batches.
    """

    def __init__(
        self,
        sets: Sets,
        *,
        step: float,
        batch_size: int = 64,
        seed: int = 0,
        augmentation: LineAugmentation | None = None,
        afresh: Epochs | None = None,
    ) -> None:
        super().__init__()
        self._step = step
        self._batch_size = batch_size
        self._seed = seed
        self._augmentation = augmentation
        self._afresh = afresh
        self._alphabet = as_sets(sets)[0].alphabet
        self._sets = self._take(as_sets(sets))
        self._batches: list[_Batch] = []
        self._begun = False
        self.start(0)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> tuple[Image, NDArray[np.int32]]:
        part, which = self._batches[index]
        images, widths = part.lines.images[which], part.lines.widths[which]
        if self._augmentation is not None:
            rng = np.random.default_rng((self._seed, 1 + self._epoch, index))
            images, widths = augment_lines(images, widths, self._augmentation, rng=rng)
        steps = np.maximum(steps_of(widths, self._step), part.needed[which])
        targets = np.concatenate([steps[:, None], part.labels[which]], axis=1)
        return images, targets.astype(np.int32)

    def on_epoch_begin(self) -> None:
        """Called by Keras: make the order of the next epoch, and its lines where they change.

        Not ``on_epoch_end``, which Keras also calls before the first epoch.
        """
        if self._begun:
            self.start(self._epoch + 1)
        self._begun = True

    def start(self, epoch: int) -> None:
        """Make the batches of an epoch, counted from 0; it is the next one to begin."""
        self._epoch = epoch
        self._begun = False
        if self._afresh is not None and epoch:
            self._sets = self._take(as_sets(self._afresh(epoch)))
        rng = np.random.default_rng((self._seed, epoch))
        batches = [batch for part in self._sets for batch in self._cut(part, rng, epoch)]
        if self._batches and len(batches) != len(self._batches):
            raise ValueError(
                f"all epochs must have as many batches as the first, {len(self._batches)}, got "
                f"{len(batches)} in epoch {epoch}"
            )
        if epoch == 0:
            batches.sort(key=lambda batch: float(batch.part.lengths[batch.which].mean()))
        if len(self._sets) > 1:
            # At first more and more long texts among short ones: what was learnt of short words is
            # forgotten while there are only long lines.
            earliness = np.linspace(0, 1, len(batches)) if epoch == 0 else 0
            batches = [batches[i] for i in np.argsort(rng.random(len(batches)) + earliness)]
        self._batches = _mixed(batches)

    def _take(self, sets: Sequence[LineDataset]) -> list["_Part"]:
        known = self._alphabet.with_null()
        if other := next((each for each in sets if each.alphabet.with_null() != known), None):
            raise ValueError(
                f"all lines must have one alphabet, that of the first, {self._alphabet!r}, got "
                f"{other!r} of {other.alphabet!r}; use relabel"
            )
        return [_Part.of(lines, self._step) for lines in sets if len(lines)]

    def _cut(self, part: "_Part", rng: np.random.Generator, epoch: int) -> list["_Batch"]:
        """The batches of one set, in random order; in the first epoch from short to long texts."""
        widest = max(each.lines.image_shape[1] for each in self._sets)
        count = self._batch_size * widest // part.lines.image_shape[1]
        order = rng.permutation(len(part.lines))
        if epoch == 0:
            order = order[np.argsort(part.lengths[order], kind="stable")]
        return [_Batch(part, order[i : i + count]) for i in range(0, len(order), count)]


class _Part(NamedTuple):
    """A set with what CTC needs of its texts."""

    lines: LineDataset
    labels: Labels
    lengths: Labels
    needed: Labels

    @classmethod
    def of(cls, lines: LineDataset, step: float) -> "_Part":
        made = ctc.targets(lines.texts, lines.alphabet, steps=steps_of(lines.widths, step))
        needed = np.array([ctc.steps_needed(text) for text in lines.texts])
        return cls(lines, made.labels, made.lengths, needed)


class _Batch(NamedTuple):
    """Positions of lines of one set."""

    part: _Part
    which: Labels


def _mixed(batches: list[_Batch]) -> list[_Batch]:
    """The same with lines of two sets in the first two batches, where there are several.

    Keras takes the shape of the first two batches for that of all, but where these differ.
    """
    others = (i for i, batch in enumerate(batches) if batch.part is not batches[0].part)
    other = next(others, None)
    if other is not None:
        batches[1], batches[other] = batches[other], batches[1]
    return batches


def as_sets(sets: Sets) -> Sequence[LineDataset]:
    """One set as several."""
    return [sets] if isinstance(sets, LineDataset) else list(sets)


def _first(train: Sets | Epochs) -> tuple[Sequence[LineDataset], Epochs | None]:
    """The sets of the first epoch, and what makes the others where they differ."""
    if callable(train):
        return as_sets(train(0)), train
    return as_sets(train), None


def _hold_back(
    sets: Sequence[LineDataset], share: float, afresh: Epochs | None, seed: int
) -> tuple[Sequence[LineDataset], LineDataset]:
    if afresh is not None or len(sets) != 1:
        raise ValueError(
            "validation must be a dataset, several, or None where train is not one dataset, got "
            f"{share}: no share of it can be held back"
        )
    rest, part = sets[0].split(share, rng=seed)
    return [rest], part


def _step(model: keras.Model, lines: LineDataset) -> float:
    """Pixels of the width for each of a model's time steps."""
    width = lines.image_shape[1]
    steps = model.compute_output_shape((1, *lines.image_shape))[1]
    return float(width / steps)


def steps_of(widths: Labels, step: float) -> Labels:
    """How many time steps of so many pixels each line takes up."""
    # A rounding error is no further step.
    return np.ceil(widths / step - 1e-6).astype(np.int64)


def _ctc(targets: Any, probabilities: Any) -> Any:
    """CTC's loss, from what :class:`LineBatches` gives and a model's probabilities."""
    targets = keras.ops.cast(targets, "int32")
    steps, labels = targets[:, 0], targets[:, 1:]
    lengths = keras.ops.sum(keras.ops.cast(labels > 0, "int32"), axis=1)
    logits = keras.ops.log(probabilities + keras.config.epsilon())
    losses = keras.ops.ctc_loss(labels, logits, lengths, steps, mask_index=0)
    # For each character: else long lines would outweigh short ones by far.
    mean = keras.ops.mean(keras.ops.cast(lengths, losses.dtype))
    return losses / keras.ops.maximum(mean, 1)


def _read(model: Any, lines: LineDataset, alphabet: Alphabet) -> list[str]:
    """What a model reads in lines, decoded greedily."""
    count = max(1, 256 * 256 // lines.image_shape[1])
    texts: list[str] = []
    for first in range(0, len(lines), count):
        part = slice(first, first + count)
        scores = np.asarray(model.predict_on_batch(np.ascontiguousarray(lines.images[part])))
        steps = steps_of(lines.widths[part], lines.image_shape[1] / scores.shape[1])
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
        validation: Sequence[LineDataset],
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
            _tell(_HEAD[1] if self._validation else _HEAD[0])

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        super().on_epoch_begin(epoch, logs)
        self._since = time.perf_counter()

    def measure(self) -> dict[str, float]:
        if not self._validation:
            return {}
        self._pairs = [
            pair
            for lines in self._validation
            for pair in zip(lines.texts, _read(self.model, lines, self._alphabet), strict=True)
        ]
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


def check_fits(
    model: keras.Model, train: Sequence[LineDataset], validation: Sequence[LineDataset] = ()
) -> None:
    """Refuse lines that the model cannot take, and no lines."""
    if not train:
        raise ValueError("there must be lines to learn from, got no dataset")
    (height, width), gives = model.input_shape[1:3], model.output_shape
    for lines in (*train, *validation):
        if not len(lines):
            raise ValueError(f"there must be lines to learn from, got none in {lines!r}")
        fits = lines.image_shape == (height, width or lines.image_shape[1])
        if not fits or len(gives) != 3:
            raise ValueError(
                f"model {model.name} eats images of {height} x {width or 'any'} and gives outputs "
                f"of shape {gives}, got {lines!r}; build one of {', '.join(models.LINE_NAMES)} "
                "with dataset.alphabet and dataset.image_shape"
            )
    for lines in train:
        if gives[2] != (labels := len(lines.alphabet.with_null())):
            raise ValueError(
                f"model {model.name} knows {gives[2]} labels, got {labels}: the characters of "
                f"{lines!r} and the blank; build it with dataset.alphabet"
            )
