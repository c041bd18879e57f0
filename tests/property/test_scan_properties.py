"""The native scanner against its specification, on generated text."""

import itertools
import re

import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st

import strategies
from bpetok import _cpu, reference, splits
from bpetok._scan import Scanner, as_utf8
from bpetok._text import has_any
from bpetok.patterns import GPT2_DIGITS_APART, GPT2_NUMBERS_APART, NAMED, recognise, resolve, superwords
from bpetok.splits import Splits

FAMILIES = ("gpt2", "cl100k", "o200k", "llama3", "qwen2", "tekken", "deepseek")
SOURCES = {
    **{name: NAMED[name] for name in FAMILIES},
    "gpt2-original": r"""'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+""",
    "qwen3.5": (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
        r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    ),
    "ascii-case": NAMED["llama3"].replace(
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
    ),
    "gpt2, digits apart": GPT2_DIGITS_APART,
    "gpt2, numbers apart": GPT2_NUMBERS_APART,
    "numbers apart": NAMED["llama3"].replace(r"|\s+(?!", r"|\s+(?=\p{N})|\s+(?!"),
    "nanochat": NAMED["llama3"].replace("{1,3}", "{1,2}"),
    **{f"superwords of {name}": superwords(name, 3) for name in ("gpt2", "cl100k", "o200k")},
}

every_pattern = pytest.mark.parametrize("name", sorted(SOURCES))


@every_pattern
@given(text=strategies.hostile_text())
@example(text="a\u0301\u0301 \u0301A\u0301b")
@example(text=" \u00a0\u3000x\u3000\u00a0 ")
def test_pieces_are_what_the_pattern_matches(name, text):
    assert recognise(SOURCES[name]).split(text) == reference.split(text, SOURCES[name])


@every_pattern
@given(text=strategies.surrogate_text())
def test_pieces_of_text_with_surrogates(name, text):
    assert recognise(SOURCES[name]).split(text) == reference.split(text, SOURCES[name])


@every_pattern
@given(data=strategies.hostile_bytes())
@example(data=b"\xe2\x82")
@example(data=b"a\xf0\x9f\x98 \xed\xa0\x80\xed\xb0\x80 1\xff2")
def test_pieces_of_bytes_that_are_not_utf8(name, data):
    pieces = recognise(SOURCES[name]).split(data)
    assert b"".join(pieces) == data
    assert all(pieces)
    assert pieces == reference.split(data, SOURCES[name])


@every_pattern
@given(text=strategies.hostile_text())
def test_a_str_and_its_utf8_have_the_same_pieces(name, text):
    scanner = recognise(SOURCES[name])
    assert [piece.encode() for piece in scanner.split(text)] == scanner.split(text.encode())


@every_pattern
@given(text=strategies.hostile_text())
def test_pieces_join_to_the_text_and_are_pieces_of_their_own_start(name, text):
    """No piece is empty, none is missing, and splitting can go on at any border."""
    scanner = recognise(SOURCES[name])
    pieces = scanner.split(text)
    assert "".join(pieces) == text
    assert all(pieces)
    for at in range(0, len(pieces), 3):
        assert scanner.split("".join(pieces[at:])) == pieces[at:]


@given(text=st.one_of(strategies.surrogate_text(), strategies.hostile_text()))
@example(text="\ud83d\ud83d\ude00\ude00")
@example(text="\ufeff\ud800")
def test_utf8_of_any_str(text):
    assert as_utf8(text) == reference.utf8(text)


UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PREFIX, ATTACHED = r"[^\r\n\p{L}\p{N}]?", "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

# Each slot of a pattern with the spellings it may have.
SLOTS = (
    (
        "",
        "'(?:[sdmt]|ll|ve|re)|",
        "'(?i:[sdmt]|ll|ve|re)|",
        "'s|'t|'re|'ve|'m|'ll|'d|",
        "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|",
    ),
    (
        r" ?\p{L}+|",
        r" ?\p{L}++|",
        PREFIX + r"\p{L}+|",
        PREFIX + r"+\p{L}++|",
        PREFIX + r"[\p{L}\p{M}]+|",
        f"{PREFIX}{UPPER}*{LOWER}+|{PREFIX}{UPPER}+{LOWER}*|",
        f"{PREFIX}{UPPER}*{LOWER}+{ATTACHED}|{PREFIX}{UPPER}+{LOWER}*{ATTACHED}|",
    ),
    (r" ?\p{N}+|", r"\p{N}+|", r"\p{N}|", r"\p{N}{1,2}|", r"\p{N}{1,3}+|"),
    (r" ?[^\s\p{L}\p{N}]+", r" ?[^\s\p{L}\p{N}]++", r" ?[^\s\p{L}\p{M}\p{N}]+"),
    ("|", r"[\r\n]*|", r"[\r\n/]*|", r"[\r\n]*+|"),
    ("", r"\s+$|", r"\s++$|"),
    ("", r"\s*[\r\n]|", r"\s*[\r\n]+|"),
    (r"\s+(?!\S)|\s", r"\s+(?!\S)|\s+"),
)


@given(slots=st.tuples(*map(st.sampled_from, SLOTS)), text=strategies.hostile_text())
def test_every_combination_of_known_parts(slots, text):
    """The scanner's parameters are independent of each other: any combination does what it says."""
    source = "".join(slots)
    scanner = recognise(source)
    if scanner is None:
        unserved_marks = r"\p{L}\p{M}\p{N}" in slots[3] and slots[1] != PREFIX + r"[\p{L}\p{M}]+|"
        assert unserved_marks or ("Lu" in slots[1] and ATTACHED in slots[1] and slots[0])
    else:
        assert scanner.split(text) == reference.split(text, source)


@st.composite
def edited_patterns(draw):
    """A known pattern with one alternative or one character dropped, doubled, moved or changed."""
    source = SOURCES[draw(st.sampled_from(sorted(SOURCES.keys() - {"deepseek"})))]  # known as a whole only
    if draw(st.booleans()):
        parts = re.split(r"\|(?![^()\[\]]*[)\]])", source)
        at, to = (draw(st.integers(0, len(parts) - 1)) for _ in range(2))
        parts[at : at + 1] = draw(st.sampled_from([[], [parts[at]] * 2, [parts[to]], [parts[to], parts[at]]]))
        return "|".join(parts)
    at = draw(st.integers(0, len(source) - 1))
    kept = draw(st.sampled_from(["", source[at] + "+", source[at] + "?", source[at] * 2, *"+*?|sS "]))
    return source[:at] + kept + source[at + 1 :]


@given(source=edited_patterns(), text=strategies.hostile_text())
@example(source=NAMED["llama3"].replace(r"\s+(?!\S)", r"\s++(?!\S)"), text="a  b")
@example(source=NAMED["llama3"].replace(r"\s*[\r\n]+", r"\s*+[\r\n]+"), text="a \n b")
@example(source=NAMED["o200k"].replace(r"\p{M}]*[\p{Ll}", r"\p{M}]*+[\p{Ll}"), text="A\u4e2dB")
@example(source=NAMED["o200k"].replace(r"\p{N}]?", r"\p{N}]?+"), text="\u0301\n")
@example(source=SOURCES["qwen3.5"].replace(r"\p{N}]?[", r"\p{N}]?+["), text="\u0301")
def test_an_edited_pattern_is_refused_or_equal(source, text):
    """A pattern is never served by a scanner that splits differently, however near it comes."""
    scanner = recognise(source)
    if scanner is not None:
        assert scanner.split(text) == reference.split(text, source)


# ---- tiers -----------------------------------------------------------------------------------------

FAST = [tier for tier in _cpu.available() if tier != "scalar"]
every_tier = pytest.mark.parametrize(
    "tier", FAST or [pytest.param(None, marks=pytest.mark.skip("scalar only"))]
)


@st.composite
def blocks(draw):
    """Filler up to near the end of a 64-byte block, then characters of all kinds densely around the border;
    several times, so that blocks that start where a piece does are crossed as well."""
    dense = st.one_of(
        st.sampled_from(strategies.TRAPS + strategies.FRAGMENTS),
        strategies.characters(),
        st.sampled_from(["'", "'s", "'l", "1", "12", "\r", "\n", " ", "\u0301", "/", "a", "A"]),
    ).map(str.encode)
    if draw(st.booleans()):
        dense = st.one_of(dense, st.sampled_from(strategies.BROKEN_UTF8))
    filler = st.sampled_from(
        [
            b"a",
            b" ",
            b"A",
            b"1",
            b"!",
            b"\n",
            b"ab ",
            b"x'",
            *("\u4e2d \u0434 \u0e01 \u0301".encode().split()),
        ]
    )
    data = b""
    for _ in range(draw(st.integers(1, 3))):
        data += draw(filler) * 64
        data = data[: len(data) // 64 * 64 - draw(st.integers(0, 12))]
        data += b"".join(draw(st.lists(dense, max_size=12)))
    return data


def scanners():
    """A scanner of any parameters at all, also those that no known pattern has."""
    return st.builds(
        lambda punctuation_marks, word_marks, numbers_apart, **others: Scanner(
            punctuation_marks=punctuation_marks or (others["word"] != "cased" and not word_marks),
            word_marks=word_marks,
            numbers_apart=numbers_apart and not others["number_space"] and others["word"] != "apart",
            **others,
        ),
        word=st.sampled_from(["plain", "prefixed", "cased", "apart"]),
        contractions=st.sampled_from(["none", "exact", "any-case", "ascii-case", "attached"]),
        digits=st.sampled_from([0, 1, 2, 3, 4, 7, 63, 64, 65, 1000]),
        number_space=st.booleans(),
        numbers_apart=st.booleans(),
        tail=st.sampled_from(["none", "newlines", "newlines-slashes"]),
        newlines=st.booleans(),
        end_space=st.booleans(),
        word_marks=st.booleans(),
        punctuation_marks=st.booleans(),
    )


# The specification is slow, and the scalar scanner is held to it above.
@settings(max_examples=max(1, settings().max_examples // 3))
@every_tier
@every_pattern
@given(data=blocks())
def test_tiers_find_the_pieces_of_the_specification(name, tier, data):
    found = recognise(SOURCES[name])._split_ends(data, tier)
    assert found == [*itertools.accumulate(map(len, reference.split(data, SOURCES[name])))]


@every_tier
@given(scanner=scanners(), data=blocks())
@example(scanner=resolve("o200k").scanner, data=b"x's's" * 30)
@example(scanner=resolve("o200k").scanner, data="!!\u0301!a!\u0301!\u0301\n".encode() * 9)
@example(scanner=resolve("o200k").scanner, data="\u4e2dAB \u4e2dABc\u4e2dA\u4e2dB".encode() * 9)
@example(scanner=resolve("cl100k").scanner, data=b"\\" + b" " * 65 + b"\n" + b" " * 80 + b"\n  x")
def test_tiers_agree_whatever_the_parameters(tier, scanner, data):
    assert scanner._split_ends(data, tier) == scanner._split_ends(data, "scalar")


@every_tier
@given(scanner=scanners(), data=strategies.hostile_bytes())
def test_tiers_agree_on_bytes_that_are_not_utf8(tier, scanner, data):
    assert scanner._split_ends(data * 3, tier) == scanner._split_ends(data * 3, "scalar")


@given(text=strategies.hostile_text() | blocks().map(lambda data: data.decode(errors="ignore")))
@example(text=" \u6f22 \u30fb\n1  2\u30fb\u3040\u30ab \u3000\u200d\u200da\u200d\u6f22\u9fa6")
def test_deepseeks_three_steps_are_one_pattern(text):
    """As `splits` does them, which knows the Unicode of `tokenizers`: that of the table."""
    text = as_utf8(text).decode()
    assert recognise(NAMED["deepseek"]).split(text) == Splits(splits._DEEPSEEK).pieces(text)


@pytest.mark.parametrize("individual", [False, True])
@given(text=strategies.hostile_text() | blocks().map(lambda data: data.decode(errors="ignore")))
@example(text="a  1 \n2\n3 \u0664\u00bd  x")
def test_numbers_cut_out_before_gpt2s_pattern_are_one_pattern(individual, text):
    text = as_utf8(text).decode()
    steps = Splits((splits.Digits(individual), splits.ByteLevel(False)))
    native = steps.native()
    if has_any(text, native.unlike):
        reject()
    assert recognise(native.pattern).split(text) == steps.pieces(text)


@every_pattern
def test_every_character_alone_and_among_others(name):
    """Each of the code points once, in the company of letters, spaces, numbers and newlines."""
    scanner = recognise(SOURCES[name])
    some = [
        chr(code_point)
        for members in strategies.code_points_by_class().values()
        for code_point in (*members[:60], *members[:: max(1, len(members) // 120)], *members[-20:])
    ]
    for frame in ("{}", "a{}", " {}b", "1{}2", "{}\n", "A{0}{0}b", "!{} ", "'{}", "'s{}"):
        text = "\n".join(map(frame.format, some))
        assert scanner.split(text) == reference.split(text, SOURCES[name])


def test_named_patterns_are_all_here():
    # The other two cut at spaces or nowhere, see `test_character_properties`.
    others = {NAMED["whole"], NAMED["metaspace"]}
    assert {resolve(name).source for name in NAMED} - others <= set(SOURCES.values())
