"""Train every model on MNIST for five epochs and print the table of docs/models.md.

    python benchmarks/training.py [--mnist FOLDER] [--augment] [MODEL...]

Without --mnist the four files are fetched.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import handwriting as hw

EPOCHS = 5


def main() -> None:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", help="folder with the four IDX files")
    parser.add_argument("--augment", action="store_true")
    parser.add_argument("models", nargs="*", default=hw.models.NAMES, metavar="MODEL")
    options = parser.parse_args()
    train = hw.datasets.mnist.load("train", options.mnist)
    test = hw.datasets.mnist.load("test", options.mnist)
    augmentation = hw.training.Augmentation() if options.augment else None

    print("| model | parameters | test accuracy | seconds to train | images/s in training |")
    print("|---|---|---|---|---|")
    for name in options.models:
        model = hw.models.build(name, train.alphabet, train.image_shape, rng=0)
        start = time.perf_counter()
        history = hw.training.fit(model, train, epochs=EPOCHS, augmentation=augmentation, rng=0)
        seconds = time.perf_counter() - start
        rate = 0.9 * len(train) * len(history["loss"]) / seconds
        accuracy = hw.evaluation.evaluate(model, test).accuracy
        parameters = f"{model.count_params():,}"
        print(
            f"| `{name}` | {parameters} | {accuracy:.2%} | {seconds:.0f} | {rate:,.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
