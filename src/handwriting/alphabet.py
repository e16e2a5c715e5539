"""Characters and their labels.

An :class:`Alphabet` is an ordered list of characters; a character's label is its position there.
The null class, "no character here", is :data:`NULL`, the empty string. Where it is present it has
label 0, so it decodes to no text and doubles as the blank of CTC.
"""

import dataclasses
import string
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "ASCII",
    "DIGITS",
    "LETTERS",
    "LOWERCASE",
    "NULL",
    "UPPERCASE",
    "Alphabet",
    "Labels",
    "zone",
]

NULL = ""
Labels = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, init=False)
class Alphabet:
    """An ordered set of characters, each with its position as label.

    Args:
        characters: single Unicode characters (brought to NFC), each once; :data:`NULL` may stand
            at the front. A ``str`` is taken character by character.

    Raises:
        ValueError: an entry is longer than one character, a control character or half of a
            surrogate pair, or stands twice, or null is not first.

    Example:
        >>> vowels = Alphabet("aeiou")
        >>> vowels.encode("ie")
        array([2, 1])
        >>> vowels.decode([2, 1])
        'ie'
        >>> vowels.with_null().encode("ie")
        array([3, 2])
    """

    characters: tuple[str, ...]

    def __init__(self, characters: Iterable[str]) -> None:
        composed = tuple(unicodedata.normalize("NFC", character) for character in characters)
        for label, character in enumerate(composed):
            if len(character) > 1 or (character == NULL and label > 0):
                raise ValueError(
                    "an alphabet holds single characters, with the null class '' only at label 0, "
                    f"got {character!r} at label {label}"
                )
            if character and unicodedata.category(character) in ("Cc", "Cs"):
                raise ValueError(f"control characters cannot be written, got {character!r}")
        if len(set(composed)) < len(composed):
            twice = next(c for i, c in enumerate(composed) if c in composed[:i])
            raise ValueError(f"each character may stand once in an alphabet, got {twice!r} twice")
        object.__setattr__(self, "characters", composed)

    @property
    def has_null(self) -> bool:
        """Whether label 0 is the null class."""
        return NULL in self.characters

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {character: label for label, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def __iter__(self) -> Iterator[str]:
        return iter(self.characters)

    def __contains__(self, character: object) -> bool:
        return character in self._labels

    def __repr__(self) -> str:
        if self.has_null:
            return f"Alphabet({''.join(self.characters)!r}).with_null()"
        return f"Alphabet({''.join(self.characters)!r})"

    def with_null(self) -> "Alphabet":
        """The same characters with the null class at label 0."""
        return self if self.has_null else Alphabet((NULL, *self.characters))

    def encode(self, text: Iterable[str]) -> Labels:
        """Labels of a text, or of a sequence of characters.

        Args:
            text: a ``str`` (brought to NFC) or single characters; null is allowed among the latter.

        Returns:
            (length,) int64.

        Raises:
            ValueError: a character is not in the alphabet.
        """
        characters = unicodedata.normalize("NFC", text) if isinstance(text, str) else list(text)
        try:
            return np.array([self._labels[character] for character in characters], np.int64)
        except KeyError as error:
            raise ValueError(
                f"{error.args[0]!r} is not one of the {len(self)} characters of {self!r}"
            ) from None

    def decode(self, labels: ArrayLike) -> str:
        """Text of a sequence of labels; the null class adds nothing.

        Args:
            labels: (length,) integers in [0, len(alphabet)).

        Raises:
            ValueError: a label is out of range. Negative ones too: Keras pads decoded sequences
                with -1, which plain indexing would take for the last character.
        """
        array = np.asarray(labels)
        if array.size == 0:
            return ""
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise ValueError(
                f"labels must be integers of shape (length,), got {array.dtype} of {array.shape}"
            )
        if array.min() < 0 or array.max() >= len(self):
            raise ValueError(
                f"labels must lie in [0, {len(self)}), got {array.min()} to {array.max()}; "
                "cut padding off first"
            )
        return "".join(self.characters[label] for label in array.tolist())


DIGITS = Alphabet(string.digits)
UPPERCASE = Alphabet(string.ascii_uppercase)
LOWERCASE = Alphabet(string.ascii_lowercase)
LETTERS = Alphabet(string.ascii_letters)
ASCII = Alphabet(chr(code) for code in range(33, 127))

_ZONES = {
    **dict.fromkeys("acemnorsuvwxz", (0.62, 0.0)),
    **dict.fromkeys("gpqy", (0.62, -0.5)),
    **dict.fromkeys("bdfhkl\u00df\u0142\u0111", (1.0, 0.0)),  # and sharp s, l and d with a bar
    "\u00fe": (1.0, -0.5),  # thorn
    **dict.fromkeys("()[]{}|/\\", (1.05, -0.1)),
    "t": (0.9, 0.0),
    "i": (0.9, 0.0),
    "j": (0.9, -0.4),
    ".": (0.12, 0.0),
    ",": (0.15, -0.25),
    ":": (0.55, 0.0),
    ";": (0.55, -0.25),
    **dict.fromkeys("'\"\u2018\u2019\u201c\u201d", (1.0, 0.7)),  # straight and curved
    **dict.fromkeys("\u00ab\u00bb", (0.55, 0.1)),  # angled
    "\u00b0": (1.0, 0.65),  # degree
    "\u2026": (0.12, 0.0),  # ellipsis
    "`": (1.0, 0.75),
    "^": (1.0, 0.65),
    "*": (1.0, 0.5),
    **dict.fromkeys("-\u2013\u2014\u00b7", (0.45, 0.35)),  # hyphen, dashes, middle dot
    "~": (0.5, 0.3),
    "=": (0.55, 0.25),
    "_": (0.0, -0.1),
    "+": (0.65, 0.1),
    "<": (0.7, 0.05),
    ">": (0.7, 0.05),
}
_CAPITAL, _SMALL = (1.0, 0.0), (0.62, 0.0)


def zone(character: str) -> tuple[float, float]:
    """Where a character stands in its line, as handwriting roughly keeps to it.

    Returns:
        Its top and bottom above the base line, in heights of a capital letter.

    Example:
        >>> zone("A"), zone("g"), zone(",")
        ((1.0, 0.0), (0.62, -0.5), (0.15, -0.25))
    """
    if character in _ZONES:
        return _ZONES[character]
    base = unicodedata.normalize("NFD", character)[:1]
    top, bottom = _ZONES.get(base, _SMALL if base.islower() else _CAPITAL)
    return (top if base == character else max(top, 0.9) + 0.1 * (top >= 0.9), bottom)
