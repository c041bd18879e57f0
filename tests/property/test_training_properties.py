"""Training on generated corpora: equal to the plain specification, and independent of order and threads."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import strategies
from bpetok import counting, reference, train, train_from_counts
from bpetok.counting import CountTable, count
from bpetok.patterns import NAMED
from bpetok.training import Settings, learn

PATTERNS = ("gpt2", "cl100k", "o200k", "llama3", "qwen2", "tekken")

few_letters = st.text("ab", min_size=1, max_size=24).map(str.encode)
runs = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"ab", b"aab"]), st.integers(1, 9)), max_size=4).map(
    lambda parts: b"".join(part * n for part, n in parts) or b"a"
)
pieces = st.one_of(
    few_letters, runs, st.binary(min_size=1, max_size=8), st.text("\0ab \u00e9", min_size=1).map(str.encode)
)
tables = st.dictionaries(pieces, st.one_of(st.integers(1, 4), st.integers(1, 2**40)), min_size=1, max_size=12)
lines = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "x\n",
                "!\n",
                " \n",
                "\n",
                "\r\n",
                "\t\n1",
                "/\n",
                "'\ns",
                "\n'll",
                "\n\u0301",
                "\n\u4e2d",
                "\n\u0662",
            ]
        ),
        st.sampled_from(strategies.FRAGMENTS),
        st.text("aA1 '\n\r!/", max_size=6),
    ),
    max_size=20,
).map("".join)


@given(
    counts=tables,
    tie_break=st.sampled_from(["bytes", "huggingface", "rustbpe"]),
    n=st.integers(0, 60),
    least=st.integers(0, 3),
    longest=st.one_of(st.none(), st.integers(1, 12)),
)
@example(counts={b"aaaaa": 1, b"aaaa": 1, b"aab": 2}, tie_break="bytes", n=60, least=0, longest=None)
@example(counts={b"abab" * 4: 1, b"ba": 3}, tie_break="huggingface", n=60, least=0, longest=None)
# Frequent words that end where a class of slots does; the bytes are those of the ids 0 and 1.
@example(
    counts={b"ab" * 16: 5000, b'!"!!': 4999, b"!!": 7}, tie_break="huggingface", n=9, least=0, longest=None
)
@example(counts={b"ab" * 16: 5000, b"\0\0": 4999, b"b": 7}, tie_break="bytes", n=9, least=0, longest=None)
def test_merges_are_those_of_the_specification(counts, tie_break, n, least, longest):
    settings = Settings(256 + n, (), tie_break, least, longest)
    learned = learn(CountTable.from_mapping(counts, "gpt2"), settings)
    expected = reference.train(counts, n, tie_break=tie_break, min_frequency=least, max_token_length=longest)
    assert [(learned.tokens[a], learned.tokens[b]) for a, b in learned.pairs.tolist()] == expected
    assert [learned.tokens[token] for token in learned.ids.tolist()] == [a + b for a, b in expected]
    assert learned.ids.tolist() == list(range(256, 256 + len(expected)))
    assert (learned.ended_early is None) == (len(expected) == n)


@given(
    counts=tables,
    n=st.integers(0, 60),
    least=st.integers(0, 3),
    longest=st.one_of(st.none(), st.integers(1, 12)),
)
def test_ties_by_place_are_those_of_the_specification(counts, n, least, longest):
    trained = train_from_counts(
        CountTable.from_mapping(counts, "gpt2"),
        order=list(counts),
        vocab_size=256 + n,
        tie_break="minbpe",
        min_frequency=least,
        max_token_length=longest,
    )
    expected = reference.train(counts, n, tie_break="minbpe", min_frequency=least, max_token_length=longest)
    tokens = trained.vocabulary.tokens()
    assert [(tokens[a], tokens[b]) for a, b in trained.vocabulary.merges().tolist()] == expected


@given(counts=tables)
def test_no_two_merges_make_the_same_token(counts):
    learned = learn(CountTable.from_mapping(counts, "gpt2"), Settings(356, min_frequency=1))
    assert len(set(learned.tokens.values())) == len(learned.tokens)


@given(counts=tables, specials=st.lists(st.text("ab!<", min_size=1, max_size=4), max_size=5, unique=True))
def test_special_tokens_change_no_merge(counts, specials):
    """Neither kind of ids; only the number of merges differs, where a special token is a learned one."""
    table = CountTable.from_mapping(counts, "gpt2")
    for tie_break in ("bytes", "huggingface"):
        settings = Settings(300, tuple(specials), tie_break, 1)
        learned = learn(table, settings)
        found = [(learned.tokens[a], learned.tokens[b]) for a, b in learned.pairs.tolist()]
        n = len(found)
        if tie_break == "bytes":
            assert found == reference.train(counts, n)
        made = {*learned.tokens, *learned.special_tokens.values()}
        assert made == set(range(len(made)))
        assert len(made) == 300 or learned.ended_early


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.one_of(lines, strategies.hostile_text()), before=lines)
def test_a_text_may_be_cut_at_a_safe_place(pattern, text, before):
    """Both ways: the parts have the pieces of the whole, and the second is scanned the same alone."""
    whole = before + "\n" + text
    data = whole.encode()
    pieces = [piece.encode() for piece in reference.split(whole, NAMED[pattern])]
    ends = {0}
    for piece in pieces:
        ends.add(max(ends) + len(piece))
    at = counting.safe_cut(data, 1)
    while at < len(data):
        assert at in ends
        tail = reference.split(data[at:].decode(), NAMED[pattern])
        assert [piece.encode() for piece in tail] == pieces[len(pieces) - len(tail) :]
        at = counting.safe_cut(data, at + 1)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(
    text=st.one_of(lines, strategies.hostile_text(), strategies.surrogate_text(), strategies.hostile_bytes())
)
def test_counting_in_parts_is_counting_the_whole(pattern, text):
    chunk, counting.CHUNK = counting.CHUNK, 4
    try:
        counts = [count([text], pattern=pattern, num_threads=n) for n in (1, 2)]
    finally:
        counting.CHUNK = chunk
    assert dict(counts[0]) == dict(counts[1]) == reference.count_pieces([text], NAMED[pattern])
    assert counts[0].n_bytes == len(text if isinstance(text, bytes) else reference.utf8(text))


@given(
    texts=st.lists(lines, min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
    cut=st.integers(0, 6),
)
def test_order_threads_and_shards_do_not_matter(texts, order, cut):
    texts.append("ab ab")
    expected = train(texts, vocab_size=280, num_threads=1)
    shuffled = texts[:]
    order.shuffle(shuffled)
    shards = CountTable.merge(count(shuffled[cut:]), count(shuffled[:cut]))
    for other in (train(shuffled, vocab_size=280, num_threads=3), train_from_counts(shards, vocab_size=280)):
        assert other.vocabulary.tokens() == expected.vocabulary.tokens()
        assert other.vocabulary.merges().tolist() == expected.vocabulary.merges().tolist()
        assert other.provenance == expected.provenance
