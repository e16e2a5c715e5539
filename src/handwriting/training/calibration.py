"""Confidences that are right as often as they say: one temperature, put into the last layer.

Networks that were trained long are surer than they are right, and those trained with smoothed
labels less sure. Dividing what enters the softmax by one number, the temperature, mends most of
that and changes nothing that is read: the best character stays the best.

Source:
    Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks. ICML 2017
    (arXiv 1706.04599), section 4.2.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from handwriting import ctc
from handwriting.alphabet import Labels
from handwriting.data import CharacterDataset, LineDataset
from handwriting.training.characters import check_fits
from handwriting.training.lines import Sets, as_sets, steps_of
from handwriting.training.lines import check_fits as check_lines_fit

__all__ = ["calibrate", "calibrate_lines"]

# The inverse of a temperature. Beyond them a set says how sure to be no more than all or nothing.
_LEAST, _MOST = 0.05, 20.0
_SUREST = 1e-6  # of being wrong; what is surer and wrong costs no more
_BATCH = 256

Scores = NDArray[np.float32]


def calibrate(model: keras.Model, validation: CharacterDataset) -> float:
    """Make a model of characters as sure as it is right.

    Fits the temperature to the negative log likelihood of images that the model has not learnt
    from, and divides the last layer by it: every file that is written of the model afterwards gives
    such probabilities. Characters of other writers or on other paper than those of ``validation``
    may need another temperature.

    Args:
        model: from a builder of :mod:`handwriting.models`, or any Keras model whose last layer is a
            dense one with softmax. Its weights are changed.
        validation: images that it has not learnt from, some of which it reads wrong.

    Returns:
        The temperature: above 1 where the model was too sure, below where it was too modest.

    Raises:
        ValueError: the model has another last layer or does not fit the dataset; or the images tell
            no temperature, because all of them are read right, or all wrong.

    Example:
        >>> import handwriting as hw
        >>> digits = hw.datasets.digits.load("train")
        >>> train, validation = digits.split(0.2, rng=0)
        >>> model = hw.models.lenet(digits.alphabet, rng=0)
        >>> _ = hw.training.fit(model, train, epochs=1, rng=0)
        >>> hw.training.calibrate(model, validation) > 0
        True

    Source:
        Guo et al. 2017, section 4.2. Measured: docs/models.md.
    """
    last = _last(model)
    check_fits(model, validation)
    logits = np.concatenate(
        [_logarithms(model, validation.images[part]) for part in _parts(len(validation))]
    )
    _check_tells(logits.argmax(axis=1) == validation.labels)
    truth = (np.arange(len(logits)), validation.labels)

    def loss(inverse: float) -> float:
        scaled = logits * np.float32(inverse)
        return float(np.mean(_log_sums(scaled) - scaled[truth], dtype=np.float64))

    return _divide(last, _fitted(loss))


def calibrate_lines(model: keras.Model, validation: Sets) -> float:
    """Make a reader of lines as sure of a whole line as it is right.

    The confidence of a line is the probability of the text that is read, summed over all paths
    (:func:`handwriting.ctc.likelihood`). The temperature is the one with which it predicts best, by
    its log likelihood, whether the line is exact. Greedy decoding reads the same with any
    temperature; a search with an n-gram model or a lexicon weighs them against the scores, so
    choose their weights afterwards.

    Args:
        model: from one of the builders in ``models.LINE_NAMES``, or any Keras model of lines whose
            last layer is a dense one with softmax. Its weights are changed.
        validation: lines that it has not learnt from, one dataset or several, of the model's
            alphabet.

    Returns:
        The temperature: above 1 where the model was too sure, below where it was too modest.

    Raises:
        ValueError: the model has another last layer or does not fit the dataset; or the lines tell
            no temperature, because all of them are read right, or all wrong.

    Source:
        As :func:`calibrate`, with whole lines in place of characters. Measured: docs/models.md.
    """
    last = _last(model)
    sets = as_sets(validation)
    check_lines_fit(model, sets)
    alphabet = sets[0].alphabet.with_null()
    read = [_read(model, each.select(part)) for each in sets for part in _parts(len(each))]
    count = sum(map(len, sets))
    _check_tells(np.concatenate([each.right for each in read]))

    def loss(inverse: float) -> float:
        total = 0.0
        for logits, lengths, texts, right in read:
            scaled = logits * np.float32(inverse)
            scores = np.exp(scaled - _log_sums(scaled)[..., None])
            sure = ctc.likelihood(scores, texts, alphabet, lengths=lengths)
            total -= np.log(np.maximum(np.where(right, sure, 1 - sure), _SUREST)).sum()
        return float(total / count)

    return _divide(last, _fitted(loss))


class _Read(NamedTuple):
    """Lines with what a model reads in them.

    Args:
        logits: (n, steps, labels), what enters the softmax but for a number for each step.
        lengths: (n,) steps that count.
        texts: n, what is read.
        right: (n,) whether that is what is written.
    """

    logits: Scores
    lengths: Labels
    texts: list[str]
    right: NDArray[np.bool_]


def _read(model: keras.Model, lines: LineDataset) -> _Read:
    logits = _logarithms(model, lines.images)
    lengths = steps_of(lines.widths, lines.image_shape[1] / logits.shape[1])
    read = ctc.greedy(np.exp(logits), lines.alphabet.with_null(), lengths=lengths)
    texts = [each.text for each in read]
    right = np.array([text == truth for text, truth in zip(texts, lines.texts, strict=True)])
    return _Read(logits, lengths, texts, right)


def _check_tells(right: NDArray[np.bool_]) -> None:
    if right.all() or not right.any():
        raise ValueError(
            "validation must have what the model reads right and what it reads wrong, got "
            f"{len(right)} that are all {'right' if right.all() else 'wrong'}; give more of it, "
            "that the model has not learnt from"
        )


def _last(model: keras.Model) -> keras.layers.Dense:
    last = model.layers[-1]
    if isinstance(last, keras.layers.Dense) and last.activation is keras.activations.softmax:
        return last
    raise ValueError(
        "the last layer of the model must be a keras.layers.Dense with activation='softmax', got "
        f"{type(last).__name__} {last.name!r}"
    )


def _parts(n: int) -> list[slice]:
    return [slice(start, start + _BATCH) for start in range(0, n, _BATCH)]


def _logarithms(model: keras.Model, images: NDArray[np.uint8]) -> Scores:
    """What enters the softmax, but for a number that is the same for all classes."""
    scores = np.asarray(model.predict_on_batch(np.ascontiguousarray(images)), np.float32)
    # A probability that single precision rounds to 0 is known to be under its least number.
    return np.log(np.maximum(scores, np.finfo(np.float32).tiny))


def _log_sums(values: Scores) -> Scores:
    highest = values.max(axis=-1)
    return np.asarray(np.log(np.exp(values - highest[..., None]).sum(axis=-1)) + highest)


def _fitted(loss: Callable[[float], float]) -> float:
    """The temperature with the lowest loss."""
    from scipy.optimize import minimize_scalar

    # For characters the loss is convex in the inverse of the temperature; for lines a grid finds
    # the valley to descend in.
    grid = np.geomspace(_LEAST, _MOST, 25)
    best = int(np.argmin([loss(inverse) for inverse in grid.tolist()]))
    if best in (0, len(grid) - 1):
        raise ValueError(
            f"validation must tell how sure the model may be, got a set for which a temperature of "
            f"{1 / grid[best]:g} is not yet the best; give images that it has not learnt from, "
            "some of which it reads right and some wrong"
        )
    bounds = (grid[best - 1], grid[best + 1])
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-5})
    return 1 / float(found.x)


def _divide(last: keras.layers.Dense, temperature: float) -> float:
    last.set_weights([weights / temperature for weights in last.get_weights()])
    return temperature
