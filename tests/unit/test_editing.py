"""Extending and pruning: what is refused, what is kept, and examples."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bpetok import CountTable, Tokenizer, Vocabulary, count, get_encoding, train
from bpetok.errors import CorpusError, TrainingError, VocabularyError

BYTES = [bytes([byte]) for byte in range(256)]
TEXTS = ["low lower lowest slow slower slowest", "new newer newest"] * 3


def toy(**options):
    return train(TEXTS, vocab_size=262, special_tokens=["<end>"], pattern="gpt2", **options)


def test_new_ids_come_behind_the_special_tokens():
    old = toy()
    new, id_map = old.extend(TEXTS, 4, name="longer")
    assert new.vocabulary.special_tokens == {"<end>": 261}
    made = [new.vocabulary.token_bytes(token) for token in range(262, 266)]
    assert made == [b"new", b"st", b" lowe", b" new"]
    assert id_map.dtype == np.int64
    assert new.name == "longer"
    assert new.encode("low<end>", allowed_special="all") == old.encode("low<end>", allowed_special="all")


def test_extending_a_trained_tokenizer_goes_on_with_its_training():
    whole = train(TEXTS, vocab_size=272, pattern="gpt2")
    part = train(TEXTS, vocab_size=264, pattern="gpt2").extend(TEXTS, 8).tokenizer
    assert part.vocabulary.tokens() == whole.vocabulary.tokens()
    assert part.vocabulary.merges().tolist() == whole.vocabulary.merges().tolist()
    assert part.vocabulary.merge_counts.tolist() == whole.vocabulary.merge_counts.tolist()


def test_counts_are_as_good_as_texts():
    old = toy()
    counts = count(TEXTS, pattern="gpt2")
    assert (
        old.extend(counts, 5).tokenizer.vocabulary.tokens()
        == old.extend(TEXTS, 5).tokenizer.vocabulary.tokens()
    )
    assert old.prune(counts).id_map.tolist() == old.prune(TEXTS).id_map.tolist()


def test_a_corpus_is_counted_as_for_training(tmp_path):
    old = toy()
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"body": text}) + "\n" for text in TEXTS), "utf-8")
    with ThreadPoolExecutor(2) as executor:
        options = {"field": "body", "executor": executor, "memory": 1 << 28, "checkpoint": tmp_path / "kept"}
        longer, shorter = old.extend(path, 5, **options), old.prune(path, **options)
    assert longer.tokenizer.vocabulary.tokens() == old.extend(TEXTS, 5).tokenizer.vocabulary.tokens()
    assert shorter.id_map.tolist() == old.prune(TEXTS).id_map.tolist()


def test_an_unknown_option_is_refused():
    old = toy()
    counts = count(TEXTS, pattern="gpt2")
    for call in (
        lambda **options: old.extend(TEXTS, 5, **options),
        lambda **options: old.extend(counts, 5, **options),
        lambda **options: old.prune(counts, **options),
        lambda **options: old.prune(ids=[256], **options),
    ):
        with pytest.raises(TypeError, match="'vocab_sizes'"):
            call(vocab_sizes=300)


def test_what_was_done_is_written_down():
    edited = toy().extend(TEXTS, 5).tokenizer.prune(ids=[256]).tokenizer
    first, second = edited.provenance["edits"]
    assert (first["what"], first["n_merges"], first["n_merges_requested"]) == ("extended", 5, 5)
    assert second["what"] == "pruned"
    assert edited.provenance["vocab_size"] == edited.n_vocab
    assert edited.provenance["pattern"] == toy().provenance["pattern"]


def test_a_token_is_never_made_twice():
    # Merges that give `abc` only as a + bc: `ab` and c side by side are another way to it, which is left out.
    tokens = [*BYTES, b"bc", b"abc", b"ab"]
    pairs = [(98, 99), (97, 256), (97, 98)]
    old = Tokenizer.from_vocabulary("two ways", ".+", Vocabulary.from_merges(tokens, pairs, {}))
    assert old._encode_single_piece(b"abc") == [257]
    odd = Tokenizer.from_vocabulary("odd", ".+", Vocabulary.from_merges(tokens, [(97, 98)], {}))
    assert odd._encode_single_piece(b"abc") == [258, 99]
    new, _ = odd.extend(CountTable.from_mapping({b"abcd": 5, b"abc": 1}, ".+"), 3)
    assert list(new.vocabulary.tokens().values())[259:] == [b"cd", b"abcd"]


def test_nothing_to_add():
    old = toy()
    for new, _ in (old.extend(TEXTS, 0), old.extend(["x"], 5)):
        assert new.vocabulary.tokens() == old.vocabulary.tokens()


def test_dependants_go_too():
    old = toy()
    tokens = {data: token for token, data in old.vocabulary.tokens().items() if len(data) > 1}
    assert {b"lo", b"low"} <= set(tokens)
    new, id_map = old.prune(ids=[tokens[b"lo"]])
    left = set(new.vocabulary.tokens().values())
    assert not [data for data in left if b"lo" in data]
    assert id_map[tokens[b"low"]] == -1
    assert new.decode(new.encode("slowest")) == "slowest"


def test_a_token_made_in_two_ways_needs_one():
    tokens = [*BYTES, b"ab", b"bc", b"abc"]
    pairs = [(97, 98), (98, 99), (256, 99), (97, 257)]
    old = Tokenizer.from_vocabulary("two ways", ".+", Vocabulary.from_merges(tokens, pairs, {}))
    new, id_map = old.prune(ids=[256])
    assert id_map[256:].tolist() == [-1, 256, 257]
    assert new._encode_single_piece(b"abc") == [257]
    assert old.prune(ids=[256, 257]).tokenizer.n_vocab == 256


def test_gaps_are_closed():
    ranks = dict(zip(BYTES, range(256), strict=True)) | {b"ab": 300, b"cd": 301}
    old = Tokenizer("gaps", pat_str=".+", mergeable_ranks=ranks, special_tokens={"<a>": 310, "<b>": 310})
    new, id_map = old.prune(["cd"])
    assert new.vocabulary.special_tokens == {"<a>": 257, "<b>": 257}
    assert new.encode("abcd") == [97, 98, 256]
    assert [at for at in range(256, 311) if id_map[at] >= 0] == [301, 310]


def test_the_least_used_go_first():
    ranks = dict(zip(BYTES, range(256), strict=True)) | {b"ab": 256, b"cd": 257, b"abcd": 258, b"ef": 259}
    old = Tokenizer("toy", pat_str=r"\S+", mergeable_ranks=ranks, special_tokens={})
    corpus = ["abcd abcd ef ef ef ab cd cd"]

    def left(size):
        return list(old.prune(corpus, vocab_size=size).tokenizer.vocabulary.tokens().values())[256:]

    assert left(260) == [b"ab", b"cd", b"abcd", b"ef"]
    assert left(259) == [b"ab", b"cd", b"ef"]  # `abcd` 2 times, and now `ab` 3 and `cd` 4
    assert left(258) == [b"ab", b"cd"]  # `ef` and `ab` 3 times: the last id goes first
    assert left(257) == [b"cd"]


def test_a_special_token_that_is_a_token_stays():
    old = train(TEXTS, vocab_size=265, special_tokens=["lowe"], tie_break="huggingface", pattern="gpt2")
    assert old.vocabulary.tokens()[0] == b"lowe"
    with pytest.raises(VocabularyError, match="special token"):
        old.prune(ids=[0])
    lo = next(token for token, data in old.vocabulary.tokens().items() if data == b"lo")
    with pytest.raises(VocabularyError, match="would not be made"):
        old.prune(ids=[lo])
    with pytest.raises(VocabularyError, match="are needed"):
        old.prune(TEXTS, vocab_size=257)


def test_what_cannot_be_done():
    old = toy()
    for arguments in ({}, {"sources": TEXTS, "ids": [256]}):
        with pytest.raises(VocabularyError, match="either a corpus"):
            old.prune(**arguments)
    with pytest.raises(VocabularyError, match="for pruning by a corpus"):
        old.prune(ids=[256], vocab_size=300)
    for token, why in ((97, "single byte"), (261, "special token"), (999, "no token"), (-1, "no token")):
        with pytest.raises(VocabularyError, match=why):
            old.prune(ids=[token])
    for size in (256, 263):
        with pytest.raises(VocabularyError, match="from 257"):
            old.prune(TEXTS, vocab_size=size)
    for n in (-1, 2**24):
        with pytest.raises(TrainingError, match="n is"):
            old.extend(TEXTS, n)
    for options in ({"min_frequency": -1}, {"max_token_length": 0}):
        with pytest.raises(TrainingError, match="min_frequency"):
            old.extend(TEXTS, 1, **options)
    for edit in (lambda c: old.extend(c, 1), old.prune):
        with pytest.raises(CorpusError, match="pattern"):
            edit(count(TEXTS, pattern="o200k"))
        with pytest.raises(CorpusError, match="no text"):
            edit([""])
    few = Tokenizer("few", pat_str=".+", mergeable_ranks={b"a": 0, b"b": 1}, special_tokens={})
    with pytest.raises(VocabularyError, match="254 of the 256 bytes"):
        few.extend(["ab"], 1)


def test_published_encodings():
    text = "tokenizer tokenizers tokenizing untokenizable " * 4
    for name in ("gpt2", "cl100k_base"):
        old = get_encoding(name)
        new, _ = old.extend([text], 3)
        assert new.n_vocab == old.n_vocab + 3
        assert len(new.encode(text)) < len(old.encode(text))
        assert new.encode("Nothing new here.") == old.encode("Nothing new here.")
        small, id_map = new.prune([text])
        assert small.encode(text) == id_map[new.encode(text)].tolist()
