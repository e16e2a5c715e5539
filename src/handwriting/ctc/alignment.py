"""Texts laid along scores: where their characters are, and how probable they are."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import Labels

__all__ = ["Place", "align", "likelihoods", "places"]

# The confidences and the spans of the characters of one line.
Place = tuple[tuple[float, ...], tuple[tuple[int, int], ...]]


def places(path: Labels, best: NDArray[np.float64]) -> list[Place]:
    """Confidences and spans of the characters of paths.

    Args:
        path: (n, steps), 0 where a path is blank; equal neighbours above 0 are one character.
        best: (n, steps), the probability of each step of the path.
    """
    first = np.ones(path.shape, bool)
    first[:, 1:] = path[:, 1:] != path[:, :-1]
    last = np.ones(path.shape, bool)
    last[:, :-1] = first[:, 1:]
    line, start = np.nonzero(first & (path > 0))
    stop = np.nonzero(last & (path > 0))[1] + 1
    spans = list(zip(start.tolist(), stop.tolist(), strict=True))
    confidences: list[float] = []
    if spans:
        edges = np.stack([start, stop], axis=1) + line[:, None] * path.shape[1]
        # One more at the end, where the last span may stop.
        padded = np.append(best.reshape(-1), 0)
        confidences = np.maximum.reduceat(padded, edges.reshape(-1))[::2].tolist()
    ends = [0, *np.cumsum(np.bincount(line, minlength=len(path))).tolist()]
    return [
        (tuple(confidences[begin:end]), tuple(spans[begin:end]))
        for begin, end in itertools.pairwise(ends)
    ]


def align(
    scores: NDArray[Any], lengths: Labels, texts: Sequence[Labels]
) -> tuple[Labels, NDArray[np.float64]]:
    """The most probable path of each text through the scores of its line (Viterbi).

    Args:
        scores: (n, steps, classes) probabilities.
        lengths: (n,) steps that count.
        texts: n arrays of labels above 0, each possible within its steps.

    Returns:
        As :func:`places` takes them: path, (n, steps), which has k where the k-th character of the
        text is written, counted from 1; and the probability of each step.
    """
    n, steps, _ = scores.shape
    classes, skips = _states(texts)
    states = classes.shape[1]
    with np.errstate(divide="ignore"):
        logs = np.log(np.take_along_axis(scores, classes[:, None, :], axis=2), dtype=np.float64)
    came = np.zeros((steps, n, states), np.int8)
    # Two columns before the first state, from which nothing comes.
    reached = np.full((n, states + 2), -np.inf)
    reached[:, 2] = 0
    for step in range(steps):
        two_before = np.where(skips, reached[:, :-2], -np.inf)
        ways = np.stack([reached[:, 2:], reached[:, 1:-1], two_before])
        choice = ways.argmax(axis=0)
        going = step < lengths
        came[step, going] = choice[going]
        reached[going, 2:] = (ways.max(axis=0) + logs[:, step])[going]
    lines = np.arange(n)
    state = np.array([2 * len(text) for text in texts], np.int64)
    # The path ends in the blank after the last character, or in that character.
    state -= reached[lines, state + 1] > reached[lines, state + 2]
    path = np.zeros((n, steps), np.int64)
    best = np.ones((n, steps))
    for step in reversed(range(steps)):
        path[:, step] = np.where(state % 2, (state + 1) // 2, 0)
        best[:, step] = logs[lines, step, state]
        state -= came[step, lines, state]
    outside = np.arange(steps) >= lengths[:, None]
    path[outside] = 0
    return path, np.where(outside, 1, np.exp(best))


def likelihoods(
    scores: NDArray[Any], lengths: Labels, texts: Sequence[Labels]
) -> NDArray[np.float64]:
    """The probability of each text, summed over all paths through the scores of its line (forward).

    Args:
        scores: (n, steps, classes) probabilities.
        lengths: (n,) steps that count.
        texts: n arrays of labels above 0.

    Returns:
        (n,), 0 for texts that need more steps than there are.
    """
    n, steps, _ = scores.shape
    classes, skips = _states(texts)
    ends = np.array([2 * len(text) for text in texts], np.int64)
    inside = np.arange(classes.shape[1]) <= ends[:, None]
    emitted = np.take_along_axis(scores, classes[:, None, :], axis=2) * inside[:, None]
    # Shares of each step's sum, whose logarithms are added up: products would become too small.
    reached = np.zeros((n, classes.shape[1] + 2))
    reached[:, 2] = 1
    totals = np.zeros(n)
    for step in range(steps):
        came = reached[:, 2:] + reached[:, 1:-1] + np.where(skips, reached[:, :-2], 0)
        came *= emitted[:, step]
        sums = came.sum(axis=1)
        going = (step < lengths) & (sums > 0)
        reached[going, 2:] = came[going] / sums[going, None]
        totals[going] += np.log(sums[going])
        totals[(step < lengths) & (sums == 0)] = -np.inf
    lines = np.arange(n)
    # The path ends in the blank after the last character, or in that character.
    last = reached[lines, ends + 2] + np.where(ends > 0, reached[lines, ends + 1], 0)
    return np.asarray(np.minimum(1, np.exp(totals) * last))


def _states(texts: Sequence[Labels]) -> tuple[Labels, NDArray[np.bool_]]:
    """The class of each state of each text, and which can be come to from two states before."""
    # Blank, first character, blank, second character, ..., blank.
    classes = np.zeros((len(texts), 2 * max(map(len, texts), default=0) + 1), np.int64)
    for row, text in zip(classes, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    skips = np.zeros(classes.shape, bool)
    skips[:, 2:] = (classes[:, 2:] > 0) & (classes[:, 2:] != classes[:, :-2])
    return classes, skips
