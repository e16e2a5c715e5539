"""From scores to texts: the best path, and a search over all of them."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from handwriting.alphabet import Alphabet, Labels
from handwriting.ctc.alignment import Place, align, likelihoods, places
from handwriting.ctc.hypothesis import Hypothesis
from handwriting.ctc.lexicon import Lexicon
from handwriting.ctc.ngram import Ngram
from handwriting.ctc.search import Found, Search, steps_of

__all__ = ["beam", "greedy", "likelihood"]

Scores = NDArray[np.floating[Any]]
_BATCH = 256  # lines at once: bounds the memory
_TOLERANCE = 0.01  # of a sum of probabilities, for those in half precision, too
# Beyond them numbers overflow, and nothing sensible is read long before.
_RANGES = {
    "ngram_weight": (0, 10),
    "character_bonus": (-10, 10),
    "lexicon_weight": (0, 10),
    "prune_classes": (0, 0.5),
    "prune_prefixes": (0, 0.5),
}
_WIDER = 4  # how much wider a closed lexicon is searched before a line is given up


def greedy(
    scores: Scores, alphabet: Alphabet, *, lengths: ArrayLike | None = None
) -> list[Hypothesis]:
    """Read the best path of each line: the most probable class of every time step.

    Args:
        scores: (n, steps, classes) probabilities, a float array, as a softmax gives them; the blank
            is class 0. ``np.roll(scores, 1, axis=2)`` brings it there from the last place.
        alphabet: the characters; null is put at label 0 where it is not there.
        lengths: (n,) integers in [0, steps], the steps of each line that count; all without it.

    Returns:
        n hypotheses.

    Raises:
        ValueError: ``scores`` are no probabilities, or not one for each class; or ``lengths`` do
            not fit.

    Example:
        >>> from handwriting.alphabet import Alphabet
        >>> scores = np.array([[[0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]]])
        >>> hypothesis = greedy(scores, Alphabet("no"))[0]
        >>> hypothesis.text, round(hypothesis.probability, 3), hypothesis.spans
        ('no', 0.32, ((0, 1), (2, 3)))
        >>> hypothesis.confidences
        (0.8, 0.8)
    """
    alphabet = alphabet.with_null()
    return _best_paths(scores, _checked(scores, alphabet, lengths), alphabet)


def likelihood(
    scores: Scores, texts: Sequence[str], alphabet: Alphabet, *, lengths: ArrayLike | None = None
) -> NDArray[np.float64]:
    """The probability of each line's text, summed over all paths.

    It says how sure a reading is. The probability of the best path, as :func:`greedy` tells it, is
    that of the text with every character at one certain step, and so far lower.

    Args:
        scores: as for :func:`greedy`.
        texts: n, of characters of the alphabet.
        alphabet: as for :func:`greedy`.
        lengths: as for :func:`greedy`.

    Returns:
        (n,) float64 in [0, 1]; 0 for a text that needs more steps than its line has.

    Raises:
        ValueError: as for :func:`greedy`, or ``texts`` are not as many, or have other characters.

    Example:
        >>> from handwriting.alphabet import Alphabet
        >>> scores = np.array([[[0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8]]])
        >>> likelihood(scores, ["no"], Alphabet("no")).round(3)
        array([0.68])

    Source:
        Graves et al. 2006, section 4.1: the forward algorithm.
    """
    alphabet = alphabet.with_null()
    counted = _checked(scores, alphabet, lengths)
    if isinstance(texts, str) or len(texts) != len(scores):
        raise ValueError(f"texts must be {len(scores)}, one for each line, got {texts!r:.60}")
    labels = [alphabet.encode(text) for text in texts]
    parts = [slice(start, start + _BATCH) for start in range(0, len(labels), _BATCH)]
    found = [likelihoods(scores[part], counted[part], labels[part]) for part in parts]
    return np.concatenate([np.zeros(0), *found])


def _best_paths(scores: Scores, lengths: Labels, alphabet: Alphabet) -> list[Hypothesis]:
    n, longest, classes = scores.shape
    path = scores.argmax(axis=2)
    best = scores.reshape(-1)[np.arange(n * longest) * classes + path.reshape(-1)]
    best = best.reshape(n, longest).astype(np.float64)
    outside = np.arange(longest) >= lengths[:, None]
    path[outside] = 0
    best[outside] = 1
    totals = np.log(best).sum(axis=1)
    # All characters of all lines at once; each line has as many of them as it has spans.
    new = path > 0
    new[:, 1:] &= path[:, 1:] != path[:, :-1]
    text = _decode(path[new].tolist(), alphabet)
    found = places(path, best)
    hypotheses = []
    start = 0
    for place, probability, score in zip(
        found, np.exp(totals).tolist(), totals.tolist(), strict=True
    ):
        stop = start + len(place[1])
        hypotheses.append(Hypothesis(text[start:stop], probability, score, *place))
        start = stop
    return hypotheses


def beam(
    scores: Scores,
    alphabet: Alphabet,
    *,
    lengths: ArrayLike | None = None,
    width: int = 16,
    n_best: int = 1,
    ngram: Ngram | None = None,
    ngram_weight: float = 0.5,
    character_bonus: float = 0.0,
    lexicon: Lexicon | None = None,
    lexicon_weight: float = 0.5,
    closed: bool = False,
    prune_classes: float = 5e-3,
    prune_prefixes: float = 1e-4,
) -> list[list[Hypothesis]]:
    """Search for the texts of highest score: prefix beam search.

    The score of a text is the logarithm of its probability, summed over its paths, plus
    ``ngram_weight`` times the logarithm of its probability in the n-gram model, plus
    ``character_bonus`` for each character, plus ``lexicon_weight * log(1 + count)`` for each of its
    words that the lexicon knows. Without a model and a lexicon a beam hardly ever reads better than
    :func:`greedy`.

    Args:
        scores: as for :func:`greedy`.
        alphabet: as for :func:`greedy`; that of the n-gram model and the lexicon, too.
        lengths: as for :func:`greedy`.
        width: prefixes kept after each step.
        n_best: hypotheses wanted of each line.
        ngram: a model of characters.
        ngram_weight: in [0, 10], how much it counts; 1 is as much as the scores.
        character_bonus: in [-10, 10], against the short texts that an n-gram model prefers.
        lexicon: known words; others can still be read.
        lexicon_weight: in [0, 10], how much it counts.
        closed: read words of the lexicon only. For lists that are known to be complete: where they
            are not, every unknown word is read wrong.
        prune_classes: in [0, 0.5], characters less probable at a step are not tried there.
        prune_prefixes: in [0, 0.5], prefixes this much less probable than the best are dropped.

    Returns:
        For each of n lines its hypotheses, best first: 1 at least, ``n_best`` at most. A line that
        no words of a closed lexicon fit has one empty hypothesis with probability 0.

    Raises:
        ValueError: as for :func:`greedy`, an option is out of its range, or the n-gram model or the
            lexicon is of another alphabet.

    Example:
        >>> from handwriting.alphabet import Alphabet
        >>> scores = np.array([[[0.1, 0.5, 0.4], [0.6, 0.2, 0.2], [0.1, 0.4, 0.5]]])
        >>> letters = Alphabet("no")
        >>> [(r.text, round(r.probability, 3)) for r in beam(scores, letters, n_best=2)[0]]
        [('no', 0.27), ('on', 0.176)]
        >>> beam(scores, letters, lexicon=Lexicon(["on"], letters, counts=[9]))[0][0].text
        'on'

    Source:
        A. Hannun, A. Maas, D. Jurafsky, A. Ng, "First-Pass Large Vocabulary Continuous Speech
        Recognition using Bi-Directional Recurrent DNNs" (2014), algorithm 1.
    """
    alphabet = alphabet.with_null()
    counted = _checked(scores, alphabet, lengths)
    _check_options(
        width,
        n_best,
        ngram_weight=ngram_weight,
        lexicon_weight=lexicon_weight,
        prune_classes=prune_classes,
        character_bonus=character_bonus,
        prune_prefixes=prune_prefixes,
    )
    for known in (ngram, lexicon):
        if known is not None and known.alphabet != alphabet:
            raise ValueError(
                f"{known!r} must be of the alphabet of the scores, {alphabet!r}; make it anew"
            )
    if closed and not lexicon:
        raise ValueError("closed=True needs a lexicon with words")
    search = Search(
        len(alphabet),
        width=max(width, n_best),
        threshold=prune_prefixes,
        ngram=ngram,
        ngram_weight=ngram_weight,
        character_bonus=character_bonus,
        lexicon=lexicon,
        lexicon_weight=lexicon_weight,
        closed=closed,
    )
    hypotheses: list[list[Hypothesis]] = []
    for start in range(0, len(scores), _BATCH):
        lines = slice(start, start + _BATCH)
        hypotheses += _search(
            scores[lines], counted[lines], alphabet, search, n_best, prune_classes
        )
    return hypotheses


def _search(
    scores: Scores,
    lengths: Labels,
    alphabet: Alphabet,
    search: Search,
    n_best: int,
    least: float,
) -> list[list[Hypothesis]]:
    """The hypotheses of a few lines."""
    steps = steps_of(scores, lengths, least)
    found = [search.run(line, factor, n_best) for line, factor in steps]
    if search.closed:
        wide = dataclasses.replace(search, width=_WIDER * search.width, threshold=0.0)
        for line in [line for line, texts in enumerate(found) if not texts]:
            here = slice(line, line + 1)
            found[line] = wide.run(*next(steps_of(scores[here], lengths[here], 0)), n_best)
    where = iter(_places(scores, lengths, found, alphabet))
    return [
        [_hypothesis(text, alphabet, next(where)) for text in texts]
        or [Hypothesis("", 0.0, -math.inf, (), ())]
        for texts in found
    ]


def _places(
    scores: Scores, lengths: Labels, found: list[list[Found]], alphabet: Alphabet
) -> list[Place]:
    """Where the characters of each text are, line by line."""
    paths = _best_paths(scores, lengths, alphabet)
    pairs = [(line, text.labels) for line, texts in enumerate(found) for text in texts]
    every: list[Place | None] = []
    for line, labels in pairs:
        # The best path of all is also the best path of the text that it reads as.
        same = _decode(labels, alphabet) == paths[line].text
        every.append((paths[line].confidences, paths[line].spans) if same else None)
    missing = [pair for pair, place in zip(pairs, every, strict=True) if place is None]
    lines = [line for line, _ in missing]
    texts = [np.array(labels, np.int64) for _, labels in missing]
    aligned = iter(places(*align(scores[lines], lengths[lines], texts)))
    return [next(aligned) if place is None else place for place in every]


def _hypothesis(found: Found, alphabet: Alphabet, place: Place) -> Hypothesis:
    probability = min(1.0, math.exp(found.log_probability))
    return Hypothesis(_decode(found.labels, alphabet), probability, found.score, *place)


def _decode(labels: list[int], alphabet: Alphabet) -> str:
    # Without the checks of Alphabet.decode, which cost more than all the rest.
    return "".join(map(alphabet.characters.__getitem__, labels))


def _checked(scores: Scores, alphabet: Alphabet, lengths: ArrayLike | None) -> Labels:
    """The steps of each line that count, if the scores are probabilities of the classes."""
    if not isinstance(scores, np.ndarray) or scores.dtype.kind != "f" or scores.ndim != 3:
        raise ValueError(
            "scores must be floats of shape (n, steps, classes), got "
            f"{getattr(scores, 'dtype', type(scores).__name__)} of shape {np.shape(scores)}; "
            "numpy.asarray makes arrays of tensors, scores[None] gives one line a batch axis"
        )
    n, steps, classes = scores.shape
    if classes != len(alphabet):
        raise ValueError(
            f"scores must be of {len(alphabet)} classes, the blank and the {len(alphabet) - 1} "
            f"characters of {alphabet!r}, got {classes}"
        )
    counted = np.full(n, steps) if lengths is None else np.asarray(lengths)
    if counted.shape != (n,) or (n and counted.dtype.kind not in "iu"):
        raise ValueError(
            f"lengths must be integers of shape ({n},), one for each line, got {counted.dtype} of "
            f"shape {counted.shape}"
        )
    if n and not 0 <= counted.min() <= counted.max() <= steps:
        raise ValueError(
            f"lengths must lie in [0, {steps}], the steps of the scores, got {counted.min()} to "
            f"{counted.max()}"
        )
    counted = counted.astype(np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        # Comparisons that fail for NaN, the costly one only where the cheap one does.
        right = np.abs(scores @ np.ones(classes, scores.dtype) - 1) < _TOLERANCE
        if not scores.min(initial=0) >= 0:
            right &= (scores >= 0).all(axis=2)
    inside = np.arange(steps) < counted[:, None]
    if not (right | ~inside).all():
        line, step = np.argwhere(inside & ~right)[0].tolist()
        raise ValueError(
            f"scores must be probabilities that sum to 1 at each step, got {scores[line, step]} at "
            f"step {step} of line {line}; for logits take the softmax, for logarithms numpy.exp"
        )
    return counted


def _check_options(width: int, n_best: int, **numbers: float) -> None:
    for name, count in (("width", width), ("n_best", n_best)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} must be an integer from 1, got {count!r}")
    for name, value in numbers.items():
        least, most = _RANGES[name]
        if not least <= value <= most:
            raise ValueError(f"{name} must lie in [{least}, {most}], got {value!r}")
