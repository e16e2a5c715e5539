"""Datasets as a notebook shows them."""

import base64
import io
from html import escape

import numpy as np
from numpy.typing import NDArray

from handwriting.alphabet import NULL
from handwriting.images import Image

__all__ = ["block", "escape", "label", "picture", "spread"]

# A notebook keeps its output in its file.
_MAX_WIDTH, _MAX_HEIGHT = 1200, 400


def spread(total: int, n: int) -> NDArray[np.int64]:
    """At most ``n`` of ``total`` positions, at equal distances: many sets are sorted by class."""
    return np.linspace(0, total - 1, min(n, total)).astype(np.int64)


def picture(image: Image, *, zoom: int = 1) -> str:
    """An image as ``<img>``, black on white, with its PNG inside."""
    import PIL.Image

    png = PIL.Image.fromarray((255 - image).repeat(zoom, axis=0).repeat(zoom, axis=1))
    png.thumbnail((_MAX_WIDTH, _MAX_HEIGHT))
    file = io.BytesIO()
    png.save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    return f'<img alt="" style="max-width: 100%" src="data:image/png;base64,{data}">'


def label(character: str) -> str:
    """A character as people read it."""
    if character == NULL:
        return "null"
    return f"<code>{escape(character)}</code>"


def block(title: str, *parts: str) -> str:
    """Parts of HTML, one below the other, under a title of plain text."""
    return "".join(f"<div>{part}</div>" for part in (f"<b>{escape(title)}</b>", *parts))
