"""Extending and pruning generated vocabularies: equal to the plain specification, in both semantics."""

from hypothesis import assume, given
from hypothesis import strategies as st

from bpetok import Tokenizer, Vocabulary, reference, train_from_counts
from bpetok.counting import CountTable

WHOLE = r"(?s:.+)"

words = st.text("abc", min_size=1, max_size=14).map(str.encode)
tables = st.dictionaries(words, st.integers(1, 5), min_size=1, max_size=12)
# Vocabularies as no training makes them: any strings of letters, so that some are reached by no merge.
strange = st.lists(st.text("abc", min_size=2, max_size=5).map(str.encode), max_size=25, unique=True)


def trained(counts, n, semantics):
    tokenizer = train_from_counts(
        CountTable.from_mapping(counts, WHOLE), vocab_size=257 + n, special_tokens=["<s>"], min_frequency=1
    )
    if semantics == "merges":
        return tokenizer
    return of_ranks(tokenizer.vocabulary.ranks(), dict(tokenizer.vocabulary.special_tokens))


def of_ranks(ranks, specials):
    return Tokenizer("ranks", pat_str=WHOLE, mergeable_ranks=ranks, special_tokens=specials)


def by_specification(tokenizer, piece):
    """The ids of a piece as the tokenizer's own vocabulary has them, from `reference`."""
    vocabulary = tokenizer.vocabulary
    ids = {data: token for token, data in vocabulary.tokens().items()}
    if vocabulary.semantics == "ranks":
        return reference.merge_ranks(piece, ids)
    tokens = vocabulary.tokens()
    merges = {
        (left, right): (rank, ids[tokens[left] + tokens[right]])
        for rank, (left, right) in enumerate(vocabulary.merges().tolist())
    }
    return reference.merge_list([ids[bytes([byte])] for byte in piece], merges)


@given(
    first=tables,
    second=tables,
    n=st.integers(0, 12),
    more=st.integers(0, 12),
    semantics=st.sampled_from(["ranks", "merges"]),
    longest=st.one_of(st.none(), st.integers(1, 8)),
)
def test_extending_goes_on_where_encoding_ends(first, second, n, more, semantics, longest):
    old = trained(first, n, semantics)
    tokens = old.vocabulary.tokens()
    start = {piece: [tokens[token] for token in old._encode_single_piece(piece)] for piece in second}
    expected = reference.train(
        second, more, max_token_length=longest, start=start, taken=set(tokens.values())
    )
    new, id_map = old.extend(
        CountTable.from_mapping(second, WHOLE), more, min_frequency=1, max_token_length=longest
    )
    made = [left + right for left, right in expected]
    assert [new.vocabulary.token_bytes(old.n_vocab + at) for at in range(len(made))] == made
    assert new.n_vocab == old.n_vocab + len(made)
    assert id_map.tolist() == list(range(old.n_vocab))
    assert new.vocabulary.special_tokens == old.vocabulary.special_tokens
    assert {token: new.vocabulary.token_bytes(token) for token in tokens} == tokens
    for piece in {**first, **second}:
        parts = [tokens[token] for token in old._encode_single_piece(piece)]
        for pair in expected:
            reference.join(parts, pair)
        ids = new._encode_single_piece(piece)
        assert [new.vocabulary.token_bytes(token) for token in ids] == parts
        assert ids == by_specification(new, piece)


@given(first=tables, second=tables, order=st.randoms(use_true_random=False))
def test_extending_does_not_depend_on_the_order_of_counts(first, second, order):
    old = trained(first, 5, "merges")
    shuffled = list(second.items())
    order.shuffle(shuffled)
    tokens = [
        old.extend(CountTable.from_mapping(counts, WHOLE), 10).tokenizer.vocabulary.tokens()
        for counts in (second, dict(shuffled))
    ]
    assert tokens[0] == tokens[1]


@given(tokens=strange, counts=tables, more=st.integers(0, 12))
def test_any_vocabulary_can_be_extended(tokens, counts, more):
    old = of_ranks({bytes([b]): b for b in range(256)} | {t: 300 + at for at, t in enumerate(tokens)}, {})
    known = old.vocabulary.tokens()
    start = {piece: [known[token] for token in old._encode_single_piece(piece)] for piece in counts}
    expected = reference.train(counts, more, start=start, taken=set(known.values()))
    new, _ = old.extend(CountTable.from_mapping(counts, WHOLE), more, min_frequency=1)
    assert list(new.vocabulary.tokens().values())[len(known) :] == [a + b for a, b in expected]
    for piece in counts:
        ids = new._encode_single_piece(piece)
        assert ids == by_specification(new, piece)
        assert new.decode_bytes(ids) == piece


def pruned_by_specification(tokenizer, ids):
    """What is left when some tokens go, and then all that no merge makes any more."""
    merges = [merge[1:] for merge in tokenizer.vocabulary.tables.merges()]
    made = {token for *_, token in merges}
    left = set(tokenizer.vocabulary.tokens()) - set(ids)
    while True:
        stay = {token for a, b, token in merges if {a, b, token} <= left}
        lost = {token for token in left & made if token not in stay}
        if not lost:
            return left
        left -= lost


@given(
    tokens=strange,
    counts=tables,
    semantics=st.sampled_from(["ranks", "merges", "strange"]),
    data=st.data(),
)
def test_pruning_by_ids(tokens, counts, semantics, data):
    if semantics == "strange":
        ranks = {bytes([b]): b for b in range(256)} | {t: 300 + at for at, t in enumerate(tokens)}
        old = of_ranks(ranks, {"<s>": 290})
    else:
        old = trained(counts, 15, semantics)
    long = [token for token, data in old.vocabulary.tokens().items() if len(data) > 1]
    assume(long)
    ids = data.draw(st.lists(st.sampled_from(long), max_size=5))
    new, id_map = old.prune(ids=ids)
    left = pruned_by_specification(old, ids)
    check_map(old, new, id_map, left)
    for piece in counts:
        found = new._encode_single_piece(piece)
        assert found == by_specification(new, piece)
        assert new.decode_bytes(found) == piece
        before = old._encode_single_piece(piece)
        if len(before) == 1 and before[0] in left:
            assert found == id_map[before].tolist()


def check_map(old, new, id_map, left):
    """Ids are closed up in their order, and each stands for what it stood for."""
    kept = sorted(left | set(old.vocabulary.special_tokens.values()))
    assert len(id_map) == old.n_vocab
    assert {at: token for token, at in enumerate(id_map.tolist()) if at >= 0} == dict(enumerate(kept))
    assert new.n_vocab == len(kept)
    for token in kept:
        assert new.vocabulary.token_bytes(int(id_map[token])) == old.vocabulary.token_bytes(token)
    assert {text: int(id_map[token]) for text, token in old.vocabulary.special_tokens.items()} == dict(
        new.vocabulary.special_tokens
    )


@given(first=tables, second=tables, semantics=st.sampled_from(["ranks", "merges"]), size=st.integers(0, 15))
def test_pruning_by_a_corpus(first, second, semantics, size):
    old = trained(first, 15, semantics)
    counts = CountTable.from_mapping(second, WHOLE)
    size = min(257 + size, old.n_vocab)
    new, id_map = old.prune(counts, vocab_size=size)
    assert new.n_vocab == size
    check_map(old, new, id_map, {token for token in old.vocabulary.tokens() if id_map[token] >= 0})
    for _, left, right, made in old.vocabulary.tables.merges():
        assert id_map[made] < 0 or min(id_map[left], id_map[right]) >= 0

    # Only what is not used goes when no size is given: the corpus is encoded as it was.
    new, id_map = old.prune(counts)
    used = set()
    for piece in second:
        ids = old._encode_single_piece(piece)
        used.update(ids)
        assert new._encode_single_piece(piece) == id_map[ids].tolist()
    for token in {token for token in old.vocabulary.tokens() if id_map[token] >= 256}:
        needed = {
            part for _, *pair, made in old.vocabulary.tables.merges() if id_map[made] >= 0 for part in pair
        }
        assert token in used | needed


@given(counts=tables)
def test_pruning_what_was_extended_gives_back_the_old_tokens(counts):
    old = Tokenizer.from_vocabulary(
        "bytes", WHOLE, Vocabulary.from_merges([bytes([b]) for b in range(256)], [], {})
    )
    new, _ = old.extend(CountTable.from_mapping(counts, WHOLE), 10)
    again, id_map = new.prune(ids=range(256, new.n_vocab))
    assert again.vocabulary.tokens() == old.vocabulary.tokens()
    assert id_map.tolist() == [*range(256), *[-1] * (new.n_vocab - 256)]
