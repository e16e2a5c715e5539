"""How much better names are read with an n-gram model and a lexicon than greedily.

    python recipes/names_decoding.py --model FILE --names ZIP [--counts name_counts.tsv]
        [--out FILE]

The weights are chosen on the lines of the split "train" that recipes/names.py held back, with a
model and a lexicon of the other lines; then "validation" is read once with them. --counts names a
table of names and how often each occurs: what the lines of "validation" contributed to it is taken
out before.
"""

import argparse
import collections
import dataclasses
import itertools
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import names

import handwriting as hw
from handwriting.data import LineDataset
from handwriting.evaluation import LineReport

NGRAM_WEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)
LEXICON_WEIGHTS = (0.1, 0.3, 0.6, 0.9, 1.2)
BONUSES = (0.0, 0.4, 0.8, 1.2, 1.6)
TUNED_WIDTH = 8
WIDTHS = (8, 16)
ROUNDS = 3


@dataclasses.dataclass
class Known:
    """What is known of names before any is read."""

    ngram: hw.ctc.Ngram
    lexicon: hw.ctc.Lexicon

    @classmethod
    def of(cls, counts: Mapping[str, int], alphabet: hw.alphabet.Alphabet) -> "Known":
        """N-grams weigh names by the logarithms of their counts, the lexicon by the counts."""
        known = set(alphabet)
        usable = {name: count for name, count in counts.items() if count > 0 and set(name) <= known}
        logs = [1 + count.bit_length() for count in usable.values()]
        return cls(
            hw.ctc.Ngram.train(list(usable), alphabet, order=5, counts=logs),
            hw.ctc.Lexicon(list(usable), alphabet, counts=list(usable.values())),
        )


@dataclasses.dataclass
class Scored:
    """Texts of lines, and the scores that a network gives the lines, for each set of them."""

    texts: list[str]
    alphabet: hw.alphabet.Alphabet
    scores: list[tuple[Any, Any]]

    @classmethod
    def of(
        cls, model: Any, sets: Sequence[LineDataset], alphabet: hw.alphabet.Alphabet
    ) -> "Scored":
        """Look at lines with a network."""
        texts = [text for lines in sets for text in lines.texts]
        found = [hw.evaluation.predict_lines(model, lines, batch_size=64) for lines in sets]
        return cls(texts, alphabet, found)

    def read(self, *, rounds: int = ROUNDS, **options: Any) -> tuple[LineReport, float]:
        """The report, and microseconds a line in the fastest of some rounds.

        Args:
            rounds: how many.
            **options: of ctc.beam; greedily without any.
        """
        decode: Any = hw.ctc.beam if options else hw.ctc.greedy
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            found = [
                line
                for scores, steps in self.scores
                for line in decode(scores, self.alphabet, lengths=steps, **options)
            ]
            times.append(time.perf_counter() - start)
        texts = [(each[0] if options else each).text for each in found]
        return hw.evaluation.compare(self.texts, texts), 1e6 * min(times) / len(texts)


def main() -> None:
    """Choose the weights, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--model", required=True, type=Path, help="what recipes/names.py trained")
    parser.add_argument("--names", required=True, type=Path, help="Kaggle's zip file or folder")
    parser.add_argument("--counts", type=Path, help="NAME<tab>COUNT, one a line")
    parser.add_argument("--held-back", default=names.HELD_BACK, type=float, help="as for training")
    parser.add_argument("--seed", default=0, type=int, help="as for training")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    options = parser.parse_args()
    card = hw.models.card(options.model)
    form = names.FORMS[card.model]
    real = hw.datasets.names.load("train", options.names, **form)
    test = hw.datasets.names.load("validation", options.names, **form)
    train, held_back = real.split(options.held_back, rng=options.seed)
    counts = names.read_counts(options.counts, test) if options.counts else collections.Counter()
    model = hw.models.load(options.model)

    some = Known.of(counts + collections.Counter(train.texts), card.alphabet)
    weights = chosen(Scored.of(model, [held_back], card.alphabet), some)
    print("chosen on the lines held back:", weights, flush=True)
    every = Known.of(counts + collections.Counter(real.texts), card.alphabet)
    rows = [*measured(Scored.of(model, [test], card.alphabet), every, weights)]
    facts = {"weights": weights, "words": len(every.lexicon), "validation": rows}
    if options.out:
        options.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def chosen(held_back: Scored, known: Known) -> dict[str, float]:
    """The weights with the fewest wrong characters."""

    def cer(weights: tuple[float, ...]) -> float:
        both = {"ngram": known.ngram, "lexicon": known.lexicon}
        report, _ = held_back.read(rounds=1, width=TUNED_WIDTH, **both, **named(weights))
        return report.cer

    return named(min(itertools.product(NGRAM_WEIGHTS, LEXICON_WEIGHTS, BONUSES), key=cer))


def named(weights: tuple[float, ...]) -> dict[str, float]:
    """Weights as options of ctc.beam."""
    return dict(zip(("ngram_weight", "lexicon_weight", "character_bonus"), weights, strict=True))


def measured(test: Scored, known: Known, weights: dict[str, float]) -> Iterator[dict[str, Any]]:
    """Each way of decoding, printed and given."""
    ways: list[tuple[str, dict[str, Any]]] = [("greedy", {})]
    for width in WIDTHS:
        both = {"ngram": known.ngram, "lexicon": known.lexicon, **weights}
        ngram = {key: both[key] for key in ("ngram", "ngram_weight", "character_bonus")}
        ways += [
            (f"beam {width}", {"width": width}),
            (f"beam {width}, n-grams", {"width": width, **ngram}),
            (f"beam {width}, n-grams, lexicon", {"width": width, **both}),
        ]
    for name, options in ways:
        report, microseconds = test.read(**options)
        print(
            f"{name:28} {report.exact:7.2%} exact, CER {report.cer:6.2%}, "
            f"{microseconds:7.1f} us a line",
            flush=True,
        )
        yield {"decoding": name, **names.figures(report), "microseconds": round(microseconds, 1)}


if __name__ == "__main__":
    main()
