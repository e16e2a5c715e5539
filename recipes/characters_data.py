"""The sets of recipes/train_characters.py: what is learnt from, held back, and measured.

Whole writers and some images are held back of what is learnt from, to choose by. Writers of the
strokes' validation part, a part of the paper and MNIST's test images are measured alone.
"""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

import handwriting as hw
from handwriting.alphabet import Alphabet
from handwriting.data import CharacterDataset
from handwriting.files import StrPath
from handwriting.strokes import StrokeDataset, Style

T = TypeVar("T", StrokeDataset, CharacterDataset)

ALPHABET = hw.alphabet.ASCII.with_null()
RECIPE = "emnist"
PLAIN = Style(width=(2.0, 2.0))
UNSEEN = 0.2  # of the paper
# Of strokes and paper, and of MNIST, which else would choose the epoch.
HELD_BACK, HELD_BACK_OF_MNIST = 0.04, 0.01


class Learnt(NamedTuple):
    """What is learnt from; the images are in the form of the recipe."""

    strokes: StrokeDataset
    mnist: CharacterDataset
    paper: CharacterDataset


def parts(
    strokes: StrPath,
    mnist: StrPath,
    paper: StrPath,
    *,
    share: float = 1.0,
    only: str | None = None,
    seed: int = 0,
) -> tuple[Learnt, CharacterDataset, dict[str, CharacterDataset]]:
    """What is learnt from, what is held back of it, and what is measured.

    Args:
        strokes: UNIPEN's characters, as ``StrokeDataset.open`` reads them.
        mnist: the folder of MNIST's files.
        paper: images and codepoint, .npz.
        share: of the data, for a trial.
        only: the one of :class:`Learnt` to learn from and to hold back of; the others are empty.
        seed: of what is drawn.
    """
    learnt = StrokeDataset.open(strokes, split="train")
    others = StrokeDataset.open(strokes, split="validation")
    digits, test = (hw.datasets.mnist.load(each, mnist) for each in ("train", "test"))
    written, unseen = read_paper(Path(paper)).split(UNSEEN, rng=seed)
    if share < 1:
        rng = np.random.default_rng(seed)
        learnt, others = (part_of(each, share, rng) for each in (learnt, others))
        digits, test, written, unseen = (
            part_of(each, share, rng) for each in (digits, test, written, unseen)
        )
    learnt, some_strokes = learnt.split(HELD_BACK, by_writer=True, rng=seed)
    digits, some_digits = digits.split(HELD_BACK_OF_MNIST, rng=seed)
    written, some_written = written.split(HELD_BACK, rng=seed)
    sources: list[Any] = [learnt, normalized(digits), written]
    held_back = [drawn(some_strokes), normalized(some_digits), some_written]
    if only:
        place = Learnt._fields.index(only)
        held_back = [held_back[place]]
        sources = [each if i == place else each.select(slice(0)) for i, each in enumerate(sources)]
    tests = {"unipen": drawn(others), "paper": unseen, "mnist": normalized(test)}
    return Learnt(*sources), together(held_back), tests


def known(learnt: Learnt) -> Alphabet:
    """The characters that there is something to learn of, and null."""
    texts = {*learnt.strokes.texts}
    for part in (learnt.mnist, learnt.paper):
        texts.update(part.alphabet.decode(np.unique(part.labels)))
    return Alphabet(each for each in hw.alphabet.ASCII if each in texts).with_null()


def drawn(strokes: StrokeDataset) -> CharacterDataset:
    """Strokes as an ordinary pen draws them."""
    return hw.strokes.to_characters(strokes, ALPHABET, style=PLAIN)


def together(parts: list[CharacterDataset]) -> CharacterDataset:
    """Several sets as one."""
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return CharacterDataset(images, labels, ALPHABET, "characters", RECIPE)


def part_of(dataset: T, share: float, rng: np.random.Generator) -> T:
    """A share of a set, but some hundreds."""
    return dataset.sample(max(300, round(share * len(dataset))), rng=rng)


def read_paper(path: Path) -> CharacterDataset:
    """Characters in pen and pencil, cleaned as a reader cleans what it cuts out."""
    with np.load(path) as file:
        images, codes = file["images"], file["codepoint"]
    ink = hw.preprocessing.clean(hw.preprocessing.to_ink(images, "dark"))
    labels = ALPHABET.encode([chr(code) for code in codes.tolist()])
    return CharacterDataset(
        hw.preprocessing.normalize(ink, RECIPE), labels, ALPHABET, "paper", RECIPE
    )


def normalized(dataset: CharacterDataset) -> CharacterDataset:
    """A set in the form of the recipe."""
    images = hw.preprocessing.normalize(dataset.images, RECIPE)
    return dataclasses.replace(dataset, images=images, recipe=RECIPE).relabel(ALPHABET)
