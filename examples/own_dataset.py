"""Make a dataset of your own pictures, one folder for each character, and train on it.

    python examples/own_dataset.py FOLDER

FOLDER holds folders named A, B, C ... with pictures of that character. Leaves my-dataset/ (opened
in milliseconds the next time, by CharacterDataset.open) and my-model.keras.
"""

import sys
from pathlib import Path

import numpy as np

import handwriting as hw

folders = sorted(folder for folder in Path(sys.argv[1]).iterdir() if folder.is_dir())
alphabet = hw.alphabet.Alphabet(folder.name for folder in folders)

images, characters = [], []
for folder in folders:
    for picture in sorted(folder.iterdir()):
        try:
            ink = hw.preprocessing.to_ink(hw.images.to_gray(picture))
        except hw.errors.CorruptFileError as error:
            print(f"left out: {error}")
            continue
        images.append(hw.preprocessing.normalize(hw.preprocessing.clean(ink), "mnist"))
        characters.append(folder.name)

labels = alphabet.encode(characters)
dataset = hw.data.CharacterDataset(np.stack(images), labels, alphabet, "mine", "mnist")
dataset.save("my-dataset")
train, test = dataset.split(0.2, rng=0)

model = hw.models.lenet(train.alphabet, train.image_shape, rng=0)
hw.training.fit(model, train, epochs=20, augmentation=hw.training.Augmentation(), rng=0)
print(hw.evaluation.evaluate(model, test))
hw.models.save(model, "my-model.keras", alphabet=train.alphabet, recipe=train.recipe)
