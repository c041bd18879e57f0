"""`bpetok convert` and `bpetok verify`."""

import json

import pytest
from command_line import refused, run

from bpetok import Template, Tokenizer, Vocabulary, get_encoding
from bpetok.decoding import SentencePiece

TEXT = "the cat sat on the mat, the cats can't sit <end> 12345\n" * 4


@pytest.fixture
def trained(write, tmp_path):
    path = tmp_path / "old.bpetok"
    run("train", write("corpus.txt", TEXT), "-o", path, "--vocab-size", 280, "--special", "<end>")
    return path


# ---- convert -------------------------------------------------------------------------------------------


def test_convert_says_what_is_kept(trained, tmp_path):
    out = tmp_path / "new.json"
    result = run("convert", trained, out, "--to", "huggingface", "--json")
    assert result.exit_code == 0
    table = result.stderr.splitlines()
    assert [line.split()[:2] for line in table[:2]] == [["tokens", "kept"], ["merges", "kept"]]
    assert "special tokens   kept       1" in table
    assert "huggingface does not hold: name, provenance, merge counts" in table
    assert table[-2:] == [table[-2], f"written to {out} (huggingface)"]
    assert "ids: equal, because all that they depend on is the same" in table
    told = json.loads(result.stdout)
    assert told["proven"]
    assert told["lost"] == ["name", "provenance", "merge counts"]
    assert told["files"] == [str(out)]
    old, new = Tokenizer.load(trained), Tokenizer.load(out)
    assert old.encode(TEXT, allowed_special="all") == new.encode(TEXT, allowed_special="all")


def test_convert_from_a_name_to_two_files(tmp_path):
    out = tmp_path / "ranks"
    told = json.loads(run("convert", "gpt2", out, "--to", "tiktoken", "--json").stdout)
    assert told["files"] == [f"{out}.json", str(out)]
    assert set(told["parts"].values()) == {"kept"}
    assert Tokenizer.load(out).encode("hello world") == [31373, 995]


def test_convert_tries_texts_where_parts_are_spelled_otherwise(tmp_path):
    out = tmp_path / "gpt2.json"
    result = run("convert", "gpt2", out, "--to", "huggingface", "--json")
    told = json.loads(result.stdout)
    assert not told["proven"]
    assert told["parts"]["pattern"] == "rewritten"
    assert told["texts"] > 50_000
    assert "ids: equal on" in result.stderr


def test_a_template_that_is_lost_is_named(tmp_path):
    vocabulary = get_encoding("gpt2").vocabulary
    before = tmp_path / "before.json"
    Tokenizer.from_vocabulary(
        "before", "gpt2", vocabulary, template=Template((50256, "A")), chat_template="{{ x }}"
    ).save(before, "huggingface")
    result = run("convert", before, tmp_path / "after", "--to", "tiktoken")
    assert "tiktoken does not hold: template" in result.stderr


def test_a_format_that_would_change_ids_is_refused(trained, tmp_path):
    out = tmp_path / "new"
    refused(run("convert", trained, out, "--to", "sentencepiece"), f"cannot write {out}", "starts from bytes")
    vocabulary = Vocabulary.from_characters(
        {1: b"a", 2: b" "}, merges=[], special_tokens={"<unk>": 0}, byte_tokens=None, unknown=0
    )
    path = tmp_path / "characters.json"
    Tokenizer.from_vocabulary("c", "metaspace", vocabulary, decoder=SentencePiece(True)).save(
        path, "huggingface"
    )
    refused(run("convert", path, out, "--to", "tiktoken"), f"cannot write {out}")
    assert not out.exists()


def test_nothing_is_written_if_ids_differ_when_read_again(trained, tmp_path, monkeypatch):
    from bpetok import formats

    load = formats.load
    monkeypatch.setattr(
        formats,
        "load",
        lambda path, **more: get_encoding("gpt2") if "new" in str(path) else load(path, **more),
    )
    out = tmp_path / "new"
    refused(
        run("convert", trained, out),
        f"cannot write {out}",
        "read again it has other ids",
        "nothing was written",
    )
    assert not out.exists()


def test_ranks_without_a_pattern(tmp_path):
    bare = tmp_path / "bare"
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256}
    Tokenizer("bare", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={}).save(bare, "tiktoken")
    (tmp_path / "bare.json").unlink()
    out = tmp_path / "out"
    refused(run("convert", bare, out), "holds ranks only")
    run("convert", bare, out, "--pattern", "cl100k", "--special", "<end>=300")
    loaded = Tokenizer.load(out)
    assert loaded.pattern.name == "cl100k"
    assert loaded.vocabulary.special_tokens == {"<end>": 300}
    refused(run("convert", bare, out, "--special", "<end>=300"), "say its --pattern")
    refused(run("convert", bare, out, "--pattern", "gpt2", "--special", "300"), "write TEXT=ID")


def test_standard_output_is_no_file(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    for to in ("native", "transformers"):
        refused(run("convert", trained, "-", "--to", to), "OUT must be a file: - is none")
    assert sorted(tmp_path.iterdir()) == before


def test_an_existing_file_is_kept(trained, tmp_path):
    out = tmp_path / "out"
    out.write_text("precious")
    refused(run("convert", trained, out), "exists: add --force")
    assert out.read_text() == "precious"
    assert run("convert", trained, out, "--force").exit_code == 0


# ---- verify --------------------------------------------------------------------------------------------


def test_verify_proves(trained, tmp_path):
    out = tmp_path / "new.json"
    run("convert", trained, out, "--to", "huggingface")
    result = run("verify", trained, out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "a proof for every text" in result.stdout
    assert json.loads(run("verify", trained, out, "--json").stdout)["proven"]


def test_verify_shows_a_small_text(trained, tmp_path):
    result = run("verify", "gpt2", "p50k_base")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "different ids for '  ' (U+0020 U+0020; from code points):",
        "  gpt2: 220 220  \u00b7\u2502\u00b7",
        "  p50k_base: 50257  \u00b7\u00b7",
    ]
    assert result.stderr == "not the same in both: tokens, merges\n"
    result = run("verify", "gpt2", "p50k_base", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["difference"]["text"] == "  "
    assert [token["id"] for token in told["difference"]["one"]] == [220, 220]
    assert told["difference"]["other"] == [{"id": 50257, "bytes": "2020"}]


def test_verify_with_a_corpus_and_a_library(trained, tmp_path, write):
    pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    out = tmp_path / "ranks"
    run("convert", trained, out, "--to", "tiktoken")
    corpus = write("text.txt", TEXT)
    result = run(
        "verify", out, "--with", "tiktoken", "--corpus", corpus, "--strings", 100, "--seed", 3, "--every", 64
    )
    assert result.exit_code == 0, result.output
    assert "100 of strings, 1 of corpus" in result.stdout


def test_verify_usage(trained, tmp_path):
    refused(run("verify", trained), "name two tokenizers, or a library")
    refused(run("verify", trained, tmp_path / "missing"), "no tokenizer")
    refused(run("verify", trained, "gpt2", "--corpus", tmp_path / "missing"), "No such file")
