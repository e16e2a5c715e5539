"""What a CTC loss compares with: texts as padded labels, checked against the time steps."""

import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from handwriting.alphabet import Alphabet, Labels
from handwriting.data import Skipped

__all__ = ["Targets", "steps_needed", "targets"]


class Targets(NamedTuple):
    """What :func:`targets` makes of n texts, k of which are kept.

    Args:
        labels: (k, longest) int64, in the alphabet with null, padded with the blank 0. There is
            always one column at least.
        lengths: (k,) int64, labels in each row before the padding.
        rows: (k,) int64, the position of each among the texts given; to choose the images with.
        skipped: what was left out, and why.
    """

    labels: Labels
    lengths: Labels
    rows: Labels
    skipped: tuple[Skipped, ...]


def targets(
    texts: Sequence[str],
    alphabet: Alphabet,
    *,
    steps: ArrayLike | None = None,
    outside: Literal["error", "skip"] = "error",
) -> Targets:
    """Texts as the labels that CTC losses take, refused where no loss could be computed.

    A text that needs more time steps than there are has probability 0 under every model: its loss
    is infinite, and one such row makes a whole training NaN. So it is told before.

    Args:
        texts: n strings; brought to NFC. A text may be empty.
        alphabet: its characters; null is put at label 0 where it is not there.
        steps: time steps that the model gives: one number, or (n,), one for each line. Without it
            lengths are not checked.
        outside: what to do with texts that have characters outside of the alphabet; ``"skip"``
            leaves them out and tells them in ``skipped``.

    Raises:
        ValueError: a text needs more steps than there are, or has characters outside of the
            alphabet and ``outside`` is ``"error"``.
        TypeError: ``texts`` is one str, or has entries that are not.

    Example:
        >>> from handwriting.alphabet import LOWERCASE
        >>> made = targets(["see", "a"], LOWERCASE, steps=4)
        >>> made.labels
        array([[19,  5,  5],
               [ 1,  0,  0]])
        >>> made.lengths
        array([3, 1])
        >>> targets(["see", "ell"], LOWERCASE, steps=3)
        Traceback (most recent call last):
        ValueError: text 0, 'see', needs 4 time steps, got 3; leave it out, or give the model \
wider images or less pooling
    """
    if outside not in ("error", "skip"):
        raise ValueError(f"outside must be 'error' or 'skip', got {outside!r}")
    composed = _composed(texts)
    alphabet = alphabet.with_null()
    known = frozenset(alphabet)
    limits = _limits(steps, len(composed))
    rows, skipped = [], []
    for row, text in enumerate(composed):
        if not known.issuperset(text):
            lost = "".join(sorted(set(text) - known))
            if outside == "error":
                raise ValueError(
                    f"texts must be made of the {len(alphabet) - 1} characters of {alphabet!r}, "
                    f"got {lost!r} in text {row}, {text[:40]!r}; give outside='skip' to leave such "
                    "texts out"
                )
            skipped.append(Skipped(f"text {row}", f"{lost!r} is outside of the alphabet"))
            continue
        if limits is not None and steps_needed(text) > limits[row]:
            raise ValueError(
                f"text {row}, {text[:40]!r}, needs {steps_needed(text)} time steps, got "
                f"{limits[row]}; leave it out, or give the model wider images or less pooling"
            )
        rows.append(row)
    lengths = np.array([len(composed[row]) for row in rows], np.int64)
    labels = np.zeros((len(rows), max(1, int(lengths.max(initial=0)))), np.int64)
    for filled, row in zip(labels, rows, strict=True):
        filled[: len(composed[row])] = alphabet.encode(composed[row])
    return Targets(labels, lengths, np.array(rows, np.int64), tuple(skipped))


def steps_needed(text: str) -> int:
    """The fewest time steps in which CTC can write a text.

    One for each character, and one for the blank between two equal neighbours.

    Example:
        >>> steps_needed("seen")
        5
    """
    return len(text) + sum(map(str.__eq__, text, text[1:]))


def _composed(texts: Sequence[str]) -> list[str]:
    if isinstance(texts, str):
        raise TypeError(f"texts must be a sequence of str, got one str {texts[:40]!r}")
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"texts must be str, got {text!r}")
    return [unicodedata.normalize("NFC", text) for text in texts]


def _limits(steps: ArrayLike | None, n: int) -> list[int] | None:
    if steps is None:
        return None
    array = np.asarray(steps)
    if array.dtype.kind not in "iu" or array.shape not in ((), (n,)) or array.min(initial=0) < 0:
        raise ValueError(
            f"steps must be one integer from 0, or {n}, one for each text, got {array.dtype} of "
            f"shape {array.shape}"
        )
    limits: list[int] = np.broadcast_to(array, n).tolist()
    return limits
