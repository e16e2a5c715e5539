"""What decoders give for one line."""

from typing import NamedTuple

__all__ = ["Hypothesis"]


class Hypothesis(NamedTuple):
    """A text that was read, and how sure that is.

    Args:
        text: what was read, k characters.
        probability: in [0, 1], under the model's scores alone. Of the best path where it comes from
            ``greedy``, which is at most that of the text; of the text, summed over the paths that
            the search kept, where it comes from ``beam``.
        score: what hypotheses were ordered by: the natural logarithm of ``probability``, plus what
            an n-gram model and a lexicon add.
        confidences: k numbers in [0, 1], the highest probability that each character has in its
            span.
        spans: k pairs (start, stop) of time steps, ``stop`` not included, in which the best path
            of the text writes each character.
    """

    text: str
    probability: float
    score: float
    confidences: tuple[float, ...]
    spans: tuple[tuple[int, int], ...]
