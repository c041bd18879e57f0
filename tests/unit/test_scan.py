"""The native scanner on the inputs that tokenizers get wrong, one by one."""

import pytest

from bpetok import reference
from bpetok._scan import Scanner, char_class
from bpetok._text import as_utf8
from bpetok.patterns import NAMED, recognise, resolve

NAMES = ("gpt2", "cl100k", "o200k", "llama3", "qwen2", "tekken")
QWEN35 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def pieces(name: str, text: str) -> list[str]:
    """The scanner's pieces, which must be the pattern's."""
    found = resolve(name).scanner.split(text)
    assert found == reference.split(text, NAMED[name])
    return found


# ---- contractions --------------------------------------------------------------------------------


def test_long_s_is_an_s_where_case_is_ignored():
    assert pieces("cl100k", "I'\u017f") == ["I", "'\u017f"]
    assert pieces("cl100k", "I'\u017fx") == ["I", "'\u017f", "x"]
    assert pieces("gpt2", "I'\u017fx") == ["I", "'", "\u017fx"]
    assert pieces("o200k", "I'\u017fx") == ["I'\u017f", "x"]


def test_no_other_letter_folds_into_a_contraction():
    split = resolve("cl100k").scanner.split
    letters = [chr(code_point) for code_point in range(0x80, 0x110000) if char_class(code_point) & 1]
    assert [letter for letter in letters if len(split(f"'{letter}x")) > 1] == ["\u017f"]


@pytest.mark.parametrize("suffix", ["s", "t", "d", "m", "ll", "ve", "re"])
def test_upper_case_contractions_are_cl100ks_but_not_gpt2s(suffix):
    assert pieces("gpt2", f"I'{suffix}") == ["I", f"'{suffix}"]
    assert pieces("cl100k", f"I'{suffix.upper()}") == ["I", f"'{suffix.upper()}"]
    assert pieces("gpt2", f"I'{suffix.upper()}") == ["I", "'", suffix.upper()]


def test_a_contraction_attaches_once():
    assert pieces("o200k", "can'ts") == ["can't", "s"]
    assert pieces("o200k", "I'll'd") == ["I'll", "'d"]
    assert pieces("tekken", "can't") == ["can", "'t"]


# ---- white space ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("gpt2", "a  b", ["a", " ", " b"]),
        ("gpt2", "a\n\nb", ["a", "\n", "\n", "b"]),
        ("gpt2", "a\n\n", ["a", "\n\n"]),
        ("cl100k", "a \n\n b", ["a", " \n\n", " b"]),
        ("cl100k", "a\n \n", ["a", "\n \n"]),
        ("cl100k", "a\n  ", ["a", "\n  "]),
        ("llama3", "a\n  ", ["a", "\n", "  "]),
        ("llama3", "a \r\n\r\n  b", ["a", " \r\n\r\n", " ", " b"]),
        ("o200k", "a\t\tb", ["a", "\t", "\tb"]),
        ("o200k", "x!\n/\n/y", ["x", "!\n/\n/", "y"]),
        ("cl100k", "x!\n/\n/y", ["x", "!\n", "/\n", "/y"]),
    ],
)
def test_white_space_and_what_follows(name, text, expected):
    assert pieces(name, text) == expected


def test_white_space_of_several_bytes_is_split_by_character():
    assert pieces("gpt2", "a\u3000\u3000b") == ["a", "\u3000", "\u3000", "b"]
    assert pieces("cl100k", "a\u00a0\u00a0b") == ["a", "\u00a0", "\u00a0b"]
    assert pieces("cl100k", "a \u3000") == ["a", " \u3000"]
    assert pieces("gpt2", "\u00a0a") == ["\u00a0", "a"]


def test_control_characters_are_no_white_space():
    """Python calls U+001C to U+001F white space; Unicode's property does not."""
    assert pieces("gpt2", "a\x1c\x1fb") == ["a", "\x1c\x1f", "b"]


def test_the_end_of_a_split_is_the_end_of_the_segment():
    """White space before a special token ends there; in the whole text it would not."""
    assert pieces("gpt2", "a  ") == ["a", "  "]
    assert pieces("gpt2", "a  <") == ["a", " ", " <"]


# ---- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 1, 60, 61, 62, 63, 64, 65, 127, 128])
def test_digits_are_counted_by_character_wherever_they_lie(before):
    text = "a" * before + "\u06621234"
    assert pieces("cl100k", text)[-2:] == ["\u066212", "34"]
    assert pieces("qwen2", text)[-5:] == list("\u06621234")
    assert pieces("gpt2", text)[-1] == "\u06621234"


def test_a_space_leads_a_number_only_in_gpt2():
    assert pieces("gpt2", " 1") == [" 1"]
    assert pieces("cl100k", " 1") == [" ", "1"]


# ---- case and marks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AxxB", ["Axx", "B"]),
        ("A\u4e2d\u4e2dB", ["A\u4e2d\u4e2d", "B"]),
        ("\u4e2dAB\u4e2dc", ["\u4e2dAB\u4e2dc"]),
        ("ABC", ["ABC"]),
        ("ABc", ["ABc"]),
        ("\u01c5a", ["\u01c5a"]),
        ("\u0301", ["\u0301"]),
        ("\u0301a", ["\u0301a"]),
        (" \u0301a", [" \u0301a"]),
        ("a\u0301B", ["a\u0301", "B"]),
        ("A\u0301B", ["A\u0301", "B"]),
        ("!\u0301", ["!\u0301"]),
        ("1\u0301", ["1", "\u0301"]),
    ],
)
def test_o200k_takes_caseless_letters_and_marks_for_both_cases(text, expected):
    assert pieces("o200k", text) == expected


def test_marks_are_punctuation_where_words_have_none():
    assert pieces("cl100k", "e\u0301e") == ["e", "\u0301e"]
    assert pieces("gpt2", "e\u0301e") == ["e", "\u0301", "e"]
    assert recognise(QWEN35).split("e\u0301e\u0301!") == ["e\u0301e\u0301", "!"]


# ---- bytes that are not UTF-8 ----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "data",
    [
        b"\x80",
        b"a\xc3",
        b"a\xe4\xb8",
        b"a\xf0\x9f\x98",
        b"\xf5\xff",
        b"\xc0\xaf",
        b"\xed\xa0\xbd\xed\xb8\x80",
        b"\xf4\x90\x80\x80",
        b" \xff ",
        b"1\xff1",
        b"\xe2\x28\xa1",
        b"a" * 63 + b"\xf0\x9f\x98",
    ],
)
def test_invalid_utf8_is_split_by_byte_like_punctuation(name, data):
    found = resolve(name).scanner.split(data)
    assert b"".join(found) == data
    assert found == reference.split(data, NAMED[name])


def test_every_pair_of_bytes_is_split_as_specified():
    for name in ("gpt2", "o200k"):
        scanner = resolve(name).scanner
        for first in range(0x70, 0x100):
            for second in range(0, 0x100, 7):
                data = bytes([first, second, 0x41])
                assert scanner.split(data) == reference.split(data, NAMED[name])


@pytest.mark.parametrize("length", range(80))
def test_every_truncation_of_a_long_character_run(length):
    data = ("\U0001f600" * 20).encode()[:length]
    assert b"".join(resolve("cl100k").scanner.split(data)) == data
    assert resolve("cl100k").scanner.split(data) == reference.split(data, NAMED["cl100k"])


# ---- surrogates ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ud83d\ude00", "\U0001f600"),
        ("\ud83d", "\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        ("\ud83da", "\ufffda"),
        ("\U0001f600\ud83d", "\U0001f600\ufffd"),
        ("\ufeff\ud83d", "\ufeff\ufffd"),
    ],
)
def test_surrogates_are_repaired(text, expected):
    assert as_utf8(text).decode() == expected == reference.utf8(text).decode()
    assert "".join(resolve("gpt2").scanner.split(text)) == expected


# ---- long runs -------------------------------------------------------------------------------------

RUNS = (
    " ",
    "a",
    "A",
    "^",
    "\n",
    "\r\n",
    " \n",
    "1",
    "'",
    "/",
    "\u0301",
    "\u4e2d",
    "\u3000",
    "\u0662",
    "\U0001f600",
    "aB",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", RUNS)
@pytest.mark.parametrize("end", ["", "x"])
def test_a_million_characters_split_like_a_few_hundred(name, unit, end):
    """What the specification gives for a short run holds for one that no recursion would survive.

    Repetitions are added where the short run's pieces repeat, or inside its longest piece.
    """
    short, more = 300, 999_900
    scanner = resolve(name).scanner
    expected = [len(piece) for piece in reference.split(unit * short + end, NAMED[name])]
    if len(expected) <= 4:
        expected[expected.index(max(expected))] += more * len(unit)
    else:
        # In the middle, pieces repeat; 36 characters hold a whole number of any repetition here.
        middle, count, size = len(expected) // 3, 0, 0
        while size < 36:
            size += expected[middle + count]
            count += 1
        assert size == 36
        times = more * len(unit) // 36
        expected = (
            expected[:middle] + expected[middle : middle + count] * (times + 1) + expected[middle + count :]
        )
    text = unit * (short + more) + end
    found = scanner.split(text)
    assert [len(piece) for piece in found] == expected
    assert "".join(found) == text


# ---- the Python side -------------------------------------------------------------------------------


def test_a_scanner_takes_str_and_bytes_only():
    scanner = resolve("gpt2").scanner
    for wrong in (None, 3, ["a"], bytearray(b"a")):
        with pytest.raises(TypeError, match="expected a str or bytes"):
            scanner.split(wrong)


@pytest.mark.parametrize("empty", ["", b""])
def test_nothing_has_no_pieces(empty):
    assert resolve("o200k").scanner.split(empty) == []


PARAMETERS = {
    "word": "plain",
    "contractions": "none",
    "digits": 0,
    "number_space": True,
    "tail": "none",
    "newlines": False,
    "end_space": False,
}


@pytest.mark.parametrize(
    "wrong",
    [{"word": "x"}, {"contractions": "x"}, {"tail": "x"}, {"digits": -1}, {"punctuation_marks": False}],
)
def test_a_scanner_refuses_what_it_cannot_do(wrong):
    with pytest.raises(ValueError):
        Scanner(**(PARAMETERS | wrong))
    assert Scanner(**PARAMETERS).split("a b") == ["a", " b"]
