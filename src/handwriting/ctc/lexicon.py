"""Words that are known to occur, for the decoder to lean towards."""

import math
import unicodedata
from collections.abc import Iterable

from handwriting.alphabet import Alphabet

__all__ = ["Lexicon"]

_SPACE = " "


class Lexicon:
    """Known words with their counts, as a trie over labels.

    A word of a hypothesis earns ``log(1 + count)``, and an unknown one nothing: unknown words are
    not impossible, only as rare as one that was never counted.

    Args:
        texts: brought to NFC; split into words at spaces, as hypotheses are.
        alphabet: the characters; null is put at label 0 where it is not there. Words with other
            characters are left out, and counted in ``outside``: no hypothesis can hold them.
        counts: how often each text occurs, finite and above 0; once each without it. Those of a
            word that stands in several texts are added.

    Raises:
        ValueError: ``counts`` do not fit.

    Example:
        >>> from handwriting.alphabet import UPPERCASE
        >>> names = Lexicon(["ANNE", "ANNA", "ZOÉ"], UPPERCASE, counts=[9, 3, 1])
        >>> names
        Lexicon(2 words, 26 characters, 1 left out)
        >>> "ANNA" in names
        True
    """

    def __init__(
        self, texts: Iterable[str], alphabet: Alphabet, *, counts: Iterable[float] | None = None
    ) -> None:
        if isinstance(texts, str):
            raise TypeError(f"texts must be several str, got one str {texts[:40]!r}")
        self.alphabet = alphabet.with_null()
        self.words: dict[str, float] = {}
        self.outside = 0
        texts = list(texts)
        weights = [1.0] * len(texts) if counts is None else list(counts)
        if len(weights) != len(texts):
            raise ValueError(f"counts must be {len(texts)}, one for each text, got {len(weights)}")
        known = frozenset(self.alphabet) - {_SPACE}
        for text, count in zip(texts, weights, strict=True):
            if not 0 < count < math.inf:
                raise ValueError(f"counts must be finite and above 0, got {count} for {text!r}")
            for word in filter(None, unicodedata.normalize("NFC", text).split(_SPACE)):
                if known.issuperset(word):
                    self.words[word] = self.words.get(word, 0.0) + count
                else:
                    self.outside += 1
        self._plant()

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.words

    def __repr__(self) -> str:
        outside = f", {self.outside} left out" if self.outside else ""
        return f"Lexicon({len(self)} words, {len(self.alphabet) - 1} characters{outside})"

    def bonus(self, text: str) -> float:
        """The sum of ``log(1 + count)`` over the words of a text; 0 where none is known.

        Example:
            >>> from handwriting.alphabet import LOWERCASE
            >>> round(Lexicon(["no", "on"], LOWERCASE).bonus("on"), 3)
            0.693
        """
        return sum(math.log1p(self.words.get(word, 0.0)) for word in text.split(_SPACE))

    def _plant(self) -> None:
        """Build the trie.

        ``children[node * len(alphabet) + label]`` is the node after a character; the root is 0.
        ``here[node]`` is the bonus of the word that ends there, 0 where none does. ``space`` is the
        label that ends words, -1 where the alphabet has none.
        """
        self.children: dict[int, int] = {}
        self.here = [0.0]
        labels = {character: label for label, character in enumerate(self.alphabet)}
        self.space = labels.get(_SPACE, -1)
        base, children = len(self.alphabet), self.children
        for word, count in self.words.items():
            node = 0
            for character in word:
                node = children.setdefault(node * base + labels[character], len(self.here))
                if node == len(self.here):
                    self.here.append(0.0)
            self.here[node] = math.log1p(count)
