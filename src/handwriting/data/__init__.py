"""Labeled images as values that walk the road.

A dataset is a few things held together and never changed: images, what is written in them, the
alphabet that gives labels their meaning, and a name. :class:`CharacterDataset` has one character
an image, :class:`LineDataset` one text. The images are often a read-only memory map of a file, so
that a set larger than memory opens at once.
"""

from handwriting.data.characters import CharacterDataset
from handwriting.data.lines import LineDataset, Skipped
from handwriting.data.storage import save_parts

__all__ = ["CharacterDataset", "LineDataset", "Skipped", "save_parts"]
