"""Read pages with a model that was saved.

    python examples/read_page.py MODEL.keras PICTURE...

A picture is a page, a line or a word, in ink of either polarity; its characters stand apart, or the
model is one of lines. Prints what is written there, and what else a doubtful character can be.
Leaves NAME-read.png, a drawing of what was found where, and NAME-read.hocr.
"""

import sys
from pathlib import Path

import handwriting as hw

model, *pictures = sys.argv[1:]
recognizer = hw.recognizer.load(model)

for picture in hw.images.find(pictures):
    reading = recognizer.read(picture, top_k=3)
    print(f"{picture}:\n{reading.text}")
    for character in reading.characters:
        if character.confidence < 0.5:
            print(f"  {character.text!r} may be one of {character.alternatives}")
    hw.plots.reading(reading).savefig(f"{Path(picture).stem}-read.png")
    reading.save(f"{Path(picture).stem}-read.hocr")
