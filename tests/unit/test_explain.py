"""Explanations: the merges of a piece, step by step."""

import numpy as np
from hypothesis import given

from bpetok import Tokenizer, Vocabulary, get_encoding
from strategies import hostile_text


@given(text=hostile_text())
def test_the_last_step_is_what_encoding_gives(text):
    tokenizer = get_encoding("cl100k_base")
    explanations = tokenizer.explain(text[:60])
    assert [token for piece in explanations for token in piece.ids] == tokenizer.encode_ordinary(text[:60])
    for piece in explanations:
        if piece.steps and not piece.whole:
            assert piece.steps[-1].parts == tokenizer.decode_tokens_bytes(piece.ids)
        for step in piece.steps:
            assert b"".join(step.parts) == piece.piece
            assert tokenizer.decode_single_token_bytes(step.token) == step.left + step.right


def test_training_counts_are_shown():
    tokens = [bytes([b]) for b in range(256)] + [b"ab", b"abc"]
    vocabulary = Vocabulary.from_merges(tokens, [(97, 98), (256, 99)], {}, merge_counts=np.array([12, 7]))
    (piece,) = Tokenizer.from_vocabulary("t", "gpt2", vocabulary).explain("abc")
    assert [(step.left, step.right, step.rank, step.token, step.count) for step in piece.steps] == [
        (b"a", b"b", 0, 256, 12),
        (b"ab", b"c", 1, 257, 7),
    ]


def test_a_whole_piece_that_no_merge_builds():
    ranks = {bytes([b]): b for b in range(256)} | {b"xyz": 256}
    (piece,) = Tokenizer("t", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={}).explain("xyz")
    assert piece.whole
    assert piece.steps == []
    assert piece.ids == [256]
