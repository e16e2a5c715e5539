"""Reading line by line."""

import itertools
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handwriting import ctc, evaluation, images, preprocessing, segmentation
from handwriting.alphabet import Alphabet
from handwriting.ctc import Hypothesis
from handwriting.images import Image, Picture
from handwriting.preprocessing import LineRecipe, Polarity
from handwriting.recognizer.common import (
    Scores,
    Search,
    allowed,
    as_lexicon,
    check_least,
    check_search,
    check_top,
    ink_box,
    name_of,
    probabilities,
)
from handwriting.recognizer.reading import Character, Line, Reading, Word, mark_unsure
from handwriting.segmentation import Box

__all__ = ["LineRecognizer"]


class LineRecognizer:
    """Reads pages line by line: cut into lines, bring to size, score, decode.

    Args:
        predictor: a Keras model, or any function of a (n, h, w) uint8 batch that gives
            (n, steps, classes) probabilities, the blank's first, or scores of which a softmax makes
            such. Time goes from the left to the right of the image, in equal steps.
        alphabet: the characters of the classes; null is put at label 0 where it is not there.
        image_shape: (h, w) of the images that the predictor takes; w is None where it takes any
            that is a multiple of 4. Then no line is made narrower than it is.
        recipe: a name in :data:`handwriting.preprocessing.LINE_RECIPES`, the one that the model's
            training images were made with.
        margin: paper to leave around a line that was found, in heights of the line; that of the
            recipe if None. Ready-cut lines stay as they are.
        batch_size: lines a batch.
        search: options of :func:`handwriting.ctc.beam` where there is a lexicon, an n-gram model or
            more than one alternative: ``width``, ``ngram_weight``, ``character_bonus``,
            ``lexicon_weight``, ``closed``.

    Raises:
        ValueError: no such recipe or option, or ``margin`` is below 0.

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
        image_shape: tuple[int, int | None],
        recipe: str = "line",
        *,
        margin: float | None = None,
        batch_size: int = 32,
        search: Search | None = None,
    ) -> None:
        self.alphabet, self.image_shape = alphabet.with_null(), image_shape
        self.recipe = preprocessing.find_line_recipe(recipe)
        self._margin = self.recipe.margin if margin is None else margin
        if not self._margin >= 0:
            raise ValueError(f"margin must be at least 0, got {margin}")
        self._predictor, self._batch_size = predictor, batch_size
        self._search = check_search(search)

    def read(
        self,
        picture: Picture,
        *,
        cut: bool = True,
        allowlist: str | None = None,
        lexicon: ctc.Lexicon | Iterable[str] | None = None,
        ngram: ctc.Ngram | None = None,
        top_k: int = 1,
        min_confidence: float = 0.0,
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
            min_confidence: in [0, 1]; characters that are less sure are unread (:data:`UNREAD`).
            polarity: as for :func:`handwriting.segmentation.find_ink`.
            page: of a file that has several, from 0.

        Raises:
            HandwritingError: the picture cannot be read (see ``to_gray``), or the predictor gives
                NaN or infinity.
            ValueError: an option does not fit.
        """
        check_least(min_confidence)
        gray = images.to_gray(picture, page=page)
        taken = self._found(gray, polarity) if cut else [_whole(gray, polarity, self.recipe)]
        lines = self._read(taken, allowlist, lexicon, ngram, top_k)
        marked = tuple(mark_unsure(line, min_confidence) for line in lines if line.words)
        return Reading(marked, gray, name_of(picture))

    def read_crops(
        self,
        pictures: Sequence[Picture],
        *,
        allowlist: str | None = None,
        lexicon: ctc.Lexicon | Iterable[str] | None = None,
        ngram: ctc.Ngram | None = None,
        top_k: int = 1,
        min_confidence: float = 0.0,
        polarity: Polarity = "auto",
    ) -> list[Line]:
        """Read pictures of single lines, in batches, without cutting them.

        Args:
            pictures: n of what :func:`handwriting.images.to_gray` takes.
            allowlist: as for :meth:`read`.
            lexicon: as for :meth:`read`.
            ngram: as for :meth:`read`.
            top_k: as for :meth:`read`.
            min_confidence: as for :meth:`read`.
            polarity: as for :func:`handwriting.preprocessing.to_ink`.

        Returns:
            n lines, without words where nothing was read.
        """
        check_least(min_confidence)
        taken = [_whole(images.to_gray(each), polarity, self.recipe) for each in pictures]
        lines = self._read(taken, allowlist, lexicon, ngram, top_k)
        return [mark_unsure(line, min_confidence) for line in lines]

    def crops(
        self, picture: Picture, *, polarity: Polarity = "auto", page: int | None = None
    ) -> list[Image]:
        """The lines that :meth:`read` finds in a picture, as it sees them.

        To keep them, correct what was read in them and train on
        (:mod:`handwriting.datasets.transcripts`): ``read_crops(crops, polarity="light")`` reads
        them as :meth:`read` does.

        Args:
            picture: as for :meth:`read`.
            polarity: as for :meth:`read`.
            page: as for :meth:`read`.

        Returns:
            (h, w) uint8 each, ink on paper 0 with the margin around it, in reading order.

        Raises:
            HandwritingError: the picture cannot be read.
        """
        gray = images.to_gray(picture, page=page)
        return [each.image for each in self._found(gray, polarity)]

    def _found(self, gray: Image, polarity: Polarity) -> list["_Taken"]:
        """The lines of a picture with the paper around them.

        Those that are lower than most, because they have no descenders or hold a dash alone, get
        so much more that their letters come out as large as those of the others.
        """
        if self.recipe.rules:
            ink, rules = segmentation.find_ink_and_rules(gray, polarity)
        else:
            ink, rules = segmentation.find_ink(gray, polarity), None
        lines = segmentation.find_lines(ink)
        usual = statistics.median_low([line.box.height for line in lines] or [0])
        found = []
        for line in lines:
            margin = round(self._margin * line.box.height)
            more = max(0, usual - line.box.height)
            above = margin + more // 2
            own = np.pad(line.image, ((above, margin + more - more // 2), (margin, margin)))
            top, left = line.box.top - above, line.box.left - margin
            image = own if rules is None else _on(own, rules, top, left)
            found.append(_Taken(image, own, top, left))
        return found

    def _read(
        self,
        taken: list["_Taken"],
        allowlist: str | None,
        lexicon: ctc.Lexicon | Iterable[str] | None,
        ngram: ctc.Ngram | None,
        top_k: int,
    ) -> list[Line]:
        check_top(top_k)
        mask = allowed(self.alphabet, allowlist)
        if not taken:
            return []
        fitted = [
            preprocessing.fit_line(each.image, self.image_shape, fit=self.recipe.fit)
            for each in taken
        ]
        lines: dict[int, Line] = {}
        for part in self._parts([width for _, width in fitted]):
            scores, steps, pixels = self._scores([fitted[i] for i in part])
            found = self._decoded(probabilities(scores, mask), steps, lexicon, ngram, top_k)
            for i, hypotheses in zip(part, found, strict=True):
                column = taken[i].image.shape[1] * pixels / fitted[i][1]
                lines[i] = _line(hypotheses, taken[i], column)
        return [lines[i] for i in range(len(taken))]

    def _parts(self, widths: list[int]) -> Iterator[list[int]]:
        """Positions of lines that are read together: they take up images of one width.

        What paper follows a line changes a little what is read in it, so lines that happen to stand
        on one page must not decide over that.
        """
        places = [self._width(width) for width in widths]
        order = sorted(range(len(widths)), key=lambda i: places[i])
        for _, alike in itertools.groupby(order, key=lambda i: places[i]):
            part = list(alike)
            for start in range(0, len(part), self._batch_size):
                yield part[start : start + self._batch_size]

    def _width(self, width: int) -> int:
        """The width of the image for a line of some width."""
        return self.image_shape[1] or -(-width // _UNIT) * _UNIT

    def _scores(
        self, fitted: list[tuple[Image, int]]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], float]:
        """Scores of some lines, how many steps each takes up, and how wide a step is in pixels."""
        widths = np.array([width for _, width in fitted])
        whole = self._width(int(widths.max()))
        batch = np.stack([np.pad(i, ((0, 0), (0, whole - i.shape[1]))) for i, _ in fitted])
        scores = evaluation.predict(self._predictor, batch, batch_size=self._batch_size)
        fits = scores.ndim == 3 and scores.shape[::2] == (len(fitted), len(self.alphabet))
        if not fits or not scores.size:
            raise ValueError(
                f"the predictor must give scores of shape ({len(fitted)}, steps, "
                f"{len(self.alphabet)}), one for each character of {self.alphabet!r}, got "
                f"{scores.shape}"
            )
        return scores, -(-widths * scores.shape[1] // whole), whole / scores.shape[1]

    def _decoded(
        self,
        scores: Scores,
        steps: NDArray[np.int64],
        lexicon: ctc.Lexicon | Iterable[str] | None,
        ngram: ctc.Ngram | None,
        top_k: int,
    ) -> list[list[Hypothesis]]:
        if lexicon is None and ngram is None and top_k == 1:
            read = ctc.greedy(scores, self.alphabet, lengths=steps)
            texts = [each.text for each in read]
            sure = ctc.likelihood(scores, texts, self.alphabet, lengths=steps).tolist()
            return [[each._replace(probability=p)] for each, p in zip(read, sure, strict=True)]
        return ctc.beam(
            scores,
            self.alphabet,
            lengths=steps,
            n_best=top_k,
            ngram=ngram,
            lexicon=as_lexicon(lexicon, self.alphabet),
            **self._search,
        )


_UNIT = 32  # of the widths that a network of any width is given: few different ones


class _Taken(NamedTuple):
    """A line taken from a picture.

    Args:
        image: (h, w) ink on paper, as the predictor's images had it.
        ink: (h, w) the same on paper that is exactly 0.
        top: row of the picture that the image begins at.
        left: column that it begins at.
    """

    image: Image
    ink: Image
    top: int
    left: int


def _on(line: Image, rules: Image, top: int, left: int) -> Image:
    """A line with the rules that run through its image, which begins at that row and column."""
    image = line.copy()
    rows = slice(max(0, top), max(0, top + len(line)))
    columns = slice(max(0, left), max(0, left + line.shape[1]))
    part = rules[rows, columns]
    place = image[rows.start - top :, columns.start - left :][: part.shape[0], : part.shape[1]]
    np.maximum(place, part, out=place)
    return image


def _whole(gray: Image, polarity: Polarity, recipe: LineRecipe) -> _Taken:
    """A ready-cut line with white paper; of forms it stays as it came, where it is white enough."""
    image = preprocessing.to_ink(gray, polarity)
    if not recipe.clean and preprocessing.is_clean(image):
        return _Taken(image, preprocessing.clean(image), 0, 0)
    found = (
        preprocessing.is_clean(image) and image[image > 0].min(initial=255) >= segmentation.FAINTEST
    )
    if not found:  # nor was it cut from a page, whose ink is as dark
        image = segmentation.find_ink(image, "light", sheet=False, rules=False)
    return _Taken(image, image, 0, 0)


def _line(hypotheses: list[Hypothesis], taken: _Taken, step: float) -> Line:
    """A line with the boxes of its characters.

    Args:
        hypotheses: best first.
        taken: the line.
        step: its columns for each time step.
    """
    ink, origin = taken.ink, (taken.top, taken.left)
    whole = ink_box(ink)
    if not ink.any():
        return Line((), whole.moved(*origin), 1.0)
    best = hypotheses[0]
    columns = _columns(best.spans, whole, step)
    characters = [
        Character(
            text, _place(ink, whole, *edges).moved(*origin), confidence, ((text, confidence),)
        )
        for text, confidence, edges in zip(best.text, best.confidences, columns, strict=True)
    ]
    words: list[list[Character]] = [[]]
    for character in characters:
        if character.text == " ":
            words.append([])
        else:
            words[-1].append(character)
    ranked: dict[str, float] = {}  # as a line's text is, which begins and ends with a word
    for each in hypotheses:
        text = " ".join(each.text.split())
        ranked[text] = ranked.get(text, 0.0) + each.probability
    found = tuple(Word(tuple(word)) for word in words if word)
    confidence = next(iter(ranked.values()))
    return Line(found, whole.moved(*origin), confidence, tuple(ranked.items()))


def _columns(spans: Sequence[tuple[int, int]], whole: Box, step: float) -> list[tuple[int, int]]:
    """Where each character begins and ends: CTC tells where it is seen, not how wide it is."""
    if not spans:
        return []
    middles = [step * (start + stop) / 2 for start, stop in spans]
    cuts = [round((one + other) / 2) for one, other in itertools.pairwise(middles)]
    inner = np.clip(cuts, whole.left, whole.right - 1).astype(int).tolist()
    edges = [whole.left, *inner, whole.right]
    return [(start, max(start + 1, stop)) for start, stop in itertools.pairwise(edges)]


def _place(ink: Image, whole: Box, left: int, right: int) -> Box:
    """The ink between two columns; the height of the line where there is none."""
    rows = np.flatnonzero(ink[:, left:right].any(axis=1))
    if not len(rows):
        return Box(whole.top, left, whole.bottom, right)
    return ink_box(ink[:, left:right]).moved(0, left)
