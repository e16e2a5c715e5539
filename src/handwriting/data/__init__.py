"""Labeled images as values that walk the road.

A dataset is a few things held together and never changed: images, what is written in them, the
alphabet that gives labels their meaning, and a name. :class:`CharacterDataset` has one character
an image, :class:`LineDataset` one text. The images are often a read-only memory map of a file, so
that a set larger than memory opens at once.
"""

from handwriting.data.characters import CharacterDataset
from handwriting.data.checks import Skipped
from handwriting.data.lines import LineDataset
from handwriting.data.storage import is_lines, save_parts
from handwriting.files import StrPath

__all__ = ["CharacterDataset", "LineDataset", "Skipped", "open_saved", "save_parts"]


def open_saved(path: StrPath) -> CharacterDataset | LineDataset:
    """Open a saved dataset, of whichever kind it is.

    Args:
        path: the folder that its ``save`` made.

    Raises:
        MissingDataError: there is no such folder, or a file of it is missing.
        CorruptFileError: a file is damaged, or the files do not belong together.
    """
    return LineDataset.open(path) if is_lines(path) else CharacterDataset.open(path)
