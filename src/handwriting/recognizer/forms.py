"""Readings as ALTO and hOCR, which programs for scanned documents take."""

import re
from xml.etree import ElementTree as ET

from handwriting.recognizer.reading import UNREAD, Reading, around
from handwriting.segmentation import Box

__all__ = ["alto", "hocr"]


def alto(reading: Reading) -> str:
    """ALTO XML 4.4."""
    return _xml(_alto(reading))


def hocr(reading: Reading) -> str:
    """HTML with hOCR's classes and properties."""
    return "<!DOCTYPE html>\n" + _xml(_hocr(reading), declaration=False)


def _xml(root: ET.Element, *, declaration: bool = True) -> str:
    ET.indent(root)
    for word in root.iterfind(".//*[@class='ocrx_word']"):
        word.text = None  # white space between characters would part them
        for character in word:
            character.tail = None
    text = ET.tostring(root, encoding="unicode", xml_declaration=declaration)
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text) + "\n"


# What XML cannot hold in any form; names of files can.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _alto(reading: Reading) -> ET.Element:
    height, width = reading.picture.shape
    root = ET.Element("alto", xmlns="http://www.loc.gov/standards/alto/ns-v4#")
    description = ET.SubElement(root, "Description")
    ET.SubElement(description, "MeasurementUnit").text = "pixel"
    source = ET.SubElement(description, "sourceImageInformation")
    ET.SubElement(source, "fileName").text = reading.name
    layout = ET.SubElement(root, "Layout")
    size = {"WIDTH": str(width), "HEIGHT": str(height)}
    page = ET.SubElement(layout, "Page", {"ID": "page", "PHYSICAL_IMG_NR": "1", **size})
    space = ET.SubElement(page, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    if not reading.lines:
        return root
    place = _place(around(line.box for line in reading.lines))
    block = ET.SubElement(space, "TextBlock", {"ID": "block", **place})
    for i, line in enumerate(reading.lines):
        row = ET.SubElement(block, "TextLine", {"ID": f"line{i}", **_place(line.box)})
        for j, word in enumerate(line.words):
            if j:
                ET.SubElement(row, "SP")
            facts = {"CONTENT": word.text, "WC": f"{word.confidence:.4f}"}
            name = {"ID": f"word{i}.{j}"}
            string = ET.SubElement(row, "String", {**name, **_place(word.box), **facts})
            for character in word.characters:
                facts = {"CONTENT": character.text, "GC": f"{character.confidence:.4f}"}
                glyph = ET.SubElement(string, "Glyph", _place(character.box) | facts)
                known = character.text != UNREAD  # and stands first among the alternatives
                for text, probability in character.alternatives[known:]:
                    facts = {"CONTENT": text, "VC": f"{probability:.4f}"}
                    ET.SubElement(glyph, "Variant", facts)
    return root


def _place(box: Box) -> dict[str, str]:
    return {
        "HPOS": str(box.left),
        "VPOS": str(box.top),
        "WIDTH": str(box.width),
        "HEIGHT": str(box.height),
    }


def _hocr(reading: Reading) -> ET.Element:
    root = ET.Element("html", xmlns="http://www.w3.org/1999/xhtml")
    head = ET.SubElement(root, "head")
    # Without text it would be written <title/>, which browsers take for one that never ends.
    ET.SubElement(head, "title").text = reading.name or "handwriting"
    ET.SubElement(head, "meta", charset="utf-8")
    capabilities = "ocr_page ocr_line ocrx_word ocrx_cinfo"
    ET.SubElement(head, "meta", name="ocr-system", content="handwriting")
    ET.SubElement(head, "meta", name="ocr-capabilities", content=capabilities)
    height, width = reading.picture.shape
    body = ET.SubElement(root, "body")
    name = re.sub(r'["\s]', " ", reading.name)
    title = f'image "{name}"; bbox 0 0 {width} {height}'
    page = ET.SubElement(body, "div", {"class": "ocr_page", "title": title})
    page.text = "\n"
    for line in reading.lines:
        row = _span(page, "ocr_line", "bbox", line.box)
        for word in line.words:
            sure = f"; x_wconf {round(100 * word.confidence)}"
            string = _span(row, "ocrx_word", "bbox", word.box, sure)
            for character in word.characters:
                sure = f"; x_conf {100 * character.confidence:.1f}"
                own = _span(string, "ocrx_cinfo", "x_bboxes", character.box, sure)
                own.text = character.text
    return root


def _span(parent: ET.Element, kind: str, name: str, box: Box, more: str = "") -> ET.Element:
    title = f"{name} {box.left} {box.top} {box.right} {box.bottom}{more}"
    return ET.SubElement(parent, "span", {"class": kind, "title": title})
