"""Incremental encoding and decoding."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bpetok import Tokenizer, get_encoding
from bpetok.errors import TokenError
from strategies import hostile_text

NAMES = ["gpt2", "cl100k_base", "o200k_base"]


def cut(text: str, places: list[int]) -> list[str]:
    borders = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(borders)]


@given(text=hostile_text(), places=st.lists(st.integers(0, 200), max_size=12), name=st.sampled_from(NAMES))
@example(text="AxxB" * 5 + "can'ts  \n \n x", places=[3, 4, 7, 21], name="o200k_base")
@example(text="\ud83d\ude00 lone \ud83d", places=[1], name="gpt2")
def test_a_stream_gives_the_ids_of_the_whole_text(text, places, name):
    tokenizer = get_encoding(name)
    encoder = tokenizer.stream_encoder()
    ids = [token for part in cut(text, places) for token in encoder.push(part)]
    assert ids + encoder.finish() == tokenizer.encode_ordinary(text)


@given(
    parts=st.lists(
        st.one_of(hostile_text(), st.sampled_from(["<|endoftext|>", "<|end", "  ", "<|"])), max_size=8
    ),
    places=st.lists(st.integers(0, 200), max_size=12),
)
@example(parts=["word" * 9, " x y z   ", "<|endoftext|>", "  tail"], places=[30, 46, 60])
def test_special_tokens_in_a_stream(parts, places):
    text = "".join(parts)
    tokenizer = get_encoding("o200k_harmony")
    encoder = tokenizer.stream_encoder(allowed_special="all")
    ids = [token for part in cut(text, places) for token in encoder.push(part)]
    assert ids + encoder.finish() == tokenizer.encode(text, allowed_special="all")


def test_text_flows_before_the_end():
    encoder = get_encoding("cl100k_base").stream_encoder()
    early = [token for word in [" some", " words"] * 40 for token in encoder.push(word)]
    assert len(early) > 70
    assert len(early) + len(encoder.finish()) == 80


def test_a_piece_without_end_is_held_back_whole():
    tokenizer = get_encoding("cl100k_base")
    encoder = tokenizer.stream_encoder()
    ids = [token for _ in range(20_000) for token in encoder.push("a")] + encoder.finish()
    assert ids == tokenizer.encode_ordinary("a" * 20_000)


def test_a_custom_pattern_is_held_until_the_end():
    tokenizer = Tokenizer(
        "custom",
        pat_str=r"a+(?=b)|.",
        mergeable_ranks={bytes([b]): b for b in range(256)} | {b"aa": 256},
        special_tokens={},
    )
    encoder = tokenizer.stream_encoder()
    assert encoder.push("aa") == []
    assert encoder.push("b") == []
    assert encoder.finish() == tokenizer.encode("aab") == [256, 98]


def test_an_encoder_is_new_after_finish():
    tokenizer = get_encoding("gpt2")
    encoder = tokenizer.stream_encoder()
    for text in ("first text", "second"):
        assert encoder.push(text) + encoder.finish() == tokenizer.encode(text)


@given(text=hostile_text(), name=st.sampled_from(NAMES))
def test_a_stream_decoder_never_breaks_a_character(text, name):
    tokenizer = get_encoding(name)
    ids = tokenizer.encode_ordinary(text)
    decoder = tokenizer.stream_decoder()
    parts = [decoder.push([token]) for token in ids] + [decoder.finish()]
    assert "".join(parts) == tokenizer.decode(ids)
    repaired = tokenizer.decode(ids)
    if "\ufffd" not in repaired:
        assert not any("\ufffd" in part for part in parts)


def test_a_stream_decoder_ends_an_unfinished_character_by_policy():
    tokenizer = get_encoding("cl100k_base")
    first_half = tokenizer.encode_single_token(b"\xe2\x80")
    decoder = tokenizer.stream_decoder()
    assert decoder.push([first_half]) == ""
    assert decoder.finish() == "\ufffd"
    strict = tokenizer.stream_decoder(errors="strict")
    strict.push([first_half])
    with pytest.raises(UnicodeDecodeError):
        strict.finish()


def test_an_unknown_id_leaves_the_stream_decoder_as_it_was():
    tokenizer = get_encoding("cl100k_base")
    decoder = tokenizer.stream_decoder()
    a, b = tokenizer._encode_piece(b"\xf0"), tokenizer._encode_piece(b"\x9f\x91\x8d")
    decoder.push(a)
    with pytest.raises(TokenError, match="100256"):
        decoder.push([100256])
    assert decoder.push(b) == "👍"
