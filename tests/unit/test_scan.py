"""The native scanner on the inputs that tokenizers get wrong, one by one; its tiers against each other."""

import itertools
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

import strategies
from bpetok import _cpu, reference
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


# ---- tiers -----------------------------------------------------------------------------------------

SCANNERS = {name: resolve(name).scanner for name in NAMES} | {"qwen3.5": recognise(QWEN35)}
FAST = [tier for tier in _cpu.available() if tier != "scalar"]
every_tier = pytest.mark.parametrize(
    "tier", FAST or [pytest.param(None, marks=pytest.mark.skip("scalar only"))]
)
every_scanner = pytest.mark.parametrize("name", SCANNERS)

# One or two of each kind that scanners tell apart, and what contractions are made of.
KINDS = (
    "a", "A", "t", "ll", "S", " ", "  ", "\n", "\r\n", "\t", "1", "234", "'", "/", "!",
    "\u00e9", "\u00c9", "\u0434", "\u4e2d\u6587", "\u0915\u093e", "\u0e01", "\u0301", "\u0663", "\u3000",
    "\u00a0", "\U0001f600", "\u2764\ufe0f", "\u017f", "\u01c5", "\u02b0", "\U00010400", "\uac00", "\u3002",
)  # fmt: skip


def assert_equal_tiers(name: str, tier: str, data: bytes) -> None:
    """The tier and the scalar scanner find the same ends."""
    scanner = SCANNERS[name]
    found, expected = scanner._split_ends(data, tier), scanner._split_ends(data, "scalar")
    if found != expected:
        first = next(at for at, pair in enumerate(itertools.zip_longest(found, expected)) if len({*pair}) > 1)
        start = expected[first - 1] if first else 0
        pytest.fail(f"{tier}, piece {first} at {start}: {found[first:][:3]}, not {expected[first:][:3]}"
                    f" in {data[max(0, start - 64) : start + 64]!r}")  # fmt: skip


def random_texts(seed: int, count: int, most: int) -> list[bytes]:
    """Texts of some of the kinds each, in runs of some length, so that there is always a next combination."""
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        kinds = rng.sample(KINDS, rng.choice((2, 3, 5, len(KINDS))))
        longest = rng.choice((1, 1, 3, 70))
        text = ""
        while len(text) < most:
            text += rng.choice(kinds) * rng.randint(1, longest)
        texts.append(text.encode())
    return texts


@every_tier
@every_scanner
def test_tiers_agree_on_every_character(name, tier):
    """Each of the code points, in order and in the company of letters, numbers, quotes and white space."""
    every = [chr(at) for at in range(0x110000) if not 0xD800 <= at < 0xE000]
    for frame in ("{}", "a{} ", "1{}\n", " '{}", "!{}B "):
        assert_equal_tiers(name, tier, "".join(map(frame.format, every)).encode())


@every_tier
@every_scanner
def test_tiers_agree_at_every_alignment(name, tier):
    for text in random_texts(seed=1, count=60, most=150):
        for before in range(64):
            assert_equal_tiers(name, tier, b"x" * before + text)
            assert_equal_tiers(name, tier, b" " * before + text)


@every_tier
@every_scanner
def test_tiers_agree_on_every_length(name, tier):
    """However many bytes there are, and with the last character cut."""
    for text in random_texts(seed=2, count=40, most=200):
        for length in range(201):
            assert_equal_tiers(name, tier, text[:length])


@every_tier
@every_scanner
def test_tiers_agree_with_the_specification(name, tier):
    source = QWEN35 if name == "qwen3.5" else NAMED[name]
    for data in random_texts(seed=3, count=60, most=300):
        pieces = reference.split(data, source)
        assert SCANNERS[name]._split_ends(data, tier) == [*itertools.accumulate(map(len, pieces))]


@every_tier
@every_scanner
def test_tiers_agree_on_every_pair_of_bytes_at_the_end_of_a_block(name, tier):
    """Most of them are not UTF-8."""
    pairs = [
        bytes(pair)
        for pair in itertools.product((0x20, 0x27, 0x61, 0x80, *range(0xC0, 0x100)), range(0x7F, 0x100))
    ]
    for before in (60, 61, 62, 63):
        assert_equal_tiers(name, tier, b"".join((b"ab " * 30)[:before] + pair + b"a" for pair in pairs))


@every_tier
@every_scanner
@pytest.mark.parametrize(
    "unit", [*RUNS, "\u0e01", "\u0915\u093e", "\uac00", "ab ", "1 ", "a'", "\n    ", "!\n/"]
)
def test_tiers_agree_on_long_runs(name, tier, unit):
    for before, after in itertools.product(("", "x", " ", "\n", "!", "\u4e2dA"), repeat=2):
        assert_equal_tiers(name, tier, (before + unit * 3000 + after).encode())


@every_tier
def test_a_batch_ends_anywhere_in_a_block(tier):
    """Batches of 256 pieces: whatever the last block of one held beyond that is found again by the next."""
    for size in range(1, 70):
        data = (b" " + b"a" * size) * 600 + b" 1" * 600
        assert_equal_tiers("gpt2", tier, data)
        assert_equal_tiers("qwen2", tier, data)


def test_a_tier_of_another_machine_is_refused():
    with pytest.raises(ValueError, match="this machine has no 'mmx'"):
        SCANNERS["gpt2"]._split_ends(b"a", "mmx")


def driver_case(scanner: Scanner, data: bytes) -> bytes:
    """A record for `scan_driver.c`."""
    given = scanner.parameters
    tails = ("none", "newlines", "newlines-slashes")
    marks = char_class(0x301) & 64
    numbers = [
        ("plain", "prefixed", "cased").index(given["word"]),
        ("none", "exact", "any-case", "attached", "ascii-case").index(given["contractions"]),
        1 | (marks if given["word_marks"] else 0),
        1 | 8 | 16 | (0 if given["punctuation_marks"] else marks),
        given["digits"],
        given["number_space"],
        tails.index(given["tail"]) > 0,
        tails.index(given["tail"]) > 1,
        given["newlines"],
        given["end_space"],
    ]
    ends = scanner._split_ends(data, "scalar")
    head = struct.pack(f"<{len(numbers) + 2 + len(ends)}Q", *numbers, len(data), len(ends), *ends)
    return head + data + bytes(-len(data) % 8)


# How to compile the driver for a tier, and what runs it.
DRIVERS = {
    "avx2": (["gcc"], []),
    "avx512": (["gcc"], []),
    "neon": (["aarch64-linux-gnu-gcc", "-static"], ["qemu-aarch64"]),
}


@pytest.mark.parametrize("tier", DRIVERS)
def test_a_tier_by_itself_and_up_to_a_page_that_must_not_be_touched(tier, tmp_path):
    """Without Python, so that NEON runs where only an emulator has it."""
    compiler, emulator = DRIVERS[tier]
    missing = [tool for tool in (compiler[0], *emulator) if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    if tier != "neon" and tier not in _cpu.available():
        pytest.skip(f"this machine has no {tier}")
    native = Path(_cpu.__file__).with_name("_native")
    driver, cases = tmp_path / "scan_driver", tmp_path / "cases"
    flags = ["-O2", "-Wall", "-Werror", f"-I{native}"]
    subprocess.run([*compiler, *flags, Path(__file__).with_name("scan_driver.c"), "-o", driver], check=True)
    texts = random_texts(seed=4, count=300, most=200)
    texts += [text[:length] for text in texts[:40] for length in range(1, len(text), 3)]
    texts += [text.replace(b"a", broken) for text in texts[:100] for broken in strategies.BROKEN_UTF8]
    records = [driver_case(scanner, text) for text in texts for scanner in SCANNERS.values()]
    cases.write_bytes(struct.pack("<Q", len(records)) + b"".join(records))
    ran = subprocess.run([*emulator, driver, tier, cases], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    ends, found = map(int, ran.stdout.split())
    assert found > ends / 2, "the rest was left to the scalar scanner"


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
    [
        {"word": "x"},
        {"contractions": "x"},
        {"tail": "x"},
        {"digits": -1},
        {"words": 0},
        {"punctuation_marks": False},
    ],
)
def test_a_scanner_refuses_what_it_cannot_do(wrong):
    with pytest.raises(ValueError):
        Scanner(**(PARAMETERS | wrong))
    assert Scanner(**PARAMETERS).split("a b") == ["a", " b"]
