"""A small file must not ask for an enormous text when its added tokens are normalized: it once could, by
doubling them thirty times."""

import pytest

from bpetok import Tokenizer, Vocabulary
from bpetok.added_tokens import AddedToken
from bpetok.errors import PreparationError
from bpetok.normalization import Replace, Sequence


def made(normalizer, text="a") -> Tokenizer:
    vocabulary = Vocabulary.from_ranks({bytes([byte]): byte for byte in range(256)}, {text: 256})
    token = AddedToken(text, 256, special=False, normalized=True)
    return Tokenizer.from_vocabulary("it", "gpt2", vocabulary, normalizer=normalizer, added_tokens=[token])


@pytest.mark.parametrize(
    "normalizer",
    [
        Sequence((Replace("a", "aa"),) * 60),
        Sequence((Sequence((Replace("a", "a" * 5000),) * 2),) * 3),
        Replace("a", "b" * (1 << 24)),
    ],
)
def test_growth_is_refused(normalizer):
    with pytest.raises(PreparationError, match="could become one of over"):
        made(normalizer)


def test_what_grows_a_little_is_taken():
    tokenizer = made(Sequence((Replace("a", "aa"),) * 5))
    assert tokenizer.encode("a") == [256]
