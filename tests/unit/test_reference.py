"""The specification itself: results worked out by hand, which everything else is then measured by."""

import doctest

import pytest

from bpetok import reference
from bpetok.errors import EncodeError

BYTES = {bytes([byte]): byte for byte in range(256)}


def test_examples_in_the_documentation_hold():
    results = doctest.testmod(reference)
    assert results.attempted > 10
    assert results.failed == 0


def test_the_lowest_rank_merges_first_and_the_leftmost_of_equals():
    ranks = BYTES | {b"bc": 256, b"ab": 257, b"aa": 258}
    assert reference.merge_ranks(b"abc", ranks) == [97, 256]
    assert reference.merge_ranks(b"aaa", ranks) == [258, 97]


def test_a_whole_piece_is_its_token_even_if_no_merge_reaches_it():
    ranks = BYTES | {b"bc": 256, b"abc": 257, b"abcd": 258, b"cd": 255 + 4}
    assert reference.merge_ranks(b"abcd", ranks) == [258]
    assert reference.merge_ranks(b"xabcd", ranks) == [120, 258]
    unreachable = BYTES | {b"bc": 256, b"abx": 257}
    assert reference.merge_ranks(b"abx", unreachable) == [257]
    assert reference.merge_ranks(b"abxc", unreachable) == [97, 98, 120, 99]


def test_a_lower_rank_may_appear_after_a_higher_merge():
    """A rank inversion: `abc` is better than the `ab` it is made of."""
    ranks = BYTES | {b"abc": 256, b"cd": 257, b"ab": 258}
    assert reference.merge_ranks(b"abcd", ranks) == [258, 257]
    assert reference.merge_ranks(b"abce", ranks) == [256, 101]
    assert reference.merge_ranks(b"abcabcd", ranks) == [256, 258, 257]


def test_a_byte_without_a_token_is_an_error_only_where_it_is_left_alone():
    ranks = {b"a": 0, b"ab": 1}
    assert reference.merge_ranks(b"aab", ranks) == [0, 1]
    with pytest.raises(EncodeError, match="b'b'"):
        reference.merge_ranks(b"ba", ranks)


def test_a_merge_list_merges_listed_pairs_only():
    merges = {(0, 1): (0, 3), (3, 2): (1, 4)}
    assert reference.merge_list([0, 1, 2], merges) == [4]
    assert reference.merge_list([0, 1, 1, 2], merges) == [3, 1, 2]
    assert reference.merge_list([], merges) == []


def test_two_pairs_of_a_merge_list_may_make_the_same_token():
    merges = {(0, 0): (0, 1), (1, 0): (1, 2), (0, 1): (2, 2)}
    assert reference.merge_list([0, 0, 0], merges) == [2]
    assert reference.merge_list([0] * 5, merges) == [1, 2]


def test_special_tokens_are_found_longest_first_and_end_the_text_before_them():
    specials = {"<a>": 300, "<a>b": 301, "<": 302}
    ids = reference.encode("x  <a>b<a><", r"\s+(?!\S)|\s|\S+", BYTES | {b"  ": 256}, specials, specials)
    assert ids == [120, 256, 301, 300, 302]
    assert reference.encode("<a>b", "(?s:.)", BYTES, specials, {"<a>"}) == [300, 98]


def test_spans_of_a_character_that_two_tokens_share():
    assert reference.spans([b"\xf0\x9f", b"\x98", b"\x80a"]) == [
        ((0, 2), (0, 1)),
        ((2, 3), (0, 1)),
        ((3, 5), (0, 2)),
    ]


def test_pieces_are_counted_text_by_text():
    assert reference.count_pieces(["ab", b"ab \xff"], r" ?[^ ]+") == {b"ab": 2, b" \xff": 1}


def test_overlapping_pairs_count_at_every_position():
    assert reference.train({b"aaa": 1, b"bc": 1}, 1, min_frequency=2) == [(b"a", b"a")]
    assert reference.train({b"aaa": 1}, 5) == [(b"a", b"a"), (b"aa", b"a")]


@pytest.mark.parametrize(("tie_break", "first"), [("bytes", (b" ", b"a")), ("huggingface", (b"!", b"a"))])
def test_ties_break_on_bytes_or_on_ids(tie_break, first):
    """The alphabet of `tokenizers` starts at `!`; a space comes after all visible characters."""
    assert reference.train({b" a": 1, b"!a": 1}, 1, tie_break=tie_break) == [first]


def test_the_alphabet_has_every_byte_once():
    assert sorted(reference.BYTE_ORDER) == list(range(256))
    assert reference.BYTE_ORDER[:2] == [0x21, 0x22]
    assert reference.BYTE_ORDER[188:191] == [0x00, 0x01, 0x02]


def test_training_stops_when_no_pair_is_frequent_or_short_enough():
    assert reference.train({b"ab": 1}, 9, min_frequency=2) == []
    assert reference.train({b"abab": 3}, 9, max_token_length=2) == [(b"a", b"b")]
    assert reference.train({}, 9) == []
