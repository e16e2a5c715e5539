"""Measure how fast scores of lines become texts, beside other decoders: one thread each.

    python benchmarks/decoding.py [--rounds 5]

The scores are simulated: words of made-up syllables, drawn as often as words are (Zipf), each
character with a rival that it is taken for now and then. What other decoders are installed are
measured too: fast-ctc-decode, TensorFlow and Keras, flashlight-text, pyctcdecode.
"""

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from typing import Any

for variable in (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
):
    os.environ[variable] = "1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402 - the variables must stand before NumPy is loaded
from numpy.typing import NDArray  # noqa: E402

from handwriting import ctc  # noqa: E402
from handwriting.alphabet import ASCII, UPPERCASE, Alphabet  # noqa: E402

LINES = 256
Scores = NDArray[np.float32]


def best(function: Callable[[], Any], rounds: int) -> float:
    """Microseconds a line in the fastest round; the first, which warms up, is not counted."""
    function()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1e6 * min(times) / LINES


def vocabulary(alphabet: Alphabet, rng: np.random.Generator) -> tuple[list[str], NDArray[np.int64]]:
    """20,000 words of syllables with their counts."""
    characters = list(alphabet.with_null().characters[1:])
    syllables = ["".join(rng.choice(characters, rng.integers(1, 4))) for _ in range(300)]
    words = {"".join(rng.choice(syllables, rng.integers(2, 5)))[:15] for _ in range(25_000)}
    chosen = sorted(words)[:20_000]
    return chosen, np.maximum(1, 20_000 // rng.permutation(np.arange(1, len(chosen) + 1)))


def simulate(texts: list[str], alphabet: Alphabet, steps: int, rng: np.random.Generator) -> Scores:
    """(n, steps, classes): each character a peak of one or two steps, with a rival below it."""
    logits = rng.normal(0, 1, (len(texts), steps, len(alphabet)))
    logits[:, :, 0] += 9
    for line, text in zip(logits, texts, strict=True):
        labels = alphabet.encode(text)
        for label, center in zip(labels, np.linspace(1, steps - 2, len(text)), strict=True):
            rival = rng.integers(1, len(alphabet))
            at, wide = round(center), rng.integers(1, 3)
            line[at : at + wide, label] += rng.normal(13, 2)
            line[at : at + wide, rival] += rng.normal(7, 3)
    likely = np.exp(logits - logits.max(axis=2, keepdims=True))
    scores: Scores = (likely / likely.sum(axis=2, keepdims=True)).astype(np.float32)
    return scores


def exact(read: list[str], texts: list[str]) -> str:
    """The share that is right."""
    return f"{np.mean([one == other for one, other in zip(read, texts, strict=True)]):.1%}"


def own(
    scores: Scores, texts: list[str], alphabet: Alphabet, ngram: ctc.Ngram, lexicon: ctc.Lexicon
) -> dict[str, tuple[Callable[[], Any], str]]:
    """Our decoders: a function to time, and the share of texts that it reads right."""
    kinds: dict[str, dict[str, Any]] = {
        "`beam`, width 8": {"width": 8},
        "`beam`, width 16": {"width": 16},
        "`beam`, width 8, n-gram, lexicon": {"width": 8, "ngram": ngram, "lexicon": lexicon},
        "`beam`, width 16, n-gram, lexicon": {"width": 16, "ngram": ngram, "lexicon": lexicon},
        "`beam`, width 16, closed lexicon": {"width": 16, "lexicon": lexicon, "closed": True},
    }
    rows: dict[str, tuple[Callable[[], Any], str]] = {}
    read = [reading.text for reading in ctc.greedy(scores, alphabet)]
    rows["`greedy`"] = (lambda: ctc.greedy(scores, alphabet), exact(read, texts))
    for name, options in kinds.items():
        found = ctc.beam(scores, alphabet, **options)
        rows[name] = (
            lambda options=options: ctc.beam(scores, alphabet, **options),  # type: ignore[misc]
            exact([readings[0].text for readings in found], texts),
        )
    return rows


def fast_ctc_decode(scores: Scores, alphabet: Alphabet) -> dict[str, Callable[[], Any]]:
    """One call a line, as it has no batches."""
    import fast_ctc_decode as fast

    symbols = "\0" + "".join(alphabet.characters)
    return {
        "viterbi": lambda: [fast.viterbi_search(line, symbols) for line in scores],
        "beam 10": lambda: [fast.beam_search(line, symbols, beam_size=10) for line in scores],
    }


def tensorflow(scores: Scores, _: Alphabet) -> dict[str, Callable[[], Any]]:
    """Blank last, time first."""
    import tensorflow as tf

    logits = tf.constant(np.log(np.roll(scores, -1, axis=2).transpose(1, 0, 2) + 1e-30))
    steps = tf.fill([LINES], scores.shape[1])
    return {
        "greedy": lambda: tf.nn.ctc_greedy_decoder(logits, steps),
        "beam 10": lambda: tf.nn.ctc_beam_search_decoder(logits, steps, beam_width=10),
    }


def keras(scores: Scores, _: Alphabet) -> dict[str, Callable[[], Any]]:
    """Of logits."""
    from keras import ops

    logits, steps = ops.convert_to_tensor(np.log(scores + 1e-30)), np.full(LINES, scores.shape[1])

    def decode(**options: Any) -> Any:
        return ops.ctc_decode(logits, steps, mask_index=0, **options)

    return {
        "greedy": lambda: decode(strategy="greedy"),
        "beam 10": lambda: decode(strategy="beam_search", beam_width=10),
    }


def flashlight(scores: Scores, _: Alphabet) -> dict[str, Callable[[], Any]]:
    """Without a lexicon, and with none of its language models."""
    from flashlight.lib.text import (
        decoder,
    )

    options = decoder.LexiconFreeDecoderOptions(
        beam_size=10,
        beam_size_token=10,
        beam_threshold=25,
        lm_weight=0,
        sil_score=0,
        log_add=True,
        criterion_type=decoder.CriterionType.CTC,
    )
    search = decoder.LexiconFreeDecoder(options, decoder.ZeroLM(), -1, 0, [])
    logs = np.log(scores + 1e-30)
    return {"beam 10": lambda: [search.decode(x.ctypes.data, *x.shape) for x in logs]}


def pyctcdecode(scores: Scores, alphabet: Alphabet) -> dict[str, Callable[[], Any]]:
    """Without a language model."""
    import pyctcdecode as pyctc

    search = pyctc.build_ctcdecoder(list(alphabet.characters))
    logs = np.log(scores + 1e-30)
    return {"beam 10": lambda: [search.decode(line, beam_width=10) for line in logs]}


PEERS: dict[str, Callable[[Scores, Alphabet], dict[str, Callable[[], Any]]]] = {
    "fast_ctc_decode": fast_ctc_decode,
    "tensorflow": tensorflow,
    "keras": keras,
    "flashlight": flashlight,
    "pyctcdecode": pyctcdecode,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for steps, characters in ((64, UPPERCASE), (32, UPPERCASE), (64, ASCII)):
        rng = np.random.default_rng(0)
        alphabet = characters.with_null()
        words, counts = vocabulary(alphabet, rng)
        texts = rng.choice(words, LINES, p=counts / counts.sum()).tolist()
        scores = simulate(texts, alphabet, steps, rng)
        ngram = ctc.Ngram.train(words, alphabet, order=5, counts=counts)
        lexicon = ctc.Lexicon(words, alphabet, counts=counts)
        print(f"\n| {steps} steps, {len(alphabet)} classes | us a line | exact |\n|---|---|---|")
        for name, (function, right) in own(scores, texts, alphabet, ngram, lexicon).items():
            print(f"| {name} | {best(function, rounds):,.1f} | {right} |")
        for peer, make in PEERS.items():
            if importlib.util.find_spec(peer):
                for name, function in make(scores, alphabet).items():
                    print(f"| {peer} {name} | {best(function, rounds):,.1f} | |", flush=True)


if __name__ == "__main__":
    main()
