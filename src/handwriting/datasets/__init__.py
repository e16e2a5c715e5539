"""Loaders of published sets, one module each.

Every module has ``load(split, path=None)``, which returns a dataset that is upright, ink 255 on
paper 0, labels from 0, and the facts about the set: ``ALPHABET``, ``COUNTS`` (images in each
split), ``RECIPE``, ``LICENSE``, ``SOURCE`` and ``on_disk()``. A set of lines finds its alphabet in
its texts: there ``ALPHABET`` is None, and ``RECIPE`` is one of lines.

    >>> from handwriting import datasets
    >>> datasets.load("digits", "test")
    CharacterDataset('digits/test': 360 images of 28 x 28, 10 characters)
"""

import importlib
from types import ModuleType
from typing import Any

from handwriting.data import CharacterDataset, LineDataset
from handwriting.files import StrPath

__all__ = [
    "NAMES",
    "alphanum",
    "archive",
    "digits",
    "download",
    "emnist",
    "folders",
    "idx",
    "load",
    "mnist",
    "module",
    "names",
    "store",
    "transcripts",
    "unipen_characters",
]

NAMES = ("digits", "mnist", "emnist", "alphanum", "unipen_characters", "az", "names")


def load(
    name: str, split: str = "train", path: StrPath | None = None, **options: Any
) -> CharacterDataset | LineDataset:
    """Load a published set by its name.

    Args:
        name: one of :data:`NAMES`; for a subset, ``"emnist/letters"``.
        split: ``"train"``, ``"test"`` or what else the set has.
        path: your own copy of its files; without one they are fetched.
        **options: passed on to the set's own ``load``, which documents them.

    Raises:
        ValueError: no such set, or it has no subsets.
    """
    name, _, subset = name.partition("/")
    loader = module(name)
    if subset:
        if not hasattr(loader, "ALPHABETS"):
            raise ValueError(f"{name} has no subsets, got '{name}/{subset}'")
        options["subset"] = subset
    dataset: CharacterDataset | LineDataset = loader.load(split, path, **options)
    return dataset


def module(name: str) -> ModuleType:
    """The loader module of a set, by the set's name."""
    if name not in NAMES:
        raise ValueError(f"name must be one of {', '.join(NAMES)}, got {name!r}")
    return importlib.import_module(f"{__name__}.{name}")


def __getattr__(name: str) -> Any:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
