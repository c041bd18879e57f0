"""The table of character classes: equal to the reference library's, and consistent in itself."""

import sys
import unicodedata
from importlib.metadata import version

import pytest

from bpetok import _scan
from bpetok._native import generate_unicode_table as generator
from bpetok._scan import UNICODE_SOURCE, char_class

LETTER, UPPER, LOWER, NUMBER, SPACE, NEWLINE, MARK = (1 << bit for bit in range(7))


@pytest.fixture(scope="module")
def table() -> bytes:
    return bytes(map(char_class, range(0x110000)))


def test_classes_are_those_of_tiktoken(table):
    pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    probed = generator.probe()
    differing = [hex(at) for at in range(0x110000) if probed[at] != table[at]]
    assert not differing, f"run {generator.__name__} again: {len(differing)} differ, {differing[:5]}"


def test_header_is_what_the_script_generates(table):
    pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    stamped = UNICODE_SOURCE.removeprefix("tiktoken ")
    assert generator.TARGET.read_text() == generator.render(bytearray(table), stamped)
    assert tuple(map(int, stamped.split("."))) <= tuple(map(int, version("tiktoken").split(".")[:3]))


def test_cased_brackets_share_the_caseless_letters_and_the_marks(table):
    for bits in set(table):
        cased = bits & (UPPER | LOWER)
        assert bool(cased) == bool(bits & (LETTER | MARK))
        if bits & MARK:
            assert cased == UPPER | LOWER


def test_a_character_is_at_most_one_of_letter_number_space_mark(table):
    for bits in set(table):
        assert sum(bool(bits & one) for one in (LETTER, NUMBER, SPACE, MARK)) <= 1


def test_newlines_are_two_white_space_characters(table):
    assert [at for at, bits in enumerate(table) if bits & NEWLINE] == [0x0A, 0x0D]
    assert all(table[at] & SPACE for at in (0x0A, 0x0D))


def test_surrogates_have_no_class(table):
    assert not any(table[0xD800:0xE000])


@pytest.mark.skipif(
    tuple(map(int, unicodedata.unidata_version.split("."))) > (16, 0, 0),
    reason="Python's unicodedata is newer than the table",
)
def test_classes_agree_with_unicodedata_where_it_knows_the_character(table):
    of_category = {"L": LETTER, "N": NUMBER, "M": MARK}
    for code_point in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code_point))
        if category not in ("Cn", "Cs"):
            expected = of_category.get(category[0], 0)
            assert table[code_point] & (LETTER | NUMBER | MARK) == expected, hex(code_point)


@pytest.mark.parametrize("outside", [-1, 0x110000])
def test_code_points_outside_unicode_are_refused(outside):
    with pytest.raises(ValueError, match="not a code point"):
        _scan.char_class(outside)
