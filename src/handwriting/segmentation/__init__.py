"""Pages cut into lines, words and characters."""

from handwriting.segmentation.characters import find_characters
from handwriting.segmentation.lines import find_lines
from handwriting.segmentation.page import segment
from handwriting.segmentation.paper import FAINTEST, find_ink, find_ink_and_rules
from handwriting.segmentation.segment import Box, Segment
from handwriting.segmentation.words import group_words

__all__ = [
    "FAINTEST",
    "Box",
    "Segment",
    "find_characters",
    "find_ink",
    "find_ink_and_rules",
    "find_lines",
    "group_words",
    "segment",
]
