"""Equal ids: proven by structure, tried on texts, or a smallest text that differs."""

import dataclasses

import numpy as np
import pytest

from bpetok import AddedToken, Tokenizer, Vocabulary, get_encoding, train, verify
from bpetok.errors import FormatError
from bpetok.normalization import NFC
from bpetok.patterns import NAMED
from bpetok.splits import Digits, Splits
from bpetok.verification import REFUSED, Reading, _smallest, differing_parts, reading

QUICK = {"every": 64, "n_strings": 500}
TEXT = "the cat sat on the mat, the cats can't sit\n  \nthat's 12345 naive <s> \u6771\u4eac  \n "


def trained(**options) -> Tokenizer:
    return train([TEXT * 3], **{"vocab_size": 290, "special_tokens": ["<s>"], **options})


def changed(tokenizer: Tokenizer, *, merges=None, pattern=None, **extras) -> Tokenizer:
    """The tokenizer with some parts replaced."""
    vocabulary = tokenizer.vocabulary
    if merges is not None:
        vocabulary = Vocabulary.from_merges(vocabulary.tokens(), merges, vocabulary.special_tokens)
    parts = {**tokenizer.extras(), **extras}
    return Tokenizer.from_vocabulary("changed", pattern or tokenizer.pattern.source, vocabulary, **parts)


# ---- by structure --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["native", "tiktoken", "huggingface"])
def test_what_is_saved_is_proven_to_be_equal(tmp_path, format):
    tokenizer = train([TEXT], vocab_size=290, pattern="o200k", special_tokens=["<s>"])
    ranked = Tokenizer(
        "ranked",
        pat_str="o200k",
        mergeable_ranks=tokenizer.vocabulary.ranks(),
        special_tokens={"<s>": 0x1000},
    )
    ranked.save(tmp_path / "file", format)
    verdict = verify(ranked, Tokenizer.load(tmp_path / "file"))
    assert verdict.proven
    assert verdict.equal
    assert verdict.n_texts == {}


def test_the_order_of_merges_counts_and_ranks_do_not():
    tokenizer = trained()
    assert differing_parts(tokenizer, changed(tokenizer, merges=tokenizer.vocabulary.merges())) == []
    merges = tokenizer.vocabulary.merges()
    assert differing_parts(tokenizer, changed(tokenizer, merges=merges[::-1])) == ["merges"]


def test_what_ids_do_not_depend_on_is_no_part():
    tokenizer = trained()
    other = changed(tokenizer, chat_template="{{ x }}", dropout=0.1)
    assert verify(tokenizer, other).proven


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"normalizer": NFC()}, "normalizer"),
        ({"pattern": "gpt2"}, "pattern"),
        ({"pattern": Splits((Digits(True),))}, "pattern"),
        ({"added_tokens": [AddedToken("<s>", 289, lstrip=True)]}, "special tokens"),
    ],
)
def test_every_part_is_looked_at(options, part):
    tokenizer = trained()
    assert tokenizer.vocabulary.special_tokens == {"<s>": 289}
    verdict = verify(tokenizer, changed(tokenizer, **options), **QUICK)
    assert verdict.parts == (part,)
    assert not verdict.proven


# ---- by texts ------------------------------------------------------------------------------------------


def ids(tokens) -> list[int]:
    return [token for token, _ in tokens]


def test_two_merges_swapped():
    vocabulary = Vocabulary.from_merges(
        [bytes([byte]) for byte in range(256)] + [b"ab", b"bc", b"cd"], [(97, 98), (98, 99), (99, 100)], {}
    )
    one = Tokenizer.from_vocabulary("one", "gpt2", vocabulary)
    found = verify(one, changed(one, merges=[(98, 99), (97, 98), (99, 100)]), **QUICK).difference
    assert found.text == "abc"
    assert (ids(found.one), ids(found.other)) == ([256, 99], [97, 257])
    assert found.one == [(256, b"ab"), (99, b"c")]


def test_two_merges_swapped_in_a_real_vocabulary():
    tokenizer = get_encoding("gpt2")
    merges = tokenizer.vocabulary.merges()
    tokens = tokenizer.vocabulary.tokens()
    assert tokens[int(merges[2][0])] + tokens[int(merges[2][1])] == b"he"
    swapped = merges.copy()
    swapped[[2, 3]] = swapped[[3, 2]]
    assert verify(changed(tokenizer, merges=merges), changed(tokenizer, merges=swapped), **QUICK).parts == (
        "merges",
    )
    swapped = np.concatenate([merges[:2], merges[3:], merges[2:3]])
    found = verify(changed(tokenizer, merges=merges), changed(tokenizer, merges=swapped), **QUICK).difference
    assert len(found.text) < 8
    assert tokenizer.decode(ids(found.one)) == tokenizer.decode(ids(found.other)) == found.text


def test_another_pattern():
    tokenizer = trained(pattern="cl100k", vocab_size=294)
    found = verify(
        tokenizer, changed(tokenizer, pattern=NAMED["cl100k"].replace("{1,3}", "{1,2}"))
    ).difference
    assert found is not None
    assert set(found.text) <= set("0123456789")


def test_a_flag_of_an_added_token():
    tokenizer = trained()
    found = verify(tokenizer, changed(tokenizer, added_tokens=[AddedToken("<s>", 289, lstrip=True)]), **QUICK)
    assert found.difference.text.strip() == "<s>"
    assert len(found.difference.text) == 4
    always = verify(
        tokenizer, changed(tokenizer, added_tokens=[AddedToken("<s>", 289, special=False)]), **QUICK
    )
    assert (always.difference.text, always.difference.mode) == ("<s>", "text")


def test_a_normalizer():
    tokenizer = trained()
    found = verify(tokenizer, changed(tokenizer, normalizer=NFC())).difference
    assert len(found.text) <= 2
    assert found.found == "code points"


def test_a_text_that_one_refuses():
    ranks = {bytes([byte]): byte for byte in range(255)}
    one = Tokenizer("one", pat_str="gpt2", mergeable_ranks=ranks | {b"\xff": 255}, special_tokens={})
    other = Tokenizer(
        "other",
        pat_str="gpt2",
        mergeable_ranks={b: r for b, r in ranks.items() if r != 0x41},
        special_tokens={},
    )
    found = verify(one, other).difference
    assert (found.text, found.one, found.other) == ("A", [(0x41, b"A")], None)


def test_parts_may_be_spelled_otherwise_and_mean_the_same():
    tokenizer = trained(pattern="gpt2")
    other = changed(tokenizer, pattern=f"(?:{NAMED['gpt2']})")
    verdict = verify(tokenizer, other, corpus=[TEXT], **QUICK)
    assert verdict.parts == ("pattern",)
    assert verdict.equal
    assert not verdict.proven
    assert verdict.n_texts["strings"] == 500
    assert verdict.n_texts["corpus"] == 1


def test_only_the_corpus_has_it():
    tokenizer = trained()
    reader = Reading("other", {"text": _but("needle" * 5, tokenizer)}, lambda token: b"")
    assert verify(tokenizer, reader, **QUICK).equal
    text = "hay " * 50_000
    found = verify(tokenizer, reader, corpus=["", text + "needle" * 5 + text], **QUICK).difference
    assert (found.text, found.found, found.other) == ("needle" * 5, "corpus", None)


def _but(needle, tokenizer):
    """A reader that gives the same ids but for texts with a needle in them."""

    def encode(texts):
        lists = [[REFUSED] if needle in text else tokenizer.encode_ordinary(text) for text in texts]
        offsets = np.cumsum([0, *map(len, lists)])
        return np.array([token for each in lists for token in each], np.int64), offsets

    return encode


def test_small_texts_are_as_small_as_they_get():
    tokenizer = trained()
    for text, needle in (("ab" * 100 + "xyz" + "b" * 33, "xyz"), ("q", "q"), ("aqa", "q")):
        readers = [
            Reading(name, {"text": _but(name, tokenizer)}, lambda token: b"") for name in ("\0", needle)
        ]
        assert _smallest(*readers, "text", text) == needle


def test_the_seed_decides_which_strings():
    seen = []

    def encode(texts):
        seen.extend(texts)
        return np.zeros(0, np.int64), np.zeros(len(texts) + 1, np.int64)

    both = [Reading(name, {"text": encode}, lambda token: b"") for name in "ab"]
    verify(*both, n_strings=20, every=1 << 20, seed=1)
    first, seen[:] = list(seen), []
    verify(*both, n_strings=20, every=1 << 20, seed=1)
    assert seen == first
    seen.clear()
    verify(*both, n_strings=20, every=1 << 20, seed=2)
    assert seen != first


# ---- other libraries -----------------------------------------------------------------------------------


def test_a_library_that_is_not_known_or_refuses(tmp_path):
    path = tmp_path / "file"
    path.write_text("{}")
    with pytest.raises(FormatError, match="no library that can be compared with: use one of tokenizers"):
        reading(path, "pickle")
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    with pytest.raises(FormatError, match="tokenizers refuses it"):
        reading(path, "tokenizers")


def test_verdicts_are_plain_data():
    assert dataclasses.asdict(verify(trained(), trained())) == {
        "proven": True,
        "n_texts": {},
        "difference": None,
        "parts": (),
    }
