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
from handwriting.files import replacing

if TYPE_CHECKING:
    from handwriting.alphabet import Alphabet
    from handwriting.data import CharacterDataset, LineDataset
    from handwriting.datasets.download import RemoteFile
    from handwriting.recognizer import Reading

__all__ = ["main"]

T = TypeVar("T")

_MODELS = (
    *("dense", "dense_small", "lenet", "convnet_small", "convnet_deep"),
    *("vgg_small", "vgg_deep", "vgg"),
)
# Readers of lines, and the images that they take.
_LINE_MODELS = {"crnn": (64, 256), "crnn_small": (40, 256), "crnn_deep": (40, 256)}
_ANY_WIDTH = 1024  # of lines that a published set is fitted to, for a model of any width
_RECIPES = ("mnist", "emnist", "emnist-raw", "alphanum")
_LINE_RECIPES = ("line", "line-stretched")


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


_ink_option = click.option(
    "--ink",
    default="auto",
    show_default=True,
    type=click.Choice(["auto", "dark", "light"]),
    help="Whether the ink is darker or lighter than the paper.",
)


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
    "--model",
    type=click.Choice([*_MODELS, *_LINE_MODELS]),
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

    data = _load(
        dataset,
        "train",
        path,
        line_size=_LINE_MODELS.get(model or "crnn_small"),
        recipe="mnist",
    )
    lines = not isinstance(data, CharacterDataset)
    model = model or ("crnn_small" if lines else "lenet")
    if lines != (model in _LINE_MODELS):
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

    _import_keras()
    from handwriting import models, training

    network = _or_usage(models.build, model, data.alphabet, data.image_shape, rng=seed)
    options: dict[str, Any] = {
        "validation": validation,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "checkpoint": out,
        "csv": csv,
        "rng": seed,
    }
    if isinstance(data, CharacterDataset):
        history = _or_usage(
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
        history = _or_usage(
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

    DATASET is a set's name, a folder that the save method of a dataset wrote, or class folders of
    pictures. Of lines of text it tells the error rates of characters (CER) and of words (WER).
    """
    _import_keras()
    from handwriting import evaluation, models
    from handwriting.data import LineDataset

    card = models.card(model)
    if card.model in _LINE_MODELS:
        height, width = card.image_shape
        lines = _load(dataset, split or "test", path, line_size=(height, width or _ANY_WIDTH))
        if not isinstance(lines, LineDataset) or lines.image_shape != (
            height,
            width or lines.image_shape[1],
        ):
            raise click.UsageError(f"{model} reads lines of {card.image_shape}, got {lines!r}")
        found = evaluation.evaluate_lines(models.load(model), lines, card.alphabet)
        click.echo(str(found))
        if report_path:
            found.save(report_path)
        return
    data = _load_characters(
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
@_ink_option
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

    Prints the file, the character and the model's confidence. Where all files are named by what is
    in them, such as 7.png, A-2.png or b_03.png, it tells at the end how many were read right. A
    picture that cannot be read gets a line on standard error, the rest go on, and the exit code
    is 1.
    """
    import numpy as np

    _import_keras()
    from handwriting import evaluation, images, models, preprocessing

    card = models.card(model)
    if card.model in models.LINE_NAMES:
        raise click.UsageError(f"{model} reads lines of text; handwriting read does that")
    recipe = recipe or card.recipe
    if recipe is None:
        raise click.UsageError(f"{model} names no recipe; choose one with --recipe")
    size = preprocessing.RECIPES[recipe].size
    if card.image_shape != (size, size):
        raise click.UsageError(f"{model} eats images of {card.image_shape}, not those of {recipe}")
    prepared, names = [], []
    read: list[str] = []
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
            read.append(guesses[0][0] if guesses else "")
    truths = [_named_character(name, card.alphabet) for name in names]
    if read and all(truths) and not as_json:
        right = sum(character == truth for character, truth in zip(read, truths, strict=True))
        click.echo(f"{right} of {len(read)} right, by the names of the files")
    if len(names) < len(pictures):
        sys.exit(1)


def _named_character(path: str, alphabet: "Alphabet") -> str | None:
    """The character that a file's name begins with, if it is one of the alphabet by itself."""
    name = re.split(r"(?<=.)[-_. ]", Path(path).stem, maxsplit=1)[0]
    return name if name in alphabet else None


def _prediction(name: str, guesses: list[tuple[str, float]], *, as_json: bool) -> str:
    if as_json:
        pairs = [{"character": character, "confidence": score} for character, score in guesses]
        return json.dumps({"file": name, "guesses": pairs}, ensure_ascii=False)
    columns = [f"{character or 'null'}\t{score:.4f}" for character, score in guesses]
    return "\t".join([name, *(columns or ["no ink"])])


@main.command()
@click.argument("pictures", metavar="IMAGE...", nargs=-1, required=True)
@click.option(
    "--model",
    required=True,
    type=click.Path(path_type=Path),
    help="A model file, of characters or of lines, as train and export write them, or the name of "
    "one that comes with the package: names.",
)
@click.option(
    "--cut/--no-cut",
    default=True,
    help="Find lines or characters in each picture, or take the whole of it for one.",
)
@click.option("--allow", help="The characters that can stand in the pictures.")
@click.option(
    "--lexicon",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A text file of likely words, one a line; others can still be read.",
)
@click.option(
    "--top", default=1, show_default=True, type=click.IntRange(1), help="Alternatives to tell."
)
@click.option(
    "--form",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json", "alto", "hocr"]),
    help="What to print.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --form json.")
@click.option(
    "--overlay",
    type=click.Path(path_type=Path),
    help="Draw what was read over each picture: a PNG file, or a folder for several.",
)
@click.option(
    "--recipe",
    type=click.Choice([*_RECIPES, *_LINE_RECIPES]),
    help="Instead of the one the model names.",
)
@_ink_option
@click.option("--page", type=click.IntRange(0), help="Of files with several pages, from 0.")
def read(
    pictures: tuple[str, ...],
    model: Path,
    cut: bool,
    allow: str | None,
    lexicon: Path | None,
    top: int,
    form: str,
    as_json: bool,
    overlay: Path | None,
    recipe: str | None,
    ink: Any,
    page: int | None,
) -> None:
    """Read the text in each IMAGE: a file, a folder of pictures, or a pattern such as 'p*.jpg'.

    A picture that cannot be read gets a line on standard error, the rest go on, and the exit code
    is 1.
    """
    from handwriting import images

    files = images.find(pictures)
    if len(files) > 1 and form in ("alto", "hocr") and not as_json:
        raise click.UsageError(f"--form {form} is for one picture at a time, got {len(files)}")
    drawings = _drawings(files, overlay) if overlay else {}
    if model.suffix == ".keras":
        _import_keras()
    from handwriting import ctc, recognizer

    reader = _or_usage(recognizer.load, model, recipe=recipe)
    options: dict[str, Any] = {
        "cut": cut,
        "allowlist": allow,
        "top_k": top,
        "polarity": ink,
        "page": page,
    }
    if lexicon:
        options["lexicon"] = ctc.Lexicon(_read_texts(lexicon), reader.alphabet)
    failed = 0
    for file in files:
        try:
            reading = _or_usage(reader.read, file, **options)
        except (HandwritingError, OSError) as error:
            click.echo(f"Error: {error}", err=True)
            failed += 1
            continue
        _print_reading(reading, "json" if as_json else form, titled=len(files) > 1)
        if file in drawings:
            _draw_reading(reading, drawings[file])
    if failed:
        sys.exit(1)


def _drawings(files: list[Path], overlay: Path) -> dict[Path, Path]:
    """The PNG file that the reading of each file is drawn into: one, or one each in a folder."""
    is_file = overlay.suffix.lower() == ".png"
    if is_file and len(files) > 1:
        raise click.UsageError(
            f"--overlay must be a folder for {len(files)} pictures, got {overlay}"
        )
    if is_file:
        return {files[0]: overlay}
    taken: dict[str, int] = {}
    drawings = {}
    for file in dict.fromkeys(files):
        taken[file.stem] = number = taken.get(file.stem, 0) + 1
        drawings[file] = overlay / f"{file.stem}{'' if number == 1 else f'-{number}'}.png"
    return drawings


def _print_reading(reading: "Reading", form: str, *, titled: bool) -> None:
    forms = {"json": reading.to_json, "alto": reading.to_alto, "hocr": reading.to_hocr}
    if titled and form == "text":
        click.echo(f"==> {reading.name} <==")
    # Programs that read these forms expect UTF-8, whatever the terminal has.
    click.echo(forms[form]().encode() if form in forms else reading.text)


def _draw_reading(reading: "Reading", out: Path) -> None:
    from handwriting import plots

    with replacing(out) as temporary:
        plots.reading(reading).savefig(temporary, format="png")


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.  [default: MODEL with the suffix .onnx]",
)
@click.option("--half", is_flag=True, help="Keep weights in half precision: half as large.")
def export(model: Path, out: Path | None, half: bool) -> None:
    """Write MODEL, a file that train wrote, as ONNX: it is read without TensorFlow."""
    _import_keras()
    from handwriting import export as exporting
    from handwriting import models

    card, out = models.card(model), out or model.with_suffix(".onnx")
    _or_usage(
        exporting.onnx,
        models.load(model),
        out,
        alphabet=card.alphabet,
        recipe=card.recipe,
        precision="float16" if half else "float32",
    )
    click.echo(str(out))


@main.group(invoke_without_command=True)
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
@_dataset_options
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

    data = _load(dataset, split, path)
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
    module = _or_usage(sets.module, name)
    files = getattr(module, "FILES", {})
    if not files:
        raise click.UsageError(f"{name} is not fetched by this command; see {module.SOURCE}")
    return [(file, sets.store.home() / name) for file in files.values()]


@datasets.command()
@_dataset_options
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

    data = _load(dataset, split, path)
    if form == "dataset":
        data.save(out)
    elif not isinstance(data, CharacterDataset):
        raise click.UsageError(f"{dataset} has lines of text, which --to {form} cannot hold")
    elif form == "folders":
        folders.save(data, out)
    else:
        idx.save(data, out)
    click.echo(str(out))


@main.group()
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

    counts = _or_usage(
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


@main.command()
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
    characters = _load_characters(dataset, split, path, default_split="train", recipe="mnist")
    if text is not None:
        image = _or_usage(sequences.compose, characters, text, **options)
        out = out or Path("-".join(map(_file_name, text)) + ".png")
        _or_usage(images.write, out, 255 - image)
    elif count is not None and out is not None:
        options["texts"] = None if texts is None else _read_texts(texts)
        options["length"] = None if length is None else _length(length)
        stream = _or_usage(sequences.Stream, characters, count, 1024, **options)
        writers: dict[str, Callable[..., None]] = {
            "dataset": sequences.save,
            "pictures": sequences.save_pictures,
            "parquet": sequences.save_parquet,
        }
        _or_usage(writers[form], stream, out)
    click.echo(str(out))


def _file_name(character: str) -> str:
    return character if character.isalnum() else f"U+{ord(character):04X}"


def _read_texts(file: Path) -> list[str]:
    try:
        lines = file.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise click.UsageError(f"{file} must be text in UTF-8 ({error})") from None
    return [line.rstrip("\r") for line in lines if line.strip()]


def _length(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if not found:
        raise click.UsageError(f"--length must be a number such as 5, or 3-7, got {text!r}")
    return int(found[1]), int(found[2] or found[1])


def _load(
    dataset: str,
    split: str,
    path: Path | None,
    *,
    line_size: tuple[int, int] | None = None,
    **folder_options: Any,
) -> "CharacterDataset | LineDataset":
    """A published set by its name, a saved dataset, or pictures in class folders."""
    from handwriting import data
    from handwriting import datasets as sets

    if dataset.partition("/")[0] in sets.NAMES:
        has_lines = sets.module(dataset.partition("/")[0]).ALPHABET is None
        options = {"size": line_size} if line_size and has_lines else {}
        return _or_usage(sets.load, dataset, split, path, **options)
    if path:
        raise click.UsageError(f"--path is for published sets, got {dataset}")
    place = Path(dataset)
    if (place / "dataset.json").is_file():
        return data.open_saved(place)
    if place.is_dir() or place.suffix.lower() == ".zip":
        return sets.folders.load(place, **folder_options)
    raise click.UsageError(
        f"DATASET must be one of {', '.join(sets.NAMES)}, the folder of a saved dataset, or a "
        f"folder or zip file of class folders, got {dataset!r}"
    )


def _load_characters(
    dataset: str,
    split: str | None,
    path: Path | None,
    *,
    default_split: str,
    **folder_options: Any,
) -> "CharacterDataset":
    from handwriting.data import CharacterDataset

    if split and Path(dataset).exists():
        raise click.UsageError(f"--split is for published sets, got {dataset}")
    loaded = _load(dataset, split or default_split, path, **folder_options)
    if not isinstance(loaded, CharacterDataset):
        raise click.UsageError(f"{dataset} has lines of text, and this command takes characters")
    return loaded


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
