"""How much better lines are read with an n-gram model and a lexicon than greedily.

    python recipes/lines_decoding.py --strokes words.npz --copiste lines.zip --names ZIP
        --model FILE [--out FILE]

FILE is what recipes/train_lines.py trained, of the same data and seed. The n-gram model and the
lexicon are made of the texts that it learnt from, for each source its own; their weights are those
that read best what was held back of the source. Then the lines of other writers are read once.
"""

import collections
import json
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import names_decoding
import train_lines
from names_decoding import Known, Scored
from train_lines import Sources

import handwriting as hw


def main() -> None:
    """Choose the weights, then measure."""
    parser = train_lines.data_options(__doc__)
    parser.add_argument("--model", required=True, type=Path, help="a .keras file")
    parser.add_argument("--out", type=Path, help="a JSON file to write")
    options = parser.parse_args()
    learnt, held_back, tests = train_lines.sources(options)
    alphabet = hw.models.card(options.model).alphabet
    model = hw.models.load(options.model)
    facts = {}
    for source, counts in texts(learnt).items():
        known = Known.of(counts, alphabet)
        weights = names_decoding.chosen(Scored.of(model, held_back[source], alphabet), known)
        print(f"{source}: {len(known.lexicon)} words, chosen on what was held back: {weights}")
        rows = [*names_decoding.measured(Scored.of(model, tests[source], alphabet), known, weights)]
        facts[source] = {"weights": weights, "words": len(known.lexicon), "validation": rows}
    if options.out:
        options.out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def texts(learnt: Sources) -> dict[str, "collections.Counter[str]"]:
    """What is learnt from, by source."""
    return {
        "unipen words": collections.Counter([*learnt.words.texts, *learnt.texts.texts]),
        "copiste": collections.Counter(learnt.copiste.texts),
        "names": collections.Counter(learnt.names.texts),
    }


if __name__ == "__main__":
    main()
