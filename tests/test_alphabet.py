import string
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handwriting.alphabet import ASCII, DIGITS, NULL, Alphabet


@given(st.text(alphabet=string.ascii_letters + "éüñ"))
def test_decode_undoes_encode(text):
    alphabet = Alphabet(string.ascii_letters + "éüñ").with_null()

    assert alphabet.decode(alphabet.encode(text)) == unicodedata.normalize("NFC", text)


def test_labels_are_positions():
    assert DIGITS.encode("90").tolist() == [9, 0]
    assert DIGITS.encode("90").dtype == np.int64


def test_decomposed_text_is_composed():
    assert Alphabet(["e\u0301"]).encode("e\u0301e\u0301").tolist() == [0, 0]


def test_null_is_label_0_and_decodes_to_nothing():
    alphabet = DIGITS.with_null()

    assert alphabet.encode([NULL, "0"]).tolist() == [0, 1]
    assert alphabet.decode([0, 1, 0, 2]) == "01"
    assert alphabet.with_null() is alphabet


@pytest.mark.parametrize("label", [-1, 10])
def test_decode_refuses_labels_outside(label):
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 10\)"):
        DIGITS.decode([0, label])


def test_decode_refuses_floats_and_tables():
    with pytest.raises(ValueError, match="must be integers"):
        DIGITS.decode([0.5])
    with pytest.raises(ValueError, match="must be integers"):
        DIGITS.decode([[1]])


def test_decode_takes_no_labels():
    assert DIGITS.decode([]) == ""


def test_encode_names_the_unknown_character():
    with pytest.raises(ValueError, match="'x' is not one of the 10 characters"):
        DIGITS.encode("1x")


@pytest.mark.parametrize(
    ("characters", "message"),
    [
        (["ab"], "single characters"),
        (["a", ""], "only at label 0"),
        ("aa", "'a' twice"),
        ("a\n", "control characters"),
        ("\ud800", "control"),
    ],
)
def test_what_is_no_alphabet_is_refused(characters, message):
    with pytest.raises(ValueError, match=message):
        Alphabet(characters)


def test_equal_alphabets_are_equal_and_hash_so():
    assert Alphabet("0123456789") == DIGITS
    assert len({Alphabet("0123456789"), DIGITS}) == 1
    assert Alphabet("01") != DIGITS


def test_ascii_has_the_94_printable_characters():
    assert len(ASCII) == 94
    assert (ASCII.characters[0], ASCII.characters[-1]) == ("!", "~")


def test_repr_can_be_typed_back():
    for alphabet in (DIGITS, DIGITS.with_null()):
        assert eval(repr(alphabet)) == alphabet
