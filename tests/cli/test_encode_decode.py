"""`bpetok encode` and `bpetok decode`: every form of ids, there and back."""

import json

import numpy as np
import pytest
from command_line import refused, run, run_process

import bpetok

CL100K = ("-t", "cl100k_base")
TEXT = "naïve 🙂 text,\n\nwith lines \t and ที่\n"


@pytest.fixture
def records(write):
    return write("records.jsonl", '{"text": "one two", "id": "a"}\n{"text": "three ✓", "id": "b"}\n')


def test_ids_as_text_are_a_line_a_document(records, write):
    tokenizer = bpetok.get_encoding("cl100k_base")
    result = run("encode", records, write("plain.txt", "plain\n"), *CL100K)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        " ".join(map(str, tokenizer.encode(text))) for text in ("one two", "three ✓", "plain\n")
    ]


def test_another_field(records):
    assert run("encode", records, "--field", "id", *CL100K).stdout == "64\n65\n"


@pytest.mark.parametrize("name", ["cl100k_base", "gpt2"])
@pytest.mark.parametrize("suffix", ["txt", "npy", "bin"])
def test_round_trip_through_a_file(write, tmp_path, name, suffix):
    texts = [write(f"{n}.txt", TEXT * n) for n in (1, 500)]
    out = tmp_path / f"ids.{suffix}"
    assert run("encode", *texts, "-t", name, "-o", out).stdout == ""
    expected = bpetok.get_encoding(name).encode(TEXT) + bpetok.get_encoding(name).encode(TEXT * 500)
    dtype = "<u4" if name == "cl100k_base" else "<u2"
    if suffix == "npy":
        array = np.load(out)
        assert array.dtype == np.dtype(dtype)
        assert array.tolist() == expected
    elif suffix == "bin":
        assert np.fromfile(out, dtype).tolist() == expected
    done = run_process("decode", out, "-t", name)
    assert (done.returncode, done.stdout.decode()) == (0, TEXT * 501)
    copy = tmp_path / "copy.txt"
    assert run("decode", out, "-t", name, "-o", copy).exit_code == 0
    assert copy.read_bytes().decode() == TEXT * 501
    assert {path.name for path in tmp_path.iterdir()} == {"1.txt", "500.txt", out.name, "copy.txt"}


def test_long_documents_are_one_line(write, monkeypatch):
    monkeypatch.setattr("bpetok.cli.ids._SLICE", 7)
    texts = ["word " * n for n in (0, 6, 7, 8, 50)]
    path = write("long.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))
    tokenizer = bpetok.get_encoding("cl100k_base")
    lines = run("encode", path, *CL100K).stdout.split("\n")
    assert lines == [*(" ".join(map(str, tokenizer.encode(text))) for text in texts), ""]


def test_pipes():
    encoded = run_process("encode", *CL100K, stdin=TEXT.encode())
    assert encoded.returncode == 0
    assert run_process("encode", "-", *CL100K, "-o", "-", stdin=TEXT.encode()).stdout == encoded.stdout
    assert run_process("decode", *CL100K, stdin=encoded.stdout).stdout == TEXT.encode()


def test_json_is_a_line_a_document(records):
    lines = run("encode", records, *CL100K, "--json").stdout.splitlines()
    tokenizer = bpetok.get_encoding("cl100k_base")
    assert [json.loads(line) for line in lines] == [
        {"source": str(records), "ids": tokenizer.encode(text)} for text in ("one two", "three ✓")
    ]


def test_json_beside_a_file_says_what_was_written(records, tmp_path):
    out = tmp_path / "ids.bin"
    assert json.loads(run("encode", records, *CL100K, "-o", out, "--json").stdout) == {
        "output": str(out),
        "tokenizer": "cl100k_base",
        "documents": 2,
        "bytes": 16,
        "tokens": 4,
    }


def test_tokenizer_by_model_name_and_by_environment(write):
    path = write("plain.txt", "hello world")
    expected = run("encode", path, "-t", "o200k_base").stdout
    assert run("encode", path, "-t", "gpt-4o").stdout == expected
    assert run_process("encode", path, env={"BPETOK_TOKENIZER": "o200k_base"}).stdout.decode() == expected


def test_unknown_tokenizer(write):
    refused(run("encode", write("a.txt", "a"), "-t", "gpt2x"), "no tokenizer 'gpt2x'", "cl100k_base")


class TestSpecialTokens:
    text = "a<|endoftext|>b<|fim_prefix|>"

    def ids(self, *options: str) -> list[int]:
        result = run("encode", *CL100K, *options, stdin=self.text)
        assert result.exit_code == 0, result.output
        return [int(word) for word in result.stdout.split()]

    def test_refused_unless_asked_for(self, write):
        path = write("text.txt", self.text)
        refused(
            run("encode", path, *CL100K), str(path), "'<|endoftext|>'", "--special none", "--allow-special"
        )

    def test_as_ordinary_text(self):
        tokenizer = bpetok.get_encoding("cl100k_base")
        assert self.ids("--special", "none") == tokenizer.encode_ordinary(self.text)

    def test_as_tokens(self):
        assert self.ids("--special", "all") == [64, 100257, 65, 100258]

    def test_some_by_name(self):
        both = ("--allow-special", "<|endoftext|>", "--allow-special", "<|fim_prefix|>")
        assert self.ids(*both) == [64, 100257, 65, 100258]
        refused(run("encode", *CL100K, *both[:2], stdin=self.text), "'<|fim_prefix|>'")
        assert self.ids("--special", "none", *both[:2])[:3] == [64, 100257, 65]

    def test_one_that_the_tokenizer_does_not_have(self):
        refused(run("encode", *CL100K, "--allow-special", "<s>", stdin="a"), "'<s>'", "<|endoftext|>")

    def test_the_file_is_named_among_many(self, write):
        good, bad = write("good.txt", "a"), write("bad.txt", self.text)
        refused(run("encode", good, bad, *CL100K), "bad.txt: the text contains")


def test_invalid_utf8_is_refused_or_replaced(write):
    path = write("latin.txt", b"caf\xe9!")
    refused(run("encode", path, *CL100K), "latin.txt: not UTF-8", "at byte 3", "--replace")
    replaced = run("encode", path, *CL100K, "--replace").stdout
    assert run("decode", *CL100K, stdin=replaced).stdout == "caf\ufffd!"


def test_ids_of_no_document_and_of_an_empty_one(write, tmp_path):
    empty = write("empty.txt", "")
    assert run("encode", empty, *CL100K).stdout == "\n"
    none = write("none.jsonl", "")
    for name in ("ids.npy", "ids.bin"):
        assert run("encode", none, *CL100K, "-o", tmp_path / name).exit_code == 0
        assert run("decode", tmp_path / name, *CL100K).stdout == ""


class TestOutput:
    def test_an_existing_file_needs_force(self, write, tmp_path):
        text, out = write("a.txt", "a"), write("ids.npy", "precious")
        refused(run("encode", text, *CL100K, "-o", out), "ids.npy exists", "--force")
        refused(run("decode", *CL100K, "-o", out, stdin="64"), "ids.npy exists", "--force")
        assert out.read_bytes() == b"precious"
        assert run("encode", text, *CL100K, "-o", out, "--force").exit_code == 0
        assert np.load(out).tolist() == [64]

    def test_links_and_permissions_are_kept(self, write, tmp_path):
        out, link = write("ids.txt", "old"), tmp_path / "link.txt"
        out.chmod(0o640)
        link.symlink_to(out)
        assert run("encode", *CL100K, "-o", link, "--force", stdin="a").exit_code == 0
        assert link.is_symlink()
        assert out.read_text() == "64\n"
        assert out.stat().st_mode & 0o777 == 0o640

    def test_a_failure_leaves_what_was_there(self, write, tmp_path):
        bad, out = write("bad.jsonl", '{"text": "a"}\n{oops}\n'), write("ids.npy", "precious")
        refused(run("encode", bad, *CL100K, "-o", out, "--force"), "bad.jsonl:2")
        assert out.read_bytes() == b"precious"
        refused(run("encode", bad, *CL100K, "-o", tmp_path / "new.bin"), "bad.jsonl:2")
        assert {path.name for path in tmp_path.iterdir()} == {"bad.jsonl", "ids.npy"}

    def test_places_that_cannot_be_written(self, tmp_path):
        refused(run("encode", *CL100K, "-o", tmp_path, stdin="a"), "not an ordinary file")
        refused(run("encode", *CL100K, "-o", "/dev/stdout", "--force", stdin="a"), "- for standard output")
        refused(run("encode", *CL100K, "-o", tmp_path / "no" / "ids.npy", stdin="a"), "there is no folder")


class TestBadIds:
    @pytest.mark.parametrize(
        ("ids", "message"),
        [
            ("1 2 three", "-:1: 'three' is not a token id"),
            ("\n-2", "-:2: '-2' is not a token id"),
            ("1.5", "'1.5' is not a token id"),
            ("1 100300", "100300"),
            ("4294967296", "4294967296"),
            ("9" * 30, "is not a token id"),
        ],
    )
    def test_in_text(self, ids, message):
        refused(run("decode", *CL100K, stdin=ids), message)

    def test_an_unknown_one_names_the_tokenizer_and_its_limit(self):
        refused(run("decode", "-t", "gpt2", stdin="50257"), "50257", "gpt2 has ids up to 50256")

    def test_in_files(self, write, tmp_path):
        refused(run("decode", write("odd.bin", b"abc"), "-t", "gpt2"), "odd.bin", "multiple of 2 bytes")
        refused(run("decode", write("text.npy", "1 2 3"), "-t", "gpt2"), "text.npy: not a whole .npy file")
        np.save(tmp_path / "real.npy", np.array([1.5]))
        refused(run("decode", tmp_path / "real.npy", "-t", "gpt2"), "no array of whole numbers")
        np.save(tmp_path / "whole.npy", np.array([1, 2, 3]))
        cut = (tmp_path / "whole.npy").read_bytes()[:-4]
        refused(run("decode", write("cut.npy", cut), "-t", "gpt2"), "cut.npy: not a whole .npy file")
        refused(run("decode", tmp_path / "no.txt", "-t", "gpt2"), "no.txt: No such file")

    def test_a_printed_list_can_be_pasted(self):
        assert run("decode", *CL100K, stdin="[15339, 1917]\n").stdout == "hello world"
