"""`tie_break="huggingface"` against `tokenizers`' own BpeTrainer: the same merges, the same ids."""

import json
import re
from random import Random

import pytest

from bpetok import reference, train
from bpetok.patterns import NAMED

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

SPECIALS = ["<|endoftext|>", "<pad>"]


# The characters that spell bytes are in the order of the ids that the trainer gives them.
BYTE_OF = dict(zip(sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()), reference.BYTE_ORDER, strict=True))


def plain(source):
    """A pattern without possessive quantifiers and `$`, which mean something else to Oniguruma."""
    return re.sub(r"(\{\d,\d\}|[+*?])\+", r"\1", source).replace("$", r"\z")


def theirs(texts, vocab_size, pattern, specials, min_frequency):
    """(merges as bytes, bytes to id) of `tokenizers`."""
    pre = tokenizers.pre_tokenizers
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    if pattern == "gpt2":
        tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False, use_regex=True)
    else:
        split = pre.Split(tokenizers.Regex(plain(NAMED[pattern])), "isolated")
        tokenizer.pre_tokenizer = pre.Sequence(
            [split, pre.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=specials,
        initial_alphabet=pre.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]

    def to_bytes(token):
        # A special token outside the alphabet is no sequence of bytes: it stays as it is.
        return bytes(map(BYTE_OF.get, token)) if all(char in BYTE_OF for char in token) else token

    merges = [tuple(map(to_bytes, pair)) for pair in model["merges"]]
    return merges, {to_bytes(token): id_ for token, id_ in model["vocab"].items()}


def ours(texts, vocab_size, pattern, specials, min_frequency):
    tokenizer = train(
        texts,
        vocab_size=vocab_size,
        pattern=pattern,
        special_tokens=specials,
        min_frequency=min_frequency,
        tie_break="huggingface",
    )
    tokens = tokenizer.vocabulary.tokens()
    merges = [(tokens[a], tokens[b]) for a, b in tokenizer.vocabulary.merges().tolist()]
    ids = {
        text.encode() if all(char in BYTE_OF for char in text) else text: id_
        for text, id_ in tokenizer.vocabulary.special_tokens.items()
    }
    return merges, ids | {data: id_ for id_, data in tokens.items()}


def assert_same(texts, vocab_size, pattern="gpt2", specials=(), min_frequency=0):
    arguments = (texts, vocab_size, pattern, list(specials), min_frequency)
    (our_merges, our_ids), (their_merges, their_ids) = ours(*arguments), theirs(*arguments)
    assert our_merges == their_merges
    assert our_ids == their_ids
    return our_merges


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "llama3", "o200k"])
def test_real_text(real_texts, pattern):
    merges = assert_same(real_texts, 6000, pattern, SPECIALS, 2)
    assert len(merges) == 6000 - 256 - len(SPECIALS)


@pytest.mark.parametrize("least", [0, 1, 3, 50])
def test_until_nothing_is_left(real_texts, least):
    texts = [text[:3000] for text in real_texts[::10]]
    merges = assert_same(texts, 100_000, min_frequency=least)
    assert len(merges) < 99_000


def test_special_tokens_that_are_learned_tokens(real_texts):
    specials = ["<s>", "the", "!", "in", "\u4e2d", "ion", "import", "never-in-the-text", "is not"]
    texts = [*real_texts[::4], "the\n\n" * 5000]
    merges = assert_same(texts, 1500, "cl100k", specials, 2)
    assert {(b"i", b"n")} < set(merges)
    assert any(a + b == b"the" for a, b in merges)


@pytest.mark.parametrize("seed", range(12))
def test_text_full_of_runs(seed):
    """Overlapping pairs, where an update by differences could stray from a fresh count."""
    random = Random(seed)
    letters = ["a", "ab", "aab", "aaaa", "abab", "b", "ba"][: random.randint(1, 7)]
    words = [
        "".join(random.choices(letters, k=random.randint(1, 9))) * random.randint(1, 4) for _ in range(60)
    ]
    texts = [" ".join(random.choices(words, k=40)) for _ in range(8)]
    assert_same(texts, 100_000)
    assert_same(["a" * n for n in range(1, 70)] + texts[:2], 100_000, "cl100k")


@pytest.mark.parametrize("seed", range(6))
def test_ties_everywhere(seed):
    """Every count is small, so nearly every merge is one of many equals."""
    random = Random(seed)
    alphabet = [chr(code_point) for code_point in (*range(0x21, 0x7F), *range(0xA0, 0x180), 0x4E00, 0x1F600)]
    texts = ["".join(random.choices([*alphabet, " ", "\n"], k=600)) for _ in range(10)]
    assert_same(texts, 3000, random.choice(["gpt2", "cl100k"]), SPECIALS)
