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


def letters(draw, size):
    return "".join(draw.choices("etaoinshrdlu", k=size))


def test_the_sizes_at_which_the_cache_changes_its_form(ranks):
    """Around 15 bytes, 5 ids, 62 and 512 bytes: from any form, in any order, the ids are the same."""
    draw = random.Random(11)
    pieces = []
    for size in (*range(1, 34), 61, 62, 63, 64, 255, 256, 511, 512, 513, 514):
        pieces += [" " + letters(draw, size - 1) for _ in range(12)] if size > 1 else [" "]
    pieces += [" " + "qxzjvk"[: n % 7] * 2 + "z" * n for n in range(1, 17)]  # as many ids as bytes, nearly
    pieces = [piece + "." for piece in dict.fromkeys(pieces)]  # "." ends what came before it
    alone = {piece: reference.encode(piece, get_encoding("gpt2")._pat_str, ranks) for piece in pieces}
    tokenizer = Tokenizer("sizes", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    for _ in range(12):
        order = draw.choices(pieces, k=900)
        assert tokenizer.encode_ordinary("".join(order)) == [
            token for piece in order for token in alone[piece]
        ]


@pytest.mark.parametrize("size", [1, 5, 15, 16, 40, 62, 63, 100, 512, 513, 700])
def test_a_new_piece_many_times_in_one_batch(ranks, size):
    draw = random.Random(size)
    for times in (2, 63, 64, 65, 255, 256, 257, 600):
        fresh = Tokenizer("fresh", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
        words = [" " + letters(draw, size) for _ in range(3)]
        alone = [reference.merge_ranks(word.encode(), ranks) for word in words]
        order = [draw.randrange(3) for _ in range(times)]
        expected = [token for at in order for token in alone[at]]
        assert fresh.encode_ordinary("".join(words[at] for at in order)) == expected


def test_the_arena_overwrites_its_oldest_pieces(ranks):
    """More long pieces than it holds, at every size that it grows to; then all of them in other orders."""
    draw = random.Random(13)
    pieces = [" " + letters(draw, draw.choice((16, 40, 130, 200, 400))) for _ in range(80_000)]
    assert sum(map(len, pieces)) > 12_000_000
    tokenizer = Tokenizer("arena", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    alone = [tokenizer.encode_ordinary(piece) for piece in pieces]
    for at in range(0, len(pieces), 999):
        assert alone[at] == reference.merge_ranks(pieces[at].encode(), ranks)
    near = [at for start in range(0, len(pieces), 20_000) for at in 2 * [*range(start, start + 5000)]]
    for order in (near, list(range(len(pieces)))[::-1], draw.sample(range(len(pieces)), 20_000)):
        text = "".join(pieces[at] for at in order)
        expected = [token for at in order for token in alone[at]]
        assert tokenizer.encode_ordinary(text) == expected
        assert tokenizer.count(text) == len(expected)


def test_the_caches_of_many_tokenizers_stay_within_the_budget():
    # In a process of its own: here, other tests' tokenizers hold some of the budget.
    code = """
import random
from bpetok import Tokenizer, get_encoding
from bpetok._workspace import cache_in_use
ranks = get_encoding("gpt2")._mergeable_ranks
rng = random.Random(3)
text = " ".join("".join(rng.choice("abcdefgh") for _ in range(rng.randrange(6, 20))) for _ in range(40_000))
tokenizers, sizes = [], []
for n in range(34):
    tokenizers.append(Tokenizer(str(n), pat_str="gpt2", mergeable_ranks=ranks, special_tokens={}))
    before = cache_in_use()
    ids = tokenizers[n].encode_ordinary(text)
    assert ids == tokenizers[0].encode_ordinary(text)
    sizes.append(cache_in_use())
    # Whoever comes gets a cache of full size, if need be from those that have been idle longest.
    assert cache_in_use() - before >= sizes[0] or sizes[-1] > (64 << 20) - sizes[0], sizes
    assert sizes[-1] <= 64 << 20, sizes
assert sizes[-1] > 32 << 20, sizes
while tokenizers:
    before = cache_in_use()
    gone = tokenizers.pop(rng.randrange(len(tokenizers)))
    del gone
    assert cache_in_use() <= before
    fresh = Tokenizer("fresh", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    if len(tokenizers) % 8 == 0:
        assert fresh.encode_ordinary(text) == ids
        assert cache_in_use() <= 64 << 20
del fresh
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
        tokenizer._attach(tokenizer.vocabulary.tables, tokenizer.scanner, None, None, {})
