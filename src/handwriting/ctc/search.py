"""Prefix beam search over one line, and the steps that it walks."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting.ctc.lexicon import Lexicon
from handwriting.ctc.ngram import Ngram

__all__ = ["Found", "Search", "Step", "steps_of"]

# The blank's probability, and the (label, probability) of each character worth trying.
Step = tuple[float, list[tuple[int, float]]]
# The prefix before it, its last label, its n-gram context, its node in the lexicon.
_Prefix = tuple[int, int, int, int]
# Prefix, probability of its paths that end in a blank, of those that end in its last character.
_Beam = list[tuple[int, float, float]]
# Kept in memory at once.
_MAX_ROWS = 2**14
_MAX_SETTINGS = 8


def steps_of(
    scores: NDArray[Any], lengths: NDArray[np.int64], least: float
) -> Iterator[tuple[list[Step], float]]:
    """The steps of each line with the characters that are probable enough.

    Where there are none, only the blank is left and nothing is decided: such steps are one factor
    for all paths. Of several in a row one is kept, to part equal characters.

    Args:
        scores: (n, steps, classes) probabilities.
        lengths: (n,) steps that count.
        least: characters below this probability are left out.

    Yields:
        For each line its steps, and the logarithm of the factor.
    """
    n, longest, classes = scores.shape
    inside = np.arange(longest) < lengths[:, None]
    # The most probable class has 1 / classes at least, and stays.
    tried = scores >= min(least, 0.5 / classes)
    tried[:, :, 0] = False
    places = np.flatnonzero(tried)
    step, label = np.divmod(places, classes)
    probability = scores.reshape(-1)[places]
    characters = list(zip(label.tolist(), probability.tolist(), strict=True))
    counts = np.bincount(step, minlength=n * longest)
    stops = np.cumsum(counts)
    quiet = (counts == 0).reshape(n, longest)
    after_quiet = np.ones_like(quiet)
    after_quiet[:, 1:] = quiet[:, :-1]
    kept = inside & ~(quiet & after_quiet)
    blank = scores[:, :, 0].astype(np.float64)
    factors = np.log(blank, where=quiet & inside, out=np.zeros(blank.shape)).sum(axis=1)
    blank[quiet] = 1
    which = np.flatnonzero(kept)
    every: list[Step] = [
        (empty, characters[start:stop])
        for empty, start, stop in zip(
            blank.reshape(-1)[which].tolist(),
            (stops - counts)[which].tolist(),
            stops[which].tolist(),
            strict=True,
        )
    ]
    first = 0
    for last, factor in zip(np.cumsum(kept.sum(axis=1)).tolist(), factors.tolist(), strict=True):
        yield every[first:last], factor
        first = last


@dataclasses.dataclass(frozen=True, eq=False)
class Search:
    """Prefix beam search with what else is known of texts.

    The probabilities of a prefix are kept for paths that end in a blank and in its last character
    apart, and multiplied by the weights of the n-gram model and the lexicon when the prefix grows.
    They are plain floats and not logarithms, scaled up when they become small.

    Args:
        classes: characters and the blank.
        width: prefixes kept after each step.
        threshold: prefixes this much less probable than the best are dropped.
        ngram: a model of characters, or None.
        ngram_weight: exponent of its probabilities.
        character_bonus: added for each character, in logarithms.
        lexicon: known words, or None.
        lexicon_weight: factor of its bonuses.
        closed: whether every word must be in the lexicon.

    Source:
        A. Hannun, A. Maas, D. Jurafsky, A. Ng, "First-Pass Large Vocabulary Continuous Speech
        Recognition using Bi-Directional Recurrent DNNs" (2014), algorithm 1.
    """

    classes: int
    width: int
    threshold: float
    ngram: Ngram | None = None
    ngram_weight: float = 0.0
    character_bonus: float = 0.0
    lexicon: Lexicon | None = None
    lexicon_weight: float = 0.0
    closed: bool = False

    def run(self, steps: list[Step], scale: float, n_best: int) -> list["Found"]:
        """The best texts of one line, best first; none where a closed lexicon allows none.

        Args:
            steps: what :func:`steps_of` gives of the line.
            scale: the logarithm of the factor that it gives with them.
            n_best: texts wanted.
        """
        tree = _Tree([(-1, 0, 0, 0)], [1.0], {})
        beam: _Beam = [(0, 1.0, 0.0)]
        for blank, characters in steps:
            beam, best = self._kept(*self._extended(beam, blank, characters, tree))
            if not 1e-100 < best < 1e100:
                if not beam:
                    return []
                beam = [(prefix, one / best, two / best) for prefix, one, two in beam]
                scale += math.log(best)
        finished = [
            ((after_blank + after_last) * self._end(tree.prefixes[prefix]), prefix)
            for prefix, after_blank, after_last in beam
        ]
        finished.sort(reverse=True)
        return [
            self._found(prefix, math.log(mass) + scale, tree)
            for mass, prefix in finished[:n_best]
            if mass > 0
        ]

    def _extended(
        self, beam: _Beam, blank: float, characters: list[tuple[int, float]], tree: "_Tree"
    ) -> tuple[dict[int, float], dict[int, float]]:
        """Every prefix after one more step: its paths that end in a blank, and those that do not.

        Written for speed: names are local, and what comes to nothing is left early.
        """
        base, weigh, (prefixes, weights, children) = self.classes, self._weigh, tree
        ended: dict[int, float] = {}
        going: dict[int, float] = {}
        floor = 0.0
        for prefix, after_blank, after_last in beam:
            total = after_blank + after_last
            if total < floor:
                break
            first, last, stays = prefix * base, prefixes[prefix][1], 0.0
            for label, probability in characters:
                if label == last:
                    stays = after_last * probability
                    mass = after_blank * probability
                else:
                    mass = total * probability
                if mass <= floor:
                    continue
                child = children.get(first + label)
                if child is None:
                    child = children[first + label] = len(prefixes)
                    weight, context, node = weigh(prefixes[prefix], label)
                    prefixes.append((prefix, label, context, node))
                    weights.append(weight)
                going[child] = going.get(child, 0.0) + mass * weights[child]
            ended[prefix] = total * blank
            going[prefix] = going.get(prefix, 0.0) + stays
            if self.threshold and not floor:
                # The best will have at least what the first prefix leaves, to itself or a child.
                floor = self.threshold * max(ended[prefix] + stays, *going.values())
        return ended, going

    def _kept(self, ended: dict[int, float], going: dict[int, float]) -> tuple[_Beam, float]:
        """The prefixes to go on with, best first, and the probability of the best."""
        ranked = [
            (after_last + (after_blank := ended.get(prefix, 0.0)), prefix, after_blank, after_last)
            for prefix, after_last in going.items()
        ]
        ranked.sort(reverse=True)
        best = ranked[0][0]
        least = best * self.threshold
        return [kept[1:] for kept in ranked[: self.width] if kept[0] > least], best

    @functools.cached_property
    def _rows(self) -> dict[int, list[float]]:
        """The weights of the end and of every character after each n-gram context met so far."""
        if self.ngram is None:
            return {}
        if len(self.ngram.met) > _MAX_SETTINGS:
            self.ngram.met.clear()
        return self.ngram.met.setdefault((self.ngram_weight, self.character_bonus), {})

    def _row(self, context: int) -> list[float]:
        if self.ngram is None:
            row = np.ones(self.classes)
        else:
            row = self.ngram.probabilities(context) ** self.ngram_weight
        row[1:] *= math.exp(self.character_bonus)
        if len(self._rows) >= _MAX_ROWS:
            self._rows.clear()
        weights: list[float] = row.tolist()
        self._rows[context] = weights
        return weights

    def _word(self, node: int) -> float:
        """The weight of ending a word at a node of the lexicon, -1 where none can come any more."""
        bonus = self.lexicon.here[node] if self.lexicon and node >= 0 else 0.0
        return math.exp(self.lexicon_weight * bonus) if bonus else self._outside

    @property
    def _outside(self) -> float:
        """The weight of leaving the lexicon."""
        return 0.0 if self.closed else 1.0

    @functools.cached_property
    def _weigh(self) -> Callable[[_Prefix, int], tuple[float, int, int]]:
        """A function of a prefix and a label: weight, context and node of the longer prefix."""
        rows, base, outside = self._rows, self.classes, self._outside
        modulus = base ** (self.ngram.order - 1) if self.ngram else 1
        nodes = self.lexicon.children if self.lexicon else {}
        space = self.lexicon.space if self.lexicon else -1

        def weigh(prefix: _Prefix, label: int) -> tuple[float, int, int]:
            _, _, context, node = prefix
            weight = (rows.get(context) or self._row(context))[label]
            context = (context * base + label) % modulus
            if label == space:
                return weight * self._word(node), context, 0
            node = nodes.get(node * base + label, -1)
            return weight if node >= 0 else weight * outside, context, node

        return weigh

    def _found(self, prefix: int, score: float, tree: "_Tree") -> "Found":
        prior = math.log(self._end(tree.prefixes[prefix]))
        labels = []
        while prefix > 0:
            prior += math.log(tree.weights[prefix])
            prefix, label, _, _ = tree.prefixes[prefix]
            labels.append(label)
        return Found(labels[::-1], score, score - prior)

    def _end(self, prefix: _Prefix) -> float:
        """The weight of ending here."""
        _, _, context, node = prefix
        return (self._rows.get(context) or self._row(context))[0] * self._word(node)


class Found(NamedTuple):
    """A text that :meth:`Search.run` found.

    Args:
        labels: of its characters.
        score: the logarithm of its weighted probability.
        log_probability: the same without the weights.
    """

    labels: list[int]
    score: float
    log_probability: float


class _Tree(NamedTuple):
    """The prefixes met in one line.

    Args:
        prefixes: all of them, the empty one first.
        weights: what the probability of each was multiplied by when it grew.
        children: ``prefix * classes + label`` to the prefix that is longer by that label.
    """

    prefixes: list[_Prefix]
    weights: list[float]
    children: dict[int, int]
