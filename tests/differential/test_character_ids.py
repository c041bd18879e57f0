"""Vocabularies of characters give the ids of `tokenizers`, and its dropout."""

import itertools
import random
from collections import Counter

import pytest

from bpetok import Tokenizer, Vocabulary

tokenizers = pytest.importorskip("tokenizers", reason="the peer is not installed")

WORDS = ["a", "b", "\u00e9", "\u4e2d", "\u672c", "ab", "abb", "\u4e2d\u672c", "\u00e9a", "aa"]
PAIRS = [("a", "b"), ("\u4e2d", "\u672c"), ("ab", "b"), ("\u00e9", "a"), ("a", "a")]
BYTES = {f"<0x{byte:02X}>": 100 + byte for byte in range(256)}


def both(fallback, fuse):
    vocab = {word: at for at, word in enumerate(WORDS)} | {"<unk>": 50} | (BYTES if fallback else {})
    model = tokenizers.models.BPE(
        vocab=vocab, merges=PAIRS, unk_token="<unk>", fuse_unk=fuse, byte_fallback=fallback
    )
    vocabulary = Vocabulary.from_characters(
        {at: word.encode() for at, word in enumerate(WORDS)},
        merges=[(vocab[left], vocab[right]) for left, right in PAIRS],
        special_tokens={"<unk>": 50},
        byte_tokens=range(100, 356) if fallback else None,
        unknown=50,
        fuse_unknown=fuse,
    )
    return model, Tokenizer.from_vocabulary("made-up", "whole", vocabulary)


@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("fallback", [False, True])
def test_ids(fallback, fuse):
    model, ours = both(fallback, fuse)
    draw = random.Random(0)
    for _ in range(500):
        text = "".join(draw.choices("aab\u00e9\u4e2d\u672cx\U0001f600\u00ea", k=draw.randint(1, 90)))
        assert ours.encode_ordinary(text) == [token.id for token in model.tokenize(text)], text


def test_dropout():
    model, ours = both(True, False)
    text, n = "abb\u4e2d\u672caa\u00e9a", 4000
    assert ours.encode_dropout(text, 0.0) == ours.encode(text)
    assert ours.encode_dropout(text, 1.0) == [WORDS.index(char) for char in text]
    assert ours.encode_dropout(text, 0.5, 7) == ours.encode_dropout(text, 0.5, 7)
    model.dropout = 0.4
    theirs = Counter(tuple(token.id for token in model.tokenize(text)) for _ in range(n))
    found = Counter(tuple(ours.encode_dropout(text, 0.4, seed)) for seed in range(n))
    for ids in itertools.chain(theirs, found):
        assert abs(theirs[ids] - found[ids]) < 6 * (theirs[ids] + found[ids] + 1) ** 0.5
