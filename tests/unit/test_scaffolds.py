"""Training without scaffolds: settings, files, and what the tokenizer says of itself."""

import pytest

import bpetok
from bpetok import train
from bpetok.counting import CountTable
from bpetok.errors import TrainingError

# "entuck" and the like lead to " Kentucky" only; " Ken" is a word too.
COUNTS = {b" Kentucky": 50, b" Ken": 30, b" the": 40, b" then": 9, b" other": 8}


def made(vocab_size, share):
    table = CountTable.from_mapping(COUNTS, "gpt2")
    return bpetok.train_from_counts(table, vocab_size=vocab_size, drop_scaffolds=share)


def test_tokens_on_the_way_to_a_whole_piece_are_left_out():
    plain = bpetok.train_from_counts(CountTable.from_mapping(COUNTS, "gpt2"), vocab_size=268)
    without = made(268, 0.9)
    before, after = (set(each.vocabulary.tokens().values()) for each in (plain, without))
    assert {b" Kentucky", b" Ken", b" the"} <= after
    assert any(b"tuck" in token and token != b" Kentucky" for token in before)
    assert not any(b"tuck" in token and token != b" Kentucky" for token in after)
    assert len(after) == len(before) == 268 or without.provenance["ended_early"]
    assert without.encode(" Kentucky") == [without.vocabulary.ranks()[b" Kentucky"]]
    assert len(without.encode(" Kentuckyans")) > len(plain.encode(" Kentuckyans"))  # the price
    assert without.vocabulary.semantics == "ranks"


def test_what_the_tokenizer_says_of_itself():
    tokenizer = made(268, 0.8)
    report = tokenizer.provenance["scaffolds"]
    assert report["share"] == 0.8
    assert report["dropped"] > 0
    assert report["corpus_tokens"] == sum(
        n * len(tokenizer._encode_single_piece(piece)) for piece, n in COUNTS.items()
    )
    assert report["corpus_tokens"] < report["corpus_tokens_classical"]
    assert tokenizer.provenance["n_merges"] == len(tokenizer.vocabulary.merges())


def test_files_keep_the_ids(tmp_path):
    tokenizer = train(
        ["the other Kentucky then"] * 4, vocab_size=270, drop_scaffolds=0.9, special_tokens=["<a>"]
    )
    for file_format in ("native", "huggingface", "tiktoken"):
        tokenizer.save(tmp_path / file_format, file_format)
        loaded = bpetok.Tokenizer.load(tmp_path / file_format)
        for text in ("the other Kentucky then", "otherwise Kentuckyans", "\u00e9 the"):
            assert loaded.encode(text) == tokenizer.encode(text)


def test_a_corpus_that_has_no_more():
    tokenizer = train(["ab ab ab"], vocab_size=300, drop_scaffolds=0.5)
    assert "no pair is left" in tokenizer.provenance["ended_early"]
    assert tokenizer.n_vocab < 300


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop_scaffolds": 0}, "drop_scaffolds is 0"),
        ({"drop_scaffolds": 1.1}, "drop_scaffolds is 1.1"),
        ({"drop_scaffolds": float("nan")}, "drop_scaffolds is nan"),
        ({"tie_break": "huggingface"}, 'needs tie_break="bytes"'),
    ],
)
def test_errors(change, message):
    with pytest.raises(TrainingError, match=message):
        train(["ab ab"], **({"vocab_size": 260, "drop_scaffolds": 0.9} | change))
