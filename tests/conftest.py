"""What several test files share."""

import os
from pathlib import Path

import numpy as np
import pytest

from handwriting.alphabet import DIGITS
from handwriting.data import CharacterDataset


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Every test has a cache folder of its own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HANDWRITING_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data():
    """The folder of real handwriting that HANDWRITING_TEST_DATA names."""
    folder = os.environ.get("HANDWRITING_TEST_DATA")
    if not folder:
        pytest.skip("HANDWRITING_TEST_DATA is not set: no real handwriting to test on")
    return Path(folder)


@pytest.fixture
def tiny():
    """Ten noisy images of each of two digits, easy to tell apart."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 40, (20, 28, 28)).astype(np.uint8)
    labels = np.arange(20) % 2
    images[labels == 0, 4:24, 12:16] = 255
    images[labels == 1, 12:16, 4:24] = 255
    return CharacterDataset(images, labels, DIGITS, "tiny", "mnist")
