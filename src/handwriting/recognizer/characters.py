"""Reading character by character."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from handwriting import ctc, evaluation, images, preprocessing, segmentation
from handwriting.alphabet import NULL, Alphabet
from handwriting.images import Image, Picture
from handwriting.preprocessing import Polarity
from handwriting.recognizer import context
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
from handwriting.recognizer.reading import (
    Character,
    Line,
    Reading,
    Word,
    mark_unsure,
    marked,
)
from handwriting.segmentation import Box, Segment

__all__ = ["CharacterRecognizer"]

# More than for lines: their models know how characters follow one another, and shapes do not.
_LEXICON_WEIGHT = 4.0


class CharacterRecognizer:
    """Reads pages whose characters stand apart: cut, normalize, classify, use the context.

    Args:
        predictor: a Keras model, or any function of a (n, h, w) uint8 batch that gives
            (n, classes) probabilities, or scores of which a softmax makes such.
        alphabet: the characters of the classes. Null and space, where they are among them, are what
            is no character.
        recipe: a name in :data:`handwriting.preprocessing.RECIPES`, the one that the model's
            training images were made with.
        batch_size: images a batch.
        search: options of :func:`handwriting.ctc.beam` where there is a lexicon or an n-gram model,
            as for :class:`handwriting.recognizer.LineRecognizer`.

    Raises:
        ValueError: no such recipe or option.

    Example:
        >>> from handwriting.alphabet import DIGITS
        >>> wide_is_zero = lambda ink: np.eye(10)[(ink.any(axis=1).sum(axis=1) < 14) * 1]
        >>> page = np.full((60, 120), 255, np.uint8)
        >>> page[20:40, 20:40] = page[20:40, 50:55] = 0
        >>> reading = CharacterRecognizer(wide_is_zero, DIGITS).read(page)
        >>> reading.text, reading.characters[0].box
        ('01', Box(top=20, left=20, bottom=40, right=40))
    """

    def __init__(
        self,
        predictor: Any,
        alphabet: Alphabet,
        recipe: str = "mnist",
        *,
        batch_size: int = 1024,
        search: Search | None = None,
    ) -> None:
        self.alphabet, self.recipe = alphabet, preprocessing.find_recipe(recipe)
        self._predictor, self._batch_size = predictor, batch_size
        self._search = {"lexicon_weight": _LEXICON_WEIGHT, **check_search(search)}
        self._empty = np.array([not character.strip() for character in alphabet])

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
            cut: find the characters in the picture; else the whole of it is one character.
            allowlist: the characters that can stand in the picture; all of the alphabet if None.
            lexicon: words that are likely; others can still be read.
            ngram: a model of characters, of this alphabet with null.
            top_k: alternatives of each character, and of each word where there is a lexicon or an
                n-gram model.
            min_confidence: in [0, 1]; characters that are less sure, given their neighbors and the
                words, are unread (:data:`UNREAD`).
            polarity: as for :func:`handwriting.segmentation.find_ink`.
            page: of a file that has several, from 0.

        Raises:
            HandwritingError: the picture cannot be read (see ``to_gray``), or the predictor gives
                NaN or infinity.
            ValueError: an option does not fit.
        """
        check_top(top_k)
        check_least(min_confidence)
        gray = images.to_gray(picture, page=page)
        if not cut:
            only = self.read_crops(
                [gray],
                allowlist=allowlist,
                top_k=top_k,
                min_confidence=min_confidence,
                polarity=polarity,
            )[0]
            written = only.text.strip()
            whole = [Line((Word((only,)),), only.box, only.confidence)] if written else []
            return Reading(tuple(whole), gray, name_of(picture))
        lines = segmentation.segment(gray, polarity=polarity)
        found = [c for line in lines for word in line.parts for c in word.parts]
        scores = self._probabilities([self._prepared(c.image) for c in found], allowlist)
        rows = iter(scores)
        taken = [[[(c, next(rows)) for c in word.parts] for word in line.parts] for line in lines]
        known = as_lexicon(lexicon, self.alphabet)
        read = [
            self._line(line, words, known, ngram, top_k)
            for line, words in zip(lines, taken, strict=True)
        ]
        marked = tuple(mark_unsure(line, min_confidence) for line in read if line.words)
        return Reading(marked, gray, name_of(picture))

    def read_crops(
        self,
        pictures: Sequence[Picture],
        *,
        allowlist: str | None = None,
        top_k: int = 1,
        min_confidence: float = 0.0,
        polarity: Polarity = "auto",
    ) -> list[Character]:
        """Read pictures of single characters, all in one batch, without cutting them.

        Args:
            pictures: n of what :func:`handwriting.images.to_gray` takes.
            allowlist: as for :meth:`read`.
            top_k: as for :meth:`read`.
            min_confidence: as for :meth:`read`.
            polarity: as for :func:`handwriting.preprocessing.to_ink`.

        Returns:
            n characters, whose boxes are around the whole ink; null, ``""``, where there is none.
        """
        check_top(top_k)
        check_least(min_confidence)
        inks = [preprocessing.to_ink(images.to_gray(each), polarity) for each in pictures]
        prepared = [preprocessing.clean(ink) for ink in inks]
        batch = [preprocessing.normalize(ink, self.recipe) for ink in prepared]
        scores = self._probabilities(batch, allowlist)
        return [
            marked(self._character(row, ink_box(ink), top_k), min_confidence)
            if ink.any()
            else _nothing(ink)
            for row, ink in zip(scores, prepared, strict=True)
        ]

    def _prepared(self, ink: Image) -> Image:
        # With paper around it, or a bar that fills its box would be taken for paper.
        margin = max(ink.shape) // 2 + 1
        return preprocessing.normalize(preprocessing.clean(np.pad(ink, margin)), self.recipe)

    def _probabilities(self, batch: list[Image], allowlist: str | None) -> Scores:
        """(n, classes) probabilities; those of characters that are not allowed are 0."""
        mask = allowed(self.alphabet, allowlist)
        if not batch:
            return np.zeros((0, len(self.alphabet)))
        scores = evaluation.predict(self._predictor, np.stack(batch), batch_size=self._batch_size)
        if scores.shape != (len(batch), len(self.alphabet)):
            raise ValueError(
                f"the predictor must give scores of shape {(len(batch), len(self.alphabet))}, one "
                f"for each character of {self.alphabet!r}, got {scores.shape}"
            )
        return probabilities(scores, mask)

    def _line(
        self,
        line: Segment,
        words: list[list[tuple[Segment, Scores]]],
        lexicon: ctc.Lexicon | None,
        ngram: ctc.Ngram | None,
        top_k: int,
    ) -> Line:
        """A line of the characters that are some, each given the others."""
        words = [[(c, row) for c, row in word if not self._empty[row.argmax()]] for word in words]
        words = [word for word in words if word]
        if not words:
            return Line((), line.box, 0.0)
        boxes = [[c.box for c, _ in word] for word in words]
        rows = [np.stack([row * ~self._empty for _, row in word]) for word in words]
        settled = context.settle(rows, boxes, self.alphabet)
        if lexicon is None and ngram is None:
            read = [
                Word(tuple(map(self._character, scores, places, [top_k] * len(places))))
                for scores, places in zip(settled, boxes, strict=True)
            ]
        else:
            read = self._searched(settled, boxes, lexicon, ngram, top_k)
        return Line(tuple(read), line.box, math.prod(word.confidence for word in read))

    def _character(self, row: Scores, box: Box, top_k: int) -> Character:
        best = np.argsort(-row, kind="stable")[:top_k].tolist()
        ranked = [(self.alphabet.characters[label], float(row[label])) for label in best]
        ranked = [pair for pair in ranked if pair[1] > 0] or ranked[:1]
        return Character(*ranked[0][:1], box, ranked[0][1], tuple(ranked))

    def _searched(
        self,
        words: list[Scores],
        boxes: list[list[Box]],
        lexicon: ctc.Lexicon | None,
        ngram: ctc.Ngram | None,
        top_k: int,
    ) -> list[Word]:
        """Words that are known, or made of what is known of words.

        A character is a time step of CTC, and after each comes a blank for certain.
        """
        alphabet = self.alphabet.with_null()
        own = np.flatnonzero(~self._empty)
        columns = alphabet.encode([self.alphabet.characters[label] for label in own])
        lengths = np.array([2 * len(word) for word in words])
        scores = np.zeros((len(words), lengths.max(), len(alphabet)))
        scores[:, :, 0] = 1
        for steps, word in zip(scores, words, strict=True):
            steps[: 2 * len(word) : 2, 0] = 0
            steps[: 2 * len(word) : 2, columns] = word[:, own] / word.sum(axis=1, keepdims=True)
        found = ctc.beam(
            scores,
            alphabet,
            lengths=lengths,
            n_best=top_k,
            ngram=ngram,
            lexicon=lexicon,
            **self._search,
        )
        return [
            self._known_word(hypotheses, word, places, top_k)
            for hypotheses, word, places in zip(found, words, boxes, strict=True)
        ]

    def _known_word(
        self, hypotheses: list[ctc.Hypothesis], rows: Scores, boxes: list[Box], top_k: int
    ) -> Word:
        characters = []
        if len(hypotheses[0].text) != len(rows):  # no word of a closed lexicon fits
            return Word(
                tuple(
                    marked(self._character(row, box, top_k), math.inf)
                    for row, box in zip(rows, boxes, strict=True)
                )
            )
        for text, row, box in zip(hypotheses[0].text, rows, boxes, strict=True):
            probability = float(row[self.alphabet.encode(text)[0]])
            others = self._character(row, box, top_k).alternatives
            others = ((text, probability), *(pair for pair in others if pair[0] != text))
            characters.append(Character(text, box, probability, others[:top_k]))
        present = float(rows.sum(axis=1).prod())
        ranked = tuple((each.text, each.probability * present) for each in hypotheses)
        return Word(tuple(characters), ranked)


def _nothing(ink: Image) -> Character:
    return Character(NULL, ink_box(ink), 1.0, ((NULL, 1.0),))
