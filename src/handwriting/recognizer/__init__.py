"""Pictures in, text out.

A recognizer needs something that turns a batch of images into scores, and the alphabet of these
scores: :class:`CharacterRecognizer` for models of characters, :class:`LineRecognizer` for models of
lines. :func:`load` makes the right one of a model file, and :func:`read` reads with it at once.
"""

from handwriting.recognizer.characters import CharacterRecognizer
from handwriting.recognizer.lines import LineRecognizer
from handwriting.recognizer.load import Recognizer, load, network, read
from handwriting.recognizer.reading import UNREAD, Character, Line, Reading, Word

__all__ = [
    "UNREAD",
    "Character",
    "CharacterRecognizer",
    "Line",
    "LineRecognizer",
    "Reading",
    "Recognizer",
    "Word",
    "load",
    "network",
    "read",
]
