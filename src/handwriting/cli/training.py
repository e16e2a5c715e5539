"""Commands that make models and measure them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handwriting.cli.common import (
    LINE_MODELS,
    MODELS,
    dataset_options,
    import_keras,
    load_characters,
    load_dataset,
    open_model,
    or_usage,
)
from handwriting.files import check_writable

if TYPE_CHECKING:
    from handwriting.images import Image
    from handwriting.models import Card

__all__ = ["demo", "evaluate", "export", "finetune", "train"]

PRECISIONS = ("float32", "float16", "int8")  # as handwriting.export has them
_SOME = 1000  # images that tell the ranges of whole numbers


@click.command()
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
    import_keras()
    from handwriting import demo as steps

    click.echo("Training a LeNet-style network on 1,437 handwritten digits.")
    report, text, files = steps.run(out, rng=seed)
    click.echo(f"Accuracy on {len(report.labels)} held-out digits: {report.accuracy:.2%}")
    click.echo(f"Read in {out / 'strip.png'}: {text}")
    for file in files:
        click.echo(str(file))


@click.command()
@dataset_options
@click.option(
    "--model",
    type=click.Choice([*MODELS, *LINE_MODELS]),
    help="Network.  [default: lenet; crnn_small for lines]",
)
@click.option(
    "--epochs", type=click.IntRange(1), help="At most.  [default: 10; 20 for lines of text]"
)
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
    type=click.IntRange(1),
    help="Epochs without a lower validation loss, or error rate, before training stops.  "
    "[default: 5; all of them for lines]",
)
@click.option("--augment", is_flag=True, help="Move and change the images a little at random.")
@click.option(
    "--resume", is_flag=True, help="Go on where the same command was stopped (lines of text only)."
)
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
    model: str | None,
    epochs: int | None,
    batch_size: int,
    learning_rate: float,
    schedule: Any,
    validation: float,
    patience: int | None,
    augment: bool,
    resume: bool,
    seed: int,
    csv: Path | None,
    tensorboard: Path | None,
    out: Path | None,
) -> None:
    """Train a model on DATASET.

    DATASET is a set's name, a folder that the save method of a dataset wrote, or class folders of
    pictures (a folder named by the character or its code for each, in a folder or zip file). Of
    lines of text, such as names, a table tells after each epoch how many are read right.
    """
    from handwriting.data import CharacterDataset

    data = load_dataset(
        dataset,
        "train",
        path,
        line_size=LINE_MODELS.get(model or "crnn_small"),
        recipe="mnist",
    )
    lines = not isinstance(data, CharacterDataset)
    model = model or ("crnn_small" if lines else "lenet")
    if lines != (model in LINE_MODELS):
        raise click.UsageError(
            f"{dataset} has {'lines of text' if lines else 'characters'}, and {model} reads "
            f"{'characters' if lines else 'lines of text'}; choose another --model"
        )
    _refuse_options_of_others(
        lines=lines, schedule=schedule, tensorboard=tensorboard, resume=resume
    )
    out = out or Path(f"{model}-{Path(dataset).name}.keras")
    if out.suffix != ".keras":
        raise click.UsageError(f"--out must end in .keras, got {out}")

    import_keras()
    from handwriting import models, training

    network = or_usage(models.build, model, data.alphabet, data.image_shape, rng=seed)
    options: dict[str, Any] = {
        "validation": validation,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "checkpoint": out,
        "csv": csv,
        "rng": seed,
    }
    if isinstance(data, CharacterDataset):
        history = or_usage(
            training.fit,
            network,
            data,
            epochs=epochs or 10,
            schedule=schedule,
            patience=patience or 5,
            augmentation=training.Augmentation() if augment else None,
            tensorboard=tensorboard,
            **options,
        )
        best = f"{max(history['val_accuracy']):.2%} of the held-back images right"
    else:
        history = or_usage(
            training.fit_lines,
            network,
            data,
            epochs=epochs or 20,
            patience=patience,
            augmentation=training.LineAugmentation() if augment else None,
            resume=resume,
            progress=True,
            **options,
        )
        cer, exact = min(zip(history["val_cer"], history["val_exact"], strict=True))
        best = f"CER {cer:.2%}, {exact:.2%} of the held-back lines right"
    click.echo(f"Best of {len(history['loss'])} epochs: {best}.")
    click.echo(str(out))


def _refuse_options_of_others(
    *, lines: bool, schedule: str, tensorboard: Any, resume: bool
) -> None:
    if lines and (schedule != "cosine" or tensorboard):
        raise click.UsageError("--schedule and --tensorboard are not for lines of text")
    if not lines and resume:
        raise click.UsageError("--resume is for lines of text")


@click.command()
@click.argument("model")
@dataset_options
@click.option("--split", help="Which split of a published set.  [default: train]")
@click.option(
    "--held-back",
    default=0.3,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the images that is not learnt from but measured on.",
)
@click.option("--epochs", default=20, show_default=True, type=click.IntRange(1))
@click.option(
    "--learning-rate",
    default=1e-4,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="At the start; it goes down to 0.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The model file to write.  [default: MODEL-DATASET.keras]",
)
def finetune(
    model: str,
    dataset: str,
    path: Path | None,
    split: str | None,
    held_back: float,
    epochs: int,
    learning_rate: float,
    seed: int,
    out: Path | None,
) -> None:
    """Train MODEL on, so that it reads the hand of DATASET better.

    MODEL is a file that train wrote, or the name of a network that comes with the package. A few
    dozen images of one writer are enough: characters in class folders, or lines with their texts,
    such as read --crops writes them. Tells how well those held back are read before and after;
    where that is no better, the model is written as it was.
    """
    if split and Path(dataset).exists():
        raise click.UsageError(f"--split is for published sets, got {dataset}")
    out = out or Path(f"{Path(model).stem}-{Path(dataset).name}.keras")
    if out.suffix != ".keras":
        raise click.UsageError(f"--out must end in .keras, got {out}")
    from handwriting import pretrained

    file = pretrained.find(model, "npz")
    import_keras()
    from handwriting import models, training

    card = models.card(file)
    size = card.image_shape if card.model in models.LINE_NAMES else None
    data = load_dataset(dataset, split or "train", path, line_size=size, recipe=card.recipe)
    check_writable(out)
    found = or_usage(
        training.finetune,
        model,
        data,
        held_back=held_back,
        epochs=epochs,
        learning_rate=learning_rate,
        rng=seed,
    )
    found.save(out)
    click.echo(str(found))
    click.echo(str(out))


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@dataset_options
@click.option("--split", help="Which split of a published set.  [default: test]")
@click.option(
    "--json", "report_path", type=click.Path(dir_okay=False, path_type=Path), help="Write a report."
)
def evaluate(
    model: Path, dataset: str, path: Path | None, split: str | None, report_path: Path | None
) -> None:
    """Tell how well MODEL reads DATASET.

    MODEL is a file that train wrote, or the name of a network that comes with the package. DATASET
    is a set's name, a folder that the save method of a dataset wrote, class folders of pictures, or
    pictures of lines with their texts. Of lines it tells the error rates of characters (CER) and of
    words (WER).
    """
    network, card = open_model(model)
    from handwriting import evaluation
    from handwriting.data import LineDataset

    if card.model in LINE_MODELS:
        height, width = card.image_shape
        lines = load_dataset(
            dataset, split or "test", path, line_size=card.image_shape, recipe=card.recipe
        )
        if not isinstance(lines, LineDataset) or lines.image_shape != (
            height,
            width or lines.image_shape[1],
        ):
            raise click.UsageError(f"{model} reads lines of {card.image_shape}, got {lines!r}")
        found = evaluation.evaluate_lines(network, lines, card.alphabet)
        click.echo(str(found))
        if report_path:
            found.save(report_path)
        return
    data = load_characters(
        dataset, split, path, default_split="test", recipe=card.recipe, alphabet=card.alphabet
    )
    if (card.alphabet, card.image_shape) != (data.alphabet, data.image_shape):
        raise click.UsageError(
            f"{model} reads {card.alphabet!r} in images of {card.image_shape}, and {data!r} has "
            f"{data.alphabet!r} in images of {data.image_shape}"
        )
    if card.recipe != data.recipe:
        click.echo(
            f"Warning: {model} was trained on images of the recipe {card.recipe}, and those of "
            f"{data.name} are of {data.recipe or 'none that is known'}; it may read them worse",
            err=True,
        )
    report = or_usage(evaluation.evaluate, network, data)
    click.echo(str(report))
    if report_path:
        report.save(report_path)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: MODEL with the suffix .onnx]",
)
@click.option(
    "--precision",
    default="float32",
    show_default=True,
    type=click.Choice(PRECISIONS),
    help="Half precision makes the file half as large. With int8 convolutions are of whole "
    "numbers, in a quarter of the size and a third to two thirds of the time; it needs --images.",
)
@click.option(
    "--images",
    metavar="DATASET",
    help="Images like those that will be read: a set's name, a saved dataset or class folders. "
    "Some of them are read by both to compare.",
)
@click.option(
    "--path",
    type=click.Path(path_type=Path),
    help="Your own copy of the files of that set; they are fetched otherwise.",
)
def export(
    model: Path, out: Path | None, precision: str, images: str | None, path: Path | None
) -> None:
    """Write MODEL as ONNX: it is read without TensorFlow.

    MODEL is a file that train wrote, or the name of a network that comes with the package.
    """
    if path and images is None:
        raise click.UsageError("--path is of --images, which is missing")
    network, card = open_model(model)
    from handwriting import export as exporting

    out = out or model.with_suffix(".onnx")
    or_usage(
        exporting.onnx,
        network,
        out,
        alphabet=card.alphabet,
        recipe=card.recipe,
        images=None if images is None else _some_images(images, path, card),
        precision=precision,
    )
    click.echo(str(out))


def _some_images(dataset: str, path: Path | None, card: "Card") -> "Image":
    """At most _SOME images of a set, of the size that a model takes, the same in each call."""
    from handwriting.data import CharacterDataset

    data = load_dataset(dataset, "train", path, line_size=card.image_shape, recipe=card.recipe)
    height, width = card.image_shape
    is_characters = isinstance(data, CharacterDataset)
    if is_characters == (card.model in LINE_MODELS):
        kinds = ("lines of text", "characters")
        raise click.UsageError(
            f"the model reads {kinds[not is_characters]}, and {dataset} has {kinds[is_characters]}"
        )
    if data.image_shape != (height, width or data.image_shape[1]):
        raise click.UsageError(
            f"the model takes images of {card.image_shape}, and {dataset} has {data.image_shape}"
        )
    return data.sample(min(_SOME, len(data)), rng=0).images
