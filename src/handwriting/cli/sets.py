"""Commands that look at datasets, fetch them and make them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handwriting.cli.common import (
    dataset_options,
    load_characters,
    load_dataset,
    or_usage,
    read_texts,
)
from handwriting.files import replacing

if TYPE_CHECKING:
    from handwriting.datasets.download import RemoteFile

__all__ = ["build", "datasets", "sequence"]


@click.group(invoke_without_command=True)
@click.pass_context
def datasets(context: click.Context) -> None:
    """List the sets that are known; show, fetch, verify or convert one."""
    if context.invoked_subcommand:
        return
    from handwriting import datasets as sets

    for name in sets.NAMES:
        module = sets.module(name)
        place = module.on_disk() or "not fetched"
        subsets = getattr(module, "ALPHABETS", {"": module.ALPHABET})
        for subset, alphabet in subsets.items():
            counts = module.subsets()[subset] if subset else module.COUNTS
            columns = [
                f"{name}/{subset}" if subset else name,
                f"{len(alphabet)} characters" if alphabet else "lines",
                ", ".join(
                    f"{count:,} {split}" if count else split for split, count in counts.items()
                ),
                module.LICENSE,
                str(place),
            ]
            click.echo("\t".join(columns))


@datasets.command()
@dataset_options
@click.option("--split", default="train", show_default=True, help="Which split of a published set.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The picture to write.  [default: DATASET-SPLIT.png]",
)
def show(dataset: str, path: Path | None, split: str, out: Path | None) -> None:
    """Count the characters of DATASET and draw a sheet of samples."""
    from handwriting import plots
    from handwriting.data import CharacterDataset

    data = load_dataset(dataset, split, path)
    out = out or Path(f"{Path(dataset).stem}-{split}.png".replace("/", "-"))
    draw: Any = plots.class_samples if isinstance(data, CharacterDataset) else plots.lines
    with replacing(out) as temporary:
        draw(data).savefig(temporary, bbox_inches="tight")
    click.echo(repr(data))
    for character, count in data.counts().items():
        click.echo(f"{character or 'null'}\t{count}")
    click.echo(str(out))


@datasets.command()
@click.argument("dataset")
def fetch(dataset: str) -> None:
    """Download DATASET's files, or what of them is missing."""
    from handwriting.datasets import download

    for file, folder in _files(dataset):
        click.echo(str(download.fetch(file, folder)))


@datasets.command()
@click.argument("dataset")
def verify(dataset: str) -> None:
    """Read DATASET's files again and compare every byte with what was published."""
    from handwriting.datasets import download

    for file, folder in _files(dataset):
        download.verify(file, folder)
        click.echo(f"{folder / file.name}\tas published")


def _files(dataset: str) -> "list[tuple[RemoteFile, Path]]":
    from handwriting import datasets as sets

    name = dataset.partition("/")[0]
    module = or_usage(sets.module, name)
    files = getattr(module, "FILES", {})
    if not files:
        raise click.UsageError(f"{name} is not fetched by this command; see {module.SOURCE}")
    return [(file, sets.store.home() / name) for file in files.values()]


@datasets.command()
@dataset_options
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--split", default="train", show_default=True, help="Which split of a published set.")
@click.option(
    "--to",
    "form",
    default="dataset",
    show_default=True,
    type=click.Choice(["dataset", "folders", "idx"]),
    help="A folder for CharacterDataset.open; class folders of PNG files, as a folder or, where "
    "OUT ends in .zip, a zip file; or a folder with two IDX files.",
)
def convert(dataset: str, path: Path | None, out: Path, split: str, form: str) -> None:
    """Write DATASET to OUT in another form, upright and with labels from 0."""
    from handwriting.data import CharacterDataset
    from handwriting.datasets import folders, idx

    data = load_dataset(dataset, split, path)
    if form == "dataset":
        data.save(out)
    elif not isinstance(data, CharacterDataset):
        raise click.UsageError(f"{dataset} has lines of text, which --to {form} cannot hold")
    elif form == "folders":
        folders.save(data, out)
    else:
        idx.save(data, out)
    click.echo(str(out))


@click.group()
def build() -> None:
    """Make a set from others."""


@build.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--mnist", type=click.Path(path_type=Path), help="MNIST's files.")
@click.option(
    "--characters", type=click.Path(path_type=Path), help="The Handwriting Characters Database."
)
@click.option("--az", type=click.Path(path_type=Path), help="The A-Z images.")
@click.option(
    "--null", default=5000, show_default=True, type=click.IntRange(0), help="Images of nothing."
)
@click.option("--all", "everything", is_flag=True, help="Take all images, not AlphaNum's numbers.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def alphanum(
    out: Path,
    mnist: Path | None,
    characters: Path | None,
    az: Path | None,
    null: int,
    everything: bool,
    seed: int,
) -> None:
    """Make a set of AlphaNum's form in the folder OUT.

    Takes 24 x 24 images, black on white, of the sources given, and images of nothing; writes
    train.zip, test.zip and validation.zip with a folder for each character, and counts.md.
    """
    from handwriting.datasets import alphanum as module

    counts = or_usage(
        module.build,
        out,
        mnist=mnist,
        characters=characters,
        az=az,
        null=null,
        counts=None if everything else module.PUBLISHED_COUNTS,
        rng=seed,
    )
    present = sum(1 for count in counts.values() if count)
    click.echo(f"{sum(counts.values()):,} images of {present} characters")
    click.echo(str(out))


@click.command()
@click.argument("text", required=False)
@click.argument("minimum", type=int, required=False)
@click.argument("maximum", type=int, required=False)
@click.argument("width", type=click.IntRange(1), required=False)
@click.option("--count", type=click.IntRange(1), help="Make a set of that many lines.")
@click.option("--length", help="Characters a line, drawn at random: 5, or 3-7.")
@click.option(
    "--texts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of texts to draw from, one a line, instead of --length.",
)
@click.option(
    "--form",
    default="dataset",
    show_default=True,
    type=click.Choice(["dataset", "pictures", "parquet"]),
    help="A folder for LineDataset.open; PNG files and a CSV as the names have them; Parquet files "
    "for Hugging Face datasets.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The picture or, with --count, the folder to write.  [default: the characters, 0-1.png]",
)
@click.option(
    "--dataset", default="digits", show_default=True, help="Where the characters come from."
)
@click.option("--split", help="Which split of a published set.  [default: train]")
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    help="Your own copy of the set's files; they are fetched otherwise.",
)
@click.option(
    "--spacing", type=(int, int), default=(0, 10), show_default=True, help="Pixels in each gap."
)
@click.option("--baseline", default=0, help="Move characters up or down by up to so many pixels.")
@click.option("--size", default=0.0, help="Scale characters by up to this share.")
@click.option("--slant", default=0.0, help="Let lines lean by up to so many pixels a pixel.")
@click.option("--null", default=0.0, help="Chance of an image of nothing between two characters.")
@click.option("--space", type=int, help="Pixels of a space.  [default: half a character]")
@click.option("--one-writer", is_flag=True, help="Take all characters of a line from one writer.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def sequence(
    text: str | None,
    minimum: int | None,
    maximum: int | None,
    width: int | None,
    count: int | None,
    length: str | None,
    texts: Path | None,
    form: str,
    out: Path | None,
    dataset: str,
    split: str | None,
    path: Path | None,
    spacing: tuple[int, int],
    seed: int,
    **life: Any,
) -> None:
    """Write TEXT with images of characters, or with --count a set of such lines.

    handwriting sequence 01 0 10 66 writes 0-1.png: a picture 66 pixels wide, black on white, with
    equal gaps of MINIMUM 0 to MAXIMUM 10 pixels. Without WIDTH each gap is drawn at random.
    """
    from handwriting import images, sequences

    if (text is None) == (count is None):
        raise click.UsageError("give a TEXT to write, or --count for a set, one of them")
    if minimum is not None and maximum is None:
        raise click.UsageError("give MINIMUM and MAXIMUM, both of them")
    if minimum is not None and maximum is not None:
        spacing = (minimum, maximum)
    options = {**life, "spacing": spacing, "width": width, "rng": seed}
    if text is not None and (length or texts):
        raise click.UsageError("--length and --texts are for --count, and a TEXT is given")
    if count is not None and out is None:
        raise click.UsageError("give the folder to make with --out")
    characters = load_characters(dataset, split, path, default_split="train", recipe="mnist")
    if text is not None:
        image = or_usage(sequences.compose, characters, text, **options)
        out = out or Path("-".join(map(_file_name, text)) + ".png")
        or_usage(images.write, out, 255 - image)
    elif count is not None and out is not None:
        options["texts"] = None if texts is None else read_texts(texts)
        options["length"] = None if length is None else _length(length)
        stream = or_usage(sequences.Stream, characters, count, 1024, **options)
        writers: dict[str, Callable[..., None]] = {
            "dataset": sequences.save,
            "pictures": sequences.save_pictures,
            "parquet": sequences.save_parquet,
        }
        or_usage(writers[form], stream, out)
    click.echo(str(out))


def _file_name(character: str) -> str:
    return character if character.isalnum() else f"U+{ord(character):04X}"


def _length(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if not found:
        raise click.UsageError(f"--length must be a number such as 5, or 3-7, got {text!r}")
    return int(found[1]), int(found[2] or found[1])
