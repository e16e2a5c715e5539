"""Read pictures of single characters with a model that was saved.

    python examples/read_pictures.py MODEL.keras PICTURE...

A picture holds one character, in even light: a scan, a photograph, a drawing; ink of either
polarity.
"""

import sys

import numpy as np

import handwriting as hw

path, *pictures = sys.argv[1:]
model, card = hw.models.load(path), hw.models.card(path)

images = []
for picture in pictures:
    ink = hw.preprocessing.to_ink(hw.images.to_gray(picture))
    clean = hw.preprocessing.clean(ink)
    images.append(hw.preprocessing.normalize(clean, card.recipe or "mnist"))

read = hw.evaluation.predict(model, np.stack(images))
for picture, image, scores in zip(pictures, images, read, strict=True):
    if not image.any():
        print(f"{picture}: no ink")
        continue
    best = np.argsort(-scores)[:3]
    guesses = [f"{card.alphabet.characters[label]} {scores[label]:.0%}" for label in best]
    print(f"{picture}: {', '.join(guesses)}")
