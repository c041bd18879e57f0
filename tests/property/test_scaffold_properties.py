"""Training without scaffolds: the choice equals its specification, the result is plain ranks."""

from hypothesis import example, given
from hypothesis import strategies as st

from bpetok import reference
from bpetok.counting import CountTable
from bpetok.scaffolds import scaffolds, train_without
from bpetok.training import Settings, learn

pieces = st.one_of(st.text("ab", min_size=1, max_size=10), st.text("abcde", min_size=1, max_size=6)).map(
    str.encode
)
tables = st.dictionaries(pieces, st.integers(1, 30), min_size=1, max_size=10)
shares = st.sampled_from([0.5, 0.75, 0.9, 1.0])


@given(counts=tables, n=st.integers(0, 30), share=shares)
@example(counts={b"aaaa": 3, b"aaa": 1, b"b": 1}, n=5, share=0.5)
def test_scaffolds_are_those_of_the_specification(counts, n, share):
    learned = learn(CountTable.from_mapping(counts, "gpt2"), Settings(256 + n, min_frequency=1))
    found, n_tokens = scaffolds(CountTable.from_mapping(counts, "gpt2"), learned, share)
    merges = [(learned.tokens[a], learned.tokens[b]) for a, b in learned.pairs.tolist()]
    assert {learned.tokens[token]: part for token, part in found.items()} == reference.scaffolds(
        counts, merges, share, learned.counts[-1] if merges else 0
    )
    assert n_tokens == reference.n_tokens(counts, merges)


@given(counts=tables, n=st.integers(0, 30), share=shares)
def test_the_result_is_a_vocabulary_of_ranks_of_the_size_asked_for(counts, n, share):
    table = CountTable.from_mapping(counts, "gpt2")
    tokenizer = train_without(table, share, Settings(258 + n, ("<a>", "<b>"), min_frequency=1))
    ranks = tokenizer.vocabulary.ranks()
    assert sorted(ranks.values()) == list(range(len(ranks)))
    assert (tokenizer.n_vocab == 258 + n) == (tokenizer.provenance["ended_early"] is None)
    assert tokenizer.n_vocab <= 258 + n
    for piece in counts:
        assert tokenizer._encode_single_piece(piece) == reference.merge_ranks(piece, ranks)
    report = tokenizer.provenance["scaffolds"]
    assert report["corpus_tokens"] == sum(
        k * len(reference.merge_ranks(piece, ranks)) for piece, k in counts.items()
    )


@given(counts=tables, n=st.integers(0, 30), share=shares)
def test_every_token_is_a_piece_or_made_of_tokens(counts, n, share):
    """No id is spent on a token that no text reaches."""
    table = CountTable.from_mapping(counts, "gpt2")
    vocabulary = train_without(table, share, Settings(256 + n, min_frequency=1)).vocabulary
    ranks = vocabulary.ranks()
    joined = {vocabulary.token_bytes(a) + vocabulary.token_bytes(b) for a, b in vocabulary.merges().tolist()}
    assert all(len(data) == 1 or data in counts or data in joined for data in ranks)
