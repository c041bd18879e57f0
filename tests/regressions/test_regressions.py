"""Every defect ever fixed, with the smallest input that showed it."""

import errno
import os

import pytest
import regex

import bpetok
from bpetok import Tokenizer, decoding, patterns, reference
from bpetok.errors import FormatError
from bpetok.formats.sentencepiece import model
from bpetok.normalization import Prepend, Replace, Sequence
from bpetok.normalization_spm import SentencePiece
from bpetok.pretokenize import split
from bpetok.vocabulary import Vocabulary

BYTES = {bytes([b]): b for b in range(256)}


@pytest.mark.parametrize(
    ("name", "plain", "possessive", "text"),
    [
        ("llama3", r"\s+(?!\S)", r"\s++(?!\S)", "a  b"),
        ("llama3", r"\s*[\r\n]+", r"\s*+[\r\n]+", "a \n b"),
        ("o200k", r"\p{M}]*[\p{Ll}", r"\p{M}]*+[\p{Ll}", "A\u4e2dB"),
        ("o200k", r"\p{N}]?", r"\p{N}]?+", "\u0301\n"),
    ],
)
def test_a_possessive_quantifier_was_taken_for_a_plain_one(name, plain, possessive, text):
    source = patterns.NAMED[name].replace(plain, possessive)
    assert source != patterns.NAMED[name]
    assert split(text, source) == [match.group() for match in regex.finditer(source, text)]
    assert split(text, source) == reference.split(text, source)


def test_a_token_of_bytes_that_are_no_tokens_was_refused():
    tokenizer = Tokenizer("t", pat_str="gpt2", mergeable_ranks={b"a": 0, b"ab": 1}, special_tokens={})
    assert tokenizer.encode("aab") == [0, 1]


def test_spans_were_guessed_where_a_pattern_leaves_text_out():
    tokenizer = Tokenizer("t", pat_str="(?<=1)a", mergeable_ranks=BYTES, special_tokens={})
    assert tokenizer.encode_with_offsets("a 1a").byte_spans.tolist() == [[3, 4]]


def test_a_multiline_dollar_was_the_end_of_the_text():
    assert split("a\nb\n", r"(?m)^.+$|\n") == ["a", "\n", "b", "\n"]
    assert split("a\nb\n", r"(?m:^a$)|b$|\n") == ["a", "\n", "\n"]
    assert split("ab\n", r"a|b$|\n") == ["a", "\n"]


def test_two_specials_of_one_id_were_refused():
    tokenizer = Tokenizer("t", pat_str="gpt2", mergeable_ranks=BYTES, special_tokens={"<a>": 256, "<b>": 256})
    assert tokenizer.encode("<a><b>", allowed_special="all") == [256, 256]
    assert tokenizer.decode([256]) == "<a>"


def test_a_special_token_behind_white_space_in_a_stream():
    tokenizer = Tokenizer(
        "t", pat_str="cl100k", mergeable_ranks=BYTES, special_tokens={"<|end of text|>": 256}
    )
    text = "word " * 9 + "   <|end of text|>x"
    encoder = tokenizer.stream_encoder(allowed_special="all")
    ids = [token for char in text for token in encoder.push(char)] + encoder.finish()
    assert ids == tokenizer.encode(text, allowed_special="all")


def test_an_empty_text_first_copied_from_no_buffer():
    # Undefined behaviour that only a sanitizer sees: memcpy of nothing from NULL.
    tokenizer = Tokenizer("t", pat_str="gpt2", mergeable_ranks=BYTES, special_tokens={})
    assert tokenizer.encode_to_numpy("").tolist() == []
    assert tokenizer.encode_batch([""]) == [[]]


def test_a_pair_that_is_linked_later_is_not_taken_to_stand_side_by_side():
    # While pairs are linked, what was found to stand side by side may merge a moment later: the longer
    # token that needs it must see that.
    left, right = bytes(range(1, 49)), bytes(range(100, 120))
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [part[:size] for part in (left, right) for size in range(2, len(part) + 1)]
    tokens += [left + right, left + right + b"z"]
    ranks = {token: rank for rank, token in enumerate(tokens)}
    merged = {token for *_, token in Vocabulary.from_ranks(ranks, {}).tables.merges()}
    assert {ranks[left + right], ranks[left + right + b"z"]} <= merged


def without_a_space() -> Tokenizer:
    """A tokenizer of characters with tokens for bytes, in which a space is no token."""
    vocabulary = Vocabulary.from_characters(
        {257: b"a", 258: b"b"},
        scores={257: -1.0, 258: -2.0},
        special_tokens={"<unk>": 256},
        byte_tokens=range(256),
    )
    normalizer = SentencePiece(remove_extra_whitespaces=False)
    return Tokenizer.from_vocabulary(
        "t", "whole", vocabulary, normalizer=normalizer, decoder=decoding.SentencePiece()
    )


def test_a_space_without_a_piece_was_taken_for_its_byte(tmp_path):
    """SentencePiece spells it by the bytes of U+2581, which it has become by then."""
    pieces = [("<unk>", 0.0, 2), *((f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)), ("a", -1.0, 1)]
    trainer = model.Trainer(model_type=2, vocab_size=len(pieces), byte_fallback=True)
    path = tmp_path / "x.model"
    path.write_bytes(model.serialize(model.Model(pieces, trainer, model.Normalizer(name="identity"))))
    with pytest.raises(FormatError, match=r"bytes of U\+2581"):
        Tokenizer.load(path)
    for format in ("sentencepiece", "gguf"):
        with pytest.raises(FormatError, match=r"bytes of U\+2581"):
            without_a_space().save(tmp_path / "y", format)


def test_a_space_without_a_token_was_written_as_one_with_another(tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    vocabulary = Vocabulary.from_characters({256: b"a"}, merges=[], special_tokens={}, byte_tokens=range(256))
    ours = Tokenizer.from_vocabulary(
        "t", "metaspace", vocabulary, normalizer=Sequence((Prepend(" "), Replace("\u2581", " ")))
    )
    ours.save(tmp_path / "x.json", "huggingface")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "x.json"))
    assert theirs.encode("a a").ids == ours.encode("a a") == [32, 256, 32, 256]


def test_a_damaged_count_table_is_called_so_once(tmp_path):
    path = tmp_path / "a.counts"
    bpetok.CountTable.from_mapping({f"word {n}": 1 for n in range(9999)}, "gpt2").save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(bpetok.BpetokError) as caught:
        bpetok.CountTable.load(path)
    assert str(caught.value).count("is damaged") == 1


def test_an_output_that_does_not_fit_is_named(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"a\.counts"):
        bpetok.CountTable.from_mapping({"a": 1}, "gpt2").save(tmp_path / "a.counts")
    assert list(tmp_path.iterdir()) == []
