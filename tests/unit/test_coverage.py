"""Which characters fall apart, and what tokens for them save."""

import pytest

from bpetok import get_encoding, train
from bpetok.coverage import add_characters, coverage
from bpetok.errors import VocabularyError


@pytest.fixture(scope="module")
def tokenizer():
    return train(["the cat and the other cat"] * 2, vocab_size=290, byte_fallback=True)


def test_characters_that_fall_back_to_bytes(tokenizer):
    found = coverage(tokenizer, ["the \u2603\u2603 \u6f22!", ""])
    assert found.characters == {"\u2603": 2, "!": 1, "\u6f22": 1}
    assert (found.n_apart, found.n_apart_tokens, found.n_characters) == (4, 10, 10)


def test_adding_them_saves_what_is_found_by_encoding_again(tokenizer):
    texts = ["the \u2603\u2603 \u6f22!", "cat"]
    before = coverage(tokenizer, texts)
    longer = add_characters(tokenizer, list(before.characters)[:2])
    after = coverage(longer, texts)
    assert before.n_tokens - after.n_tokens == 4
    assert after.characters == {"\u6f22": 1}
    assert longer.n_vocab == tokenizer.n_vocab + 2
    assert longer.encode_ordinary("the cat") == tokenizer.encode_ordinary("the cat")
    assert longer.decode(longer.encode_ordinary(texts[0])) == texts[0]
    with pytest.raises(VocabularyError, match="token already"):
        add_characters(longer, ["\u2603"])


def test_byte_level():
    found = coverage(get_encoding("gpt2"), ["caf\u00e9 \U0001f600 \u1e9e"])
    assert set(found.characters) <= {"\U0001f600", "\u1e9e"}
    assert found.n_apart
    assert found.n_characters == 8
    with pytest.raises(VocabularyError, match="byte-level"):
        add_characters(get_encoding("gpt2"), ["\u1e9e"])
