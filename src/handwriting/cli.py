"""The command ``handwriting``.

Commands import what they need when they run, so that ``--help`` answers at once. What a user can
get wrong ends in one line on standard error: exit 2 for wrong usage, 1 for files and data. Anything
else is a bug and keeps its traceback.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from handwriting import __version__
from handwriting.errors import HandwritingError

if TYPE_CHECKING:
    from handwriting.data import CharacterDataset

__all__ = ["main"]

T = TypeVar("T")

_MODELS = ("dense", "dense_small", "lenet", "convnet_small", "convnet_deep")
_RECIPES = ("mnist", "emnist", "emnist-raw", "alphanum")


class _Group(click.Group):
    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:
            raise
        except (HandwritingError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="handwriting %(version)s")
def main() -> None:
    """Handwritten characters: datasets, models, training, reading."""


def _dataset_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option(
        "--path",
        type=click.Path(path_type=Path),
        help="Your own copy of the set's files; they are fetched otherwise.",
    )(command)
    return click.argument("dataset")(command)


@main.command()
@click.option(
    "--out",
    default="handwriting-demo",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the model, the report and the pictures.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Another seed.")
def demo(out: Path, seed: int) -> None:
    """Walk the whole road on the digits that scikit-learn carries."""
    _import_keras()
    from handwriting import demo as steps

    click.echo("Training a LeNet-style network on 1,437 handwritten digits.")
    report, text, files = steps.run(out, rng=seed)
    click.echo(f"Accuracy on {len(report.labels)} held-out digits: {report.accuracy:.2%}")
    click.echo(f"Read in {out / 'strip.png'}: {text}")
    for file in files:
        click.echo(str(file))


@main.command()
@_dataset_options
@click.option(
    "--model", default="lenet", show_default=True, type=click.Choice(_MODELS), help="Network."
)
@click.option("--epochs", default=10, show_default=True, type=click.IntRange(1), help="At most.")
@click.option(
    "--batch-size", default=64, show_default=True, type=click.IntRange(1), help="Images a step."
)
@click.option(
    "--learning-rate",
    default=2e-3,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
)
@click.option(
    "--schedule",
    default="cosine",
    show_default=True,
    type=click.Choice(["cosine", "plateau", "constant"]),
    help="How the learning rate changes over the epochs.",
)
@click.option(
    "--validation",
    default=0.1,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the images held back to choose the best epoch by.",
)
@click.option(
    "--patience",
    default=5,
    show_default=True,
    type=click.IntRange(1),
    help="Epochs without a lower validation loss before training stops.",
)
@click.option("--augment", is_flag=True, help="Shift, rotate, scale and shear the images a little.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--csv", type=click.Path(dir_okay=False, path_type=Path), help="Figures by epoch.")
@click.option(
    "--tensorboard",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for TensorBoard's logs.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The model file to write.  [default: MODEL-DATASET.keras]",
)
def train(
    dataset: str,
    path: Path | None,
    model: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: Any,
    validation: float,
    patience: int,
    augment: bool,
    seed: int,
    csv: Path | None,
    tensorboard: Path | None,
    out: Path | None,
) -> None:
    """Train a model on DATASET: a set's name, or a folder that CharacterDataset.save wrote."""
    out = out or Path(f"{model}-{Path(dataset).name}.keras")
    if out.suffix != ".keras":
        raise click.UsageError(f"--out must end in .keras, got {out}")
    data = _load(dataset, None, path, default_split="train")

    _import_keras()
    from handwriting import models, training

    network = _or_usage(models.build, model, data.alphabet, data.image_shape, rng=seed)
    history = _or_usage(
        training.fit,
        network,
        data,
        validation=validation,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        patience=patience,
        augmentation=training.Augmentation() if augment else None,
        checkpoint=out,
        csv=csv,
        tensorboard=tensorboard,
        rng=seed,
    )
    best = max(history["val_accuracy"])
    click.echo(f"Best of {len(history['loss'])} epochs: {best:.2%} of the held-back images right.")
    click.echo(str(out))


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@_dataset_options
@click.option("--split", help="Which split of a published set.  [default: test]")
@click.option(
    "--json", "report_path", type=click.Path(dir_okay=False, path_type=Path), help="Write a report."
)
def evaluate(
    model: Path, dataset: str, path: Path | None, split: str | None, report_path: Path | None
) -> None:
    """Tell how well MODEL, a file that train wrote, reads DATASET.

    DATASET is a set's name, or a folder that CharacterDataset.save wrote.
    """
    data = _load(dataset, split, path, default_split="test")

    _import_keras()
    from handwriting import evaluation, models

    card = models.card(model)
    if (card.alphabet, card.image_shape) != (data.alphabet, data.image_shape):
        raise click.UsageError(
            f"{model} reads {card.alphabet!r} in images of {card.image_shape}, and {data!r} has "
            f"{data.alphabet!r} in images of {data.image_shape}"
        )
    report = _or_usage(evaluation.evaluate, models.load(model), data)
    click.echo(str(report))
    if report_path:
        report.save(report_path)


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("pictures", metavar="IMAGE...", nargs=-1, required=True)
@click.option(
    "--top", default=1, show_default=True, type=click.IntRange(1), help="How many guesses."
)
@click.option("--recipe", type=click.Choice(_RECIPES), help="Instead of the one the model names.")
@click.option(
    "--ink",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "dark", "light"]),
    help="Whether the ink is darker or lighter than the paper.",
)
@click.option("--page", type=click.IntRange(0), help="Of files with several pages, from 0.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def predict(
    model: Path,
    pictures: tuple[str, ...],
    top: int,
    recipe: str | None,
    ink: Any,
    page: int | None,
    as_json: bool,
) -> None:
    """Read the one character in each IMAGE with MODEL.

    Prints the file, the character and the model's confidence. A picture that cannot be read gets a
    line on standard error, the rest go on, and the exit code is 1.
    """
    import numpy as np

    _import_keras()
    from handwriting import evaluation, images, models, preprocessing

    card = models.card(model)
    recipe = recipe or card.recipe
    if recipe is None:
        raise click.UsageError(f"{model} names no recipe; choose one with --recipe")
    size = preprocessing.RECIPES[recipe].size
    if card.image_shape != (size, size):
        raise click.UsageError(f"{model} eats images of {card.image_shape}, not those of {recipe}")
    prepared, names = [], []
    for picture in pictures:
        try:
            gray = images.to_gray(picture, page=page)
        except (HandwritingError, OSError) as error:
            click.echo(f"Error: {error}", err=True)
            continue
        character = preprocessing.clean(preprocessing.to_ink(gray, ink))
        prepared.append(preprocessing.normalize(character, recipe))
        names.append(picture)
    if prepared:
        scores = evaluation.predict(models.load(model), np.stack(prepared))
        for name, row, image in zip(names, scores, prepared, strict=True):
            best = np.argsort(-row, kind="stable")[: top if image.any() else 0]
            guesses = [(card.alphabet.characters[label], float(row[label])) for label in best]
            click.echo(_prediction(name, guesses, as_json=as_json))
    if len(names) < len(pictures):
        sys.exit(1)


def _prediction(name: str, guesses: list[tuple[str, float]], *, as_json: bool) -> str:
    if as_json:
        pairs = [{"character": character, "confidence": score} for character, score in guesses]
        return json.dumps({"file": name, "guesses": pairs}, ensure_ascii=False)
    columns = [f"{character or 'null'}\t{score:.4f}" for character, score in guesses]
    return "\t".join([name, *(columns or ["no ink"])])


@main.command()
def datasets() -> None:
    """List the sets that are known, and what of them is on disk."""
    from handwriting import datasets as sets

    for name in sets.NAMES:
        module = sets.module(name)
        counts = ", ".join(f"{count:,} {split}" for split, count in module.COUNTS.items())
        place = module.on_disk() or "not fetched yet"
        kind = f"{len(module.ALPHABET)} characters" if module.ALPHABET else "lines"
        click.echo(f"{name}\t{kind}\t{counts}\t{module.LICENSE}\t{place}")


def _load(
    dataset: str, split: str | None, path: Path | None, *, default_split: str
) -> "CharacterDataset":
    from handwriting import datasets as sets
    from handwriting.data import CharacterDataset

    if dataset in sets.NAMES:
        loaded = _or_usage(sets.load, dataset, split or default_split, path)
        if not isinstance(loaded, CharacterDataset):
            raise click.UsageError(
                f"{dataset} has lines of text, and this command takes characters"
            )
        return loaded
    if Path(dataset).is_dir():
        if split or path:
            raise click.UsageError(f"--split and --path are for published sets, got {dataset}")
        return CharacterDataset.open(dataset)
    raise click.UsageError(
        f"DATASET must be one of {', '.join(sets.NAMES)}, or the folder of a saved dataset, got "
        f"{dataset!r}"
    )


def _or_usage(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Call the library, and tell what it refuses of the user's arguments as wrong usage."""
    try:
        return function(*arguments, **options)
    except HandwritingError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _import_keras() -> None:
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
