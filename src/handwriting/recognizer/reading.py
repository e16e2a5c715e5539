"""What was read in a picture, and the forms it can be written in."""

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from handwriting.files import StrPath, replacing
from handwriting.images import Image
from handwriting.segmentation import Box

__all__ = [
    "UNREAD",
    "Alternative",
    "Character",
    "Line",
    "Reading",
    "Word",
    "around",
    "mark_unsure",
    "marked",
]

UNREAD = "\N{REPLACEMENT CHARACTER}"
"""The text of a character that is there and was not read surely enough."""

Alternative = tuple[str, float]
"""A text and its probability, in [0, 1]."""


@dataclasses.dataclass(frozen=True)
class Character:
    """One character that was read.

    Args:
        text: the character; :data:`UNREAD` where it was not read surely enough.
        box: where it stands, in pixels of the picture.
        confidence: probability that it is right, in [0, 1], as the model sees it; 0 where it is
            unread.
        alternatives: what else it can be, itself first, from the most probable on; where it is
            unread, what it was taken for.
    """

    text: str
    box: Box
    confidence: float
    alternatives: tuple[Alternative, ...] = ()


@dataclasses.dataclass(frozen=True)
class Word:
    """One word that was read.

    Args:
        characters: at least one.
        alternatives: what else it can be, itself first, where a search gave several; where one of
            its characters is unread, what it was taken for.
    """

    characters: tuple[Character, ...]
    alternatives: tuple[Alternative, ...] = ()

    @property
    def text(self) -> str:
        """Its characters."""
        return "".join(character.text for character in self.characters)

    @property
    def box(self) -> Box:
        """Around all characters."""
        return around(character.box for character in self.characters)

    @property
    def confidence(self) -> float:
        """Probability that all characters are right, as if they were so independently."""
        return math.prod(character.confidence for character in self.characters)


@dataclasses.dataclass(frozen=True)
class Line:
    """One line that was read.

    Args:
        words: in reading order; none where nothing was read.
        box: around the ink of the line.
        confidence: probability that the whole line is right, in [0, 1].
        alternatives: other texts of it with the probabilities that the model gives them, itself
            first, and then as the search ranks them, which an n-gram model and a lexicon have a
            part in; where one of its characters is unread, what it was taken for.
    """

    words: tuple[Word, ...]
    box: Box
    confidence: float
    alternatives: tuple[Alternative, ...] = ()

    @property
    def text(self) -> str:
        """Its words, with a space between each two."""
        return " ".join(word.text for word in self.words)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reading:
    """What was read in one picture. It shows itself in a notebook.

    Args:
        lines: in reading order.
        picture: (h, w) uint8 gray levels, as it was read.
        name: of the picture's file, if it came from one.

    Example:
        >>> import numpy as np
        >>> seven = Character("7", Box(2, 3, 22, 15), 0.98, (("7", 0.98), ("1", 0.01)))
        >>> line = Line((Word((seven,)),), seven.box, 0.98)
        >>> reading = Reading((line,), np.zeros((28, 28), np.uint8), "seven.png")
        >>> reading
        Reading('seven.png': 1 line, '7')
        >>> reading.characters[0].alternatives
        (('7', 0.98), ('1', 0.01))
    """

    lines: tuple[Line, ...]
    picture: Image
    name: str = ""

    def __repr__(self) -> str:
        shown = self.text.replace("\n", " / ")
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        count = f"{len(self.lines)} line{'' if len(self.lines) == 1 else 's'}"
        return f"Reading({self.name!r}: {count}, {shown!r})"

    @property
    def text(self) -> str:
        """The lines, each on a line of its own."""
        return "\n".join(line.text for line in self.lines)

    @property
    def words(self) -> tuple[Word, ...]:
        """All words, in reading order."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def characters(self) -> tuple[Character, ...]:
        """All characters, in reading order."""
        return tuple(character for word in self.words for character in word.characters)

    def to_dict(self) -> dict[str, Any]:
        """All but the picture's pixels, ready for JSON; boxes are [top, left, bottom, right]."""
        return {
            "file": self.name,
            "height": self.picture.shape[0],
            "width": self.picture.shape[1],
            "text": self.text,
            "lines": [_line_dict(line) for line in self.lines],
        }

    def to_json(self) -> str:
        """:meth:`to_dict` as JSON, on one line."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_alto(self) -> str:
        """ALTO XML, with a glyph and its variants for each character.

        Source:
            ALTO: technical metadata for layout and text objects, version 4.4, Library of Congress.
        """
        from handwriting.recognizer import forms

        return forms.alto(self)

    def to_hocr(self) -> str:
        """hOCR, an HTML page with the boxes of lines, words and characters.

        Source:
            Breuel: The hOCR microformat for OCR workflow and results. ICDAR 2007; version 1.2.
        """
        from handwriting.recognizer import forms

        return forms.hocr(self)

    def save(self, path: StrPath) -> None:
        """Write the reading to a file, as a whole or not at all.

        Args:
            path: ends in ``.txt``, ``.json``, ``.xml`` (ALTO) or ``.hocr`` / ``.html``.

        Raises:
            ValueError: another suffix.
        """
        forms = {
            ".txt": lambda: f"{self.text}\n",
            ".json": lambda: f"{self.to_json()}\n",
            ".xml": self.to_alto,
            ".hocr": self.to_hocr,
            ".html": self.to_hocr,
        }
        suffix = Path(path).suffix.lower()
        if suffix not in forms:
            raise ValueError(f"path must end in one of {', '.join(forms)}, got {str(path)!r}")
        text = forms[suffix]()
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def _repr_html_(self) -> str:
        from handwriting.data import html

        height, width = self.picture.shape
        boxes = "".join(
            f'<rect x="{box.left}" y="{box.top}" width="{box.width}" height="{box.height}">'
            f"<title>{html.escape(word.text)} ({word.confidence:.0%})</title></rect>"
            for word in self.words
            for box in [word.box]
        )
        drawing = (
            f'<svg viewBox="0 0 {width} {height}" style="position: absolute; left: 0; top: 0; '
            'width: 100%; height: 100%" fill="transparent" stroke="#c62828" '
            f'stroke-width="{max(1, width / 600):.1f}">{boxes}</svg>'
        )
        shown = html.picture(255 - self.picture)
        text = f"<pre>{html.escape(self.text)}</pre>"
        around = '<div style="position: relative; display: inline-block">'
        return html.block(repr(self), f"{around}{shown}{drawing}</div>", text)


def around(boxes: Iterator[Box]) -> Box:
    """The smallest box around all."""
    box = next(boxes)
    for other in boxes:
        box = box.united(other)
    return box


def mark_unsure(line: Line, least: float) -> Line:
    """A line whose characters with a lower confidence are unread, and so the line as a whole."""
    words = tuple(
        dataclasses.replace(word, characters=tuple(marked(each, least) for each in word.characters))
        for word in line.words
    )
    if words == line.words:
        return line
    alternatives = line.alternatives or ((line.text, line.confidence),)
    return Line(words, line.box, 0.0, alternatives)


def marked(character: Character, least: float) -> Character:
    """A character that is unread where its confidence is lower."""
    if character.confidence >= least:
        return character
    return dataclasses.replace(character, text=UNREAD, confidence=0.0)


def _line_dict(line: Line) -> dict[str, Any]:
    return {
        "text": line.text,
        "box": list(line.box),
        "confidence": line.confidence,
        "alternatives": [list(pair) for pair in line.alternatives],
        "words": [
            {
                "text": word.text,
                "box": list(word.box),
                "confidence": word.confidence,
                "alternatives": [list(pair) for pair in word.alternatives],
                "characters": [
                    {
                        "text": character.text,
                        "box": list(character.box),
                        "confidence": character.confidence,
                        "alternatives": [list(pair) for pair in character.alternatives],
                    }
                    for character in word.characters
                ],
            }
            for word in line.words
        ],
    }
