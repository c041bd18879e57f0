"""Superwords: their pieces, what is learned from them, and that encoding is merging by one list."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from bpetok import counting, reference, train
from bpetok.counting import CountTable, count
from bpetok.patterns import NAMED, superwords, words_of
from bpetok.superwords import learn_superwords, word_counts
from bpetok.training import Settings

PATTERNS = ("gpt2", "cl100k", "o200k", "llama3", "qwen2", "tekken")

phrases = st.lists(
    st.sampled_from(
        [
            "by",
            " the",
            " way",
            "'s",
            " don",
            "'t",
            " ",
            "\n",
            "12",
            "Ab",
            " Cd",
            ",",
            " é",
            "\u0301",
            " 中",
            "(a",
        ]
    ),
    max_size=24,
).map("".join)
texts = st.one_of(phrases, strategies.hostile_text())
words = st.sampled_from(
    [b"by", b" the", b" way", b" by the", b" the way", b"by the way", b" the the the the", b"1"]
)
tables = st.dictionaries(words, st.integers(1, 5), min_size=1, max_size=6)


def ends(pieces):
    return set(itertools.accumulate(map(len, pieces)))


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=texts, n=st.integers(2, 5))
def test_a_piece_is_some_pieces_of_the_pattern(pattern, text, n):
    source = superwords(pattern, n)
    small, large = reference.split(text, NAMED[pattern]), reference.split(text, source)
    assert "".join(large) == "".join(small)
    assert ends(large) <= ends(small)
    for piece in large:
        assert "\n" not in piece or piece in small
        assert len(piece[1:].split(" ")) <= n or piece in small


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=texts, n=st.integers(2, 5))
def test_words_are_counted_from_the_pieces_that_hold_them(pattern, text, n):
    table = CountTable.from_mapping(
        reference.count_pieces([text], superwords(pattern, n)), superwords(pattern, n)
    )
    assert not table or dict(word_counts(table)) == reference.count_pieces([text], NAMED[pattern])


@given(
    counts=tables,
    first=st.integers(0, 12),
    more=st.integers(0, 12),
    tie_break=st.sampled_from(["bytes", "huggingface", "rustbpe"]),
    least=st.integers(1, 3),
    longest=st.one_of(st.none(), st.integers(2, 8)),
)
def test_merges_are_those_of_the_specification(counts, first, more, tie_break, least, longest):
    rules = {"tie_break": tie_break, "min_frequency": least, "max_token_length": longest}
    table = CountTable.from_mapping(counts, superwords("gpt2", 4))
    settings = Settings(256 + first + more, (), tie_break, least, longest)
    learned = learn_superwords(table, 256 + first, settings)
    start = reference.train(word_counts(table), first, **rules)
    expected = reference.train(counts, first + more, first=start, **rules)
    assert [(learned.tokens[a], learned.tokens[b]) for a, b in learned.pairs.tolist()] == expected
    assert learned.ids.tolist() == list(range(256, 256 + len(expected)))
    assert (learned.ended_early is None) == (len(expected) == first + more)


@given(
    corpus=st.lists(phrases, min_size=1, max_size=4), text=texts, n=st.integers(2, 4), first=st.integers(0, 9)
)
def test_encoding_is_merging_pieces_by_one_list(corpus, text, n, first):
    tokenizer = train(
        [*corpus, "by the way, by the way"],
        vocab_size=280, superword_from=256 + first, superword_words=n, pattern="gpt2", num_threads=1,
    )  # fmt: skip
    pairs = tokenizer.vocabulary.merges().tolist()
    merges = {(a, b): (rank, 256 + rank) for rank, (a, b) in enumerate(pairs)}
    expected = []
    for piece in reference.split(text, superwords("gpt2", n)):
        expected += reference.merge_list(reference.utf8(piece), merges)
    assert tokenizer.encode(text) == expected
    assert tokenizer.decode(expected) == reference.utf8(text).decode()


@given(corpus=st.lists(phrases, min_size=1, max_size=4), text=texts)
def test_without_superwords_the_words_are_those_of_ordinary_training(corpus, text):
    """The first stage alone gives the same ids on pieces of several words as on single ones."""
    corpus.append("by the way, by the way")
    ordinary = train(corpus, vocab_size=270, pattern="gpt2", num_threads=1)
    size = ordinary.n_vocab
    same = train(corpus, vocab_size=size, superword_from=size, pattern="gpt2", num_threads=1)
    assert same.vocabulary.tokens() == ordinary.vocabulary.tokens()
    assert same.vocabulary.merges().tolist() == ordinary.vocabulary.merges().tolist()
    assert same.encode(text) == ordinary.encode(text)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_pattern_is_known_again(pattern):
    source = superwords(pattern, 3)
    assert words_of(source) == (NAMED[pattern], 3)
    assert words_of(NAMED[pattern]) is None
    assert count(["by the way"], pattern=source) == CountTable.from_mapping({b"by the way": 1}, source)


@given(
    corpus=st.lists(phrases, min_size=1, max_size=4), text=texts, cuts=st.lists(st.integers(1, 9), max_size=9)
)
def test_a_stream_has_the_ids_of_the_whole(corpus, text, cuts):
    tokenizer = train([*corpus, "by the way"], vocab_size=270, superword_from=260, num_threads=1)
    encoder = tokenizer.stream_encoder()
    ids, start = [], 0
    for cut in cuts:
        ids += encoder.push(text[start : start + cut])
        start += cut
    assert ids + encoder.push(text[start:]) + encoder.finish() == tokenizer.encode(text)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=texts)
def test_counting_in_parts_is_counting_the_whole(pattern, text):
    source = superwords(pattern, 3)
    chunk, counting.CHUNK = counting.CHUNK, 4
    try:
        counts = [dict(count([text], pattern=source, num_threads=n)) for n in (1, 2)]
    finally:
        counting.CHUNK = chunk
    assert counts[0] == counts[1] == reference.count_pieces([text], source)
