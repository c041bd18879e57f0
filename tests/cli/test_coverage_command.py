"""`bpetok coverage`: what falls apart, by language, and a vocabulary with tokens for it."""

import csv
import json

import pytest
from command_line import refused, run

from bpetok import Tokenizer


@pytest.fixture
def tokenizer(write, tmp_path):
    corpus = write("corpus.txt", "the cat and the other cat\n" * 2)
    path = tmp_path / "small.json"
    run("train", corpus, "-o", path, "--vocab-size", 290, "--byte-fallback", "--format", "huggingface")
    return path


@pytest.fixture
def texts(write):
    return write("eng.txt", "the cat \u2603"), write("zho.txt", "\u6f22\u6f22 \u2603\u2603")


def test_by_language(tokenizer, texts):
    result = run("coverage", tokenizer, *texts, "--json")
    found = json.loads(result.stdout)
    assert found["saves"] == "exactly"
    assert list(found["languages"]) == ["eng", "zho"]
    assert found["languages"]["eng"] == {
        "characters": 10,
        "tokens": 6,
        "characters_apart": 1,
        "tokens_apart": 3,
        "distinct_apart": 1,
        "apart": [
            {
                "code_point": "U+2603",
                "name": "SNOWMAN",
                "script": "Zyyy",
                "character": "\u2603",
                "times": 1,
                "saves": 2,
            }
        ],
        "adding": [{"n": 1, "saves": 2, "share": round(2 / 6, 6)}],
    }
    assert found["total"]["characters_apart"] == 5
    assert [row["character"] for row in found["total"]["apart"]] == ["\u2603", "\u6f22"]


def test_files_of_one_language_go_together(tokenizer, texts):
    result = run("coverage", tokenizer, *(f"all={path}" for path in texts), "--json")
    assert list(json.loads(result.stdout)["languages"]) == ["all"]


def test_tables(tokenizer, texts):
    result = run("coverage", tokenizer, *texts, "--top", 1)
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["language", "characters", "apart"]
    assert [line.split()[0] for line in lines[1:4]] == ["eng", "zho", "total"]
    assert "SNOWMAN" in result.stdout
    assert "and 1 more (--top 0 shows all)" in lines
    assert "tokens for 2 (all) save 10 tokens" in result.stdout


def test_csv(tokenizer, texts):
    result = run("coverage", tokenizer, *texts, "--csv")
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [(row["language"], row["code_point"], row["times"]) for row in rows] == [
        ("eng", "U+2603", "1"),
        ("zho", "U+2603", "2"),
        ("zho", "U+6F22", "2"),
    ]


def test_adding(tokenizer, texts, tmp_path):
    out = tmp_path / "longer.json"
    options = ("--add", 1, "-o", out, "--format", "huggingface")
    result = run("coverage", tokenizer, *texts, *options, "--json")
    assert "1 token added, 283 ids now; 6 tokens fewer on these texts" in result.stderr
    old, new = Tokenizer.load(tokenizer), Tokenizer.load(out)
    assert new.encode_ordinary("\u2603")[-1] == 282
    assert new.encode_ordinary("the cat \u6f22") == old.encode_ordinary("the cat \u6f22")
    after = json.loads(run("coverage", out, *texts, "--json").stdout)["total"]
    before = json.loads(result.stdout)["total"]
    assert before["tokens"] - after["tokens"] == 6


def test_byte_level_vocabularies(texts, tmp_path):
    result = run("coverage", "gpt2", *texts)
    assert "save at most" in result.stdout
    out = tmp_path / "x"
    refused(run("coverage", "gpt2", *texts, "--add", 1, "-o", out), "byte-level", "extend")
    assert not out.exists()


def test_usage(tokenizer, texts, tmp_path):
    refused(run("coverage", tokenizer, *texts, "--add", 1), "--add N and -o OUT go together")
    refused(run("coverage", tokenizer, *texts, "--csv", "--json"), "choose one")
    refused(run("coverage", tokenizer, tmp_path / "missing"), "missing", "No such file")
    out = tokenizer
    refused(run("coverage", tokenizer, *texts, "--add", 1, "-o", out), "exists: add --force")
    refused(run("coverage", tokenizer, *texts, "--add", 1, "-o", "-"), "OUT must be a file: - is none")


def test_adding_makes_the_folder_of_a_format_of_several_files(tokenizer, texts, tmp_path):
    folder = tmp_path / "folder"
    done = run("coverage", tokenizer, *texts, "--add", 1, "-o", folder, "--format", "transformers")
    assert done.exit_code == 0, done.stderr
    assert Tokenizer.load(folder).n_vocab == 283
