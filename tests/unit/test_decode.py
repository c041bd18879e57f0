"""Ids of every kind that is read straight from memory, beside those that are read with care."""

import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpetok import Tokenizer, get_encoding
from bpetok.errors import TokenError, TokenRangeError

TEXT = "some words, na\u00efve \u65e5\u672c\u8a9e \U0001f600 " + "=" * 70 + "\n"


class Number:
    """An integer that is no int."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value


@pytest.mark.parametrize("times", [0, 1, 3, 300])
def test_arrays_of_any_integer_type(times):
    tokenizer = get_encoding("gpt2")
    text = TEXT * times
    ids = tokenizer.encode(text)
    for kind in (np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.dtype(">u4"), np.dtype(">i8")):
        ours = np.array(ids, kind)
        assert tokenizer.decode(ours) == text
        assert tokenizer.decode_bytes(ours) == text.encode()
        assert tokenizer.decode_bytes(ours[::-1]) == tokenizer.decode_bytes(ids[::-1])
        assert tokenizer.decode_bytes(ours[::3]) == tokenizer.decode_bytes(ids[::3])
    for code in "HIiLlQq":
        assert tokenizer.decode(array.array(code, ids)) == text
        assert tokenizer.decode(memoryview(array.array(code, ids))) == text
    small = [token % 128 for token in ids]
    for kind in (np.int8, np.uint8, np.int16):
        assert tokenizer.decode_bytes(np.array(small, kind)) == tokenizer.decode_bytes(small)


@pytest.mark.parametrize("container", [list, tuple, iter, np.array], ids=lambda each: each.__name__)
def test_any_sequence(container):
    tokenizer = get_encoding("cl100k_base")
    ids = tokenizer.encode(TEXT * 40)
    assert tokenizer.decode(container(ids)) == TEXT * 40


@given(data=st.data(), n=st.integers(1, 600))
def test_the_first_bad_id_is_named_wherever_it_is(data, n):
    tokenizer = get_encoding("gpt2")
    at = data.draw(st.integers(0, n - 1))
    for bad, error, message in (
        (60_000, TokenError, "60000"),
        (2**32 - 1, TokenError, "4294967295"),
        (-1, TokenRangeError, f"-1 at index {at}"),
        (2**32, TokenRangeError, f"4294967296 at index {at}"),
        (2**62, TokenRangeError, f"at index {at}"),
    ):
        ids = [1169] * n
        ids[at] = bad
        for given_ids in (ids, tuple(ids), np.array(ids, np.int64)):
            with pytest.raises(error, match=message):
                tokenizer.decode_bytes(given_ids)
            with pytest.raises(error, match=message):
                tokenizer.decode(given_ids)
    ids[at] = "x"
    with pytest.raises(TypeError, match=f"'x' at index {at}"):
        tokenizer.decode(ids)


def test_ids_that_are_not_plainly_ints():
    tokenizer = get_encoding("gpt2")
    assert tokenizer.decode([True, Number(1169), np.int32(1169), np.uint64(262)]) == '"thethe the'
    assert tokenizer.decode(np.array([True, False])) == '"!'
    dates = np.array(["2020-01-01"], "M8[D]")
    for wrong in (
        dates,
        np.array(["a"]),
        np.array([None]),
        np.array([1.0]),
        np.array([[1, 2]]),
        np.array(3),
        [1.0],
        "ab",
        3,
        None,
        [None],
    ):
        with pytest.raises(TypeError):
            tokenizer.decode(wrong)
    with pytest.raises(TokenError):
        tokenizer.decode(np.array([2**40], np.int64) >> 8)
    with pytest.raises(TokenRangeError):
        tokenizer.decode(np.array([2**64 - 1], np.uint64))


def test_ids_that_are_not_in_use():
    tokenizer = get_encoding("p50k_base")  # 50256 is a special token, all below are in use
    ranks = {bytes([byte]): 2 * byte for byte in range(256)}
    gaps = Tokenizer("gaps", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    assert gaps.decode(gaps.encode("abc")) == "abc"
    for ids in ([3], np.array([2, 3]), [2] * 300 + [3]):
        with pytest.raises(TokenError, match="3"):
            gaps.decode(ids)
    assert tokenizer.decode([50256]) == "<|endoftext|>"


def test_tokens_of_any_length():
    """Short tokens are copied sixteen bytes at a time, long ones in full, into memory that grows."""
    tokens = [bytes([byte]) for byte in range(256)] + [b"x" * size for size in range(2, 60)] + [b"y" * 10_000]
    ranks = {token: at for at, token in enumerate(tokens)}
    tokenizer = Tokenizer("long", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    for ids in (range(len(tokens)), [len(tokens) - 1] * 5, [300, 313] * 400, [len(tokens) - 1, *range(256)]):
        assert tokenizer.decode_bytes(ids) == b"".join(tokens[token] for token in ids)
        assert tokenizer.decode_bytes(list(ids)) == b"".join(tokens[token] for token in ids)


@pytest.mark.parametrize("errors", ["replace", "ignore", "backslashreplace"])
def test_bytes_that_are_not_utf8(errors):
    tokenizer = Tokenizer(
        "b", pat_str="gpt2", mergeable_ranks={bytes([byte]): byte for byte in range(256)}, special_tokens={}
    )
    for data in (b"\xff", b"a\xe4\xb8" * 200, b"\xf0\x9f\x98\x80" * 100 + b"\x80"):
        assert tokenizer.decode(list(data), errors=errors) == data.decode("utf-8", errors)
        with pytest.raises(UnicodeDecodeError):
            tokenizer.decode(list(data), errors="strict")
    with pytest.raises(LookupError, match="nosuch"):
        tokenizer.decode([255], errors="nosuch")
    with pytest.raises(TypeError):
        tokenizer.decode([255], errors=3)
