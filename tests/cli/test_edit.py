"""`bpetok extend` and `bpetok prune`."""

import json

import numpy as np
import pytest
from command_line import refused, run

import bpetok
from bpetok import Tokenizer

TEXT = "the new words: tokenizer tokenizers tokenizing " * 3


@pytest.fixture
def corpus(write):
    return write("corpus.txt", TEXT)


@pytest.fixture
def trained(corpus, tmp_path):
    path = tmp_path / "old.bpetok"
    run("train", corpus, "-o", path, "--vocab-size", 270, "--special", "<end>")
    return path


def test_extend(corpus, trained, tmp_path):
    out, ids = tmp_path / "new.bpetok", tmp_path / "map.json"
    result = run("extend", trained, corpus, "-n", 5, "-o", out, "--map", ids, "--json")
    assert json.loads(result.stdout) == {"n_vocab": 275, "added": 5, "output": str(out)}
    assert "5 tokens added, 275 ids now" in result.stderr
    old, new = Tokenizer.load(trained), Tokenizer.load(out)
    expected = old.extend(corpus, 5).tokenizer
    assert new.name == "new"
    assert new.vocabulary.tokens() == expected.vocabulary.tokens()
    assert new.vocabulary.special_tokens == old.vocabulary.special_tokens
    assert json.loads(ids.read_text()) == list(range(270))
    assert new.provenance["edits"][0]["n_merges"] == 5


def test_extend_says_when_it_ends_early(corpus, tmp_path):
    result = run("extend", "gpt2", corpus, "-n", 1000, "-o", tmp_path / "new.bpetok")
    assert "no further pair occurs 2 times" in result.stderr


def test_prune_by_files(corpus, trained, tmp_path):
    out, ids = tmp_path / "new.bpetok", tmp_path / "map.npy"
    result = run("prune", trained, corpus, "--vocab-size", 262, "-o", out, "--map", ids)
    assert "8 tokens removed, 262 ids left" in result.stderr
    old, new = Tokenizer.load(trained), Tokenizer.load(out)
    expected, id_map = old.prune(corpus, vocab_size=262)
    assert new.vocabulary.tokens() == expected.vocabulary.tokens()
    assert np.load(ids).tolist() == id_map.tolist()
    assert new.decode(new.encode(TEXT)) == TEXT


def test_files_are_those_of_train(corpus, trained, write, tmp_path):
    rows = json.dumps({"body": TEXT}) + "\n"
    twice = write("twice.jsonl", rows * 2)
    options = ("--field", "body", "--unique", "--memory", "256MiB", "--threads", 1, "--temp", tmp_path)
    for command in (("extend", trained, "-n", 5), ("prune", trained)):
        plain, other = tmp_path / f"{command[0]}.bpetok", tmp_path / f"{command[0]}.other"
        assert run(*command, corpus, "-o", plain).exit_code == 0
        result = run(*command, twice, *options, "-o", other)
        assert result.exit_code == 0, result.output
        one, two = Tokenizer.load(plain), Tokenizer.load(other)
        assert one.vocabulary.tokens() == two.vocabulary.tokens()


def test_counts_in_place_of_files(corpus, trained, write, tmp_path):
    counts, words = tmp_path / "a.counts", write("words.tsv", "the\t2\n new\t3\n")
    assert run("tally", corpus, "-o", counts).exit_code == 0
    old = Tokenizer.load(trained)
    both = bpetok.CountTable.merge(
        bpetok.CountTable.load(counts), bpetok.CountTable.from_words(words, old.pattern.source)
    )
    out = tmp_path / "new.bpetok"
    for files in ((counts, words), (words, counts)):
        assert run("extend", trained, "--counts", *files, "-n", 5, "-o", out, "--force").exit_code == 0
        expected = old.extend(both, 5).tokenizer
        assert Tokenizer.load(out).vocabulary.tokens() == expected.vocabulary.tokens()
    assert run("prune", trained, "--counts", counts, words, "-o", out, "--force").exit_code == 0
    assert Tokenizer.load(out).vocabulary.tokens() == old.prune(both).tokenizer.vocabulary.tokens()
    # Words alone are pieces of the tokenizer's own pattern, whatever that is.
    assert run("extend", "gpt2", "--counts", words, "-n", 0, "-o", out, "--force").exit_code == 0
    refused(run("extend", "gpt2", "--counts", counts, "-n", 5, "-o", out, "--force"), "tokenizer's own")
    refused(run("prune", trained, "--counts", counts, "--unique", "-o", out, "--force"), "counted already")
    refused(run("extend", trained, corpus, "-n", 5, "--checkpoint", tmp_path, "-o", out, "--force"), "--dask")


def test_prune_by_ids(trained, tmp_path):
    out = tmp_path / "new.bpetok"
    result = run("prune", trained, "--remove", 256, "--remove", 268, "-o", out, "--json")
    assert json.loads(result.stdout)["n_vocab"] == Tokenizer.load(out).n_vocab < 269


def test_prune_an_encoding_to_its_own_format(corpus, tmp_path):
    out = tmp_path / "small.tiktoken"
    run("prune", "cl100k_base", corpus, "-o", out, "--format", "tiktoken")
    small = Tokenizer.load(out)
    assert small.n_vocab < 300
    assert small.decode(small.encode(TEXT)) == TEXT


def test_what_is_refused(corpus, trained, tmp_path):
    out = tmp_path / "new.bpetok"
    refused(run("prune", trained, "-o", out), "either FILES", "--remove")
    refused(run("prune", trained, corpus, "--remove", 256, "-o", out), "either FILES")
    refused(run("prune", trained, "--remove", 256, "--vocab-size", 9, "-o", out), "--vocab-size")
    refused(run("prune", trained, "--remove", 97, "-o", out), "single byte")
    refused(run("prune", trained, corpus, "--vocab-size", 9, "-o", out), "from 257", "to 270")
    refused(run("extend", trained, corpus, "-n", 5, "-o", out, "--map", out), "name another")
    refused(run("extend", trained, corpus, "-n", 5, "-o", "-"), "OUT must be a file: - is none")
    refused(
        run("extend", trained, corpus, "-n", 5, "-o", out, "--map", "-"), "--map must be a file: - is none"
    )
    refused(run("extend", trained, corpus, "-n", 5, "-o", trained), "--force")
    refused(run("extend", trained, corpus, "-n", 2**40, "-o", out), "ids are used")
    refused(run("extend", "no such tokenizer", corpus, "-n", 5, "-o", out), "no tokenizer")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt", "old.bpetok"]
