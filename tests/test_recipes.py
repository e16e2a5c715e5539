"""Every recipe runs from its data to its figures, on little data of the true form.

Where HANDWRITING_TEST_DATA is set, the recipe for characters runs on a hundredth of the real sets.
"""

import argparse
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from handwriting import images, models, pretrained
from handwriting.alphabet import ASCII, DIGITS, Alphabet
from handwriting.datasets import digits, emnist, idx

RECIPES = Path(__file__).parents[1] / "recipes"
CHARACTERS = tuple(ASCII)


def run(name, *arguments):
    """Run a recipe on the processor alone; gives what it printed."""
    result = subprocess.run(
        [sys.executable, str(RECIPES / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def facts(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def strokes(tmp_path_factory):
    """UNIPEN's form: five samples of each character, a stroke of its own shape each."""
    rng = np.random.default_rng(0)
    shapes = rng.integers(0, 1000, (len(CHARACTERS), 2, 5))
    points = np.repeat(shapes, 5, axis=0) + rng.integers(-20, 20, (5 * len(CHARACTERS), 2, 5))
    points[:, :, 1:] = np.diff(points, axis=2)
    n = len(points)
    path = tmp_path_factory.mktemp("strokes") / "characters.npz"
    np.savez(
        path,
        points_delta=points.transpose(1, 0, 2).reshape(2, -1).astype(np.int16),
        points_per_stroke=np.full(n, 5),
        strokes_per_sample=np.ones(n, int),
        codepoint=np.repeat([ord(character) for character in CHARACTERS], 5),
        writer=np.tile(np.arange(5), n // 5),
        split=np.tile([0, 0, 0, 0, 1], n // 5),
        agree=np.full(n, 9),
    )
    return path


@pytest.fixture(scope="module")
def mnist(tmp_path_factory):
    """MNIST's four files, with other digits."""
    folder = tmp_path_factory.mktemp("mnist")
    for prefix, split in (("train", "train"), ("t10k", "test")):
        dataset = digits.load(split)
        idx.write(folder / f"{prefix}-images-idx3-ubyte.gz", dataset.images)
        labels = dataset.labels.astype(np.uint8)
        idx.write(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)
    return folder


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """Dark blots on light paper."""
    rng = np.random.default_rng(0)
    light = rng.integers(180, 255, (620, 64, 64)).astype(np.uint8)
    light[:, 20:44, 20:44] //= 4
    path = tmp_path_factory.mktemp("paper") / "characters62.npz"
    known = [ord(character) for character in CHARACTERS if character.isalnum()]
    np.savez(path, images=light, codepoint=np.tile(known, 10))
    return path


@pytest.fixture
def names(tmp_path):
    """Kaggle's zip file, with a bar for each letter."""
    texts = ["LEA", "ALBA", "ABEL", "LALA", "BELLA"] * 8
    path = tmp_path / "names.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for split in ("train", "validation"):
            rows = [(f"{split.upper()}_{i}.jpg", text) for i, text in enumerate(texts)]
            table = "\n".join(["FILENAME,IDENTITY", *(",".join(row) for row in rows), ""])
            archive.writestr(f"written_name_{split}_v2.csv", table)
            for file, text in rows:
                page = np.full((40, 256), 255, np.uint8)
                for place, letter in enumerate(text):
                    left = 10 + 30 * place
                    page[8:32, left : left + 1 + ord(letter) % 20] = 20
                images.write(tmp_path / "one.jpg", page)
                archive.write(tmp_path / "one.jpg", f"{split}_v2/{split}/{file}")
    return path


@pytest.fixture
def words(tmp_path):
    """UNIPEN's words (kind 7) and texts (kind 8): zigzags, one stroke for each letter."""
    rng = np.random.default_rng(0)
    texts = [*["ab", "abc", "cab", "bb"] * 10, *["a cab", "bab a"] * 10]
    points, lengths, counts = [], [], []
    for text in texts:
        for place, letter in enumerate(text):
            x = 400 * place + rng.integers(0, 100, 4)
            y = rng.integers(0, 1000, 4) if letter != " " else np.full(4, 500)
            points.append(np.diff([x, y], axis=1, prepend=0))
            lengths.append(4)
        counts.append(len(text))
    path = tmp_path / "words.npz"
    np.savez(
        path,
        points_delta=np.concatenate(points, axis=1).astype(np.int16),
        points_per_stroke=np.array(lengths),
        strokes_per_sample=np.array(counts),
        text=np.frombuffer("\n".join(texts).encode(), np.uint8),
        writer=np.arange(60) % 5,
        split=(np.arange(60) % 5 == 4).astype(int),
        kind=np.repeat([7, 8], [40, 20]),
    )
    return path


@pytest.fixture
def copiste(tmp_path):
    """Lines of scanned pages: a bar for each letter."""
    path = tmp_path / "lines.zip"
    rows = ["file\twriter\tsplit\ttext"]
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(24):
            text = ("été à Noël", "l\u2019an 1900 \u03c0")[i % 2]
            split = "validation" if i % 6 > 3 else "train"
            rows.append(f"{i}.png\t{i % 4}\t{split}\t{text}")
            page = np.full((64, 400), 230, np.uint8)
            page[10:50, 20 : 20 + 30 * len(text) : 30] = 40
            images.write(tmp_path / "one.png", page)
            archive.write(tmp_path / "one.png", f"{i}.png")
        archive.writestr("lines.tsv", "\n".join(rows) + "\n")
    return path


def test_lines_of_all_kinds_are_learnt_and_measured(words, strokes, copiste, names, tmp_path):
    sources = ("--strokes", words, "--copiste", copiste, "--names", names)
    options = ("--out", tmp_path, "--model", "crnn_small", "--resume", "--characters", strokes)

    run("train_lines.py", *sources, *options, "--epochs", 2, "--start", "names")
    model = tmp_path / "crnn_small.keras"
    printed = run(
        "lines_decoding.py", *sources, "--model", model, "--out", tmp_path / "decoding.json"
    )

    found = facts(tmp_path / "crnn_small.json")
    assert found["settings"]["start"] == "names"
    assert set(found["files"]) == {path.name for path in (words, strokes, copiste, names)}
    assert set(found["tests"]) == {"unipen words", "copiste", "names"}
    assert all(0 < row["cer"] < 3 for row in found["tests"].values())
    assert found["history"]["loss"][1] < found["history"]["loss"][0]
    card = models.card(model)
    assert card.image_shape == (48, None)
    assert {"é", " ", "a", "Z", "9", "'"} < set(card.alphabet)
    decoded = facts(tmp_path / "decoding.json")
    for source, tests in found["tests"].items():
        greedy = decoded[source]["validation"][0]
        assert (greedy["decoding"], greedy["cer"]) == ("greedy", pytest.approx(tests["cer"]))
    assert "copiste: 3 words" in printed


def test_what_is_published_is_what_is_measured(real_data, tmp_path):
    digit_reader = pretrained.model("digits")
    models.save(digit_reader, tmp_path / "m.keras", alphabet=DIGITS, recipe="mnist")
    (tmp_path / "m.json").write_text('{"epochs": 30, "history": {}}', encoding="utf-8")

    run(
        "publish.py",
        *("digits", tmp_path / "m.keras", "--figures", tmp_path / "m.json"),
        *("--data", real_data, "--out", tmp_path, "--share", 0.2),
    )

    card = facts(tmp_path / "digits.json")
    assert card["training"] == [{"epochs": 30}]
    assert card["measured"]["mnist"]["top 1"] == pytest.approx(
        pretrained.card("digits")["measured"]["mnist"]["top 1"], abs=0.003
    )
    assert card["temperature"] == pytest.approx(1, abs=0.2)  # it was calibrated before
    assert models.card(tmp_path / "digits.npz").alphabet == DIGITS


def test_the_reader_of_names_is_published_as_it_reads(real_data, tmp_path):
    shipped = pretrained.card("names")["measured"]
    facts_of_recipe = {"settings": {"epochs": 8}, "history": {}}
    (tmp_path / "m.json").write_text(json.dumps(facts_of_recipe), encoding="utf-8")
    card = models.card(pretrained.path("names", "npz"))
    reader = pretrained.model("names")
    models.save(reader, tmp_path / "m.keras", alphabet=card.alphabet, recipe=card.recipe)

    run(
        "publish.py",
        *("names", tmp_path / "m.keras", "--figures", tmp_path / "m.json"),
        *("--data", real_data, "--out", tmp_path, "--share", 0.3),
    )

    made = facts(tmp_path / "names.json")
    assert made["training"] == [{"settings": {"epochs": 8}}]
    assert made["measured"]["names"]["cer"] == pytest.approx(shipped["names"]["cer"], abs=0.015)
    assert models.card(tmp_path / "names.npz").recipe == card.recipe


def test_the_recipe_for_characters_learns_measures_and_keeps_a_model(
    strokes, mnist, paper, tmp_path
):
    share = 1
    if real := os.environ.get("HANDWRITING_TEST_DATA"):
        strokes = Path(real) / "unipen" / "characters.npz"
        mnist, paper, share = Path(real) / "mnist", Path(real) / "paper" / "characters62.npz", 0.01
    sources = ("--strokes", strokes, "--mnist", mnist, "--paper", paper)

    printed = run(
        "train_characters.py",
        *(*sources, "--out", tmp_path, "--share", share),
        *("--model", "lenet", "--epochs", 2, "--resume"),
    )

    found = facts(tmp_path / "lenet.json")
    assert {"unipen", "paper", "mnist"} == set(found["tests"])
    assert all(row["top 1"] <= row["top 3"] <= 1 for row in found["tests"].values())
    assert found["history"]["loss"][1] < found["history"]["loss"][0]
    assert f"'top 1': '{found['tests']['paper']['top 1']:.2%}'" in printed
    card = models.card(tmp_path / "lenet.keras")
    assert (card.alphabet, card.recipe) == (ASCII.with_null(), "emnist")
    assert models.load(tmp_path / "lenet.keras").count_params() == found["parameters"]
    assert (tmp_path / "lenet.state.npz").exists()
    assert images.to_gray(tmp_path / "lenet.png").size


def test_a_reader_of_characters_learns_from_one_source_alone(strokes, mnist, paper, tmp_path):
    sources = ("--strokes", strokes, "--mnist", mnist, "--paper", paper)

    run(
        "train_characters.py",
        *(*sources, "--out", tmp_path, "--only", "mnist"),
        *("--model", "lenet", "--epochs", 1),
    )

    assert models.card(tmp_path / "lenet.keras").alphabet == DIGITS.with_null()
    found = facts(tmp_path / "lenet.json")
    assert found["settings"]["only"] == "mnist"
    assert {"unipen", "paper", "mnist"} == set(found["tests"])


def test_a_stand_in_for_emnist_is_learnt_and_never_taken_for_it(strokes, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    told = run(
        "emnist_stand_in.py",
        *("--strokes", strokes, "--out", data, "--set", "emnist/letters", "--each", 12),
    )
    options = ("--set", "emnist/letters", "--model", "lenet", "--epochs", 2)

    printed = run("train_emnist.py", "--data", data, "--out", out, *options)

    test = emnist.load("test", data, subset="letters")
    assert test.counts() == dict.fromkeys(emnist.ALPHABETS["letters"], 2)
    raw = idx.read(data / "emnist-letters-test-images-idx3-ubyte.gz")
    np.testing.assert_array_equal(raw.transpose(0, 2, 1), test.images)
    assert "NOT EMNIST" in told
    assert printed.count("NOT EMNIST/LETTERS") == 2
    assert "record" not in printed
    found = facts(out / "emnist-letters-lenet.json")
    assert not found["genuine"]
    assert found["published"] == {}
    assert found["images"] == {"learnt": 260, "held_back": 52, "test": 52}
    assert len(found["files"]) == 4
    assert min(found["history"]["val_loss"]) > 0
    assert found["test"]["top 1"] > 2 / 26
    assert models.card(out / "emnist-letters-lenet.keras").recipe == "emnist"


@pytest.mark.parametrize("subset", emnist.subsets())
def test_the_label_maps_of_stand_ins_are_the_official_ones(subset, real_data, monkeypatch):
    monkeypatch.syspath_prepend(RECIPES)
    import emnist_stand_in

    official = real_data / "emnist" / f"emnist-{subset}-mapping.txt"
    made = emnist_stand_in.label_map(subset, 1 if subset == "letters" else 0)

    assert made.split() == official.read_text(encoding="ascii").split()


def test_mnist_keeps_the_last_epoch_and_says_what_was_published(real_data, tmp_path):
    printed = run(
        "train_emnist.py",
        *("--set", "mnist", "--data", real_data / "mnist", "--out", tmp_path, "--last"),
        *("--model", "dense_small", "--epochs", 1, "--share", 0.01, "--batch-size", 16),
        *("--strength", 2),
    )

    found = facts(tmp_path / "mnist-dense_small.json")
    assert found["settings"]["strength"] == 2
    assert found["settings"]["augmentation"]["rotate"] == 16
    assert found["images"] == {"learnt": 550, "held_back": 50, "test": 100}
    assert "val_loss" not in found["history"]
    assert "99.72%" in printed
    assert "on a share of 0.01 of the images" in printed
    assert found["genuine"]
    files = found["files"]
    assert files["t10k-labels-idx1-ubyte.gz"].startswith("f7ae60f92e00ec6debd23a6088c31dbd2371eca")
    assert models.card(tmp_path / "mnist-dense_small.keras").alphabet == DIGITS


def test_recipes_go_on_from_a_network_of_the_same_kind(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(RECIPES)
    import character_training

    model_file = tmp_path / "model.keras"
    models.save(models.dense_small(DIGITS, (28, 28), rng=1), model_file, alphabet=DIGITS)

    def asked(model, start):
        return argparse.Namespace(model=model, start=start, seed=0)

    begun = character_training.network(asked("dense_small", model_file), DIGITS)

    for one, other in zip(begun.get_weights(), models.load(model_file).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    new = character_training.network(asked("dense_small", None), DIGITS)
    assert (new.get_weights()[0] != begun.get_weights()[0]).any()
    shipped = character_training.network(asked("vgg_deep", "digits"), DIGITS)
    for one, other in zip(
        shipped.get_weights(), pretrained.model("digits").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(SystemExit, match="must be of the network lenet"):
        character_training.network(asked("lenet", model_file), DIGITS)
    with pytest.raises(SystemExit, match="got dense_small for .*0123456789"):
        character_training.network(asked("dense_small", model_file), ASCII)


def test_the_mean_of_two_networks_is_written_and_of_other_kinds_refused(tmp_path, monkeypatch):
    for seed in (1, 2):
        network = models.dense_small(DIGITS, (28, 28), rng=seed)
        models.save(network, tmp_path / f"{seed}.keras", alphabet=DIGITS, recipe="mnist")
    models.save(models.lenet(DIGITS, (28, 28)), tmp_path / "other.keras", alphabet=DIGITS)

    run("average.py", tmp_path / "1.keras", tmp_path / "2.keras", "--out", tmp_path / "mean.keras")

    one, two, mean = (models.load(tmp_path / f"{name}.keras") for name in ("1", "2", "mean"))
    for array, *both in zip(*(m.get_weights() for m in (mean, one, two)), strict=True):
        np.testing.assert_allclose(array, (both[0] + both[1]) / 2, rtol=1e-6, atol=1e-8)
    assert models.card(tmp_path / "mean.keras") == models.card(tmp_path / "1.keras")
    monkeypatch.syspath_prepend(RECIPES)
    import average

    asked = [str(tmp_path / name) for name in ("1.keras", "other.keras", "refused.keras")]
    monkeypatch.setattr(sys, "argv", ["average.py", *asked[:2], "--out", asked[2]])
    with pytest.raises(SystemExit, match="other.keras must be .*dense_small.*, got .*lenet"):
        average.main()
    assert not Path(asked[2]).exists()


def test_names_are_learnt_with_drawn_lines_and_decoded(names, strokes, tmp_path):
    counts = tmp_path / "counts.tsv"
    counts.write_text("LEA\t90\nABEL\t60\nBELLA\t70\n", encoding="utf-8")
    known = ("--names", names, "--counts", counts)

    run(
        "names.py",
        *(*known, "--out", tmp_path, "--strokes", strokes, "--held-back", 0.2),
        *("--first", 8, 1, "--then", 4, "--epochs", 1),
    )
    model = tmp_path / "crnn_small-synthetic.keras"
    printed = run(
        "names_decoding.py",
        *(*known, "--model", model, "--held-back", 0.2, "--out", tmp_path / "decoding.json"),
    )

    found = facts(tmp_path / "crnn_small-synthetic.json")
    assert found["lines"] == {"train": 32, "chosen by": 8, "validation": 40}
    assert 0 <= found["greedy"]["exact"] <= 1
    assert models.card(model).recipe == "line"
    rows = facts(tmp_path / "decoding.json")["validation"]
    assert [row["decoding"] for row in rows][:2] == ["greedy", "beam 8"]
    assert len(rows) == 7
    assert "beam 16, n-grams, lexicon" in printed


def test_a_reader_of_lines_begins_with_what_another_knows(monkeypatch):
    monkeypatch.syspath_prepend(RECIPES)
    import transfer

    known = pretrained.model("names")
    card = models.card(pretrained.path("names", "npz"))
    theirs, ours = card.alphabet, Alphabet("Z-aB")
    model = models.build(card.model, ours, (48, None), rng=0)
    fresh = model.layers[-1].get_weights()

    transfer.start_from(model, ours, "names")

    for layer, other in zip(model.layers[:-1], known.layers[:-1], strict=True):
        assert all(map(np.array_equal, layer.get_weights(), other.get_weights()))
    for now, before, other in zip(
        model.layers[-1].get_weights(), fresh, known.layers[-1].get_weights(), strict=True
    ):
        for label, character in [(0, None), (1, "Z"), (2, "-"), (4, "B")]:
            place = theirs.encode(character)[0] if character else 0
            assert np.array_equal(now[..., label], other[..., place])
        assert np.array_equal(now[..., 3], before[..., 3])  # "a", which names do not have


def test_the_hash_of_a_folder_is_that_of_its_files(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(RECIPES)
    import records

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"1")
    same = records.sources([tmp_path / "a", tmp_path / "b"])["files"]
    (tmp_path / "b" / "file").write_bytes(b"12")

    other = records.sources([tmp_path / "a", tmp_path / "b"])["files"]

    assert same["a"] == same["b"] == other["a"]
    assert other["b"] != other["a"]


def test_every_recipe_is_tested_here():
    text = Path(__file__).read_text(encoding="utf-8")
    shared = {
        *("character_training.py", "characters_data.py", "composed_texts.py", "non_characters.py"),
        *("records.py", "synthetic_names.py", "trained.py", "transfer.py"),
    }

    alone = {path.name for path in RECIPES.glob("*.py")} - shared
    assert all(f'"{name}"' in text for name in alone)
