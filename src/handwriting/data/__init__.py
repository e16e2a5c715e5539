"""Labeled images as values that walk the road."""

from handwriting.data.characters import CharacterDataset

__all__ = ["CharacterDataset"]
