"""Ids as Python objects: ints that pass for Python's own, and outlive what made them."""

import gc
import pickle
import sys

import numpy as np
import pytest

from bpetok import Tokenizer, get_encoding
from bpetok._ids import _made_as_python_does

BYTES = {bytes([byte]): byte for byte in range(256)}


@pytest.mark.skipif(
    sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)(),
    reason="ints are made by Python here",
)
@pytest.mark.parametrize("first", [0, 250, 65_530, 99_000, (1 << 24) - 300])
def test_ints_of_our_own_pass_for_pythons(first):
    assert _made_as_python_does(first, 300)


def test_ids_behave_like_any_int():
    ids = get_encoding("o200k_base").encode("a few words and \u65e5\u672c\u8a9e, " * 20)
    plain = [int(str(token)) for token in ids]
    assert ids == plain
    assert [type(token) for token in ids] == [int] * len(plain)
    assert [hash(token) for token in ids] == [hash(token) for token in plain]
    assert [
        (-token, token >> 3, token.bit_length(), f"{token:x}", token.to_bytes(4, "big")) for token in ids
    ] == [(-token, token >> 3, token.bit_length(), f"{token:x}", token.to_bytes(4, "big")) for token in plain]
    assert dict.fromkeys(ids, 1) == dict.fromkeys(plain, 1)
    assert pickle.loads(pickle.dumps(ids)) == plain
    assert np.array(ids).tolist() == plain
    assert sorted(ids) == sorted(plain)
    assert sum(ids) == sum(plain)


def test_ids_outlive_their_tokenizer():
    tokenizer = Tokenizer("t", pat_str="gpt2", mergeable_ranks=BYTES, special_tokens={"<e>": 70_000})
    ids = tokenizer.encode("hello<e>" * 100, allowed_special="all")
    expected = [*b"hello", 70_000] * 100
    del tokenizer
    gc.collect()
    assert ids == expected
    copies = [list(ids) for _ in range(1000)]
    del ids
    assert copies[999] == expected


def test_an_int_survives_being_dropped_more_often_than_it_was_counted():
    tokenizer = get_encoding("gpt2")
    before = tokenizer.encode("the")
    for _ in range(100_000):
        tokenizer.encode("the")
    assert before == tokenizer.encode("the") == [1169]


def test_arrays_own_their_ids():
    tokenizer = get_encoding("gpt2")
    for text in ("", "a", "some words " * 10, "some more words " * 50_000):
        expected = tokenizer.encode(text)
        array = tokenizer.encode_to_numpy(text)
        other = tokenizer.encode_to_numpy(text)
        assert array.dtype == np.uint32
        assert array.shape == (len(expected),)
        array += 1
        tokenizer.encode("something else " * 60_000)
        assert other.tolist() == expected
        assert (array - 1).tolist() == expected
        assert pickle.loads(pickle.dumps(other)).tolist() == expected
