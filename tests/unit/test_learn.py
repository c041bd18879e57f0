"""The native counting table and merge learner, at their edges."""

import gc
from collections import Counter
from random import Random

import numpy as np
import pytest

from bpetok import reference
from bpetok._count import PieceCounts
from bpetok._learn import MergeLearner
from bpetok.errors import CorpusError, TrainingError
from bpetok.patterns import resolve

SCANNER = resolve("cl100k").scanner


def table(counts):
    made = PieceCounts()
    for piece, n in counts.items():
        made.add(piece, n)
    return made


def learner(counts, n=1000, *, reserved=None, ties_by_bytes=True, min_frequency=1, **options):
    return MergeLearner(
        table(counts),
        byte_ids=range(256),
        next_id=256 + len(reserved or {}),
        new_tokens=n,
        reserved=reserved or {},
        ties_by_bytes=ties_by_bytes,
        min_frequency=min_frequency,
        **options,
    )


def merges(counts, n=1000, **options):
    """The pairs that are merged, as bytes."""
    made = learner(counts, n, **options)
    while made.learn(3):
        pass
    pairs, ids, _ = made.results()
    names = {byte: bytes([byte]) for byte in range(256)}
    names.update(zip(np.frombuffer(ids, np.uint32).tolist(), made.tokens_made(), strict=True))
    return [(names[a], names[b]) for a, b in np.frombuffer(pairs, np.uint32).reshape(-1, 2).tolist()]


# ---- counting ------------------------------------------------------------------------------------


def test_every_length_around_the_short_key():
    pieces = {bytes([65 + n % 26]) * n: n for n in range(1, 70)}
    assert table(pieces).items() == sorted(pieces.items())


def test_pieces_that_differ_in_one_byte_or_in_zeros_are_apart():
    base = bytes(range(1, 40))
    pieces = {base[:n] + b"\0" * zeros for n in (1, 7, 8, 9, 14, 15, 16, 17, 31) for zeros in range(4)}
    pieces |= {b"\0" * n for n in range(1, 20)} | {base[:15] + bytes([n]) for n in range(256)}
    counts = {piece: at + 1 for at, piece in enumerate(sorted(pieces))}
    made = table(counts)
    assert len(made) == len(counts)
    assert all(made.get(piece) == n for piece, n in counts.items())
    assert made.get(b"") == made.get(b"never") == made.get(b"never seen, and longer") == 0


def test_growth_keeps_all_counts():
    random = Random(1)
    expected = Counter(random.randbytes(random.choice((2, 3, 15, 16, 40))) for _ in range(60_000))
    made = PieceCounts()
    for piece in expected.elements():
        made.add(piece)
    assert dict(made.items()) == expected
    assert made.n_pieces == expected.total()


def test_counts_reach_63_bits_and_no_further():
    made = table({b"a": 2**62, b"b": 2**62 - 1})
    assert made.n_pieces == 2**63 - 1
    for grow in (
        lambda: made.add(b"a"),
        lambda: made.add(b"new"),
        lambda: made.update(table({b"x": 1})),
        lambda: made.update(made),
        lambda: made.count_texts(SCANNER, ["a"]),
    ):
        with pytest.raises(CorpusError, match="2\\*\\*63"):
            grow()
    assert dict(made.items()) == {b"a": 2**62, b"b": 2**62 - 1}


@pytest.mark.parametrize("n", [0, -1, 2**63])
def test_counts_that_cannot_be_added(n):
    with pytest.raises(CorpusError, match="from 1 to"):
        PieceCounts().add(b"a", n)


def test_the_empty_piece_cannot_be_counted():
    with pytest.raises(CorpusError, match="at least one byte"):
        PieceCounts().add(b"")


def test_texts_are_counted_one_by_one():
    made = PieceCounts()
    assert made.count_texts(SCANNER, ["it", "'s", "", b"caf\xc3\xa9", "caf\u00e9", "\ud83d"]) == 17
    assert dict(made.items()) == {b"it": 1, b"'s": 1, b"caf\xc3\xa9": 2, "\ufffd".encode(): 1}


def test_nothing_is_counted_when_an_item_is_no_text():
    made = PieceCounts()
    with pytest.raises(TypeError, match="int"):
        made.count_texts(SCANNER, ["a", 3])
    assert len(made) == 0


def test_spans_see_the_text_behind_them():
    text = b"one  two\nthree"
    made = PieceCounts()
    assert made.count_span(SCANNER, text, 0, 9) == 9
    assert dict(made.items()) == {b"one": 1, b" ": 1, b" two": 1, b"\n": 1}
    made.count_span(SCANNER, text, 9, len(text))
    assert made.get(b"three") == 1
    for start, end in ((3, 2), (0, len(text) + 1)):
        with pytest.raises(IndexError):
            made.count_span(SCANNER, text, start, end)


def test_update_adds_and_leaves_the_other_alone():
    long = b"a piece of more than fifteen bytes"
    one, other = table({b"a": 1, long: 2}), table({long: 3, b"b": 4})
    one.update(other)
    assert dict(one.items()) == {b"a": 1, b"b": 4, long: 5}
    assert dict(other.items()) == {b"b": 4, long: 3}
    one.update(one)
    assert dict(one.items()) == {b"a": 2, b"b": 8, long: 10}
    assert one.n_pieces == 20


def test_update_with_a_table_of_another_size():
    """Slots follow hashes in every table: taken slot by slot, the large one would take minutes here."""
    large = table({b"%d" % (n * n): n % 7 + 1 for n in range(400_000)})
    small = table({b"%d" % n: 1 for n in range(0, 5_000, 5)})
    expected = Counter(dict(large.items())) + Counter(dict(small.items()))
    for one, other in ((large, small), (small, large)):
        made = PieceCounts()
        made.update(one)
        made.update(other)
        assert dict(made.items()) == expected
        assert made.n_pieces == large.n_pieces + small.n_pieces


def test_equality_is_of_pieces_and_counts():
    assert table({b"a": 1, b"b": 2}).equals(table({b"b": 2, b"a": 1}))
    assert not table({b"a": 1, b"b": 2}).equals(table({b"a": 2, b"b": 1}))
    assert not table({b"a": 1}).equals(table({b"b": 1}))
    assert not table({b"a": 1}).equals(table({b"a": 1, b"b": 1}))


# ---- learning ------------------------------------------------------------------------------------


def test_overlapping_pairs_count_and_merge_from_the_left():
    # aaa holds aa twice: 4 in all, against 3 of bc.
    assert merges({b"aaa": 2, b"bc": 3}, 2) == [(b"a", b"a"), (b"b", b"c")]
    made = learner({b"aaaaa": 1})
    made.learn(10)
    assert made.tokens_made() == [b"aa", b"aaa", b"aaaaa"]
    assert np.frombuffer(made.results()[2], np.uint64).tolist() == [4, 1, 1]


@pytest.mark.parametrize("ties_by_bytes", [True, False])
@pytest.mark.parametrize("size", range(2, 34))
def test_runs(size, ties_by_bytes):
    tie_break = "bytes" if ties_by_bytes else "huggingface"
    for counts in (
        {b"a" * size: 1},
        {b"x" + b"a" * size + b"y": 1},
        {b"ab" * size: 1, b"b": 2},
        {b"aab" * size: 1, b"a" * size: 2},
    ):
        expected = reference.train(counts, 1000, tie_break=tie_break)
        assert merges(counts, ties_by_bytes=ties_by_bytes) == expected


def test_ties_by_bytes_compare_whole_tokens():
    # All pairs occur once. A token comes before one that it begins, zeros included, and past eight bytes.
    assert merges({b"b\0": 1, b"b": 1, b"a\xff": 1, b"a\0": 1}) == [
        (b"a", b"\0"),
        (b"a", b"\xff"),
        (b"b", b"\0"),
    ]
    for counts in (
        {b"0123456789AB": 3, b"0123456789ABx": 1, b"0123456789AC": 3, b"0123456789ACx": 1},
        {b"\0\0\0": 2, b"\0\0\0\0\0": 1, b"\0a\0a\0": 2},
    ):
        assert merges(counts) == reference.train(counts, 1000)


def test_ties_by_id_prefer_the_older_token():
    counts = {b"za": 2, b"zay": 1, b"ay": 1, b"bc": 1}
    assert merges(counts, ties_by_bytes=False)[:2] == [(b"z", b"a"), (b"a", b"y")]
    assert merges(counts, ties_by_bytes=False) == reference.train(counts, 1000, tie_break="huggingface")


def test_a_lowered_threshold_changes_nothing():
    """Counts that fall slowly and then fast: what was left out must be found again."""
    random = Random(5)
    counts = {b"the" * 2: 10**12, b"of": 10**11}
    counts |= {bytes(random.choices(b"abcdefgh", k=random.randint(2, 9))): 1 + n % 3 for n in range(400)}
    made = learner(counts)
    while made.learn(7):
        pass
    assert made.rebuilds > 1
    assert merges(counts) == reference.train(counts, 1000)


def test_a_reserved_token_keeps_its_id_and_takes_no_new_one():
    made = learner({b"low": 5, b"lower": 3}, 2, reserved={b"low": 256, b"not made": 257})
    assert not made.learn(100)
    pairs, ids, counts = made.results()
    assert made.tokens_made() == [b"lo", b"low", b"er"]
    assert np.frombuffer(ids, np.uint32).tolist() == [258, 256, 259]
    assert np.frombuffer(pairs, np.uint32).tolist() == [108, 111, 258, 119, 101, 114]
    assert np.frombuffer(counts, np.uint64).tolist() == [8, 8, 3]
    assert made.new_tokens == 0


def test_longest_token():
    counts = {b"abcdefgh": 10, b"abc": 3}
    assert merges(counts, max_token_length=1) == []
    for longest in range(2, 9):
        found = merges(counts, max_token_length=longest)
        assert found == reference.train(counts, 1000, max_token_length=longest)
        assert max(len(a) + len(b) for a, b in found) <= longest
    made = learner({b"abc": 3, b"x": 1}, max_token_length=2)
    made.learn(100)
    assert made.passed_over
    made = learner({b"ab": 3}, max_token_length=2)
    made.learn(100)
    assert not made.passed_over


def test_steps_can_be_taken_one_by_one():
    counts = {b"banana": 3, b"bandana": 2}
    made = learner(counts, 4)
    taken = []
    while made.learn(1):
        taken.append(made.n_merges)
    assert taken == [1, 2, 3]
    assert made.n_merges == 4
    assert not made.learn(5)
    assert made.n_merges == 4


def test_nothing_to_merge():
    for counts in ({}, {b"a": 5}, {b"ab": 1}):
        made = learner(counts, min_frequency=2)
        assert not made.learn(10)
        assert (made.n_merges, made.new_tokens) == (0, 1000)


def test_no_room_is_taken_for_merges_that_cannot_come():
    made = learner({b"abc": 1}, 2**40)
    assert not made.learn(10)
    assert made.n_merges == 2


def test_weights_of_many_counts():
    """Every count is a class of its own in the arena."""
    counts = {b"%dab" % n: n + 1 for n in range(300)}
    assert merges(counts, 40) == reference.train(counts, 40)


def test_pair_counts_past_63_bits_are_refused():
    with pytest.raises(TrainingError, match="common factor"):
        learner({b"abc": 2**62, b"x": 1})
    assert merges({b"ab": 2**62, b"abc": 2**60}) == [(b"a", b"b"), (b"ab", b"c")]


def test_counts_past_32_bits_are_exact():
    counts = {b"ab": 2**40 + 1, b"cd": 2**40 + 2, b"ef": 2**40}
    assert merges(counts) == [(b"c", b"d"), (b"a", b"b"), (b"e", b"f")]


def test_a_learner_does_not_need_the_table_any_more():
    counts = table({b"ab": 3, b"a long piece of bytes": 2})
    made = MergeLearner(
        counts,
        byte_ids=range(256),
        next_id=256,
        new_tokens=5,
        reserved={},
        ties_by_bytes=True,
        min_frequency=1,
    )
    del counts
    gc.collect()
    made.learn(5)
    assert made.tokens_made()[0] == b"ab"


def test_a_learner_is_initialised_once():
    made = learner({b"ab": 1})
    with pytest.raises(RuntimeError, match="once"):
        made.__init__(
            table({b"ab": 1}),
            byte_ids=range(256),
            next_id=256,
            new_tokens=1,
            reserved={},
            ties_by_bytes=True,
            min_frequency=1,
        )


@pytest.mark.parametrize(
    ("byte_ids", "reserved"),
    [
        ([*range(255), 300], {}),
        ([*range(255), 0], {}),
        (range(256), {b"ab": 300}),
        (range(256), {b"ab": 97}),
        (range(256), {b"ab": 256, b"abc": 256}),
    ],
)
def test_ids_that_cannot_be(byte_ids, reserved):
    """They are places in arrays: one out of bounds or given twice must not get there."""
    with pytest.raises(ValueError, match="distinct and below 300"):
        MergeLearner(
            table({b"abc": 1}),
            byte_ids=byte_ids,
            next_id=300,
            new_tokens=5,
            reserved=reserved,
            ties_by_bytes=True,
            min_frequency=1,
        )


def test_ids_past_32_bits_are_refused_and_stay_refused():
    made = MergeLearner.__new__(MergeLearner)
    with pytest.raises(TrainingError, match="32 bits"):
        made.__init__(
            table({b"abc": 1}),
            byte_ids=range(256),
            next_id=2**32 - 1,
            new_tokens=2**64 - 1,
            reserved={b"xy": 256},
            ties_by_bytes=True,
            min_frequency=1,
        )
    with pytest.raises(TrainingError, match="32 bits"):
        made.learn(5)
    assert made.n_merges == 0


def test_as_many_new_tokens_as_64_bits_hold():
    made = learner({b"abc": 1}, 2**64 - 1, reserved={b"ab": 256})
    assert not made.learn(10)
    assert made.tokens_made() == [b"ab", b"abc"]


def test_a_long_word():
    """A million bytes of a run, and of no order: linear, so this takes no time."""
    made = learner({b"a" * 1_000_003: 1}, min_frequency=2)
    made.learn(100)
    assert [len(token) for token in made.tokens_made()] == [2**n for n in range(1, 20)]
    text = bytes(Random(2).choices(b"ab", k=300_000))
    first = merges({text: 1}, 300)
    assert first[:2] == reference.train({text: 1}, 2)
    assert len(set(first)) == 300


# ---- merges chosen elsewhere ---------------------------------------------------------------------


def test_a_shared_learner_makes_the_merges_it_is_told():
    counts = {b"aaa": 2, b"bc": 3, b"abc": 1}
    made = learner(counts, 4, shared=True, min_frequency=2)
    assert made.best() == (97, 97, 4)
    assert made.best() == (97, 97, 4)  # looking changes nothing
    assert made.apply(97, 98, 256) == 1  # below min_frequency, and joined all the same
    assert made.apply(120, 121, 257) == 0  # occurs nowhere
    assert made.apply(97, 97, 258) == 2  # twice in each aaa, joined once
    assert made.best() == (98, 99, 3)
    assert made.apply(98, 99, 259) == 3
    assert made.best() == (258, 97, 2)
    assert made.new_tokens == 0
    assert made.tokens_made() == [b"ab", b"aa", b"bc"]
    assert np.frombuffer(made.results()[1], np.uint32).tolist() == [256, 258, 259]
    with pytest.raises(ValueError, match="no room for a token 260"):
        made.apply(258, 97, 260)


def test_a_shared_learner_goes_on_alone():
    counts = {b"abcabc": 5, b"abd": 3, b"xyz": 1}
    made = learner(counts, 20, shared=True, min_frequency=2)
    made.apply(97, 98, 256)
    with pytest.raises(ValueError, match="call own"):
        made.learn(1)
    made.own()
    while made.learn(1):
        pass
    assert made.tokens_made() == [b"ab", b"abc", b"abcabc", b"abd"]
    for call in (made.best, lambda: made.apply(97, 98, 300)):
        with pytest.raises(ValueError, match="shared=True"):
            call()


def test_a_shared_learner_keeps_reserved_ids():
    made = learner({b"abc": 1}, 2, reserved={b"ab": 256, b"zz": 257}, shared=True)
    assert made.apply(97, 98, 256) == 1
    assert made.apply(122, 122, 257) == 0
    assert made.new_tokens == 2
    assert made.apply(256, 99, 258) == 1
    assert made.best() is None


def test_a_shared_learner_has_no_order():
    with pytest.raises(ValueError, match="order of the pieces"):
        learner({b"ab": 1}, 1, shared=True, order=[b"ab"])


def test_a_shared_learner_has_room_for_all_ids_or_says_so():
    with pytest.raises(TrainingError, match="32 bits"):
        learner({b"ab": 1}, 2**64 - 1, shared=True)
    made = learner({b"ab": 1}, 1000, shared=True)
    for token in range(256, 1255):
        assert made.apply(1, 2, token) == 0
    assert made.apply(97, 98, 1255) == 1
    assert made.best() is None


# ---- merges after an encoding ---------------------------------------------------------------------


def encoded(tokens, encode, counts, n=10):
    made = MergeLearner(
        table(counts),
        byte_ids=range(256),
        next_id=300,
        new_tokens=n,
        reserved={},
        ties_by_bytes=True,
        min_frequency=1,
    )
    made.begin_with({bytes([byte]): byte for byte in range(256)} | tokens, encode)
    return made


def test_pieces_may_begin_encoded():
    made = encoded(
        {b"ab": 256, b"cde": 299}, lambda piece: [256, 299, 120][: len(piece) // 2], {b"abcdex": 2}
    )
    assert not made.learn(10)
    assert made.tokens_made() == [b"abcde", b"abcdex"]
    assert np.frombuffer(made.results()[0], np.uint32).tolist() == [256, 299, 300, 120]
    with pytest.raises(RuntimeError, match="before it learns"):
        made.begin_with({}, list)


@pytest.mark.parametrize("ids", [[256], [256, 99, 99], [256, 298], [97, 257], [300], [2**32 - 1]])
def test_ids_that_are_not_those_of_the_piece(ids):
    with pytest.raises(ValueError, match="do not have its bytes"):
        encoded({b"ab": 256, b"bcd": 257}, lambda piece: ids, {b"abc": 1})
    with pytest.raises(ValueError, match="not below the first new one"):
        encoded({b"ab": 300}, list, {b"abc": 1})
