"""What the neighbors of a character tell of it: its size, its height in the line, its kind."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import NULL, Alphabet, zone
from handwriting.recognizer.common import Scores
from handwriting.segmentation import Box

__all__ = ["settle"]

# Handwriting keeps to the zones of its characters roughly, by so much.
_SPREAD = 0.15

# How one kind of character follows another within a word: capital and small letters, digits, rest.
_FIRST = np.array([0.27, 0.50, 0.15, 0.08])
_NEXT = np.array(
    [
        [0.55, 0.40, 0.01, 0.04],
        [0.01, 0.95, 0.01, 0.03],
        [0.01, 0.02, 0.77, 0.20],
        [0.15, 0.35, 0.30, 0.20],
    ]
)


def settle(
    words: Sequence[Scores], boxes: Sequence[Sequence[Box]], alphabet: Alphabet
) -> list[Scores]:
    """Probabilities of a line's characters, given one another.

    Shape alone cannot tell O from o and 0, or a comma from an apostrophe. Their size and height
    among the characters of the line can, and so does what they stand among: digits follow digits,
    and small letters small ones.

    Args:
        words: the line's words, (k, classes) probabilities of k characters each.
        boxes: k boxes for each.
        alphabet: of the classes.

    Returns:
        As ``words``, each row with the sum that it had.
    """
    probabilities = _sized(np.concatenate(words), [box for word in boxes for box in word], alphabet)
    kinds = np.array([_kind(character) for character in alphabet])
    ends = np.cumsum([len(word) for word in words])[:-1]
    return [_of_kind(word, kinds) for word in np.split(probabilities, ends)]


def _sized(probabilities: Scores, boxes: Sequence[Box], alphabet: Alphabet) -> Scores:
    """Probabilities given the characters' places between the line's base and height."""
    if len(boxes) < 2:
        return probabilities  # one character tells nothing of the line
    zones = np.array([zone(character) for character in alphabet])
    tops, lefts, bottoms, rights = np.array(boxes, np.float64).T
    tall = float(np.percentile(bottoms - tops, 80))
    found = []
    # The tall characters of the line are as high as a capital letter, or all of it is small.
    for start in (tall, tall / zone("x")[0]):
        capital, baseline = start, np.full(len(boxes), np.median(bottoms))
        for _ in range(3):
            high = (baseline - tops)[:, None] / capital - zones[:, 0]
            low = (baseline - bottoms)[:, None] / capital - zones[:, 1]
            # Student's distribution with 3 degrees of freedom: a character far off tells little.
            weights = (1 + (high**2 + low**2) / _SPREAD**2 / 3) ** -2.5
            settled = _weighted(probabilities, weights)
            likely = zones[settled.argmax(axis=1)]
            capital, baseline = _fitted(likely, tops, bottoms, (lefts + rights) / 2)
        likelihood = np.log(np.maximum((probabilities * weights).sum(axis=1), 1e-300)).sum()
        found.append((likelihood, settled))
    return max(found, key=lambda each: each[0])[1]


def _fitted(zones: Scores, tops: Scores, bottoms: Scores, middles: Scores) -> tuple[float, Scores]:
    """The height of a capital letter and the baseline under each character, by least squares."""
    n = len(tops)
    ones = np.ones(2 * n)
    across = np.tile(middles - middles.mean(), 2)
    # row = baseline + slope * column - zone * capital, for tops and for bottoms
    rows, heights = np.concatenate([tops, bottoms]), np.concatenate([zones[:, 0], zones[:, 1]])
    usual = float(np.median(bottoms - tops))
    columns = [-heights, ones] if n < 5 else [-heights, ones, across]
    matrix = np.stack(columns, axis=1)
    weights = np.ones(2 * n)
    for _ in range(5):
        scaled = matrix * weights[:, None]
        solution = np.linalg.lstsq(scaled, rows * weights, rcond=None)[0]
        errors = (rows - matrix @ solution) / (_SPREAD * usual)
        weights = 1 / np.sqrt(1 + errors**2)
    capital = float(np.clip(solution[0], 0.5 * usual, 3 * usual))
    slope = solution[2] if n >= 5 else 0.0
    return capital, solution[1] + slope * (middles - middles.mean())


def _of_kind(probabilities: Scores, kinds: NDArray[np.int64]) -> Scores:
    """Probabilities given the kinds of the other characters of the word: forward and backward."""
    if len(probabilities) < 2:
        return probabilities  # what stands alone, such as a number of a list, can be of any kind
    members = kinds[:, None] == np.arange(4)
    emitted = np.maximum(probabilities @ members, 1e-12)
    forward, backward = np.empty_like(emitted), np.ones_like(emitted)
    forward[0] = _FIRST * emitted[0]
    for i in range(1, len(emitted)):
        forward[i] = forward[i - 1] @ _NEXT * emitted[i]
        forward[i] /= forward[i].sum()
    for i in range(len(emitted) - 2, -1, -1):
        backward[i] = _NEXT @ (emitted[i + 1] * backward[i + 1])
        backward[i] /= backward[i].sum()
    return _weighted(probabilities, (forward * backward / emitted)[:, kinds])


def _weighted(probabilities: Scores, weights: Scores) -> Scores:
    """Probabilities times weights, each row with the sum that it had."""
    weighted = probabilities * weights
    before, after = (rows.sum(axis=1, keepdims=True) for rows in (probabilities, weighted))
    return np.asarray(weighted * before / np.maximum(after, 1e-300))


def _kind(character: str) -> int:
    if character == NULL:
        return 3
    if character.isupper():
        return 0
    if character.islower():
        return 1
    return 2 if character.isdigit() else 3
