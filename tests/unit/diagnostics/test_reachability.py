"""Witnesses: texts that become an entry, told from entries that none was found for."""

import numpy as np
import pytest

from bpetok import Tokenizer, get_encoding
from bpetok.diagnostics.reachability import find_witnesses
from bpetok.diagnostics.subject import Subject
from toys import Plain, toy


def search(tokenizer, *texts):
    subject = Subject(tokenizer)
    return find_witnesses(subject, np.bincount(subject.encode(texts).ids, minlength=subject.n_vocab))


IMPOSSIBLE = {0xC0, 0xC1, *range(0xF5, 0x100)}


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base", "o200k_base"])
def test_every_witness_becomes_its_entry(name):
    tokenizer = get_encoding(name)
    found = search(tokenizer)
    assert found.n_own + len(found.witnesses) + len(found.none_found) == found.n_entries
    for witness in found.witnesses:
        assert witness.id in tokenizer.encode_ordinary(witness.text)
        assert tokenizer.decode_single_token_bytes(witness.id).hex() == witness.data


def test_o200k_has_an_entry_that_its_own_text_is_not():
    tokenizer = get_encoding("o200k_base")
    entry = tokenizer.encode_single_token("亚洲AV")
    assert tokenizer.encode_ordinary("亚洲AV") != [entry]
    (witness,) = [each for each in search(tokenizer).witnesses if each.id == entry]
    assert entry in tokenizer.encode_ordinary(witness.text)


def test_bytes_that_no_text_has_are_not_found():
    none = {int(each.data, 16) for each in search(toy("ab")).none_found}
    assert none == IMPOSSIBLE


def test_parts_of_characters_are_completed():
    parts = [
        b"\xe4\xb8",
        b"\xad\xe6",
        b"\xb8\xad",
        "中".encode() + b"\xe6",
        b"\x99\x82",
        b"\x9f\x99\x82",
        b"a\xf0",
    ]
    found = search(toy(*parts, pattern=r"(?s).+"))
    assert {int(each.data, 16) for each in found.none_found} == IMPOSSIBLE


def test_an_entry_that_merging_never_leaves():
    # "bc" is taken first, so that "ab" does not come of "abc"; but it does of other texts.
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"bc": 256, b"ab": 257}
    tokenizer = Tokenizer("t", pat_str=r"(?s)..", mergeable_ranks=ranks, special_tokens={})
    assert {int(each.data, 16) for each in search(tokenizer).none_found} == IMPOSSIBLE
    split = Tokenizer("t", pat_str=r"(?s).", mergeable_ranks=ranks, special_tokens={})
    assert {each.data for each in search(split).none_found} >= {b"ab".hex(), b"bc".hex()}


def test_the_corpus_is_a_witness():
    tokenizer = toy("abXYZ", pattern=r"abXYZ(?=!)|.")
    assert {each.data for each in search(tokenizer).none_found} >= {b"abXYZ".hex()}
    assert b"abXYZ".hex() not in {each.data for each in search(tokenizer, "abXYZ!").none_found}


def test_the_least_tokenizer_gives_the_same():
    assert search(Plain(toy("ab", b"\xe4\xb8"))) == search(toy("ab", b"\xe4\xb8"))


def test_the_bounds_are_said():
    assert "4096" in search(toy()).bounds
