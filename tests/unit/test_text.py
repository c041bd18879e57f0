"""Transcoding to UTF-8, on every tier of instructions that this machine has."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from bpetok import reference
from bpetok._cpu import available
from bpetok._forms import spliced
from bpetok._text import _as_str, _as_utf8_on, as_utf8, has_any, repaired

every_tier = pytest.mark.parametrize("tier", available())

# Per width of a str's units: characters that make it that wide, and what may stand between them.
WIDE = {1: "\x80\xe9\xff", 2: "\u0100\u07ff\u0800\u4e2d\ufffd\uffff", 4: "\U00010000\U0001f600\U0010ffff"}
NARROW = {1: "a\0\x7f", 2: "a\0\x7f\x80\xff", 4: "a\x7f\x80\u07ff\u0800\uffff"}


def mixed(width: int) -> st.SearchStrategy[str]:
    """Text whose units have this width, in runs that begin and end anywhere in a block."""
    surrogates = "".join(strategies.LONE_SURROGATES) if width > 1 else ""
    piece = st.tuples(st.sampled_from(WIDE[width] + NARROW[width] + surrogates), st.integers(1, 70)).map(
        lambda drawn: drawn[0] * drawn[1]
    )
    pairs = st.just("\ud83d\ude00") if width > 1 else st.just("")
    parts = st.lists(st.one_of(piece, pairs, st.text(NARROW[width], max_size=40)), max_size=8)
    return st.tuples(parts, st.sampled_from(WIDE[width]), st.randoms(use_true_random=False)).map(_shuffled)


def _shuffled(drawn) -> str:
    parts, wide, random = drawn
    parts = [*parts, wide]
    random.shuffle(parts)
    return "".join(parts)


@every_tier
@pytest.mark.parametrize("width", [1, 2, 4])
@given(data=st.data())
def test_every_tier_transcodes_as_specified(tier, width, data):
    text = data.draw(mixed(width))
    assert _as_utf8_on(text, tier) == reference.utf8(text)


@every_tier
@pytest.mark.parametrize("width", [1, 2, 4])
def test_a_wide_character_at_each_place_of_a_block(tier, width):
    for wide in WIDE[width]:
        for size in (1, 15, 16, 17, 31, 33, 63, 64, 65, 130):
            for at in range(size):
                text = "a" * at + wide + "a" * (size - at - 1)
                assert _as_utf8_on(text, tier) == text.encode()


@every_tier
@pytest.mark.parametrize("filler", ["a", "\xe9", "\u0430", "\u4e2d", "\U0001f600"])
def test_surrogates_at_each_place_of_a_block(tier, filler):
    for surrogates in ("\ud83d\ude00", "\ud83d", "\ude00", "\ude00\ud83d", "\ud83d\ud83d\ude00"):
        for at in range(70):
            text = filler * at + surrogates + filler * (70 - at)
            assert _as_utf8_on(text, tier) == reference.utf8(text)


def test_every_code_point():
    for start in range(0, 0x110000, 0x1000):
        text = "".join(map(chr, range(start, start + 0x1000)))
        assert as_utf8(text) == reference.utf8(text)


@given(text=st.one_of(strategies.hostile_text(), strategies.surrogate_text()))
def test_the_tier_in_use(text):
    assert as_utf8(text) == reference.utf8(text)


def test_what_is_not_transcoded():
    assert as_utf8(b"\xff bytes") == b"\xff bytes"
    assert as_utf8("ascii") == b"ascii"
    with pytest.raises(ValueError, match="ASCII"):
        _as_utf8_on("ascii", "scalar")
    with pytest.raises(ValueError, match="no tier"):
        _as_utf8_on("\xe9", "mmx")
    with pytest.raises(TypeError, match="expected a str or bytes"):
        as_utf8(3)


# ---- and back ------------------------------------------------------------------------------------

LONG = 300  # bytes; shorter ones are left to Python


@given(text=st.one_of(strategies.hostile_text(), *(mixed(width) for width in (1, 2, 4))), data=st.data())
def test_utf8_becomes_the_str_that_python_makes(text, data):
    encoded = reference.utf8(text) * 3 + b"a" * data.draw(st.integers(0, LONG))
    decoded = _as_str(encoded)
    assert decoded == encoded.decode()
    assert hash(decoded) == hash(encoded.decode())  # of the same width, too
    assert decoded.isascii() == encoded.isascii()


@given(data=strategies.hostile_bytes(), at=st.integers(0, 80))
def test_what_is_not_utf8_is_replaced_as_python_does(data, at):
    for filler in (b"a", "\xe9".encode(), "\u4e2d".encode(), "\U0001f600".encode()):
        whole = filler * at + data + filler * (LONG - at)
        assert _as_str(whole) == whole.decode("utf-8", "replace")


def test_every_beginning_of_a_character():
    for first in range(0x80, 0x100):
        for second in (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF):
            for rest in (b"", b"\x80", b"\xbf\xbf", b"\x80\x41", b"\x80\x80\x80"):
                data = b"x" * LONG + bytes((first, second)) + rest
                assert _as_str(data) == data.decode("utf-8", "replace")
                assert _as_str(data + b"x" * 20) == (data + b"x" * 20).decode("utf-8", "replace")


def test_every_code_point_and_back():
    for start in (*range(0, 0xD800, 0x800), *range(0xE000, 0x110000, 0x800)):
        text = "".join(map(chr, range(start, start + 0x800)))
        assert _as_str(text.encode()) == text


@pytest.mark.parametrize("filler", ["", "x" * 100, "\u4e2d" * 40, "\U0001f600"])
def test_surrogates_are_repaired_and_other_text_is_itself(filler):
    for text in ("\ud83d\ude00", "\ud83d", "a\udfff"):
        assert repaired(filler + text + filler) == as_utf8(filler + text + filler).decode()
    for text in ("", "a", "\u00e9", "\ud7ff\ue000", "\U00010000\U0010ffff\U0001d800"):
        assert repaired(text + filler) == text + filler
    assert repaired(filler) is filler


def test_repairing_a_subclass_gives_a_plain_str():
    class Text(str):
        pass

    for text in ("", "a", "\u00e9", "a\udfff"):
        assert repaired(Text(text)) == repaired(text)
        assert type(repaired(Text(text))) is str
    with pytest.raises(TypeError, match="expected a str, got bytes"):
        repaired(b"a")


@given(
    text=st.sampled_from([1, 2, 4]).flatmap(mixed),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    parts=st.lists(st.text(max_size=3), min_size=4, max_size=4),
)
def test_a_spliced_text_is_that_of_its_slices(text, cuts, parts):
    places = sorted(min(cut, len(text)) for cut in cuts)
    spans = list(zip(places[::2], places[1::2], strict=False))
    slices, at = [], 0
    for (start, end), part in zip(spans, parts, strict=False):
        slices += text[at:start], part
        at = end
    expected = "".join([*slices, text[at:]])
    made = spliced(text, spans, parts[: len(spans)])
    assert made == expected
    assert sys.getsizeof(made + "x") == sys.getsizeof(expected + "x")  # as narrow as it can be
    assert spliced(type("Text", (str,), {})(text), spans, parts[: len(spans)]) == expected


def test_what_is_copied_may_be_narrower_than_the_whole():
    """`PyUnicode_CopyCharacters` takes a text for ASCII or not by its beginning, not by what it copies."""
    assert spliced("\xe9\xe9 abc", [(0, 2)], ["ee"]).isascii()
    assert spliced("\u4e2d abc \xe9", [(0, 1)], ["c"]) == "c abc \xe9"
    assert spliced("\U0001f600 abc", [(0, 1)], [""]) == " abc"


@pytest.mark.parametrize("spans", [[(2, 1)], [(0, 4)], [(-1, 1)], [(0, 2), (1, 3)], [(0, 1), (1, 2), (2, 3)]])
def test_stretches_that_are_not_in_order_or_have_no_part_are_refused(spans):
    with pytest.raises(ValueError):
        spliced("abc", spans, ["x", "y"][: max(1, len(spans))])


def test_only_a_str_is_spliced():
    with pytest.raises(TypeError):
        spliced(b"abc", [], [])
    with pytest.raises(TypeError):
        spliced("abc", [(0, 1)], [b"x"])


@given(
    text=st.sampled_from([1, 2, 4]).flatmap(mixed),
    ranges=st.lists(st.tuples(st.integers(0x10000, 0x10FFFF), st.integers(0, 0xFFFF)), max_size=3),
)
def test_characters_are_found_by_their_range(text, ranges):
    ranges = tuple((first, min(first + more, 0x10FFFF)) for first, more in ranges)
    expected = any(first <= ord(char) <= last for char in repaired(text) for first, last in ranges)
    assert has_any(text, ranges) == expected


def test_a_pair_of_surrogates_is_one_character():
    assert has_any("\ud83d\ude00", ((0x1F600, 0x1F600),))
    assert not has_any("\ud83d", ((0x1F600, 0x1F600),))
    with pytest.raises(TypeError):
        has_any(b"text", ())
