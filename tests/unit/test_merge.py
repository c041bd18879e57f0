"""The merge engine: pieces of every length, the word cache and its limits."""

import random
import subprocess
import sys

import pytest

from bpetok import Tokenizer, get_encoding, reference
from bpetok.errors import VocabularyError

WHOLE = r"(?s).+"  # one piece, whatever the text


@pytest.fixture(scope="module")
def ranks():
    return get_encoding("gpt2")._mergeable_ranks


@pytest.fixture(scope="module")
def unsplit(ranks):
    return Tokenizer("unsplit", pat_str=WHOLE, mergeable_ranks=ranks, special_tokens={})


@pytest.mark.parametrize(
    "length", [1, 2, 7, 8, 9, 14, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 511, 512, 513, 2000]
)
def test_pieces_of_every_length(unsplit, ranks, length):
    rng = random.Random(length)
    for alphabet in ("ab", "etaoin shrdlu", "0123456789", "=-", "ÀÉîöß日本語"):
        text = "".join(rng.choice(alphabet) for _ in range(length))
        expected = reference.merge_ranks(text.encode(), ranks)
        assert unsplit.encode_ordinary(text) == expected
        assert unsplit.encode_ordinary(text) == expected  # now from the cache
        assert unsplit.count(text) == len(expected)


def test_a_piece_of_a_million_bytes():
    tokenizer = get_encoding("cl100k_base")
    for text in ("a" * 1_000_000, "^" * 100_000, " " * 1_000_000, "ab" * 300_000):
        ids = tokenizer.encode_ordinary(text)
        assert tokenizer.decode(ids) == text
        assert len(ids) <= len(text) // 2


def test_more_words_than_the_cache_holds(ranks):
    # Every word is seen twice, far apart, so the second time it has been given up or not.
    tokenizer = Tokenizer("fresh", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    rng = random.Random(7)
    words = ["".join(rng.choice("abcdefghij") for _ in range(rng.randrange(2, 30))) for _ in range(30_000)]
    text = " ".join(words)
    once = tokenizer.encode_ordinary(text)
    assert tokenizer.encode_ordinary(text + " " + text) == [*once, *tokenizer.encode_ordinary(" " + text)]
    for word in words[::501]:
        assert tokenizer.encode_ordinary(word) == reference.merge_ranks(word.encode(), ranks)


def test_keys_that_differ_only_in_length_or_zero_bytes(unsplit, ranks):
    for text in ("a", "a\0", "a\0\0", "\0", "\0\0", "\0a", "a" * 15, "a" * 15 + "\0", "\0" * 15, "\0" * 16):
        assert unsplit.encode_ordinary(text) == reference.merge_ranks(text.encode(), ranks)


def test_the_caches_of_many_tokenizers_stay_within_the_budget():
    # In a process of its own: here, other tests' tokenizers hold some of the budget.
    code = """
import random
from bpetok import Tokenizer, get_encoding
from bpetok._merge import cache_in_use
ranks = get_encoding("gpt2")._mergeable_ranks
rng = random.Random(3)
text = " ".join("".join(rng.choice("abcdefgh") for _ in range(rng.randrange(6, 20))) for _ in range(40_000))
tokenizers, sizes = [], []
for n in range(34):
    tokenizers.append(Tokenizer(str(n), pat_str="gpt2", mergeable_ranks=ranks, special_tokens={}))
    assert tokenizers[n].encode_ordinary(text) == tokenizers[0].encode_ordinary(text)
    sizes.append(cache_in_use())
assert sizes == sorted(sizes) and sizes[0] > 0, sizes
assert sizes[-1] == sizes[-2] <= 64 << 20, sizes
del tokenizers
assert cache_in_use() == 0
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_an_encoder_without_a_vocabulary_says_so():
    with pytest.raises(VocabularyError, match="never given a vocabulary"):
        Tokenizer.__new__(Tokenizer).encode_ordinary("text")


def test_a_tokenizer_cannot_be_attached_twice():
    tokenizer = get_encoding("gpt2")
    with pytest.raises(VocabularyError, match="immutable"):
        tokenizer._attach(tokenizer.vocabulary.tables, tokenizer.scanner, None, {})
