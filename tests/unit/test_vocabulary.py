"""Vocabularies: both semantics, what they refuse, and what they give back."""

import copy
import pickle

import numpy as np
import pytest

from bpetok import Tokenizer, Vocabulary, get_encoding
from bpetok.errors import EncodeError, FormatError, VocabularyError

BYTES = {bytes([b]): b for b in range(256)}


def by_merges(words: dict[bytes, tuple[bytes, bytes]], **options) -> Tokenizer:
    tokens = [bytes([b]) for b in range(256)] + list(words)
    ids = {data: token for token, data in enumerate(tokens)}
    merges = [(ids[left], ids[right]) for left, right in words.values()]
    return Tokenizer.from_vocabulary("m", "gpt2", Vocabulary.from_merges(tokens, merges, {}, **options))


def test_ranks_link_every_token_to_the_pair_that_builds_it():
    vocabulary = Vocabulary.from_ranks(
        {**BYTES, b"ab": 256, b"bc": 257, b"abc": 258, b"abcd": 259}, {"<s>": 260}
    )
    assert vocabulary.merges().tolist() == [[97, 98], [98, 99], [256, 99], [258, 100]]
    assert vocabulary.n_vocab == 261
    assert len(vocabulary) == 260
    assert vocabulary.token_bytes(260) == b"<s>"
    assert vocabulary.token_bytes(261) is None
    assert 260 not in vocabulary.tokens()


def test_an_entry_that_no_merge_builds_is_found_as_a_whole_piece_only():
    # xyz: neither xy nor yz is an entry, so merging never gets there.
    tokenizer = Tokenizer("t", pat_str="gpt2", mergeable_ranks={**BYTES, b"xyz": 256}, special_tokens={})
    assert tokenizer.encode("xyz") == [256]
    assert tokenizer.encode("wxyz") == [119, 120, 121, 122]


def test_a_lower_rank_that_appears_after_a_merge_of_a_higher_one():
    # Rank inversion: abc (256) can only be built through ab (257).
    ranks = {**BYTES, b"abc": 256, b"ab": 257, b"cd": 258}
    tokenizer = Tokenizer("t", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    assert tokenizer.encode("zabcd") == [122, 256, 100]
    assert tokenizer.encode("zabd zcd") == [122, 257, 100, 32, 122, 258]


def test_a_merge_list_looks_up_whole_pieces_only_where_merging_gives_them():
    words = {b"ab": (b"a", b"b"), b"bc": (b"b", b"c"), b"abc": (b"a", b"bc")}
    assert by_merges(words).encode("abc") == [256, 99]
    assert by_merges(words, ignore_merges=True).encode("abc") == [258]


def test_two_pairs_may_give_one_token():
    tokens = [bytes([b]) for b in range(256)] + [b"ab", b"bc", b"abc"]
    vocabulary = Vocabulary.from_merges(tokens, [(97, 98), (98, 99), (256, 99), (97, 257)], {})
    assert vocabulary.merges().tolist() == [[97, 98], [98, 99], [256, 99], [97, 257]]
    with pytest.raises(VocabularyError, match="no equivalent ranks"):
        vocabulary.ranks()


def test_ranks_of_a_merge_list_give_equal_ids():
    words = {b"ab": (b"a", b"b"), b"abc": (b"ab", b"c"), b"cc": (b"c", b"c")}
    tokenizer = by_merges(words)
    ranks = tokenizer.vocabulary.ranks()
    again = Tokenizer("r", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    for text in ("abc", "abcc", "ccc", "aabbcc abc"):
        assert again.encode(text) == tokenizer.encode(text)


@pytest.mark.parametrize(
    ("ranks", "specials", "message"),
    [
        ({**BYTES, b"ab": 97}, {}, "rank 97 is given to both"),
        ({**BYTES, b"": 256}, {}, "is empty"),
        ({**BYTES, b"ab": -1}, {}, "ids must be integers from 0"),
        ({**BYTES, b"ab": 1 << 24}, {}, "ids must be integers from 0"),
        ({**BYTES, b"ab": 1.5}, {}, "ids must be integers from 0"),
        ({**BYTES, "ab": 256}, {}, "tokens must be bytes"),
        (BYTES, {"": 256}, "empty string"),
        (BYTES, {"<s>": -3}, "ids must be integers from 0"),
        (BYTES, {b"<s>": 256}, "must be a str"),
    ],
)
def test_what_a_vocabulary_refuses(ranks, specials, message):
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.from_ranks(ranks, specials)


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(97, 98), (97, 98)], "merged twice"),
        ([(97, 400)], "not both are ids"),
        ([(97, -1)], "not both are ids"),
        ([(98, 97)], "is not a token"),
    ],
)
def test_what_a_merge_list_refuses(merges, message):
    tokens = [bytes([b]) for b in range(256)] + [b"ab"]
    with pytest.raises(VocabularyError, match=message):
        Vocabulary.from_merges(tokens, merges, {})


def test_merge_counts_must_match():
    with pytest.raises(VocabularyError, match="1 merge counts were given for 0 merges"):
        Vocabulary.from_merges([b"a"], [], {}, merge_counts=np.array([3]))


def test_two_tokens_with_the_same_bytes_are_refused():
    with pytest.raises(VocabularyError, match="have two ids, 0 and 1"):
        Vocabulary.from_merges([b"a", b"a"], [], {})


def test_a_missing_byte_is_an_error_that_says_where():
    tokenizer = Tokenizer(
        "ab", pat_str="gpt2", mergeable_ranks={b"a": 0, b"b": 1, b"ab": 2}, special_tokens={}
    )
    assert tokenizer.encode("abba") == [2, 1, 0]
    with pytest.raises(EncodeError, match="byte 0x63 at byte 3 of the text"):
        tokenizer.encode("abac")
    with pytest.raises(EncodeError, match="byte 0xc3 at byte 300 of the text"):
        tokenizer.encode("ab" * 150 + "é")
    with pytest.raises(EncodeError, match="byte 0x20"):
        tokenizer.encode_batch(["ab", "a b"])


@pytest.mark.parametrize("name", ["gpt2", "p50k_edit"])
def test_vocabularies_survive_pickling(name):
    vocabulary = get_encoding(name).vocabulary
    again = pickle.loads(pickle.dumps(vocabulary))
    assert again.ranks() == vocabulary.ranks()
    assert dict(again.special_tokens) == dict(vocabulary.special_tokens)


def test_merge_lists_survive_pickling_and_copying():
    words = {b"ab": (b"a", b"b"), b"bc": (b"b", b"c"), b"abc": (b"a", b"bc")}
    for options in ({}, {"ignore_merges": True}, {"merge_counts": np.array([9, 5, 2])}):
        tokenizer = by_merges(words, **options)
        for again in (pickle.loads(pickle.dumps(tokenizer)), copy.copy(tokenizer), copy.deepcopy(tokenizer)):
            assert again.encode("abc ab bc") == tokenizer.encode("abc ab bc")
            assert again.name == tokenizer.name
            counts, expected = again.vocabulary.merge_counts, tokenizer.vocabulary.merge_counts
            assert expected is None if counts is None else counts.tolist() == expected.tolist()


def test_a_vocabulary_cannot_be_changed_through_what_it_gives():
    vocabulary = Vocabulary.from_ranks(BYTES, {"<s>": 256})
    with pytest.raises(TypeError):
        vocabulary.special_tokens["<t>"] = 257
    vocabulary.tokens()[0] = b"changed"
    assert vocabulary.token_bytes(0) == b"\0"


def test_the_compact_binary_refuses_damage():
    blob = Vocabulary.from_ranks({**BYTES, b"ab": 256, b"xyz": 300}, {}).tables.to_binary()
    assert Vocabulary.from_binary(blob, {}, "here").ranks() == {**BYTES, b"ab": 256, b"xyz": 300}
    for at in range(0, len(blob), 7):
        flipped = blob[:at] + bytes([blob[at] ^ 0x10]) + blob[at + 1 :]
        with pytest.raises(FormatError, match="here"):
            Vocabulary.from_binary(flipped, {}, "here")
        with pytest.raises(FormatError, match="here"):
            Vocabulary.from_binary(blob[:at], {}, "here")


def test_merges_with_what_they_make():
    tokens = [bytes([byte]) for byte in range(256)] + [b"ab", b"abc", b"bc"]
    vocabulary = Vocabulary.from_merges(tokens, [(97, 98), (256, 99), (98, 99), (97, 258)], {})
    assert vocabulary.merge_table().tolist() == [[97, 98, 256], [256, 99, 257], [98, 99, 258], [97, 258, 257]]
    assert vocabulary.merges().tolist() == [[97, 98], [256, 99], [98, 99], [97, 258]]


def test_merges_of_scores_name_unused_tokens_by_their_ids():
    vocabulary = Vocabulary.from_characters(
        {256: b"a", 257: b"b", 258: b"ab", 259: b"abab"},
        scores={256: 0, 257: 0, 258: 2, 259: 1},
        special_tokens={},
        byte_tokens=range(256),
        unused=[258],
    )
    assert [256, 257, 258] in vocabulary.merge_table().tolist()
    assert [258, 258, 259] in vocabulary.merge_table().tolist()
