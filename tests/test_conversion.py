import pickle
import subprocess
import sys

import numpy as np
import pytest

from handwriting import conversion
from handwriting.alphabet import DIGITS, LOWERCASE, Alphabet
from handwriting.data import CharacterDataset, LineDataset
from handwriting.errors import HandwritingError


@pytest.fixture
def characters(tmp_path):
    """Ten images as a memory map; every pixel of an image is its position."""
    images = np.arange(10, dtype=np.uint8)[:, None, None].repeat(4, axis=1).repeat(5, axis=2)
    labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
    dataset = CharacterDataset(images, labels, Alphabet("7<").with_null(), "some")
    dataset.save(tmp_path / "characters")
    return CharacterDataset.open(tmp_path / "characters")


@pytest.fixture
def lines():
    images = np.arange(3, dtype=np.uint8)[:, None, None].repeat(4, axis=1).repeat(6, axis=2)
    return LineDataset(images, [6, 2, 4], ["é", "", "to"], Alphabet([*LOWERCASE, "é"]), "some")


def test_keras_gets_batches_in_order_or_by_seed(characters):
    batches = conversion.to_keras(characters, batch_size=4)
    shuffled = conversion.to_keras(characters, rng=0)

    assert [images[:, 0, 0].tolist() for images, _ in map(batches.__getitem__, range(3))] == [
        *([0, 1, 2, 3], [4, 5, 6, 7], [8, 9])
    ]
    assert batches[1][1].tolist() == [1, 2, 0, 1]
    assert shuffled[0][0][:, 0, 0].tolist() != list(range(10))
    np.testing.assert_array_equal(
        shuffled[0][0], conversion.to_keras(characters, rng=np.random.default_rng(0))[0][0]
    )


def test_keras_gets_no_lines(lines):
    with pytest.raises(TypeError, match="must be a CharacterDataset, got LineDataset"):
        conversion.to_keras(lines)


def test_tensorflow_gets_batches_whose_number_it_knows(characters):
    stream = conversion.to_tensorflow(characters, batch_size=4)

    batches = list(stream.as_numpy_iterator())
    assert len(stream) == 3
    assert [labels.tolist() for _, labels in batches] == [[0, 1, 2, 0], [1, 2, 0, 1], [2, 0]]
    assert [images.shape for images, _ in batches] == [(4, 4, 5), (4, 4, 5), (2, 4, 5)]
    assert batches[2][0][:, 0, 0].tolist() == [8, 9]
    assert (batches[0][0].dtype, batches[0][1].dtype) == (np.uint8, np.int64)


def test_tensorflow_gets_another_order_on_each_pass(characters):
    def passes(seed):
        stream = conversion.to_tensorflow(characters, batch_size=20, rng=seed)
        return [next(stream.as_numpy_iterator()) for _ in range(2)]

    first, second = ([image[0, 0] for image in images] for images, _ in passes(0))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert [first, second] == [[image[0, 0] for image in images] for images, _ in passes(0)]
    for images, labels in passes(1):
        assert labels.tolist() == characters.labels[images[:, 0, 0]].tolist()


def test_tensorflow_gets_lines_with_widths_and_texts(lines):
    ((images, widths, texts),) = conversion.to_tensorflow(lines).as_numpy_iterator()

    np.testing.assert_array_equal(images, lines.images)
    assert widths.tolist() == [6, 2, 4]
    assert [text.decode() for text in texts] == ["é", "", "to"]


def test_tensorflow_gets_nothing_of_an_empty_set(characters):
    assert list(conversion.to_tensorflow(characters.select([]))) == []
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        conversion.to_tensorflow(characters, batch_size=0)


def test_keras_trains_on_the_tensorflow_stream(tiny):
    from handwriting import models

    model = models.dense_small(DIGITS, rng=0)
    model.compile(loss="sparse_categorical_crossentropy")

    history = model.fit(conversion.to_tensorflow(tiny, rng=0), epochs=3, shuffle=False, verbose=0)

    assert history.history["loss"][-1] < history.history["loss"][0]


def test_pandas_gets_a_row_an_image(characters):
    pytest.importorskip("pandas", reason="pandas is an extra")

    frame = conversion.to_pandas(characters)

    assert list(frame.columns) == ["label", "character", "image"]
    assert frame.label.tolist() == characters.labels.tolist()
    assert frame.character.tolist() == characters.characters
    assert list(frame.character.cat.categories) == ["", "7", "<"]
    np.testing.assert_array_equal(np.stack(frame.image), characters.images)
    assert np.shares_memory(frame.image[3], characters.images)
    assert len(conversion.to_pandas(characters.select([]))) == 0


def test_pandas_gets_lines_without_their_padding(lines):
    pytest.importorskip("pandas", reason="pandas is an extra")

    frame = conversion.to_pandas(lines)

    assert frame.text.tolist() == ["é", "", "to"]
    assert [image.shape for image in frame.image] == [(4, 6), (4, 2), (4, 4)]
    assert frame.width.tolist() == [6, 2, 4]


def test_huggingface_gets_pictures_and_names(characters, tmp_path):
    pytest.importorskip("datasets", reason="datasets is an extra")

    hub = conversion.to_huggingface(characters, cache_dir=str(tmp_path / "cache"))

    assert hub.features["label"].names == ["null", "7", "<"]
    assert hub["label"] == characters.labels.tolist()
    np.testing.assert_array_equal(
        [np.asarray(picture) for picture in hub["image"]], characters.images
    )


def test_huggingface_gets_lines_without_their_padding(lines, tmp_path):
    pytest.importorskip("datasets", reason="datasets is an extra")

    hub = conversion.to_huggingface(lines, cache_dir=str(tmp_path / "cache"))

    assert hub["text"] == ["é", "", "to"]
    assert [picture.size for picture in hub["image"]] == [(6, 4), (2, 4), (4, 4)]


def test_huggingface_never_gets_the_cache_of_another_set(characters, lines, tmp_path):
    pytest.importorskip("datasets", reason="datasets is an extra")

    def converted(dataset):
        return conversion.to_huggingface(dataset, cache_dir=str(tmp_path / "cache"))

    other_labels = CharacterDataset(characters.images, [1] * 10, characters.alphabet)
    other_images = CharacterDataset(characters.images[::-1], [1] * 10, characters.alphabet)
    other_names = CharacterDataset(characters.images, [1] * 10, DIGITS)
    other_texts = LineDataset(lines.images, [6, 2, 4], ["a", "", "to"], lines.alphabet)
    other_widths = LineDataset(lines.images, [6, 2, 3], ["é", "", "to"], lines.alphabet)

    assert converted(characters)["label"] == characters.labels.tolist()
    assert converted(other_labels)["label"] == [1] * 10
    assert np.asarray(converted(other_images)[0]["image"])[0, 0] == 9
    assert converted(other_names).features["label"].names[1] == "1"
    assert converted(lines)["text"][0] == "é"
    assert converted(other_texts)["text"][0] == "a"
    assert converted(other_widths)[2]["image"].size == (3, 4)


def test_huggingface_gets_the_features_of_an_empty_set(characters):
    pytest.importorskip("datasets", reason="datasets is an extra")

    hub = conversion.to_huggingface(characters.select([]))

    assert len(hub) == 0
    assert hub.features["label"].names == ["null", "7", "<"]


@pytest.mark.parametrize(("package", "extra"), [("torch", "torch"), ("datasets", "huggingface")])
def test_a_library_that_is_not_there_is_told(package, extra, characters, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(conversion.importlib.util, "find_spec", lambda name: None)

    with pytest.raises(HandwritingError, match=rf'{package} is not .*"handwriting\[{extra}\]"'):
        getattr(conversion, f"to_{extra}")(characters)


def test_torch_gets_images_and_labels(characters):
    torch = pytest.importorskip("torch", reason="torch is an extra of gigabytes")

    dataset = conversion.to_torch(characters)

    assert isinstance(dataset, torch.utils.data.Dataset)
    assert len(dataset) == 10
    image, label = dataset[4]
    assert (image.dtype, image.shape, label) == (torch.uint8, (4, 5), 1)
    assert image.unique().tolist() == [4]
    assert [label for _, label in dataset] == characters.labels.tolist()
    image += 1  # one's own copy
    assert characters.images[4, 0, 0] == 4


def test_torch_gets_lines_with_widths_and_texts(lines):
    torch = pytest.importorskip("torch", reason="torch is an extra of gigabytes")

    loader = torch.utils.data.DataLoader(conversion.to_torch(lines), batch_size=3)

    ((images, widths, texts),) = loader
    np.testing.assert_array_equal(images.numpy(), lines.images)
    assert (widths.tolist(), list(texts)) == ([6, 2, 4], ["é", "", "to"])


@pytest.mark.parametrize(
    "which", [slice(None), slice(3, 9), slice(0, 0), slice(None, None, 3), [5, 1]]
)
def test_torch_workers_get_the_place_of_a_map_and_not_its_images(which, characters):
    pytest.importorskip("torch", reason="torch is an extra of gigabytes")
    part = characters.select(which)

    again = pickle.loads(pickle.dumps(conversion.to_torch(part)))

    assert [image[0, 0].item() for image, _ in again] == part.images[:, 0, 0].tolist()
    assert [label for _, label in again] == part.labels.tolist()


def test_torch_pickles_are_small(tmp_path):
    pytest.importorskip("torch", reason="torch is an extra of gigabytes")
    images = np.zeros((100, 100, 100), np.uint8)
    CharacterDataset(images, np.zeros(100, int), DIGITS).save(tmp_path / "large")

    large = CharacterDataset.open(tmp_path / "large").select(slice(1, None))

    assert len(pickle.dumps(conversion.to_torch(large))) < 10_000


def test_torch_loads_in_workers_of_their_own(tmp_path):
    pytest.importorskip("torch", reason="torch is an extra of gigabytes")
    script = tmp_path / "load.py"
    script.write_text(
        "import torch\n"
        "from handwriting import conversion\n"
        "from handwriting.datasets import digits\n"
        "if __name__ == '__main__':\n"
        "    dataset = conversion.to_torch(digits.load('test'))\n"
        "    loader = torch.utils.data.DataLoader(\n"
        "        dataset, 64, num_workers=1, multiprocessing_context='spawn')\n"
        "    print(sum(len(labels) for images, labels in loader))\n"
    )

    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)

    assert result.stdout == "360\n"
