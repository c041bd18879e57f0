"""Changes of ids by hand, and what numbers and spaces become."""

import pytest

from bpetok import get_encoding
from bpetok.diagnostics import ParallelCorpus, diagnose
from bpetok.diagnostics.bootstrap import Resampling
from bpetok.diagnostics.stability import CHANGES, SAMPLE, probes, stability
from bpetok.diagnostics.subject import Subject
from toys import Plain, toy


def figures_of(tokenizer, *words, script_text=None):
    corpus = ParallelCorpus.of([("eng", "1", " ".join(words))])
    found = diagnose([tokenizer], corpus, draws=0).tokenizer().languages["eng"].figures
    return {name: round(found[name].value, 6) for name in (*CHANGES, "context_agreement")}


def test_each_change_by_hand():
    # The word is [abcd]; in upper case, misspelt, and after a space nothing of it is left.
    tokenizer = toy("ab", "cd", "abcd", " ab", " abcd")
    assert figures_of(tokenizer, "abcd") == {
        "change_nfc": 0,
        "change_nfd": 0,
        "change_case": 1,
        "change_space": 1,
        "change_punctuation": 0,
        "change_typo": 1,
        "context_agreement": 1,
    }


def test_a_part_may_stay():
    # [ab][cd]; with a space [␣ab][cd]; misspelt acbd has a, c, b, d.
    figures = figures_of(toy("ab", "cd", " ab"), "abcd")
    assert figures["change_space"] == 0.5
    assert figures["change_typo"] == 1
    assert figures["context_agreement"] == 1


def test_ids_are_counted_with_repeats():
    # aaa is three times a; AAA has none; aaa with a comma has all.
    figures = figures_of(toy(), "aab")
    assert figures["change_typo"] == 0  # aba has a, b, a
    assert figures["change_punctuation"] == 0


def test_normal_forms():
    figures = figures_of(toy("é"), "é")
    assert figures["change_nfc"] == 0
    assert figures["change_nfd"] == 1
    assert figures_of(toy("é"), "e\u0301")["change_nfc"] == 1


def test_contexts_that_disagree():
    # "abc": [ab][c] alone and after a bracket, [␣a][bc] after a space.
    figures = figures_of(toy(" a", "ab", "bc"), "abc")
    assert figures["context_agreement"] == 0


def test_the_mean_is_over_different_words():
    figures = figures_of(toy("ab", " ab"), "ab", "ab", "xy")
    assert figures["change_space"] == pytest.approx((1 + 0) / 2)


def test_the_least_tokenizer_gives_the_same():
    tokenizer = toy("ab", "cd", " ab")
    assert figures_of(Plain(tokenizer), "abcd", "éx") == figures_of(tokenizer, "abcd", "éx")


def test_no_more_words_than_the_sample():
    from bpetok.diagnostics.layout import Layout
    from bpetok.diagnostics.segmenters import SEGMENTERS
    from bpetok.diagnostics.stability import sample_words

    corpus = ParallelCorpus.of(
        [("eng", "1", " ".join(f"w{n}" for n in range(1000))), ("tha", "1", "ก ข ก"), ("deu", "1", "...")]
    )
    layout = Layout.of(corpus.texts, SEGMENTERS["uax29"])
    words = sample_words(corpus, layout, [True, True, False])
    counts = [(words.places[:, 0] == number).sum() for number in range(3)]
    assert counts == [0, SAMPLE, 2]
    found = stability(Subject(toy()), words, Resampling(SAMPLE, 0))
    assert found["change_case"][0, 0] != found["change_case"][0, 0]  # a language without words


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\p{N}{1,3}|.", ("left to right", (3, 3, 3, 3, 1))),
        (r"\p{N}|.", ("single digits", (1,) * 13)),
        (r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))|.", ("right to left", (1, 3, 3, 3, 3))),
    ],
)
def test_digits(pattern, expected):
    numbers = [f"{n:0{size}}" for size in (2, 3) for n in range(10**size)]
    report = probes(Subject(toy(*numbers, pattern=pattern)))
    assert (report.digits, report.digit_groups) == expected


def test_published_vocabularies():
    assert probes(Subject(get_encoding("o200k_base"))).digits == "left to right"
    assert probes(Subject(get_encoding("gpt2"))).digits == "irregular"
    assert probes(Subject(get_encoding("gpt2"))).longest_space_run == 1
    assert probes(Subject(get_encoding("cl100k_base"))).longest_space_run == 128
    emoji = [probe for probe in probes(Subject(get_encoding("gpt2"))).probes if probe.group == "emoji"]
    for probe in emoji:
        assert bytes.fromhex("".join(probe.pieces)).decode() == probe.text
        assert len(probe.ids) == len(probe.pieces)
