"""Every script in examples/ runs, in an empty folder, on small data."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from handwriting import images, models
from handwriting.alphabet import DIGITS
from handwriting.data import CharacterDataset
from handwriting.datasets import digits, idx
from handwriting.strokes import StrokeDataset

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(name, folder, *arguments):
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_every_example_is_tested_here():
    text = Path(__file__).read_text(encoding="utf-8")

    assert all(f'"{example.name}"' in text for example in EXAMPLES.glob("*.py"))


def test_train_mnist_leaves_a_model_and_a_picture(tmp_path):
    for prefix, split in (("train", "train"), ("t10k", "test")):
        dataset = digits.load(split)
        idx.write(tmp_path / f"{prefix}-images-idx3-ubyte.gz", dataset.images)
        labels = dataset.labels.astype(np.uint8)
        idx.write(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", labels)

    output = run("train_mnist.py", tmp_path, tmp_path)

    assert "mnist/test: " in output
    assert models.card(tmp_path / "mnist.keras").alphabet == DIGITS
    assert images.to_gray(tmp_path / "mnist-errors.png").size


def test_finetune_tells_of_writers_and_of_others(tmp_path):
    rng = np.random.default_rng(0)
    bar, ring = [(0.5, 0), (0.5, 1)], [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    samples = [[np.array(stroke) + rng.normal(0, 0.02, 2)] for stroke in [bar, ring] * 30]
    writers = np.repeat([3, 5, 7], [30, 20, 10])
    strokes = StrokeDataset.from_strokes(samples, ["1", "0"] * 30, writers=writers)
    strokes.save(tmp_path / "all.npz")
    with np.load(tmp_path / "all.npz") as arrays:
        np.savez(tmp_path / "strokes.npz", **arrays, split=np.ones(60, int))  # validation
    models.save(models.lenet(DIGITS, rng=0), tmp_path / "a.keras", alphabet=DIGITS, recipe="emnist")

    output = run(
        "finetune.py",
        tmp_path,
        *("--strokes", "strokes.npz", "--model", "a.keras", "--images", 10, "--writers", 2),
    )

    assert [line for line in output.splitlines() if line.startswith("writer")] == [
        "writer 3",
        "writer 5",
    ]
    assert output.count("other writers: ") == 3
    assert "of 20 images right" in output


def test_finetune_takes_words_for_readers_of_lines(tmp_path):
    bar, ring = [(0.5, 0), (0.5, 1)], [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    samples = [[bar, np.add(ring, (1.5, 0))], [ring, np.add(bar, (2, 0))]] * 12
    writers = np.repeat([3, 5, 7], [10, 8, 6])
    strokes = StrokeDataset.from_strokes(samples, ["10", "01"] * 12, writers=writers)
    strokes.save(tmp_path / "all.npz")
    kinds = np.where(np.arange(24) == 23, 8, 7)
    with np.load(tmp_path / "all.npz") as arrays:
        np.savez(tmp_path / "words.npz", **arrays, split=np.ones(24, int), kind=kinds)
    model = models.crnn_small(DIGITS, (48, None), rng=0)
    models.save(model, tmp_path / "a.keras", alphabet=DIGITS, recipe="line-tight")

    output = run(
        "finetune.py",
        tmp_path,
        *("--strokes", "words.npz", "--model", "a.keras", "--images", 5, "--writers", 1),
    )

    assert output.count("other writers: CER ") == 2
    assert "writer 3\nbefore: CER " in output
    assert "of 5 lines right" in output


def test_own_dataset_and_read_pictures_go_together(tmp_path):
    dataset = digits.load("test")
    for label in range(2):
        (tmp_path / "pictures" / str(label)).mkdir(parents=True)
        for number, image in enumerate(dataset.images[dataset.labels == label][:30]):
            path = tmp_path / "pictures" / str(label) / f"{number}.png"
            images.write(path, 255 - np.pad(image, 9))

    output = run("own_dataset.py", tmp_path, tmp_path / "pictures")
    picture = tmp_path / "pictures" / "1" / "0.png"
    answer = run("read_pictures.py", tmp_path, tmp_path / "my-model.keras", picture)

    page = run("read_page.py", tmp_path, tmp_path / "my-model.keras", picture)

    assert "pictures: " in output
    assert len(CharacterDataset.open(tmp_path / "my-dataset")) == 60
    assert answer.startswith(f"{picture}: ")
    assert "%" in answer
    assert page.startswith(f"{picture}:\n")
    assert page.splitlines()[1] in ("0", "1")
    assert images.to_gray(tmp_path / "0-read.png").shape == images.to_gray(picture).shape
    assert "ocr_page" in (tmp_path / "0-read.hocr").read_text(encoding="utf-8")
