"""`tie_break="rustbpe"` against rustbpe itself: the same merges, the same ids."""

from random import Random

import pytest

from bpetok import train

rustbpe = pytest.importorskip("rustbpe", reason="rustbpe is not installed")

# rustbpe's own default: GPT-4's pattern as nanochat writes it.
PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
    r"|\s+(?!\S)|\s+"
)


def assert_same(texts, vocab_size, pattern=PATTERN):
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator(iter(texts), vocab_size, pattern=pattern)
    ours = train(texts, vocab_size=vocab_size, pattern=pattern, tie_break="rustbpe", min_frequency=1)
    expected = [(bytes(token), rank) for token, rank in theirs.get_mergeable_ranks()]
    assert sorted((data, token) for token, data in ours.vocabulary.tokens().items()) == sorted(expected)
    return ours


def test_its_own_pattern(real_texts):
    assert rustbpe.Tokenizer().get_pattern() in ("", PATTERN)
    ours = assert_same(real_texts, 4000)
    assert ours.n_vocab == 4000
    text = "".join(real_texts[::7])
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator(iter(real_texts), 4000, pattern=PATTERN)
    assert ours.encode_ordinary(text) == theirs.encode(text)


def test_until_nothing_is_left(real_texts):
    assert_same([text[:2000] for text in real_texts[::10]], 100_000)


@pytest.mark.parametrize("seed", range(8))
def test_text_full_of_runs(seed):
    random = Random(seed)
    letters = ["a", "ab", "aab", "aaaa", "abab", "b", "ba"][: random.randint(1, 7)]
    words = [
        "".join(random.choices(letters, k=random.randint(1, 9))) * random.randint(1, 4) for _ in range(60)
    ]
    assert_same([" ".join(random.choices(words, k=40)) for _ in range(8)], 100_000)


@pytest.mark.parametrize("seed", range(4))
def test_ties_everywhere(seed):
    random = Random(seed)
    alphabet = [chr(code_point) for code_point in (*range(0x21, 0x7F), *range(0xA0, 0x180), 0x4E00, 0x1F600)]
    assert_same(["".join(random.choices([*alphabet, " ", "\n"], k=600)) for _ in range(10)], 3000)
