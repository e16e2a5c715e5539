"""What commands share: options, datasets by name, and how the library's refusals are told."""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from handwriting.errors import HandwritingError

if TYPE_CHECKING:
    from handwriting.data import CharacterDataset, LineDataset
    from handwriting.models import Card

__all__ = [
    "ALPHABETS",
    "LINE_MODELS",
    "LINE_RECIPES",
    "MODELS",
    "RECIPES",
    "dataset_options",
    "import_keras",
    "ink_option",
    "load_characters",
    "load_dataset",
    "open_model",
    "or_usage",
    "read_texts",
]

T = TypeVar("T")

MODELS = (
    *("dense", "dense_small", "lenet", "convnet_small", "convnet_deep"),
    *("vgg_small", "vgg_deep", "vgg"),
)
# Readers of lines, and the images that they take.
LINE_MODELS = {"crnn": (64, 256), "crnn_small": (40, 256), "crnn_deep": (40, 256)}
_ANY_WIDTH = 1024  # of lines that a published set is fitted to, for a model of any width
RECIPES = ("mnist", "emnist", "emnist-raw", "alphanum")
LINE_RECIPES = ("line", "line-tight", "line-stretched")
# As handwriting.alphabet has them, and EMNIST's subsets.
ALPHABETS = (
    *("digits", "uppercase", "lowercase", "letters", "ascii"),
    *("emnist/byclass", "emnist/balanced"),
)


def dataset_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument DATASET and the option --path."""
    command = click.option(
        "--path",
        type=click.Path(path_type=Path),
        help="Your own copy of the set's files; they are fetched otherwise.",
    )(command)
    return click.argument("dataset")(command)


ink_option = click.option(
    "--ink",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "dark", "light"]),
    help="Whether the ink is darker or lighter than the paper.",
)


def read_texts(file: Path) -> list[str]:
    """The lines of a text file that are not blank."""
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file} must be text in UTF-8 ({error})") from None
    return [line.rstrip("\r") for line in lines if line.strip()]


def load_dataset(
    dataset: str,
    split: str,
    path: Path | None,
    *,
    line_size: tuple[int, int | None] | None = None,
    **folder_options: Any,
) -> "CharacterDataset | LineDataset":
    """A published set by its name, a saved dataset, or pictures in class folders."""
    from handwriting import data
    from handwriting import datasets as sets

    if dataset.partition("/")[0] in sets.NAMES:
        has_lines = sets.module(dataset.partition("/")[0]).ALPHABET is None
        options = {}
        if line_size and has_lines:
            height, width = line_size
            options["size"] = (height, _ANY_WIDTH if width is None else width)
        return or_usage(sets.load, dataset, split, path, **options)
    if path:
        raise click.UsageError(f"--path is for published sets, got {dataset}")
    place = Path(dataset)
    if (place / "dataset.json").is_file():
        return data.open_saved(place)
    if place.is_dir() or place.suffix.lower() == ".zip":
        return _load_folder(place, line_size, **folder_options)
    raise click.UsageError(
        f"DATASET must be one of {', '.join(sets.NAMES)}, the folder of a saved dataset, or a "
        "folder or zip file of class folders or of pictures of lines with their texts, got "
        f"{dataset!r}"
    )


def _load_folder(
    place: Path, line_size: tuple[int, int | None] | None, **options: Any
) -> "CharacterDataset | LineDataset":
    """Pictures of lines with their texts, or class folders of pictures."""
    from handwriting.datasets import folders, transcripts

    recipe = options.get("recipe")
    if transcripts.holds(place):
        known = recipe if recipe in LINE_RECIPES else "line"
        return transcripts.load(place, size=line_size or (48, None), recipe=known)
    if recipe in LINE_RECIPES:
        raise click.UsageError(
            f"the model reads lines of text, and {place} has none; put pictures of lines there "
            f"with their texts, such as 1.png and 1{transcripts.SUFFIX}"
        )
    return folders.load(place, **options)


def load_characters(
    dataset: str,
    split: str | None,
    path: Path | None,
    *,
    default_split: str,
    **folder_options: Any,
) -> "CharacterDataset":
    """A dataset as :func:`load_dataset` finds it, of characters."""
    from handwriting.data import CharacterDataset

    if split and Path(dataset).exists():
        raise click.UsageError(f"--split is for published sets, got {dataset}")
    loaded = load_dataset(dataset, split or default_split, path, **folder_options)
    if not isinstance(loaded, CharacterDataset):
        raise click.UsageError(f"{dataset} has lines of text, and this command takes characters")
    return loaded


def open_model(model: Path) -> "tuple[Any, Card]":
    """A model file, or a network that comes with the package, to train on or to measure."""
    from handwriting import pretrained

    file = pretrained.find(model, "npz")  # before Keras is loaded, which takes seconds
    import_keras()
    from handwriting import models

    return models.load(file), models.card(file)


def or_usage(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call the library, and tell what it refuses of the user's arguments as wrong usage."""
    try:
        return function(*arguments, **options)
    except HandwritingError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def import_keras() -> None:
    """Import Keras without the backend's chatter about processors and graphics cards.

    TensorFlow 2.21 prints some of it before it looks at TF_CPP_MIN_LOG_LEVEL (tensorflow#100442),
    so standard error is held back during the import, and what is not chatter is printed after.
    """
    # A user's own setting wins.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            import keras  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines():
                if not _CHATTER.match(line):
                    click.echo(line, err=True)


_CHATTER = re.compile(r"[IWE]0000 |WARNING: All log messages before absl|To enable the following")
