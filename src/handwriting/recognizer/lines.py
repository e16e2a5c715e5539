"""Reading line by line."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handwriting import ctc, evaluation, images, preprocessing, segmentation
from handwriting.alphabet import Alphabet
from handwriting.ctc import Hypothesis
from handwriting.images import Image, Picture
from handwriting.preprocessing import Polarity
from handwriting.recognizer.common import Scores, allowed, check_top, ink_box, name_of, normalized
from handwriting.recognizer.reading import Character, Line, Reading, Word
from handwriting.segmentation import Box

__all__ = ["LineRecognizer"]


class LineRecognizer:
    """Reads pages line by line: cut into lines, bring to size, score, decode.

    Args:
        predictor: a Keras model, or any function of a (n, h, w) uint8 batch that gives
            (n, steps, classes) probabilities, the blank's first, or scores of which a softmax makes
            such. Time goes from the left to the right of the image, in equal steps.
        alphabet: the characters of the classes; null is put at label 0 where it is not there.
        image_shape: (h, w) of the images that the predictor takes.
        recipe: a name in :data:`handwriting.preprocessing.LINE_RECIPES`, the one that the model's
            training images were made with.
        margin: paper to leave around a line that was found, in heights of the line; as much as
            there is around those that the model learned from. Ready-cut lines stay as they are.
        batch_size: lines a batch.

    Raises:
        ValueError: no such recipe, or ``margin`` is below 0.

    Example:
        >>> def predictor(images):  # ink at the left is an A, then comes an N
        ...     scores = np.full((len(images), 4, 3), 0.01)
        ...     scores[:, range(4), [1, 0, 2, 0]] = 0.98
        ...     return scores
        >>> page = np.full((60, 120), 255, np.uint8)
        >>> page[20:40, 20:100:10] = 0
        >>> recognizer = LineRecognizer(predictor, Alphabet("AN"), (32, 128))
        >>> recognizer.read(page).text
        'AN'
    """

    def __init__(
        self,
        predictor: Any,
        alphabet: Alphabet,
        image_shape: tuple[int, int],
        recipe: str = "line",
        *,
        margin: float = 0.4,
        batch_size: int = 32,
    ) -> None:
        if margin < 0:
            raise ValueError(f"margin must be at least 0, got {margin}")
        self.alphabet, self.image_shape = alphabet.with_null(), image_shape
        self.recipe = preprocessing.find_line_recipe(recipe)
        self._predictor, self._margin, self._batch_size = predictor, margin, batch_size

    def read(
        self,
        picture: Picture,
        *,
        cut: bool = True,
        allowlist: str | None = None,
        lexicon: ctc.Lexicon | Iterable[str] | None = None,
        ngram: ctc.Ngram | None = None,
        top_k: int = 1,
        polarity: Polarity = "auto",
        page: int | None = None,
    ) -> Reading:
        """Read a picture.

        Args:
            picture: what :func:`handwriting.images.to_gray` takes.
            cut: find the lines in the picture; else the whole of it is one line.
            allowlist: the characters that can stand in the picture, a space where there are several
                words; all of the alphabet if None.
            lexicon: words that are likely; others can still be read.
            ngram: a model of characters, of this alphabet.
            top_k: alternatives of each line.
            polarity: as for :func:`handwriting.segmentation.find_ink`.
            page: of a file that has several, from 0.

        Raises:
            HandwritingError: the picture cannot be read (see ``to_gray``), or the predictor gives
                NaN or infinity.
            ValueError: an option does not fit.
        """
        gray = images.to_gray(picture, page=page)
        inks = self._found(gray, polarity) if cut else [_whole(gray, polarity)]
        lines = self._read(inks, allowlist, lexicon, ngram, top_k)
        return Reading(tuple(line for line in lines if line.words), gray, name_of(picture))

    def read_crops(
        self,
        pictures: Sequence[Picture],
        *,
        allowlist: str | None = None,
        lexicon: ctc.Lexicon | Iterable[str] | None = None,
        ngram: ctc.Ngram | None = None,
        top_k: int = 1,
        polarity: Polarity = "auto",
    ) -> list[Line]:
        """Read pictures of single lines, in batches, without cutting them.

        Args:
            pictures: n of what :func:`handwriting.images.to_gray` takes.
            allowlist: as for :meth:`read`.
            lexicon: as for :meth:`read`.
            ngram: as for :meth:`read`.
            top_k: as for :meth:`read`.
            polarity: as for :func:`handwriting.preprocessing.to_ink`.

        Returns:
            n lines, without words where nothing was read.
        """
        inks = [_whole(images.to_gray(each), polarity) for each in pictures]
        return self._read(inks, allowlist, lexicon, ngram, top_k)

    def _found(self, gray: Image, polarity: Polarity) -> list[tuple[Image, Box]]:
        """The lines of a picture with the paper around them, and where they stand."""
        found = []
        for line in segmentation.find_lines(segmentation.find_ink(gray, polarity)):
            box, margin = line.box, round(self._margin * line.box.height)
            place = Box(
                box.top - margin, box.left - margin, box.bottom + margin, box.right + margin
            )
            found.append((np.pad(line.image, margin), place))
        return found

    def _read(
        self,
        inks: list[tuple[Image, Box]],
        allowlist: str | None,
        lexicon: ctc.Lexicon | Iterable[str] | None,
        ngram: ctc.Ngram | None,
        top_k: int,
    ) -> list[Line]:
        check_top(top_k)
        mask = allowed(self.alphabet, allowlist)
        if not inks:
            return []
        fitted = [
            preprocessing.fit_line(ink, self.image_shape, fit=self.recipe.fit) for ink, _ in inks
        ]
        batch = np.stack([image for image, _ in fitted])
        scores = evaluation.predict(self._predictor, batch, batch_size=self._batch_size)
        if scores.ndim != 3 or scores.shape[::2] != (len(inks), len(self.alphabet)):
            raise ValueError(
                f"the predictor must give scores of shape ({len(inks)}, steps, "
                f"{len(self.alphabet)}), one for each character of {self.alphabet!r}, got "
                f"{scores.shape}"
            )
        probabilities = normalized(scores) * mask
        probabilities /= np.maximum(probabilities.sum(axis=2, keepdims=True), 1e-300)
        widths = np.array([width for _, width in fitted])
        steps = -(-widths * scores.shape[1] // self.image_shape[1])
        found = self._decoded(probabilities, steps, lexicon, ngram, top_k)
        columns = [
            len(ink[0]) * self.image_shape[1] / scores.shape[1] / width
            for (ink, _), width in zip(inks, widths.tolist(), strict=True)
        ]
        return [
            _line(hypotheses, ink, box, step)
            for hypotheses, (ink, box), step in zip(found, inks, columns, strict=True)
        ]

    def _decoded(
        self,
        probabilities: Scores,
        steps: NDArray[np.int64],
        lexicon: ctc.Lexicon | Iterable[str] | None,
        ngram: ctc.Ngram | None,
        top_k: int,
    ) -> list[list[Hypothesis]]:
        if lexicon is None and ngram is None and top_k == 1:
            return [[each] for each in ctc.greedy(probabilities, self.alphabet, lengths=steps)]
        if lexicon is not None and not isinstance(lexicon, ctc.Lexicon):
            lexicon = ctc.Lexicon(list(lexicon), self.alphabet)
        return ctc.beam(
            probabilities, self.alphabet, lengths=steps, n_best=top_k, ngram=ngram, lexicon=lexicon
        )


def _whole(gray: Image, polarity: Polarity) -> tuple[Image, Box]:
    return preprocessing.to_ink(gray, polarity), Box(0, 0, *gray.shape)


def _line(hypotheses: list[Hypothesis], ink: Image, box: Box, step: float) -> Line:
    """A line with the boxes of its characters.

    Args:
        hypotheses: best first.
        ink: (h, w) of the line.
        box: where the image of the line stands in the picture.
        step: columns of the line for each time step.
    """
    best = hypotheses[0]
    characters = [
        Character(
            text,
            _place(ink, start, stop).moved(box.top, box.left),
            confidence,
            ((text, confidence),),
        )
        for text, confidence, (start, stop) in zip(
            best.text, best.confidences, _columns(best.spans, ink.shape[1], step), strict=True
        )
    ]
    words: list[list[Character]] = [[]]
    for character in characters:
        if character.text == " ":
            words.append([])
        else:
            words[-1].append(character)
    ranked = tuple((each.text, each.probability) for each in hypotheses)
    whole = ink_box(ink).moved(box.top, box.left)
    return Line(tuple(Word(tuple(word)) for word in words if word), whole, best.probability, ranked)


def _columns(spans: Sequence[tuple[int, int]], width: int, step: float) -> list[tuple[int, int]]:
    """First and last column of each character: CTC tells where it is seen, not how wide it is."""
    middles = [step * (start + stop) / 2 for start, stop in spans]
    cuts = [(one + other) / 2 for one, other in itertools.pairwise(middles)]
    edges = [0, *(min(width - 1, max(0, round(cut))) for cut in cuts), width]
    return [(start, max(start + 1, stop)) for start, stop in itertools.pairwise(edges)]


def _place(ink: Image, left: int, right: int) -> Box:
    """The ink between two columns, or all of it where there is none."""
    inner = ink_box(ink[:, left:right])
    return inner.moved(0, left)
