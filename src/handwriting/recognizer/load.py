"""Readers from model files."""

import os
from collections.abc import Iterable
from typing import Any, overload

from handwriting import ctc, preprocessing, pretrained
from handwriting.alphabet import Alphabet
from handwriting.files import StrPath
from handwriting.images import Picture
from handwriting.predictor import Facts, Predictor, View
from handwriting.recognizer.characters import CharacterRecognizer
from handwriting.recognizer.common import Search, as_lexicon
from handwriting.recognizer.lines import LineRecognizer
from handwriting.recognizer.reading import Reading

__all__ = ["Recognizer", "load", "network", "read"]

Recognizer = CharacterRecognizer | LineRecognizer


def load(
    path: StrPath,
    *,
    recipe: str | None = None,
    alphabet: Alphabet | None = None,
    search: Search | None = None,
) -> Recognizer:
    """Make a recognizer of a model file.

    Args:
        path: a ``.keras`` file that :func:`handwriting.models.save` wrote, as ``handwriting train``
            does, or an ``.onnx`` file of :func:`handwriting.export.onnx`, which needs no Keras; or
            the name of a network that comes with the package (``pretrained.NAMES``).
        recipe: takes the place of the one that the file names.
        alphabet: read these characters only (see :class:`handwriting.predictor.View`); all that the
            network knows if None.
        search: how a lexicon and n-grams weigh, as for :class:`LineRecognizer`.

    Raises:
        MissingDataError: no such file.
        CorruptFileError: damaged, or not written by this package.
        ValueError: the file names no recipe, and none is given; or the recipe makes images of
            another size; or the network does not know a character of the alphabet; or no such
            option of a search.
    """
    predictor, facts = network(path)
    if alphabet is not None:
        predictor = View(predictor, alphabet, facts)
        facts = predictor.facts
    name = recipe or facts.recipe
    if name is None:
        raise ValueError(f"{path} names no recipe; say with recipe how its images were made")
    if facts.lines:
        return LineRecognizer(predictor, facts.alphabet, facts.image_shape, name, search=search)
    preprocessing.check_makes(name, facts.image_shape)
    return CharacterRecognizer(predictor, facts.alphabet, name, search=search)


def network(path: StrPath) -> tuple[Any, Facts]:
    """A network and what its file says of it.

    Args:
        path: as for :func:`load`.

    Returns:
        A Keras model or a :class:`handwriting.predictor.Predictor`, such as
        :func:`handwriting.evaluation.predict` takes, and its facts.

    Raises:
        MissingDataError: no such file.
        CorruptFileError: damaged, or not written by this package.
        TypeError: ``path`` is neither a name nor a path.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"path must be the name of a network or a model file, got {type(path).__name__}; "
            "CharacterRecognizer and LineRecognizer take a Keras model"
        )
    file = pretrained.find(path)
    if file.suffix == ".onnx":
        predictor = Predictor(file)
        return predictor, predictor.facts
    from handwriting import models

    card = models.card(path)
    lines = card.model in models.LINE_NAMES
    return models.load(path), Facts(card.alphabet, card.image_shape, card.recipe, lines)


@overload
def read(
    picture: list[Any],
    *,
    model: StrPath | Recognizer = "lines",
    alphabet: Alphabet | None = None,
    cut: bool = True,
    allowlist: str | None = None,
    lexicon: ctc.Lexicon | Iterable[str] | None = None,
    ngram: ctc.Ngram | None = None,
    top_k: int = 1,
    min_confidence: float = 0.0,
) -> list[Reading]: ...
@overload
def read(
    picture: Picture,
    *,
    model: StrPath | Recognizer = "lines",
    alphabet: Alphabet | None = None,
    cut: bool = True,
    allowlist: str | None = None,
    lexicon: ctc.Lexicon | Iterable[str] | None = None,
    ngram: ctc.Ngram | None = None,
    top_k: int = 1,
    min_confidence: float = 0.0,
) -> Reading: ...
def read(
    picture: Picture,
    *,
    model: StrPath | Recognizer = "lines",
    alphabet: Alphabet | None = None,
    cut: bool = True,
    allowlist: str | None = None,
    lexicon: ctc.Lexicon | Iterable[str] | None = None,
    ngram: ctc.Ngram | None = None,
    top_k: int = 1,
    min_confidence: float = 0.0,
) -> Reading | list[Reading]:
    """Read a picture, or each of a list of them.

    Args:
        picture: a path, bytes, a Pillow image or an array of either polarity (see
            :func:`handwriting.images.to_gray`), or a list of these.
        model: a model file, a recognizer, or the name of a network that comes with the package: one
            that reads lines of Latin handwriting if nothing is said.
        alphabet: as for :func:`load`, where ``model`` is no recognizer.
        cut: find lines (or characters) in each picture; else the whole of it is one.
        allowlist: the characters that can stand in the picture; all of the model's if None.
        lexicon: words that are likely; others can still be read.
        ngram: a model of characters.
        top_k: how many alternatives to tell.
        min_confidence: in [0, 1]; characters that are less sure are ``recognizer.UNREAD``.

    Returns:
        A reading, or a list of them for a list.

    Raises:
        HandwritingError: a picture or the model cannot be read.
        TypeError: ``model`` is neither a model file nor a recognizer.
        ValueError: an option does not fit.
    """
    recognizer = load(model, alphabet=alphabet) if isinstance(model, str | os.PathLike) else model
    if not isinstance(recognizer, CharacterRecognizer | LineRecognizer):
        raise TypeError(
            "model must be a model file or a recognizer, got "
            f"{type(model).__name__}; make one of it with CharacterRecognizer or LineRecognizer"
        )
    if alphabet is not None and recognizer is model:
        raise ValueError("alphabet is for a model file or a name; a recognizer has its own")
    options: dict[str, Any] = {
        "cut": cut,
        "allowlist": allowlist,
        "lexicon": as_lexicon(lexicon, recognizer.alphabet),
        "ngram": ngram,
        "top_k": top_k,
        "min_confidence": min_confidence,
    }
    if isinstance(picture, list):
        return [recognizer.read(each, **options) for each in picture]
    return recognizer.read(picture, **options)
