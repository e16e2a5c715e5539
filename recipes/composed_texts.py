"""What lines of single characters say: words, a few words, numbers, words between marks."""

from collections.abc import Callable, Sequence

import numpy as np

__all__ = ["texts"]

# How often a line is one word, some words, numbers, or words with marks; and how often its words
# are in capitals.
KINDS = (0.4, 0.2, 0.2, 0.2)
CAPITALS = 0.12
NUMBERS = (
    *("#", "##", "###", "####", "#####", "#.#", "#.##", "##.##", "#,###", "##,###.##", "##:##"),
    *("#/#/##", "##/##/####", "##.##.####", "####-##-##", "+## ## ### ## ##", "##%", "$##.##"),
    *("#-#", "(#)", "#)", "#.", "No. ##", "p. ###", "#x#", "#+#=#", "## km", "# kg"),
)
MARKS = ("{}.", "{},", "{}!", "{}?", "{}:", "{};", "({})", '"{}"', "'{}'", "- {}", "{} -", "* {}")
SIGNS = ("{}@{}.com", "{}/{}", "{}-{}", "{}_{}", "{} & {}", "{}, {}", "{} = {}", "#{}{}", "{}+{}")


def texts(
    known: Sequence[str], characters: set[str], count: int, rng: np.random.Generator
) -> list[str]:
    """Texts of some characters.

    Args:
        known: texts whose words are taken, each as often as it stands there.
        characters: of which all texts are, spaces aside.
        count: how many.
        rng: what they are drawn with.
    """
    words = [word for text in known for word in text.split() if characters.issuperset(word)]
    makers: tuple[Callable[[], str], ...] = (
        lambda: _word(words, rng),
        lambda: " ".join(_word(words, rng) for _ in range(rng.integers(2, 5))),
        lambda: _number(rng),
        lambda: _marked(words, rng),
    )
    kinds = rng.choice(len(makers), count, p=KINDS).tolist()
    made = [makers[kind]() for kind in kinds]
    # Where not all marks and digits are at hand, words take the place of what needs them.
    return [
        text
        if characters.issuperset(text.replace(" ", ""))
        else words[int(rng.integers(len(words)))]
        for text in made
    ]


def _word(words: Sequence[str], rng: np.random.Generator) -> str:
    word = words[int(rng.integers(len(words)))]
    return word.upper() if rng.random() < CAPITALS else word


def _number(rng: np.random.Generator) -> str:
    form = NUMBERS[rng.integers(len(NUMBERS))]
    return "".join(str(rng.integers(10)) if each == "#" else each for each in form)


def _marked(words: Sequence[str], rng: np.random.Generator) -> str:
    forms = MARKS if rng.random() < 0.7 else SIGNS
    form = forms[rng.integers(len(forms))]
    return form.format(*(_word(words, rng) for _ in range(form.count("{}"))))
