"""SentencePiece's normalization: examples, bytes that are no UTF-8, and maps that are refused."""

import struct

import pytest

from bpetok._charsmap import CharsMap
from bpetok.errors import FormatError
from darts import charsmap

PLAIN = {"dummy_prefix": False, "suffix": False, "collapse": False, "escape": False}


def normal(text, rules=None, symbols=(), **flags):
    blob = charsmap(rules) if rules else b""
    return CharsMap(blob, dict.fromkeys(symbols, 0), **(PLAIN | flags)).normalize(text)


def test_spaces():
    assert normal("") == "" == normal("", dummy_prefix=True, suffix=True)
    assert normal("a  b ", dummy_prefix=True) == " a  b "
    assert normal("a  b ", dummy_prefix=True, suffix=True) == "a  b  "
    assert normal("  a  b ", dummy_prefix=True, collapse=True) == " a b"
    assert normal("   ", dummy_prefix=True, collapse=True) == ""
    assert normal("▁", dummy_prefix=True, collapse=True, escape=True) == ""
    assert normal("a▁▁b", collapse=True, escape=True) == "a  b"  # these are no spaces while spaces go
    assert normal("a▁b") == "a▁b"


def test_the_longest_key_counts_and_symbols_come_first():
    rules = {"a": "1", "ab": "2", "abcd": "4", "e\u0301": "é", "x": "", "\t": " "}
    assert normal("abca", rules) == "2c1"
    assert normal("abcdabc", rules) == "42c"
    assert normal("e\u0301e", rules) == "ée"
    assert normal("xax", rules) == "1"
    assert normal("\t a\t\ta", rules, collapse=True) == "1 1"
    assert normal("abcd ab", rules, ["bc", "ab"]) == "abcd ab"
    assert normal("ab", rules, ["b"]) == "2"


def test_what_is_no_utf8_is_replaced_byte_by_byte():
    assert normal(b"a\xe4\xb8b\xff") == "a\ufffd\ufffdb\ufffd"
    assert normal(b"\xed\xa0\x80\xc0\x80\xf0\x9f") == "\ufffd" * 7
    assert normal("\ud83d\ude00\ud83d") == "😀\ufffd"
    with pytest.raises(TypeError, match="str or bytes"):
        normal(1)


def test_long_texts():
    text = "a b\u00a0ﬁ日本 " * 50_000
    assert normal(text, {"ﬁ": "fi", "\u00a0": " "}) == text.replace("ﬁ", "fi").replace("\u00a0", " ")
    assert normal("ab" * 100_000, {"a": "long" * 100}) == ("long" * 100 + "b") * 100_000


GOOD = charsmap({"ab": "é", "c": ""})


@pytest.mark.parametrize(
    ("blob", "what"),
    [
        (b"\0\0", "cut off"),
        (GOOD[:500], "cut off"),
        (struct.pack("<I", 1 << 31) + GOOD[4:], "cut off"),
        (struct.pack("<I", 3) + GOOD[4:], "cut off"),
        (GOOD[:-1] + b"x", "last replacement is cut off"),
        (GOOD[:-3] + b"\xff\0\0", "no UTF-8"),
        (bytes(5 << 20), "at most"),
    ],
)
def test_damaged_maps(blob, what):
    with pytest.raises(FormatError, match=what):
        CharsMap(blob, {}, **PLAIN)


def test_leaves_must_lead_to_replacements():
    units = list(struct.unpack_from(f"<{len(GOOD[4:]) // 4}I", GOOD, 4))
    leaf = next(at for at, unit in enumerate(units) if unit == 1 << 31)

    def changed(value):
        return GOOD[: 4 + 4 * leaf] + struct.pack("<I", value) + GOOD[8 + 4 * leaf :]

    with pytest.raises(FormatError, match="lies outside"):
        CharsMap(changed(1 << 31 | 1 << 20), {}, **PLAIN)
    with pytest.raises(FormatError, match="starts within a character"):
        CharsMap(changed(1 << 31 | GOOD.index(b"\xa9\0") - GOOD.index(b"\0\xc3\xa9\0")), {}, **PLAIN)


def test_keys_must_be_whole_characters():
    blob = bytearray(charsmap({"é": "e"}))
    for at in range(4, len(blob) - 4, 4):
        if blob[at] == 0xC3 and not blob[at + 3] & 0x80:
            blob[at + 1] |= 1  # a leaf after the first of two bytes
    with pytest.raises(FormatError, match="ends within a character"):
        CharsMap(bytes(blob), {}, **PLAIN)


def test_a_map_is_immutable():
    native = CharsMap(GOOD, {}, **PLAIN)
    with pytest.raises(TypeError, match="immutable"):
        native.__init__(b"", {}, **PLAIN)
    assert native.normalize("abc") == "é"
