"""Training with byte fallback: ids, alphabets, what is done to texts, and errors."""

from pathlib import Path

import pytest


from bpetok import CountTable, count, counting, reference, train, train_from_counts
from bpetok.alphabet import Characters
from bpetok.errors import CorpusError, TrainingError, VocabularyError

TEXTS = ["the cat\nthe \u6f22 cat 12", "\u2167 cats and the caf\u00e9" * 3]


def trained(texts=TEXTS, vocab_size=300, **options):
    return train(texts, vocab_size=vocab_size, byte_fallback=True, min_frequency=1, **options)


def test_ids_are_in_the_order_of_sentencepiece():
    tokenizer = trained(special_tokens=["<pad>"], user_defined_symbols=["<sep>"])
    vocabulary = tokenizer.vocabulary
    assert dict(vocabulary.special_tokens) == {"<unk>": 0, "<s>": 1, "</s>": 2, "<pad>": 3, "<sep>": 4}
    assert list(vocabulary.byte_tokens) == list(range(5, 261))
    tokens = [data.decode() for token, data in vocabulary.tokens().items() if token > 260]
    n = len(vocabulary.merges())
    assert all(len(text) > 1 for text in tokens[:n])
    assert all(len(text) == 1 for text in tokens[n:])
    assert tokens[n] == " "
    assert tokenizer.encode_ordinary("<sep>\u2603") == [
        4,
        tokens.index(" ") + 261,
        *(b + 5 for b in "\u2603".encode()),
    ]


def test_no_token_breaks_the_rules():
    tokenizer = trained(vocab_size=400, split_digits=True, max_piece_length=3)
    texts = [data.decode(errors="replace") for data in tokenizer.vocabulary.tokens().values()]
    assert max(map(len, texts)) == 3
    assert not any(len(text) > 1 and ("1" in text or "\n" in text or " " in text[1:]) for text in texts)
    assert tokenizer.provenance["ended_early"].endswith("and may be one token")


def test_text_comes_back():
    for options in ({}, {"dummy_prefix": False}, {"split_by_whitespace": False}):
        tokenizer = trained(**options)
        for text in ("", " the  cat", "\u2603\n\0 \U0001f600", *TEXTS):
            assert tokenizer.decode(tokenizer.encode_ordinary(text)) == text


def test_normal_forms_are_in_the_counts_and_in_the_tokenizer():
    tokenizer = trained(normalizer="nfkc")
    assert tokenizer.encode_ordinary("\u2167") == tokenizer.encode_ordinary("VIII")


def test_counts_know_what_was_done_to_the_texts(tmp_path):
    characters = Characters(normalizer="nfkc", user_defined_symbols=["cat"])
    how = {"pattern": characters.pattern(), "treatment": characters.treatment()}
    counts = count(TEXTS, **how)
    assert counts[b" the"]
    assert not any(b"cat" in piece for piece in counts)
    counting.tally(TEXTS, tmp_path / "x.counts", **how)
    loaded = CountTable.load(tmp_path / "x.counts")
    assert loaded == counts
    one = train_from_counts(loaded, vocab_size=300, byte_fallback=True, min_frequency=1)
    other = trained(normalizer="nfkc", user_defined_symbols=["cat"])
    assert one.vocabulary.tokens() == other.vocabulary.tokens()
    assert one.normalizer == other.normalizer
    with pytest.raises(CorpusError, match="cannot be added up"):
        CountTable.merge(counts, count(TEXTS, pattern="metaspace"))
    with pytest.raises(TrainingError, match="cut at symbols such as 'cat'"):
        train_from_counts(counts, vocab_size=300)


@pytest.mark.parametrize("normalizer", ["identity", "nfkc"])
def test_a_file_in_parts_is_the_text(tmp_path, monkeypatch, normalizer):
    monkeypatch.setattr(counting, "CHUNK", 16)
    text = "the \u2167 caf\u00e9 and the cat\u0301s  are\nhere " * 9
    Path(tmp_path / "x.txt").write_text(text)
    characters = Characters(normalizer=normalizer)
    how = {"pattern": "metaspace", "treatment": characters.treatment()}
    assert count([tmp_path / "x.txt"], num_threads=2, **how) == count([text], num_threads=1, **how)
    prepared = characters.treatment().stretches(text)
    assert dict(count([text], **how)) == reference.count_pieces(prepared, r" [^ ]*|[^ ]+")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 262}, "3 special tokens, 256 bytes and"),
        ({"character_coverage": 0}, "a share, above 0"),
        ({"normalizer": "nope"}, "must be one of"),
        ({"max_piece_length": 0}, "at least 1"),
        ({"max_token_length": 5}, "give max_piece_length"),
        ({"special_tokens": ["<unk>"]}, "given twice"),
        ({"superword_from": 280}, "byte-level vocabularies"),
        ({"user_defined_symbols": "ab"}, "give a list"),
    ],
)
def test_settings_that_cannot_be_met(options, message):
    with pytest.raises(TrainingError, match=message):
        trained(**options)


def test_options_for_characters_need_byte_fallback():
    with pytest.raises(TrainingError, match="need byte_fallback=True"):
        train(TEXTS, vocab_size=300, split_digits=True)


def test_editing_is_refused():
    tokenizer = trained()
    with pytest.raises(VocabularyError, match="merges characters"):
        tokenizer.extend(TEXTS, 1)
    with pytest.raises(VocabularyError, match="merges characters"):
        tokenizer.prune(TEXTS)
