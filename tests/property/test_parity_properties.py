"""Parity-aware training equals its plain specification on generated corpora."""

from hypothesis import example, given
from hypothesis import strategies as st

from bpetok import reference
from bpetok.counting import CountTable
from bpetok.parity import _Languages, _learn
from bpetok.training import Settings, learn

pieces = st.one_of(st.text("ab", min_size=1, max_size=12), st.text("abcd ", min_size=1, max_size=8)).map(
    str.encode
)
tables = st.dictionaries(pieces, st.integers(1, 6), min_size=1, max_size=6)


def learn_parity(corpora, dev, settings, *, global_merges=0, window=0, alpha=2):
    tables = {language: CountTable.from_mapping(counts, "gpt2") for language, counts in corpora.items()}
    together = CountTable.from_mapping({b"\0": 1}, "gpt2")
    for table in tables.values():
        together = CountTable.merge(together, table)
    languages = _Languages(
        tables, {each: CountTable.from_mapping(counts, "gpt2") for each, counts in dev.items()}, settings
    )
    classical = learn(together, settings)
    return languages, _learn(languages, classical, settings, global_merges, window, alpha, None)


@given(
    corpora=st.lists(st.tuples(tables, tables), min_size=1, max_size=4),
    n=st.integers(0, 25),
    global_merges=st.integers(0, 8),
    window=st.integers(0, 6),
    alpha=st.sampled_from([1, 1.5, 2]),
    tie_break=st.sampled_from(["bytes", "huggingface", "rustbpe"]),
    least=st.integers(1, 3),
    longest=st.one_of(st.none(), st.integers(2, 6)),
)
@example(
    corpora=[({b"aaaa": 2, b"aaa": 1}, {b"aaaaa": 3}), ({b"ab": 1}, {b"abab": 1})],
    n=9, global_merges=1, window=3, alpha=1, tie_break="bytes", least=1, longest=None,
)  # fmt: skip
def test_merges_are_those_of_the_specification(
    corpora, n, global_merges, window, alpha, tie_break, least, longest
):
    train = {str(at): counts for at, (counts, _) in enumerate(corpora)}
    dev = {str(at): counts for at, (_, counts) in enumerate(corpora)}
    rules = {"global_merges": global_merges, "window": window, "alpha": alpha}
    languages, learned = learn_parity(train, dev, Settings(256 + n, (), tie_break, least, longest), **rules)
    expected = reference.train_parity(
        train, dev, n, **rules, tie_break=tie_break, min_frequency=least, max_token_length=longest
    )
    assert [(learned.tokens[a], learned.tokens[b]) for a, b in learned.pairs.tolist()] == expected
    assert languages.tokens == {each: reference.n_tokens(dev[each], expected) for each in dev}
    assert learned.ids.tolist() == list(range(256, 256 + len(expected)))
    assert (learned.ended_early is None) == (len(expected) == n)


@given(counts=tables, dev=tables, n=st.integers(0, 20))
def test_one_language_is_classical_training(counts, dev, n):
    _, learned = learn_parity({"x": counts}, {"x": dev}, Settings(256 + n, min_frequency=1))
    found = [(learned.tokens[a], learned.tokens[b]) for a, b in learned.pairs.tolist()]
    assert found == reference.train(counts, n)


@given(counts=st.lists(tables, min_size=1, max_size=3), n=st.integers(0, 20))
def test_counts_of_merges_are_those_of_all_corpora(counts, n):
    corpora = {str(at): each for at, each in enumerate(counts)}
    _, learned = learn_parity(corpora, corpora, Settings(256 + n, min_frequency=1), global_merges=n)
    together = {piece: sum(each.get(piece, 0) for each in counts) for table in counts for piece in table}
    assert (
        learned.counts.tolist()
        == learn(
            CountTable.from_mapping(together | {b"\0": 1}, "gpt2"), Settings(256 + n, min_frequency=1)
        ).counts.tolist()
    )


@given(counts=tables, specials=st.lists(st.text("ab!<", min_size=1, max_size=3), max_size=4, unique=True))
def test_reserved_tokens_keep_their_ids(counts, specials):
    settings = Settings(290, tuple(specials), "huggingface", 1)
    _, learned = learn_parity({"x": counts, "y": {b"ba": 1}}, {"x": counts, "y": {b"ba": 1}}, settings)
    for text in specials:
        if text.encode() in learned.tokens.values():
            assert learned.tokens[specials.index(text)] == text.encode()
    made = {*learned.tokens, *learned.special_tokens.values()}
    assert made == set(range(len(made)))
