"""Lines of text from images of single characters.

Each character of a text is drawn at random among its images in a
:class:`~handwriting.data.CharacterDataset`, and the images are set side by side on paper. Texts are
strings, so that leading zeros survive. :func:`compose` makes one image, :func:`generate` a
:class:`~handwriting.data.LineDataset`, :class:`Stream` one batch after another without keeping any;
:func:`save`, :func:`save_pictures` and :func:`save_parquet` write lines part by part.

Source:
    "MNIST Digit Sequence Generator": uniform spacing in a line of given width.
"""

from handwriting.sequences.files import save, save_parquet, save_pictures
from handwriting.sequences.lines import Stream, black_on_white, compose, generate
from handwriting.sequences.texts import Text

__all__ = [
    "Stream",
    "Text",
    "black_on_white",
    "compose",
    "generate",
    "save",
    "save_parquet",
    "save_pictures",
]
