"""Train a LeNet-style network on MNIST, look at its errors, keep the model.

    python examples/train_mnist.py [FOLDER WITH THE FOUR IDX FILES]

Without a folder the files are fetched. Leaves mnist.keras and mnist-errors.png.
"""

import sys

import handwriting as hw

folder = sys.argv[1] if len(sys.argv) > 1 else None
train = hw.datasets.mnist.load("train", folder)
test = hw.datasets.mnist.load("test", folder)

model = hw.models.lenet(train.alphabet, train.image_shape, rng=0)
hw.training.fit(model, train, epochs=5, rng=0)

report = hw.evaluation.evaluate(model, test)
print(report)
hw.plots.predictions(test, report, wrong_only=True).savefig("mnist-errors.png")
hw.models.save(model, "mnist.keras", alphabet=train.alphabet, recipe=train.recipe)
