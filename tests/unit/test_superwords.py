"""Superwords: patterns, settings, files."""

import pytest

import bpetok
from bpetok import train, train_from_counts
from bpetok.errors import PatternError, TrainingError
from bpetok.patterns import NAMED, superwords
from bpetok.pretokenize import split

TEXTS = ["By the way, it isn't the end of the road. By the way: the end of 2024.\n"] * 5


def test_what_bounds_a_piece():
    text = "I don't  know, the way of\nthe world 12 (in the box) is so very very very long"
    assert split(text, superwords("cl100k", 4)) == [
        "I don't", " ", " know", ",", " the way of", "\n", "the world", " ", "12", " (", "in the box", ")",
        " is so very very", " very long",
    ]  # fmt: skip
    assert split("aB c'sD e", superwords("o200k", 2)) == ["a", "B c's", "D e"]


def test_tokens_span_spaces_from_the_size_asked_for_on():
    tokenizer = train(TEXTS, vocab_size=300, superword_from=280, pattern="gpt2")
    tokens = [tokenizer.vocabulary.token_bytes(token) for token in range(300)]
    assert not any(b" " in token[1:] for token in tokens[:280])
    assert any(b" " in token[1:] for token in tokens[280:])
    assert tokens[:280] == [*train(TEXTS, vocab_size=280, pattern="gpt2").vocabulary.tokens().values()]
    assert tokenizer.pattern.source == superwords("gpt2", 4) == tokenizer.provenance["pattern"]
    assert tokenizer.provenance["superword_from"] == 280
    assert tokenizer.decode(tokenizer.encode(TEXTS[0])) == TEXTS[0]


def test_fewer_tokens_than_words_alone():
    few = len(train(TEXTS, vocab_size=300, superword_from=270).encode(TEXTS[0]))
    assert few < len(train(TEXTS, vocab_size=300).encode(TEXTS[0]))


def test_special_tokens_count():
    for tie_break in ("bytes", "huggingface"):
        tokenizer = train(
            TEXTS, vocab_size=290, superword_from=270, special_tokens=["<a>", "the"], tie_break=tie_break
        )
        assert tokenizer.n_vocab == 290
        assert tokenizer.encode("<a>", allowed_special="all") == [288 if tie_break == "bytes" else 0]


@pytest.mark.parametrize(
    "pattern", sorted({*NAMED.values()} - {NAMED["whole"], NAMED["metaspace"], NAMED["deepseek"]})
)
@pytest.mark.parametrize("file_format", ["native", "huggingface", "tiktoken"])
def test_files_keep_the_ids(pattern, file_format, tmp_path):
    tokenizer = train(TEXTS, vocab_size=300, superword_from=270, pattern=pattern)
    path = tmp_path / "superwords.json"
    tokenizer.save(path, file_format)
    loaded = bpetok.Tokenizer.load(path)
    assert loaded.pattern.scanner is not None
    for text in (*TEXTS, "by the way  of\n\nthe end it's\u0301 the 中文 é"):
        assert loaded.encode(text) == tokenizer.encode(text)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"superword_from": 255}, TrainingError, "superword_from is 255: it must be from 256"),
        ({"superword_from": 301}, TrainingError, "to vocab_size, which is 300"),
        ({"superword_words": 1}, PatternError, "a superword of 1 words"),
        ({"pattern": r"\w+|\W"}, PatternError, "superwords need one of the patterns"),
        ({"drop_scaffolds": 0.9}, TrainingError, "exclude each other"),
        ({"tie_break": "minbpe"}, TrainingError, "does not go together"),
    ],
)
def test_errors(change, error, message):
    with pytest.raises(error, match=message):
        train(TEXTS, **({"vocab_size": 300, "superword_from": 270} | change))


def test_counts_of_another_pattern():
    with pytest.raises(TrainingError, match=r"patterns\.superwords"):
        train_from_counts(bpetok.count(TEXTS), vocab_size=300, superword_from=270)


@pytest.mark.parametrize("tie_break", ["huggingface", "rustbpe"])
def test_other_ties(tie_break):
    tokenizer = train(TEXTS, vocab_size=290, superword_from=280, pattern="gpt2", tie_break=tie_break)
    words = train(TEXTS, vocab_size=280, pattern="gpt2", tie_break=tie_break)
    n = len(words.vocabulary.merges())
    assert tokenizer.vocabulary.merges()[:n].tolist() == words.vocabulary.merges().tolist()
    assert len(tokenizer.vocabulary.merges()) == n + 10
