"""Train on pictures of your own, one folder for each character.

    python examples/own_dataset.py FOLDER

FOLDER (or a zip file) holds folders named A, B, C ... or by character codes, 65, 66, 67 ..., with
pictures of that character. Leaves my-dataset/ (opened in milliseconds the next time, by
CharacterDataset.open) and my-model.keras.
"""

import sys

import handwriting as hw

dataset = hw.datasets.folders.load(sys.argv[1], recipe="mnist")
print(dataset.counts())
dataset.save("my-dataset")
train, test = dataset.split(0.2, rng=0)

model = hw.models.lenet(train.alphabet, train.image_shape, rng=0)
hw.training.fit(model, train, epochs=20, augmentation=hw.training.Augmentation(), rng=0)
print(hw.evaluation.evaluate(model, test))
hw.models.save(model, "my-model.keras", alphabet=train.alphabet, recipe=train.recipe)
