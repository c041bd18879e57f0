"""What `Tokenizer` has beyond tiktoken's surface: counts, flat batches, offsets."""

import enum

import numpy as np
import pytest
from hypothesis import given

from bpetok import Tokenizer, get_encoding, train
from bpetok.errors import DisallowedSpecialError
from bpetok.normalization import NFC, Lowercase, Sequence
from bpetok.splits import Digits, Metaspace, Splits
from strategies import hostile_text

TEXTS = ["hello world", "", "naïve café 日本語 👍🏽", "<|endoftext|> as text", "x" * 5000]


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base"])
@pytest.mark.parametrize("num_threads", [None, 1, 2, 8])
def test_encode_flat(name, num_threads):
    tokenizer = get_encoding(name)
    texts = TEXTS * 50
    ids, offsets = tokenizer.encode_flat(texts, num_threads=num_threads, disallowed_special=())
    assert ids.dtype == (np.uint16 if tokenizer.n_vocab <= 65536 else np.uint32)
    assert offsets.dtype == np.int64
    assert offsets.shape == (len(texts) + 1,)
    assert offsets[0] == 0
    assert offsets[-1] == len(ids)
    for i, text in enumerate(texts):
        assert ids[offsets[i] : offsets[i + 1]].tolist() == tokenizer.encode_ordinary(text)


def test_batches_on_threads_equal_single_texts():
    tokenizer = get_encoding("o200k_base")
    texts = [f"document {i}: " + "words and wörter 言葉 " * (i % 90) for i in range(2000)]
    assert tokenizer.encode_ordinary_batch(texts) == [tokenizer.encode_ordinary(text) for text in texts]
    assert tokenizer.count_batch(texts) == [tokenizer.count(text) for text in texts]


def test_batches_of_nothing():
    tokenizer = get_encoding("gpt2")
    assert tokenizer.encode_batch([]) == []
    assert tokenizer.count_batch([]) == []
    ids, offsets = tokenizer.encode_flat([])
    assert (len(ids), offsets.tolist()) == (0, [0])
    ids, offsets = tokenizer.encode_flat(["", ""])
    assert (len(ids), offsets.tolist()) == (0, [0, 0, 0])


def test_batches_check_every_text():
    tokenizer = get_encoding("gpt2")
    texts = ["fine"] * 3000 + ["<|endoftext|>"] + ["fine"] * 3000
    for method in (tokenizer.encode_batch, tokenizer.count_batch, tokenizer.encode_flat):
        with pytest.raises(DisallowedSpecialError, match="endoftext"):
            method(texts)
        with pytest.raises(DisallowedSpecialError, match="fine"):
            method(texts, disallowed_special={"fine"})
        with pytest.raises(TypeError, match="at index 1"):
            method(["text", b"bytes"])
    assert tokenizer.encode_batch(texts, allowed_special="all")[3000] == [50256]
    with pytest.raises(ValueError, match="num_threads"):
        tokenizer.encode_batch(["text"], num_threads=0)


def test_counting_follows_the_same_policy_as_encoding():
    tokenizer = get_encoding("cl100k_base")
    for text in TEXTS:
        for options in ({"disallowed_special": ()}, {"allowed_special": "all"}):
            assert tokenizer.count(text, **options) == len(tokenizer.encode(text, **options))
    with pytest.raises(DisallowedSpecialError):
        tokenizer.count("<|endoftext|>")


@given(text=hostile_text())
def test_offsets_cover_the_text(text):
    tokenizer = get_encoding("cl100k_base")
    ids, byte_spans, char_spans = tokenizer.encode_with_offsets(text, disallowed_special=())
    repaired = tokenizer.decode(ids)
    data = repaired.encode()
    assert ids.tolist() == tokenizer.encode_ordinary(text)
    assert byte_spans.shape == char_spans.shape == (len(ids), 2)
    at = 0
    for token, (start, end), (first, last) in zip(
        ids.tolist(), byte_spans.tolist(), char_spans.tolist(), strict=True
    ):
        assert start == at
        assert data[start:end] == tokenizer.decode_single_token_bytes(token)
        # The characters are the smallest span that holds these bytes.
        before, inside = len(repaired[:first].encode()), repaired[first:last].encode()
        assert before <= start < before + len(repaired[first].encode())
        assert before + len(inside) - len(repaired[last - 1].encode()) < end <= before + len(inside)
        at = end
    assert at == len(data)


def test_offsets_with_special_tokens_and_with_text_left_out():
    tokenizer = get_encoding("gpt2")
    ids, spans, _ = tokenizer.encode_with_offsets("a<|endoftext|>b", allowed_special="all")
    assert ids.tolist() == [64, 50256, 65]
    assert spans.tolist() == [[0, 1], [1, 14], [14, 15]]
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256}
    words = Tokenizer("words", pat_str=r"[a-z]+", mergeable_ranks=ranks, special_tokens={})
    ids, spans, characters = words.encode_with_offsets("é ab, cab!")
    assert ids.tolist() == [256, 99, 256]
    assert spans.tolist() == [[3, 5], [7, 8], [8, 10]]
    assert characters.tolist() == [[2, 4], [6, 7], [7, 9]]


def test_custom_patterns_take_the_same_path_everywhere():
    ranks = get_encoding("gpt2")._mergeable_ranks
    custom = Tokenizer(
        "custom", pat_str=r"\w+| ?[^\w\s]+|\s+", mergeable_ranks=ranks, special_tokens={"<x>": 60000}
    )
    text = "naïve — 日本語 x<x>y\n" * 40
    ids = custom.encode(text, allowed_special="all")
    assert custom.decode(ids) == text
    assert ids.count(60000) == 40
    assert custom.count(text, allowed_special="all") == len(ids)
    assert custom.encode_to_numpy(text, allowed_special="all").tolist() == ids
    assert custom.encode_batch([text] * 20, allowed_special="all") == [ids] * 20


def test_a_word_is_a_pattern_for_a_tokenizer_as_in_tiktoken():
    ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256}
    words = Tokenizer("t", pat_str="ab", mergeable_ranks=ranks, special_tokens={})
    assert words.encode("xabab") == [256, 256]


class Named(enum.StrEnum):
    COMPOSED = "caf\u00e9 42"
    APART = "cafe\u0301 q\u0323\u0307 \U0001f600"
    BROKEN = "a \ud83d b"


def prepared(pattern="gpt2", **steps) -> Tokenizer:
    return Tokenizer.from_vocabulary("prepared", pattern, get_encoding("gpt2").vocabulary, **steps)


@pytest.mark.parametrize(
    "tokenizer",
    [
        get_encoding("gpt2"),
        prepared(normalizer=NFC()),
        prepared(normalizer=Lowercase()),
        prepared(normalizer=Sequence((NFC(), Lowercase()))),
        prepared(Splits((Digits(),))),
        prepared(Splits((Metaspace(),))),
        prepared(r"\w+|\W+"),
        train(["caf\u00e9 42 a b"], vocab_size=280, min_frequency=1, byte_fallback=True),
    ],
    ids=["plain", "form", "step", "steps", "cuts", "metaspace", "custom", "byte fallback"],
)
@pytest.mark.parametrize("kind", [str, np.str_, Named, type("Text", (str,), {})])
def test_a_subclass_of_str_is_encoded_like_its_text(tokenizer, kind):
    texts = [each.value for each in Named]
    given = list(map(kind, texts))
    ids = [tokenizer.encode(text) for text in texts]
    assert [tokenizer.encode(text) for text in given] == ids
    assert [tokenizer.encode(text, allowed_special="all") for text in given] == ids
    assert [tokenizer.count(text) for text in given] == [len(each) for each in ids]
    assert tokenizer.encode_batch(given) == ids
    assert tokenizer.count_batch(given) == [len(each) for each in ids]
    assert tokenizer.encode_flat(given)[0].tolist() == [token for each in ids for token in each]
    assert [tokenizer.normalize(text) for text in given] == [tokenizer.normalize(text) for text in texts]
