"""Connectionist temporal classification: from texts to targets, from scores to texts.

A model of lines gives for every time step a probability of each character, and of the blank: "no
new character here". A path, one class for each step, is read by joining equal neighbours and then
leaving out the blanks; the probability of a text is the sum over all paths that read so. Here the
blank is label 0, the null of :meth:`handwriting.alphabet.Alphabet.with_null`.

:func:`targets` makes of texts what a CTC loss takes. :func:`greedy` reads the best path;
:func:`beam` sums over paths, and can weigh in an :class:`Ngram` model of characters and a
:class:`Lexicon`. :func:`likelihood` tells how probable a text is.

    >>> import numpy as np
    >>> from handwriting.alphabet import Alphabet
    >>> path = np.eye(3)[[0, 1, 1, 0, 2, 0, 2, 2]]  # blank, a, a, blank, b, blank, b, b
    >>> greedy(path[None], Alphabet("ab"))[0].text
    'abb'

Source:
    A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber, "Connectionist Temporal Classification:
    Labelling Unsegmented Sequence Data with Recurrent Neural Networks", ICML 2006.
"""

from handwriting.ctc.decoding import beam, greedy, likelihood
from handwriting.ctc.hypothesis import Hypothesis
from handwriting.ctc.lexicon import Lexicon
from handwriting.ctc.ngram import Ngram
from handwriting.ctc.targets import Targets, steps_needed, targets

__all__ = [
    "Hypothesis",
    "Lexicon",
    "Ngram",
    "Targets",
    "beam",
    "greedy",
    "likelihood",
    "steps_needed",
    "targets",
]
