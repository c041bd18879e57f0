"""Which tokens of a merge list are reached by merging their bytes: told from the merges, as merging tells."""

from hypothesis import example, given
from hypothesis import strategies as st

from bpetok import Vocabulary, reference

LETTERS = [b"a", b"b", b"c"]


@st.composite
def merge_lists(draw):
    """Merges of any tokens made so far (and so in order), at times moved to another place in the list."""
    tokens, merges = list(LETTERS), []
    for _ in range(draw(st.integers(0, 14))):
        left, right = draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))
        if (left, right) not in merges and len(left + right) <= 12:
            merges.append((left, right))
            if left + right not in tokens:
                tokens.append(left + right)
    if draw(st.booleans()):
        merges = draw(st.permutations(merges))
    return merges


@given(merges=merge_lists())
@example(merges=[(b"a", b"a"), (b"aa", b"a"), (b"a", b"aa"), (b"aa", b"aa")])
@example(merges=[(b"a", b"a"), (b"a", b"aa")])
@example(merges=[(b"a", b"b"), (b"a", b"a"), (b"b", b"ab"), (b"aa", b"b")])
def test_a_token_is_whole_when_merging_its_bytes_gives_it(merges):
    tokens = LETTERS + sorted({left + right for left, right in merges})
    ids = {data: token for token, data in enumerate(tokens)}
    pairs = [(ids[left], ids[right]) for left, right in merges]
    vocabulary = Vocabulary.from_merges(tokens, pairs, {})
    table = {pair: (rank, ids[a + b]) for rank, (pair, (a, b)) in enumerate(zip(pairs, merges, strict=True))}
    for data, token in ids.items():
        merged = reference.merge_list([ids[bytes([byte])] for byte in data], table)
        assert vocabulary.tables.is_whole(token) == (merged == [token])
