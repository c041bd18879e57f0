"""Which characters fall apart, and what tokens for them save."""

from random import Random

import pytest

from bpetok import Tokenizer, Vocabulary, get_encoding, train
from bpetok.coverage import Apart, Coverage, add_characters, coverage
from bpetok.errors import VocabularyError
from bpetok.splits import Digits, Splits


@pytest.fixture(scope="module")
def tokenizer():
    return train(["the cat and the other cat"] * 2, vocab_size=290, byte_fallback=True)


def spelled_out(tokenizer: Tokenizer, text: str) -> dict[str, tuple[int, int]]:
    """Character to how often it falls apart and the borders inside, one character after the other."""
    ids = tokenizer.encode_ordinary(text)
    byte_tokens = set(tokenizer.vocabulary.byte_tokens or ())
    owner = [at for at, part in enumerate(tokenizer.decode_tokens_bytes(ids)) for _ in part]
    found: dict[str, tuple[int, int]] = {}
    at = 0
    for char in b"".join(tokenizer.decode_tokens_bytes(ids)).decode():
        size = len(char.encode())
        tokens = set(owner[at : at + size])
        if len(tokens) > 1 or ids[owner[at]] in byte_tokens:
            n, saves = found.get(char, (0, 0))
            found[char] = n + 1, saves + len(tokens) - 1
        at += size
    return found


def test_characters_that_fall_back_to_bytes(tokenizer):
    found = coverage(tokenizer, ["the \u2603\u2603 \u6f22!", ""])
    assert found.characters == (Apart("\u2603", 2, 4), Apart("!", 1, 0), Apart("\u6f22", 1, 2))
    assert (found.n_apart, found.n_apart_tokens, found.n_characters, found.n_tokens) == (4, 10, 10, 13)
    assert [found.saving(n) for n in range(5)] == [0, 4, 4, 6, 6]


@pytest.mark.parametrize("name", ["bytes", "fallback"])
def test_it_is_what_one_finds_character_by_character(tokenizer, name):
    random = Random(1)
    some = get_encoding("gpt2") if name == "bytes" else tokenizer
    for _ in range(50):
        text = "".join(random.choice("the cat\u00e9\u0e01\u0e34\u6f22\U0001f600 \n") for _ in range(30))
        found = coverage(some, [text])
        assert {each.character: each[1:] for each in found.characters} == spelled_out(some, text)
        assert found.n_tokens == len(some.encode_ordinary(text))


def test_sums_are_those_of_all_texts(tokenizer):
    texts = ["\u2603 the \u6f22", "\u6f22\u6f22", "", "cat"]
    together = sum((coverage(tokenizer, [text]) for text in texts), Coverage())
    assert together == coverage(tokenizer, texts)
    assert together.characters[0] == Apart("\u6f22", 3, 6)
    assert coverage(tokenizer, []) == Coverage()


def scored() -> Tokenizer:
    vocabulary = Vocabulary.from_characters(
        {256: b"a", 257: b"b", 258: b"ab"},
        scores={256: -1, 257: -2, 258: 0},
        special_tokens={"<s>": 259},
        byte_tokens=range(256),
    )
    return Tokenizer.from_vocabulary("scored", "whole", vocabulary)


@pytest.mark.parametrize("make", [lambda: train(["the cat"], vocab_size=280, byte_fallback=True), scored])
def test_adding_saves_just_what_it_says(make):
    tokenizer = make()
    texts = ["the \u2603\u2603 \u6f22!", "cat", "ab\u2603ab \u00e9\u00e9\u00e9"]
    before = coverage(tokenizer, texts)
    for n in range(len(before.characters) + 1):
        longer = add_characters(tokenizer, [each.character for each in before.characters[:n]])
        after = coverage(longer, texts)
        assert before.n_tokens - after.n_tokens == before.saving(n)
        assert after.characters == before.characters[n:]
        assert longer.n_vocab == tokenizer.n_vocab + n
        for text in texts:
            ids = [token for token in longer.encode_ordinary(text) if token < tokenizer.n_vocab]
            assert n or ids == tokenizer.encode_ordinary(text)
            assert longer.decode(longer.encode_ordinary(text)) == text
    assert longer.provenance["edits"][-1]["n"] == len(before.characters)


def test_what_is_around_the_vocabulary_stays():
    tokenizer = Tokenizer.from_vocabulary("digits", Splits((Digits(True),)), scored().vocabulary)
    longer = add_characters(tokenizer, ["\u2603"])
    assert longer.splits == tokenizer.splits
    assert longer.encode("ab\u2603<s>", allowed_special="all") == [258, 260, 259]


def test_what_cannot_be_added(tokenizer):
    longer = add_characters(tokenizer, ["\u2603"])
    for wrong in ("\u2603", "ab", "", "\ud800"):
        with pytest.raises(VocabularyError, match="no single character, or is a token already"):
            add_characters(longer, [wrong])
    with pytest.raises(VocabularyError, match=r"byte-level.*use `extend`"):
        add_characters(get_encoding("gpt2"), ["\u1e9e"])


def test_unknown_characters_are_not_told_apart():
    vocabulary = Vocabulary.from_characters(
        {1: b"a"}, scores={1: 0}, special_tokens={"<unk>": 0}, byte_tokens=None, unknown=0
    )
    with pytest.raises(VocabularyError, match="unknown token and no byte fallback"):
        coverage(Tokenizer.from_vocabulary("unknown", "whole", vocabulary), ["b"])
