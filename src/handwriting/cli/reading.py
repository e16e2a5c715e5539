"""Commands that read pictures with models."""

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from handwriting.cli.common import (
    ALPHABETS,
    LINE_RECIPES,
    RECIPES,
    import_keras,
    ink_option,
    or_usage,
    read_texts,
)
from handwriting.errors import HandwritingError
from handwriting.files import replacing

if TYPE_CHECKING:
    from handwriting.alphabet import Alphabet
    from handwriting.predictor import Facts
    from handwriting.recognizer import Reading, Recognizer

__all__ = ["predict", "read"]


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("pictures", metavar="IMAGE...", nargs=-1, required=True)
@click.option(
    "--top", default=1, show_default=True, type=click.IntRange(1), help="How many guesses."
)
@click.option("--recipe", type=click.Choice(RECIPES), help="Instead of the one the model names.")
@ink_option
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

    MODEL is a file that train or export wrote, or the name of a network that comes with the
    package. Prints the file, the character and the model's confidence. Where all files are named by
    what is in them, such as 7.png, A-2.png or b_03.png, it tells at the end how many were read
    right. A picture that cannot be read gets a line on standard error, the rest go on, and the exit
    code is 1.
    """
    import numpy as np

    _import_for(model)
    from handwriting import evaluation, images, preprocessing, recognizer

    network, facts = recognizer.network(model)
    recipe = _recipe_for(model, facts, recipe)
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
        scores = evaluation.predict(network, np.stack(prepared))
        for name, row, image in zip(names, scores, prepared, strict=True):
            best = np.argsort(-row, kind="stable")[: top if image.any() else 0]
            guesses = [(facts.alphabet.characters[label], float(row[label])) for label in best]
            click.echo(_prediction(name, guesses, as_json=as_json))
            read.append(guesses[0][0] if guesses else "")
    truths = [_named_character(name, facts.alphabet) for name in names]
    if read and all(truths) and not as_json:
        right = sum(character == truth for character, truth in zip(read, truths, strict=True))
        click.echo(f"{right} of {len(read)} right, by the names of the files")
    if len(names) < len(pictures):
        sys.exit(1)


def _recipe_for(model: Path, facts: "Facts", recipe: str | None) -> str:
    """The name of the recipe that makes the images of a network of characters."""
    from handwriting import preprocessing

    if facts.lines:
        raise click.UsageError(f"{model} reads lines of text; handwriting read does that")
    recipe = recipe or facts.recipe
    if recipe is None:
        raise click.UsageError(f"{model} names no recipe; choose one with --recipe")
    or_usage(preprocessing.check_makes, recipe, facts.image_shape)
    return recipe


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


@click.command()
@click.argument("pictures", metavar="IMAGE...", nargs=-1, required=True)
@click.option(
    "--model",
    default="lines",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The name of a network that comes with the package (lines, characters, digits, names), or "
    "a model file, of characters or of lines, as train and export write them.",
)
@click.option(
    "--cut/--no-cut",
    default=True,
    help="Find lines or characters in each picture, or take the whole of it for one.",
)
@click.option(
    "--alphabet",
    type=click.Choice(ALPHABETS),
    help="Read these characters only; small letters that are not among them as capitals.",
)
@click.option(
    "--min-confidence",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Characters that are less sure are printed as unread.",
)
@click.option(
    "--allow",
    help="The characters that can stand in the pictures, a space where there are several words.",
)
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
    "--crops",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for a picture of each line and, beside it, its text as it was read: to correct, "
    "and to train on with finetune.",
)
@click.option(
    "--recipe",
    type=click.Choice([*RECIPES, *LINE_RECIPES]),
    help="Instead of the one the model names.",
)
@ink_option
@click.option("--page", type=click.IntRange(0), help="Of files with several pages, from 0.")
def read(
    pictures: tuple[str, ...],
    model: Path,
    cut: bool,
    alphabet: str | None,
    min_confidence: float,
    allow: str | None,
    lexicon: Path | None,
    top: int,
    form: str,
    as_json: bool,
    overlay: Path | None,
    crops: Path | None,
    recipe: str | None,
    ink: Any,
    page: int | None,
) -> None:
    """Read the text in each IMAGE: a file, a folder of pictures, or a pattern such as 'p*.jpg'.

    A picture that cannot be read gets a line on standard error, the rest go on, and the exit code
    is 1.
    """
    from handwriting import images

    if as_json and form not in ("text", "json"):
        raise click.UsageError(f"--json and --form {form} exclude each other")
    files = images.find(pictures)
    if len(files) > 1 and form in ("alto", "hocr") and not as_json:
        raise click.UsageError(f"--form {form} is for one picture at a time, got {len(files)}")
    drawings, stems = _drawings(files, overlay) if overlay else {}, _stems(files)
    reader = _reader(model, recipe, alphabet)
    if crops and not (cut and _has_lines(reader)):
        raise click.UsageError("--crops is for models of lines, and not with --no-cut")
    options: dict[str, Any] = {
        "cut": cut,
        "allowlist": allow,
        "top_k": top,
        "min_confidence": min_confidence,
        "polarity": ink,
        "page": page,
    }
    if lexicon:
        from handwriting import ctc

        options["lexicon"] = ctc.Lexicon(read_texts(lexicon), reader.alphabet)
    failed = 0
    for file in files:
        try:
            reading = or_usage(reader.read, file, **options)
            if crops:
                _write_crops(reader, file, crops / stems[file], options)
        except (HandwritingError, OSError) as error:
            click.echo(f"Error: {error}", err=True)
            failed += 1
            continue
        _print_reading(reading, "json" if as_json else form, titled=len(files) > 1)
        if file in drawings:
            _draw_reading(reading, drawings[file])
    if failed:
        sys.exit(1)


def _reader(model: Path, recipe: str | None, alphabet: str | None) -> "Recognizer":
    """A model's reader, of some characters only if so said; the space is one where words are."""
    _import_for(model)
    from handwriting import recognizer

    reader: Recognizer = or_usage(recognizer.load, model, recipe=recipe)
    if alphabet is None:
        return reader
    chosen = _alphabet(alphabet, spaces=" " in reader.alphabet and _has_lines(reader))
    return or_usage(recognizer.load, model, recipe=recipe, alphabet=chosen)


def _has_lines(reader: Any) -> bool:
    from handwriting import recognizer

    return isinstance(reader, recognizer.LineRecognizer)


def _write_crops(reader: Any, file: Path, start: Path, options: dict[str, Any]) -> None:
    """A picture of each line, dark on light, and a file with its text; none of them replaced."""
    from handwriting import images
    from handwriting.datasets.transcripts import SUFFIX

    found = reader.crops(file, polarity=options["polarity"], page=options["page"])
    rest = {name: options[name] for name in ("allowlist", "lexicon") if name in options}
    stems = [start.with_name(f"{start.name}-{number:02}") for number in range(1, len(found) + 1)]
    texts = [stem.with_name(stem.name + SUFFIX) for stem in stems]
    if there := next(filter(Path.exists, texts), None):
        raise FileExistsError(f"{there} is there already; give another folder for --crops")
    start.parent.mkdir(parents=True, exist_ok=True)
    lines = reader.read_crops(found, polarity="light", **rest)
    for stem, text, image, line in zip(stems, texts, found, lines, strict=True):
        images.write(stem.with_name(f"{stem.name}.png"), 255 - image)
        text.write_text(line.text + "\n", encoding="utf-8")


def _import_for(model: Path) -> None:
    """Import Keras where a model needs it, and there is such a model."""
    from handwriting import pretrained

    if pretrained.find(model).suffix != ".onnx":
        import_keras()


def _alphabet(name: str, *, spaces: bool = False) -> "Alphabet":
    """The characters of a name, and the space if so said."""
    from handwriting import alphabet
    from handwriting.datasets import emnist

    group, _, subset = name.partition("/")
    found: Alphabet = emnist.ALPHABETS[subset] if subset else getattr(alphabet, group.upper())
    return alphabet.Alphabet([" ", *found]) if spaces else found


def _drawings(files: list[Path], overlay: Path) -> dict[Path, Path]:
    """The PNG file that the reading of each file is drawn into: one, or one each in a folder."""
    is_file = overlay.suffix.lower() == ".png"
    if is_file and len(files) > 1:
        raise click.UsageError(
            f"--overlay must be a folder for {len(files)} pictures, got {overlay}"
        )
    if is_file:
        return {files[0]: overlay}
    return {file: overlay / f"{stem}.png" for file, stem in _stems(files).items()}


def _stems(files: list[Path]) -> dict[Path, str]:
    """A name of its own for each file, without a suffix."""
    taken: dict[str, int] = {}
    stems = {}
    for file in dict.fromkeys(files):
        taken[file.stem] = number = taken.get(file.stem, 0) + 1
        stems[file] = f"{file.stem}{'' if number == 1 else f'-{number}'}"
    return stems


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
