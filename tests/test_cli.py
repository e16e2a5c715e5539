import dataclasses
import json
import os
import subprocess
import sys
import typing
from xml.etree import ElementTree as ET

import numpy as np
import own_hand
import PIL.Image
import pytest
from click.testing import CliRunner

import handwriting
from handwriting import images, models
from handwriting.alphabet import DIGITS
from handwriting.cli import main
from handwriting.data import CharacterDataset
from handwriting.datasets import digits, folders
from handwriting.recognizer import UNREAD


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def command(*arguments, **environment):
    """The real command in a process of its own."""
    # JAX, once imported, sets the variable that this command would set.
    inherited = {name: os.environ[name] for name in os.environ if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-m", "handwriting", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**inherited, **environment},
    )


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model that has seen the digits for a moment."""
    path = tmp_path_factory.mktemp("model") / "lenet.keras"
    result = run("train", "digits", "--epochs", 4, "--out", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def pictures(tmp_path):
    """Dark digits on light paper, larger than any model eats."""
    dataset = digits.load("test")
    paths = []
    for index in range(6):
        image = np.kron(255 - dataset.images[index] // 2, np.ones((3, 3), np.uint8))
        path = tmp_path / f"no {index} is {dataset.characters[index]}.png"
        images.write(path, image)
        paths.append(path)
    return paths


def test_help_lists_the_commands():
    result = run("--help")

    assert result.exit_code == 0
    for name in ("demo", "train", "evaluate", "predict", "read", "datasets"):
        assert name in result.output
        assert run(name, "--help").exit_code == 0


def test_version_is_the_packages():
    assert run("--version").output == f"handwriting {handwriting.__version__}\n"


def test_the_choices_are_what_the_library_knows():
    from handwriting import export
    from handwriting.cli import common, reading, training
    from handwriting.preprocessing import LINE_RECIPES, RECIPES

    assert typing.get_args(export.Precision) == training.PRECISIONS
    assert common.MODELS == models.NAMES
    assert tuple(common.LINE_MODELS) == models.LINE_NAMES
    for name, shape in common.LINE_MODELS.items():
        assert models.build(name, 2).input_shape[1:] == shape
    assert tuple(RECIPES) == common.RECIPES
    assert tuple(LINE_RECIPES) == common.LINE_RECIPES
    assert [len(reading._alphabet(name)) for name in common.ALPHABETS] == [
        *(10, 26, 26, 52, 94),
        *(62, 47),
    ]


@pytest.fixture
def small_set(monkeypatch, home):
    """MNIST, as if it were one file of four bytes; the file is at hand."""
    from handwriting.datasets import mnist
    from handwriting.datasets.download import RemoteFile

    sha256 = "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c"
    monkeypatch.setattr(mnist, "FILES", {"a": RemoteFile("a", 4, sha256, ("https://a.test/",))})
    monkeypatch.setenv("HANDWRITING_OFFLINE", "1")
    (home / "mnist").mkdir(parents=True)
    return home / "mnist" / "a"


def test_datasets_lists_sets_and_subsets_and_what_is_fetched(small_set):
    before = run("datasets").output.splitlines()
    small_set.write_text("good")
    fetched = run("datasets", "fetch", "mnist")
    after = run("datasets").output.splitlines()

    row = "mnist\t10 characters\t60,000 train, 10,000 test\tCC BY-SA 3.0\t"
    assert f"{row}not fetched" in before
    assert f"{row}{small_set.parent}" in after
    assert fetched.output == f"{small_set}\n"
    for start in (
        "emnist/letters\t26 characters\t124,800 train, 20,800 test",
        "alphanum\t94 characters\ttrain, test, validation, 108,790 all",
        "names\tlines\t331,059 train, 41,382 validation",
    ):
        assert any(line.startswith(start) for line in before)


def test_verify_reads_every_byte(small_set):
    small_set.write_text("good")
    assert run("datasets", "verify", "mnist").output == f"{small_set}\tas published\n"
    small_set.write_text("evil")

    result = run("datasets", "verify", "mnist")

    assert result.exit_code == 1
    assert "must be the published file (4 bytes" in result.output


@pytest.mark.usefixtures("small_set")
def test_what_cannot_be_fetched_says_where_it_is():
    missing, by_hand = run("datasets", "fetch", "mnist"), run("datasets", "fetch", "names")

    assert missing.exit_code == 1
    assert "must not be fetched offline" in missing.output
    assert by_hand.exit_code == 2
    assert "kaggle.com" in by_hand.output


def test_show_counts_and_draws(tmp_path):
    out = tmp_path / "sheet.png"

    result = run("datasets", "show", "digits", "--split", "test", "--out", out)

    lines = result.output.splitlines()
    assert lines[0].startswith("CharacterDataset('digits/test': 360 images")
    assert lines[1].startswith("0\t3")
    assert lines[-1] == str(out)
    with PIL.Image.open(out) as sheet:
        assert sheet.width > 300


@pytest.mark.parametrize("form", ["dataset", "folders", "zip", "idx"])
def test_convert_writes_what_loads_again(form, tmp_path):
    from handwriting.data import CharacterDataset
    from handwriting.datasets import folders, idx

    out = tmp_path / ("out.zip" if form == "zip" else "out")
    to = "folders" if form == "zip" else form

    result = run("datasets", "convert", "digits", out, "--split", "test", "--to", to)

    assert result.output == f"{out}\n"
    expected = digits.load("test")
    if form == "idx":
        np.testing.assert_array_equal(idx.read(out / "images-idx3-ubyte.gz"), expected.images)
        np.testing.assert_array_equal(idx.read(out / "labels-idx1-ubyte.gz"), expected.labels)
        return
    found = CharacterDataset.open(out) if form == "dataset" else folders.load(out)
    assert found.counts() == expected.counts()
    assert sorted(image.tobytes() for image in found.images) == sorted(
        image.tobytes() for image in expected.images
    )


def test_an_upper_case_zip_file_is_one(tiny, tmp_path):
    folders.save(tiny, tmp_path / "tree.zip")
    (tmp_path / "tree.zip").rename(tmp_path / "TREE.ZIP")

    result = run("datasets", "show", tmp_path / "TREE.ZIP", "--out", tmp_path / "sheet.png")

    assert result.exit_code == 0, result.output


def test_evaluate_warns_of_images_of_another_recipe(model, tmp_path):
    dataset = dataclasses.replace(digits.load("test"), name="mine", recipe=None)
    dataset.save(tmp_path / "mine")

    other = run("evaluate", model, tmp_path / "mine")
    same = run("evaluate", model, "digits")

    assert "Warning: " in other.stderr
    assert "those of mine are of none that is known" in other.stderr
    assert other.exit_code == 0
    assert "Warning" not in same.stderr


def test_lines_convert_to_a_dataset_and_to_nothing_else(tmp_path):
    from handwriting.alphabet import LOWERCASE
    from handwriting.data import LineDataset, open_saved

    LineDataset(np.zeros((1, 8, 9), np.uint8), [9], ["ab"], LOWERCASE).save(tmp_path / "lines")

    refused = run("datasets", "convert", tmp_path / "lines", tmp_path / "x", "--to", "idx")
    copied = run("datasets", "convert", tmp_path / "lines", tmp_path / "copy")

    assert refused.exit_code == 2
    assert "has lines of text" in refused.output
    assert copied.exit_code == 0
    assert open_saved(tmp_path / "copy").texts == ("ab",)


def test_build_alphanum_from_class_folders_and_back(tmp_path, monkeypatch):
    from handwriting.datasets import alphanum, mnist

    monkeypatch.setattr(mnist, "load", lambda split, path: digits.load(split))

    result = run("build", "alphanum", tmp_path / "set", "--mnist", tmp_path, "--null", 30)
    again = run("build", "alphanum", tmp_path / "set", "--mnist", tmp_path)
    nothing = run("build", "alphanum", tmp_path / "other")

    assert result.output == f"1,827 images of 11 characters\n{tmp_path / 'set'}\n"
    with pytest.warns(UserWarning, match="not AlphaNum as published"):
        assert alphanum.load("all", tmp_path / "set").counts()[""] == 30
    assert again.exit_code == 1
    assert "exists" in again.output
    assert nothing.exit_code == 2


def test_class_folders_train_a_model_that_evaluates_and_reads(tiny, tmp_path):
    from handwriting.datasets import folders

    folders.save(tiny, tmp_path / "mine.zip")
    folders.save(tiny.select("0"), tmp_path / "zeros")
    out = tmp_path / "mine.keras"

    trained = run(
        "train", tmp_path / "mine.zip", "--model", "dense_small", "--epochs", 3, "--out", out
    )
    evaluated = run("evaluate", out, tmp_path / "zeros")
    read = run("predict", out, tmp_path / "zeros" / "48" / "0.png")

    assert trained.exit_code == 0, trained.output
    assert models.card(out).alphabet.characters == ("0", "1")
    assert models.card(out).recipe == "mnist"
    assert "10 images" in evaluated.output, evaluated.output
    assert read.output.split("\t")[1] in "01"


def test_train_then_evaluate(model, tmp_path):
    assert models.card(model).recipe == "mnist"

    result = run("evaluate", model, "digits", "--json", tmp_path / "report.json")

    assert result.exit_code == 0
    assert result.output.startswith("digits/test: ")
    accuracy = json.loads((tmp_path / "report.json").read_text())["accuracy"]
    assert accuracy > 0.8
    assert f"{accuracy:.2%}" in result.output


def test_train_takes_a_saved_dataset(tiny, tmp_path):
    tiny.save(tmp_path / "set")

    result = run(
        "train",
        tmp_path / "set",
        "--epochs",
        1,
        "--model",
        "dense_small",
        "--out",
        tmp_path / "a.keras",
        "--csv",
        tmp_path / "log.csv",
        "--augment",
    )

    assert result.exit_code == 0, result.output
    assert models.card(tmp_path / "a.keras").model == "dense_small"
    assert (tmp_path / "log.csv").exists()


def test_equal_seeds_train_equal_models(tiny, tmp_path):
    tiny.save(tmp_path / "set")
    for name in ("a", "b"):
        run(
            "train",
            tmp_path / "set",
            "--epochs",
            1,
            "--seed",
            3,
            "--out",
            tmp_path / f"{name}.keras",
        )

    a, b = (models.load(tmp_path / f"{name}.keras").get_weights() for name in "ab")
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def test_predict_reads_pictures(model, pictures):
    result = run("predict", model, *pictures)

    assert result.exit_code == 0, result.output
    rows = [line.split("\t") for line in result.output.splitlines()]
    assert [row[0] for row in rows] == [str(path) for path in pictures]
    right = sum(row[1] == path.stem[-1] for row, path in zip(rows, pictures, strict=True))
    assert right >= 4
    assert all(0 < float(row[2]) <= 1 for row in rows)


def test_predict_takes_exported_models(model, pictures, tmp_path):
    assert run("export", model, "--out", tmp_path / "model.onnx").exit_code == 0

    result = run("predict", tmp_path / "model.onnx", *pictures)

    assert [line.split("\t")[1] for line in result.output.splitlines()] == [
        line.split("\t")[1] for line in run("predict", model, *pictures).output.splitlines()
    ]


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_export_takes_a_precision(model, pictures, tmp_path, precision):
    whole, small = tmp_path / "whole.onnx", tmp_path / "small.onnx"
    assert run("export", model, "--out", whole).exit_code == 0
    images = ("--images", "digits") if precision == "int8" else ()

    result = run("export", model, "--out", small, "--precision", precision, *images)

    assert (result.exit_code, result.output) == (0, f"{small}\n")
    assert (small.stat().st_size < 0.7 * whole.stat().st_size) == (precision == "float16")
    assert (b"QuantizeLinear" in small.read_bytes()) == (precision == "int8")
    found, wanted = (run("predict", file, *pictures).output.splitlines() for file in (small, whole))
    alike = sum(a.split("\t")[1] == b.split("\t")[1] for a, b in zip(found, wanted, strict=True))
    assert alike >= len(pictures) - 1


def test_export_tells_which_images_it_needs(model, tmp_path):
    without = run("export", model, "--out", tmp_path / "a.onnx", "--precision", "int8")
    CharacterDataset(np.zeros((200, 9, 9), np.uint8), np.zeros(200, int), DIGITS).save(
        tmp_path / "small"
    )
    other = run(
        *("export", model, "--out", tmp_path / "a.onnx"),
        *("--precision", "int8", "--images", tmp_path / "small"),
    )

    assert (without.exit_code, other.exit_code) == (2, 2)
    assert "at least 100 images" in without.stderr
    assert "takes images of (28, 28)" in other.stderr
    assert "(9, 9)" in other.stderr
    assert not (tmp_path / "a.onnx").exists()


def test_read_marks_what_is_less_sure_than_asked(model, pictures):
    sure = run("read", "--model", model, "--no-cut", pictures[0])
    unsure = run("read", "--model", model, "--no-cut", "--min-confidence", 1, pictures[0])

    assert sure.output.strip() in "0123456789"
    assert unsure.output.strip() == UNREAD


def named(pictures, folder, *names):
    """The pictures, whose digits are 5, 1, 0, ..., under other names."""
    paths = [folder / name for name in names]
    for picture, path in zip(pictures, paths, strict=False):
        path.write_bytes(picture.read_bytes())
    return paths


def test_predict_counts_what_is_right_by_the_names_of_the_files(model, pictures, tmp_path):
    digits = [path.stem[-1] for path in pictures]
    right = named(
        pictures,
        tmp_path,
        *(
            f"{d}{more}.png"
            for d, more in zip(digits, ("", "-2", "_03", " d", ".x", "-"), strict=True)
        ),
    )
    guesses = [line.split("\t")[1] for line in run("predict", model, *pictures).stdout.splitlines()]
    count = sum(map(str.__eq__, digits, guesses))

    result = run("predict", model, *right)
    twice = run("predict", model, right[0], right[0], tmp_path / "gone.png")

    assert result.stdout.splitlines()[-1] == f"{count} of 6 right, by the names of the files"
    assert len(result.stdout.splitlines()) == 7
    assert " of 2 right" in twice.stdout


@pytest.mark.parametrize("name", ["10.png", "x-1.png", "no 1.png", "_1.png", "-.png"])
def test_predict_counts_nothing_where_a_file_is_not_named_so(name, model, pictures, tmp_path):
    paths = named(pictures, tmp_path, "5.png", name)

    result = run("predict", model, *paths)

    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 2
    assert "right" not in run("predict", model, "--json", paths[0]).stdout


def test_predict_is_not_for_lines(line_model, pictures):
    result = run("predict", line_model, pictures[0])

    assert result.exit_code == 2
    assert "reads lines of text; handwriting read does that" in result.stderr


def test_predict_gives_guesses_as_json(model, pictures):
    result = run("predict", model, pictures[0], "--json", "--top", 3)

    answer = json.loads(result.output)
    assert answer["file"] == str(pictures[0])
    confidences = [guess["confidence"] for guess in answer["guesses"]]
    assert len(confidences) == 3
    assert confidences == sorted(confidences, reverse=True)


def test_a_bad_picture_does_not_stop_the_others(model, pictures, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"nothing")

    result = run(
        "predict", model, pictures[0], tmp_path / "bad.png", tmp_path / "gone.png", pictures[1]
    )

    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert "bad.png is not a picture" in result.stderr
    assert "gone.png: no such picture" in result.stderr


def test_a_page_of_several_can_be_chosen(model, tmp_path):
    pages = [PIL.Image.fromarray(255 - digits.load("test").images[i]) for i in range(2)]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])

    assert "choose one with page=0" in run("predict", model, tmp_path / "scan.tif").stderr
    assert run("predict", model, tmp_path / "scan.tif", "--page", 1).exit_code == 0


def test_a_report_that_cannot_be_written_is_shown_all_the_same(model, tmp_path):
    (tmp_path / "file").touch()

    result = run("evaluate", model, "digits", "--json", tmp_path / "file" / "report.json")

    assert result.exit_code == 1
    assert result.stdout.startswith("digits/test: ")


def test_blank_paper_has_no_ink(model, tmp_path):
    PIL.Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")

    assert run("predict", model, tmp_path / "blank.png").output.endswith("\tno ink\n")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "imagenet"], 2, "DATASET must be one of digits, mnist"),
        (["train", "digits", "--model", "resnet"], 2, "'resnet' is not one of"),
        (["train", "digits", "--epochs", "0"], 2, "0 is not in the range"),
        (["train", "digits", "--learning-rate", "0"], 2, "is not in the range"),
        (["train", "digits", "--out", "model.h5"], 2, "--out must end in .keras"),
        (["train", "digits", "--path", "."], 2, "digits come with scikit-learn"),
        (["train", "mnist", "--path", "nowhere"], 1, "nowhere does not exist"),
        (["evaluate", "gone.keras", "digits"], 1, "gone.keras: no such model"),
        (["datasets", "show", "digits", "--split", "dev"], 2, "split must be"),
        (["evaluate", "tall.keras", "digits", "--split", "dev"], 2, "split must be"),
        (["predict", "gone.keras", "a.png"], 1, "gone.keras: no such model"),
        (["predict", "gone.keras"], 2, "Missing argument"),
        (["read", "gone.png"], 1, "gone.png"),
        (["read", "a.png", "--model", "gone.keras"], 1, "gone.keras: no such model"),
        (["read", "a.png", "--model", "file"], 1, "file is not a whole model file"),
        (["read", "a.png", "--model", "set"], 1, "set is a folder, not a model file"),
        (["read", "x*.png", "--model", "gone.keras"], 1, "x*.png fits no file"),
        (["read", "set", "--model", "gone.keras"], 1, "set has no pictures"),
        (["read", "a.png", "--model", "tall.keras"], 2, "recipe"),
        (["read", "a", "b", "--model", "a", "--form", "alto"], 2, "is for one picture at a time"),
        (["read", "a", "b", "--model", "a", "--overlay", "o.png"], 2, "must be a folder for 2"),
        (["finetune", "gone.keras", "digits"], 1, "gone.keras: no such model"),
        (["finetune", "tall.keras", "digits"], 2, "reads characters of 28 x 24, got Char"),
        (["finetune", "names", "set", "--split", "test"], 2, "is for published sets, got set"),
        (["finetune", "names", "digits"], 2, "crnn_deep reads lines of 48 x 320"),
        (["finetune", "names", "digits", "--out", "a.h5"], 2, "--out must end in .keras"),
        (["finetune", "tall.keras", "digits", "--out", "file/a.keras"], 1, "file"),
        (["read", "a.png", "--model", "names", "--alphabet", "digits"], 2, "does not know '0'"),
        (["nothing"], 2, "No such command"),
        (["demo", "--seed", "-1"], 2, "-1 is not in the range"),
        (["demo", "--out", "file/demo"], 1, "file"),
        (["train", "digits", "--out", "file/a.keras"], 1, "file"),
        (["train", "digits", "--csv", "file/a.csv"], 1, "file"),
        (["train", "digits", "--tensorboard", "file/a"], 1, "file"),
        (
            ["evaluate", "tall.keras", "set", "--split", "train"],
            2,
            "is for published sets, got set",
        ),
        (["train", "set", "--path", "file"], 2, "is for published sets, got set"),
        (["train", "empty"], 2, "there must be images to learn from"),
        (["evaluate", "tall.keras", "empty"], 2, "there must be images to evaluate"),
        (
            ["predict", "tall.keras", "a.png", "--recipe", "mnist"],
            2,
            "images of (28, 24), which the network takes",
        ),
        (["read", "a.png", "--model", "digit"], 1, "comes with the package, characters, digits"),
        (["evaluate", "digit", "digits"], 1, "comes with the package, characters, digits, lines"),
        (["export", "digit"], 1, "comes with the package, characters, digits, lines"),
        (["finetune", "lines", "folders"], 2, "such as 1.png and 1.gt.txt"),
        (["read", "texts", "--model", "digits", "--crops", "c"], 2, "--crops is for models of lin"),
        (["read", "texts", "--no-cut", "--crops", "c"], 2, "--crops is for models of lines"),
        (["read", "a.png", "--form", "alto", "--json"], 2, "exclude each other"),
        (["export", "digits", "--path", "a"], 2, "--path is of --images, which is missing"),
        (["export", "digits", "--images", "texts"], 2, "reads characters, and texts has lines"),
    ],
)
def test_mistakes_end_in_one_line_and_never_a_traceback(
    arguments, code, message, tiny, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    tiny.save("set")
    tiny.select([]).save("empty")
    folders.save(tiny.select(slice(5)), "folders")
    images.write(tmp_path / "texts" / "1.png", page("12"))
    (tmp_path / "texts" / "1.gt.txt").write_text("12", encoding="utf-8")
    if "tall.keras" in arguments:
        shape = (28, 28) if "empty" in arguments else (28, 24)
        models.save(models.dense_small(DIGITS, shape), "tall.keras", alphabet=DIGITS)

    result = run(*arguments)

    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_saved_dataset_has_no_splits(model, tiny, tmp_path):
    tiny.save(tmp_path / "set")

    result = run("evaluate", model, tmp_path / "set", "--split", "train")

    assert result.exit_code == 2
    assert "--split is for published sets" in result.output


def test_finetune_tells_before_and_after_and_writes_the_model(model, tiny, tmp_path):
    tiny.save(tmp_path / "mine")
    out = tmp_path / "mine.keras"

    result = run("finetune", model, tmp_path / "mine", "--held-back", 0.5, "--out", out)

    assert result.exit_code == 0, result.output
    before, after, verdict, path = result.stdout.splitlines()
    assert before.startswith("before: ")
    assert "% of 10 images right (" in before
    assert after.startswith("after: ")
    assert "read right that were not" in verdict
    assert path == str(out)
    assert models.card(out) == models.card(model)


def test_finetune_refuses_characters_that_the_model_does_not_know(model, tiny, tmp_path):
    folders.save(
        tiny.relabel(handwriting.alphabet.Alphabet("0X"), rename={"1": "X"}), tmp_path / "a"
    )

    result = run("finetune", model, tmp_path / "a", "--out", tmp_path / "a.keras")

    assert result.exit_code == 2
    assert "the network does not know 'X'" in result.stderr
    assert not (tmp_path / "a.keras").exists()


@pytest.fixture
def two_names(tmp_path):
    """The names, as if they were two pictures in a folder."""
    folder = tmp_path / "two"
    folder.mkdir()
    for number in (1, 2):
        PIL.Image.new("L", (50, 20), 255).save(folder / f"{number}.png")
    for split in ("train", "validation"):
        (folder / f"{split}.csv").write_text("FILENAME,IDENTITY\n1.png,LEA\n2.png,LEO\n")
    return folder


def test_a_line_reader_is_trained_and_evaluated_with_the_same_commands(two_names, tmp_path):
    out, report = tmp_path / "a.keras", tmp_path / "a.json"
    command = ("train", "names", "--path", two_names, "--validation", "0.5", "--out", out)

    trained = run(*command, "--epochs", 1, "--augment")
    again = run(*command, "--epochs", 1, "--augment", "--resume")
    result = run(
        "evaluate", out, "names", "--path", two_names, "--split", "validation", "--json", report
    )

    assert trained.exit_code == 0, trained.output
    assert "of the held-back lines right" in trained.stdout
    assert again.stdout == trained.stdout
    assert models.card(out).recipe == "line"
    assert models.card(out).image_shape == (40, 256)
    assert result.exit_code == 0, result.output
    assert "CER 100.00% of 6 characters" in result.stdout
    assert "0.00% of 2 exact" in result.stdout
    assert json.loads(report.read_text())["exact"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "lenet"), "names has lines of text, and lenet reads characters"),
        (("--schedule", "constant"), "--schedule and --tensorboard are not for lines of text"),
    ],
)
def test_what_is_not_for_lines_is_wrong_usage(arguments, message, two_names):
    result = run("train", "names", "--path", two_names, *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--model", "crnn"), "digits has characters, and crnn reads lines of text"),
        (("--resume",), "--resume is for lines of text"),
    ],
)
def test_what_is_for_lines_alone_is_wrong_usage_for_characters(arguments, message):
    result = run("train", "digits", *arguments)

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_line_reader_is_not_evaluated_on_characters(tmp_path):
    models.save(models.crnn(DIGITS, (8, 16)), tmp_path / "a.keras", alphabet=DIGITS)

    result = run("evaluate", tmp_path / "a.keras", "digits")

    assert result.exit_code == 2
    assert "reads lines of (8, 16), got CharacterDataset" in result.stderr


def test_a_model_for_other_characters_is_wrong_usage(tmp_path):
    models.save(models.lenet(DIGITS.with_null()), tmp_path / "a.keras", alphabet=DIGITS.with_null())

    result = run("evaluate", tmp_path / "a.keras", "digits")

    assert result.exit_code == 2
    assert "reads Alphabet('0123456789').with_null()" in result.stderr


def test_a_model_without_recipe_asks_for_one(tmp_path, pictures):
    models.save(models.lenet(DIGITS, rng=0), tmp_path / "a.keras", alphabet=DIGITS)

    assert "choose one with --recipe" in run("predict", tmp_path / "a.keras", pictures[0]).stderr
    assert (
        "images of (28, 28), which the network takes, got 'alphanum'"
        in run("predict", tmp_path / "a.keras", pictures[0], "--recipe", "alphanum").stderr
    )
    assert run("predict", tmp_path / "a.keras", pictures[0], "--recipe", "emnist").exit_code == 0


def test_the_command_itself_says_nothing_but_the_answer(model, pictures):
    result = command("predict", model, pictures[0])

    assert result.returncode == 0
    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


def test_a_screen_without_unicode_is_no_trouble(model, tmp_path):
    PIL.Image.new("L", (50, 50), 255).save(tmp_path / "é.png")

    result = command(
        "predict", model, tmp_path / "é.png", PYTHONIOENCODING="ascii:backslashreplace"
    )

    assert result.returncode == 0, result.stderr


def test_demo_leaves_everything_and_reads_well(tmp_path):
    result = run("demo", "--out", tmp_path / "demo")

    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert names == {
        "lenet.keras",
        "report.json",
        "training-curves.png",
        "confusion.png",
        "predictions.png",
        "strip.png",
    }
    report = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert report["images"] == 360
    assert report["accuracy"] >= 0.97
    assert f"Accuracy on 360 held-out digits: {report['accuracy']:.2%}" in result.output
    text = result.output.split("strip.png: ")[1].split("\n")[0]
    assert len(text) == 16
    assert set(text) <= set("0123456789")
    for name in names:
        assert str(tmp_path / "demo" / name) in result.output


@pytest.fixture(scope="session")
def line_model(tmp_path_factory):
    """A reader of lines that was never trained."""
    path = tmp_path_factory.mktemp("lines") / "crnn.keras"
    network = models.crnn_small(DIGITS, (32, 128), rng=0)
    models.save(network, path, alphabet=DIGITS, recipe="line")
    return path


def page(*lines):
    """Pictures of digits in lines, dark on light."""
    dataset = digits.load("test")
    rows = []
    for line in lines:
        drawn = [dataset.images[dataset.labels == int(digit)][0] for digit in line]
        close = [np.pad(image[:, image.any(axis=0)], ((0, 0), (0, 4))) for image in drawn]
        rows.append(np.pad(np.hstack(close), 16))
    width = max(row.shape[1] for row in rows)
    sheet = np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]))) for row in rows])
    return 255 - np.kron(sheet, np.ones((2, 2), np.uint8))


@pytest.fixture
def pages(tmp_path):
    """A folder of two pages, a broken one and a note."""
    folder = tmp_path / "pages"
    images.write(folder / "one.png", page("01234"))
    images.write(folder / "two.jpg", page("567", "89"))
    (folder / "bad.png").write_bytes(b"nothing")
    (folder / "notes.txt").write_text("7")
    return folder


def test_read_prints_the_text_of_a_page(model, pages):
    result = run("read", pages / "two.jpg", "--model", model)

    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()
    assert (len(first), len(second)) == (3, 2)
    assert sum(map(str.__eq__, first + second, "56789")) >= 3


def test_read_goes_on_after_a_bad_picture(model, pages):
    result = run("read", pages, pages / "gone.png", "--model", model)

    assert result.exit_code == 1
    titles = [line for line in result.stdout.splitlines() if line.startswith("==>")]
    assert titles == [f"==> {pages / name} <==" for name in ("one.png", "two.jpg")]
    assert "bad.png is not a picture" in result.stderr
    assert "gone.png: no such picture" in result.stderr


def test_read_prints_json_lines_of_what_fits_a_pattern(model, pages):
    result = run(
        "read", pages / "[ot]*.*g", "--model", model, "--json", "--top", 2, "--allow", "07"
    )

    assert result.exit_code == 0, result.output
    one, two = map(json.loads, result.stdout.splitlines())
    assert (one["file"], two["file"]) == (str(pages / "one.png"), str(pages / "two.jpg"))
    assert set(one["text"] + two["text"]) <= {"0", "7", "\n"}
    character = one["lines"][0]["words"][0]["characters"][0]
    assert [text for text, _ in character["alternatives"]] == [character["text"], "7"]


@pytest.mark.parametrize("form", ["alto", "hocr", "json", "text"])
def test_read_prints_each_form_in_utf8_whatever_the_terminal_has(form, model, tmp_path):
    name = tmp_path / "é <&>.png"
    images.write(name, page("01"))

    arguments = ["read", str(name), "--model", str(model), "--form", form]
    result = CliRunner(charset="latin-1").invoke(main, arguments)

    assert result.exit_code == 0, result.output
    printed = result.stdout_bytes.decode("utf-8")
    if form == "text":
        assert len(printed) == 3
    elif form == "json":
        assert json.loads(printed)["file"] == str(name)
    else:
        assert "é &lt;&amp;&gt;.png" in printed
        ET.fromstring(printed.removeprefix("<!DOCTYPE html>"))


def test_read_draws_one_picture_into_a_file(model, pages, tmp_path):
    out = tmp_path / "new" / "out.PNG"

    result = run("read", pages / "one.png", "--model", model, "--overlay", out)

    assert result.exit_code == 0, result.output
    with PIL.Image.open(out) as drawn, PIL.Image.open(pages / "one.png") as picture:
        assert drawn.size == picture.size
        assert drawn.convert("RGB").getcolors(1000) != picture.convert("RGB").getcolors(1000)


def test_read_draws_several_into_a_folder_each_under_a_name_of_its_own(model, pages, tmp_path):
    images.write(tmp_path / "one.png", page("7"))
    out = tmp_path / "drawn"

    run("read", pages, tmp_path / "one.png", "--model", model, "--overlay", out)
    run("read", tmp_path / "one.png", "--model", model, "--overlay", tmp_path / "single")

    assert sorted(path.name for path in out.iterdir()) == ["one-2.png", "one.png", "two.png"]
    assert [path.name for path in (tmp_path / "single").iterdir()] == ["one.png"]
    with PIL.Image.open(out / "one-2.png") as second, PIL.Image.open(tmp_path / "one.png") as mine:
        assert second.size == mine.size


def test_read_without_a_model_reads_lines(tmp_path):
    images.write(tmp_path / "page.png", own_hand.page("garden", "World"))

    assert run("read", tmp_path / "page.png").stdout == "garden\nWorld\n"


def test_lines_of_a_page_are_kept_corrected_and_trained_on(tmp_path):
    lines = ("garden", "World", "water", "from", "good")
    images.write(tmp_path / "page.png", own_hand.page(*lines))
    mine, out = tmp_path / "mine", tmp_path / "mine.keras"

    read = run("read", tmp_path / "page.png", "--crops", mine)
    again = run("read", tmp_path / "page.png", "--crops", mine)
    tuned = run("finetune", "lines", mine, "--epochs", 1, "--held-back", 0.4, "--out", out)
    measured = run("evaluate", "lines", mine)

    assert sorted(path.name for path in mine.iterdir()) == [
        *(f"page-0{n}.{end}" for n in range(1, 6) for end in ("gt.txt", "png"))
    ]
    texts = [(mine / f"page-0{n}.gt.txt").read_text(encoding="utf-8") for n in range(1, 6)]
    assert "".join(texts) == read.output  # the same, to the letter
    assert again.exit_code == 1
    assert "page-01.gt.txt is there already" in again.stderr
    assert tuned.exit_code == 0, tuned.output
    assert tuned.output.startswith("before: CER ")
    assert models.card(out).recipe == "line-tight"
    assert "CER" in measured.output, measured.output
    assert sum(line == text.strip() for line, text in zip(lines, texts, strict=True)) >= 4


def test_lines_of_pages_of_one_name_are_kept_apart(tmp_path):
    for folder in ("a", "b"):
        images.write(tmp_path / folder / "page.png", own_hand.page("good"))

    result = run("read", tmp_path / "a", tmp_path / "b", "--crops", tmp_path / "mine")

    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "mine").glob("*.png")}
    assert names == {"page-01.png", "page-2-01.png"}


def test_words_stay_apart_whatever_the_alphabet(tmp_path):
    images.write(tmp_path / "page.png", own_hand.page("garden World"))

    assert run("read", tmp_path / "page.png", "--alphabet", "letters").stdout == "garden World\n"


def test_read_takes_ready_cut_pictures_and_either_ink(model, pages):
    whole = run("read", pages / "one.png", "--model", model, "--no-cut")
    dark = run("read", pages / "one.png", "--model", model, "--ink", "dark")
    light = run("read", pages / "one.png", "--model", model, "--ink", "light")

    assert len(whole.stdout.strip()) == 1
    assert dark.stdout == run("read", pages / "one.png", "--model", model).stdout
    assert light.stdout != dark.stdout


def test_read_takes_a_lexicon_in_utf8(model, pages, tmp_path):
    (tmp_path / "words.txt").write_text("01234\r\n\nnaïve\n", encoding="utf-8-sig")
    (tmp_path / "latin.txt").write_bytes("naïve".encode("latin-1"))
    command = ("read", pages / "one.png", "--model", model, "--lexicon")

    result, refused = run(*command, tmp_path / "words.txt"), run(*command, tmp_path / "latin.txt")

    assert result.exit_code == 0, result.output
    assert refused.exit_code == 2
    assert "latin.txt must be text in UTF-8" in refused.stderr


def test_read_refuses_what_may_stand_nowhere(model, pages):
    result = run("read", pages / "one.png", "--model", model, "--allow", "abc")

    assert result.exit_code == 2
    assert "allowlist must be characters of Alphabet('0123456789')" in result.stderr


def test_read_takes_models_of_lines_and_those_that_name_no_recipe(line_model, pages, tmp_path):
    bare = tmp_path / "bare.keras"
    models.save(models.load(line_model), bare, alphabet=DIGITS)

    named = run("read", pages / "one.png", "--model", line_model)
    unnamed = run("read", pages / "one.png", "--model", bare)
    told = run("read", pages / "one.png", "--model", bare, "--recipe", "line")

    assert named.exit_code == told.exit_code == 0, told.output
    assert named.stdout == told.stdout
    assert unnamed.exit_code == 2
    assert "names no recipe; say with recipe" in unnamed.stderr


def test_read_finds_nothing_on_blank_paper(model, tmp_path):
    PIL.Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")

    assert run("read", tmp_path / "blank.png", "--model", model).stdout == "\n"
