"""Counts of texts by hand: borders in characters, graphemes and words."""

import numpy as np
import pytest

from bpetok.diagnostics.counts import count_texts
from bpetok.diagnostics.layout import Layout
from bpetok.diagnostics.segmenters import SEGMENTERS
from bpetok.diagnostics.subject import Subject
from bpetok.errors import DiagnosticsError
from bpetok.normalization import NFC, Lowercase, Replace
from toys import Plain, toy


def counts_of(tokenizer, *texts, segmenter="uax29"):
    subject = Subject(tokenizer)
    encoded = subject.encode(texts)
    layout = Layout.of(texts, SEGMENTERS[segmenter])
    found = count_texts(subject, encoded, subject.layout(encoded, layout))
    return {name: values.tolist() for name, values in vars(found).items()}


def test_words_borders_and_characters():
    # ` ab` and `ab` are tokens; é is two bytes that are none.
    counts = counts_of(toy("ab", " ab"), "ab ab abc é", "")
    # ab | ␣ab | ␣ab|c | ␣|C3|A9
    assert counts["tokens"] == [7, 0]
    assert counts["borders"] == [6, 0]
    assert counts["byte_tokens"] == [2, 0]
    assert counts["partial_tokens"] == [2, 0]
    assert counts["borders_in_characters"] == [1, 0]
    assert counts["split_characters"] == [1, 0]
    assert counts["encoded_words"] == [4, 0]
    assert counts["word_tokens"] == [1 + 1 + 2 + 2, 0]
    assert counts["continued_words"] == [2, 0]
    assert counts["single_token_words"] == [2, 0]


def test_a_grapheme_may_be_split_between_characters():
    counts = counts_of(toy("e\u0301"[1:]), "e\u0301e\u0301")  # each e | mark
    assert counts["tokens"] == [4]
    assert counts["borders_in_characters"] == [0]
    assert counts["borders_in_graphemes"] == [2]
    assert counts["split_graphemes"] == [2]
    assert counts["encoded_graphemes"] == [2]
    assert counts["encoded_characters"] == [4]


def test_a_character_in_three_tokens_is_split_once():
    counts = counts_of(toy(), "中中")
    assert counts["borders"] == [5]
    assert counts["borders_in_characters"] == [4]
    assert counts["split_characters"] == [2]


def test_a_token_of_two_words_is_no_single_token_word():
    counts = counts_of(toy("a-", "a-b", pattern=r"\S+"), "a-b")
    assert counts["encoded_words"] == [2]
    assert counts["continued_words"] == [0]
    assert counts["single_token_words"] == [0]
    counts = counts_of(toy("a-", "a-b", pattern=r"\S+"), "a-b", segmenter="whitespace")
    assert counts["single_token_words"] == [1]


def test_the_least_tokenizer_gives_the_same():
    ours = toy("ab", " ab", "é")
    texts = ("ab ab é中", "abab", "", "\n")
    assert counts_of(Plain(ours), *texts) == counts_of(ours, *texts)


def test_borders_are_those_of_the_text_as_it_was_encoded():
    from bpetok import Tokenizer

    plain = toy("ab", "é")
    for normalizer, text in ((Lowercase(), "AB"), (NFC(), "e\u0301"), (Replace("x", "ab"), "x")):
        tokenizer = Tokenizer.from_vocabulary("t", "gpt2", plain.vocabulary, normalizer=normalizer)
        counts = counts_of(tokenizer, text)
        assert counts["tokens"] == [1]
        assert counts["encoded_words"] == [1]
        assert counts["single_token_words"] == [1]


def test_tokens_that_join_to_no_text_are_an_error():
    class Broken(Plain):
        def encode_ordinary(self, text: str) -> list[int]:
            return [0xC3] * len(text)

    with pytest.raises(DiagnosticsError, match="not UTF-8"):
        counts_of(Broken(toy()), "ab")


def test_what_is_no_tokenizer_is_refused():
    with pytest.raises(DiagnosticsError, match="n_vocab"):
        Subject(object())


def test_sums_of_texts():
    layout = Layout.of(["", "aé", "", "中"], SEGMENTERS["whitespace"])
    assert layout.n_bytes.tolist() == [0, 3, 0, 3]
    assert layout.n_characters.tolist() == [0, 2, 0, 1]
    assert layout.n_graphemes.tolist() == [0, 2, 0, 1]
    assert layout.n_words.tolist() == [0, 1, 0, 1]
    assert layout.bounds.tolist() == [0, 0, 3, 3, 6]
    assert np.array_equal(layout.words[0], [0, 3])
