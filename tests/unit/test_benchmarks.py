"""The benchmark scripts on a few kilobytes: figures are there, and an engine that is wrong is caught."""

import gzip
import hashlib
import importlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MODULES = ("corpus", "engines", "process", "report")

WRONG = """
import engines
import train


class FromTheStart(engines.Bpetok):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.encode = lambda text: self.tokenizer.encode_ordinary(text)[::-1]


class InArrays(engines.Bpetok):
    def encode_array(self, text):
        return super().encode_array(text)[1:]


class TheSecondTime(engines.Bpetok):
    known = ""

    def encode_array(self, text):
        ids = super().encode_array(text)
        if text == self.known:
            ids[0] += 1
        self.known = text
        return ids


class Learner(train.Bpetok):
    def merges(self):
        return super().merges()[::-1]
"""

# Found by name in the process that directs, where it stands in for a compiler that runs meanwhile.
CHANGING = """
import itertools

import report
import train

builds = itertools.count()
report.build = lambda: str(next(builds))


class Learner(train.Bpetok):
    pass
"""


@pytest.fixture
def text_file(tmp_path):
    draw = Random(7)
    words = ["".join(draw.choices("abcdeé中 ", k=draw.randint(1, 8))) for _ in range(300)]
    file = tmp_path / "text.txt"
    file.write_text(" ".join(draw.choices(words, k=2000)), "utf-8")
    return file


def run(script, *arguments, path=""):
    return subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(path), os.getenv("PYTHONPATH"))))},
    )


def encode(text_file, *arguments, **options):
    small = ("--megabytes", 0.002, "--repeats", 1, "--load-repeats", 1, "--encodings", "gpt2")
    return run("encode.py", "--files", text_file, *small, *arguments, **options)


def train(text_file, *arguments, **options):
    small = ("--megabytes", 0.01, "--repeats", 1, "--vocab-size", 300)
    return run("train.py", "--files", text_file, *small, *arguments, **options)


def test_encoding_gives_figures_for_every_workload(tmp_path, text_file):
    pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    done = encode(text_file, "--engines", "bpetok,tiktoken", "--json", tmp_path / "new" / "record.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "tiktoken" in done.stdout
    record = json.loads((tmp_path / "new" / "record.json").read_text("utf-8"))
    assert {
        "date",
        "commit",
        "machine",
        "versions",
        "settings",
        "corpora",
        "cpus_of_others",
        "build",
    } <= record.keys()
    assert record["corpora"]["given"]["files"] == 1
    assert record["corpora"]["given"]["sha256"] == hashlib.sha256(text_file.read_bytes()).hexdigest()
    steps = {(each["workload"], each["engine"]): each for each in record["results"]}
    assert steps.keys() == {
        (workload, engine) for workload in ("list", "numpy", "short") for engine in ("bpetok", "tiktoken")
    }
    for (workload, engine), each in steps.items():
        assert each["unseen_s"] > 0 < each["seen_s"]
        assert each["tokens"] > 0
        assert each["ids_sha256"] == steps[workload, "bpetok"]["ids_sha256"], engine
        assert each["strings"] == (20 if workload == "short" else 1)
    assert len({each["ids_sha256"] for each in steps.values()}) == 3  # every workload has other text
    for row in record["summary"]:
        speeds = row["mb_per_s"]
        assert row["ratio"]["tiktoken"] == pytest.approx(speeds["bpetok"] / speeds["tiktoken"])
    assert {row["text"] for row in record["summary"]} == {"unseen", "seen"}
    assert all(row["load_ms"] > 0 for row in record["loading_summary"])


@pytest.mark.parametrize("wrong", ["FromTheStart", "InArrays", "TheSecondTime"])
def test_an_engine_with_other_ids_is_caught(tmp_path, text_file, wrong):
    (tmp_path / "wrong.py").write_text(WRONG, "utf-8")
    record = tmp_path / "record.json"
    done = encode(text_file, "--engines", f"bpetok,wrong:{wrong}", "--json", record, path=tmp_path)
    assert done.returncode == 1
    assert "no figures: gpt2, " in done.stderr
    assert f"wrong:{wrong}" in done.stderr
    assert done.stdout == ""
    assert not record.exists()


def test_too_little_text_is_said(text_file):
    done = encode(text_file, "--engines", "bpetok", "--repeats", 9)
    assert done.returncode == 2
    assert "there is text for" in done.stderr


def test_training_gives_figures_and_agrees(tmp_path, text_file):
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    done = train(text_file, "--engines", "bpetok,tokenizers", "--json", tmp_path / "record.json")
    assert (done.returncode, done.stderr) == (0, "")
    record = json.loads((tmp_path / "record.json").read_text("utf-8"))
    rows = {(row["engine"], row["tie_break"], row["threads"]): row for row in record["summary"]}
    assert rows.keys() == {
        (engine, tie_break, threads)
        for engine, tie_break in (
            ("bpetok", "bytes"),
            ("bpetok", "huggingface"),
            ("tokenizers", "huggingface"),
        )
        for threads in (1, 2)
    }
    assert all(row["median_s"] > 0 and row["merges"] == 44 for row in rows.values())
    if sys.platform == "linux":
        assert all(row["peak_mb"] > 0 for row in rows.values())
    for tie_break in ("bytes", "huggingface"):
        assert len({row["merges_sha256"] for row in rows.values() if row["tie_break"] == tie_break}) == 1


def test_a_build_that_changes_during_the_run_is_caught(tmp_path, text_file):
    (tmp_path / "changing.py").write_text(CHANGING, "utf-8")
    record = tmp_path / "record.json"
    done = train(text_file, "--engines", "changing:Learner", "--threads", 1, "--json", record, path=tmp_path)
    assert done.returncode == 1
    assert "no figures: bpetok was changed" in done.stderr
    assert not record.exists()


def test_a_trainer_with_other_merges_is_caught(tmp_path, text_file):
    (tmp_path / "wrong.py").write_text(WRONG, "utf-8")
    done = train(text_file, "--engines", "bpetok,wrong:Learner", "--threads", 1, path=tmp_path)
    assert done.returncode == 1
    assert "no figures: the merges differ: bpetok with 1 threads" in done.stderr
    assert done.stdout == ""


# ---- the modules below the scripts -----------------------------------------------------------------


@pytest.fixture
def modules(monkeypatch):
    """The modules of the benchmarks, for one test: their names are too plain to stay."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = {name: sys.modules.pop(name, None) for name in MODULES}
    yield {name: importlib.import_module(name) for name in MODULES}
    for name, module in before.items():
        del sys.modules[name]
        if module is not None:
            sys.modules[name] = module


def catalogue(*messages):
    """A compiled gettext catalogue of translations, the header among them."""
    table = 28 + 8 * len(messages)
    at = table + 8 * len(messages)
    places, texts = b"", b""
    for message in messages:
        places += struct.pack("<2I", len(message), at + len(texts))
        texts += message + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(messages), 28, table, 0, at)
    return head + b"\0" * (8 * len(messages)) + places + texts


def test_a_corpus_holds_each_text_once_and_no_other_files(modules, tmp_path):
    corpus = modules["corpus"]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_bytes(b"one\n")
    (tmp_path / "a" / "two.gz").write_bytes(gzip.compress("zwei é\n".encode()))
    (tmp_path / "again.txt").write_bytes(b"one\n")
    (tmp_path / "three.mo").write_bytes(catalogue(b"Content-Type: x\n", b"drei", b"eins\0viele"))
    (tmp_path / "zeros").write_bytes(b"a\0b")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    (tmp_path / "broken.mo").write_bytes(catalogue(b"head", b"text")[:9])
    (tmp_path / "large").write_bytes(b"x" * (corpus.MOST_BYTES + 1))
    (tmp_path / "link").symlink_to(tmp_path / "a" / "one.txt")
    found = corpus.build("given", 10**6, [tmp_path])
    assert sorted(found.texts) == ["drei\neins\nviele", "one\n", "zwei é\n"]
    assert found.n_bytes == len("".join(found.texts).encode())
    assert found.sha256 == hashlib.sha256("".join(found.texts).encode()).hexdigest()
    assert corpus.build("given", 10**6, [tmp_path]) == found
    assert corpus.build("given", 1, [tmp_path]).texts == found.texts[:1]
    with pytest.raises(ValueError, match="use code, english, multilingual or given"):
        corpus.build("poetry", 10)


def test_python_itself_is_a_corpus(modules):
    found = modules["corpus"].build("code", 50_000)
    assert found.n_bytes >= 50_000
    assert any("import" in text for text in found.texts)


def test_parts_end_between_characters(modules):
    cut = modules["corpus"].cut
    assert list(cut("abcdefg", 4)) == ["abcd"]
    assert list(cut("abcé" + "\U0001f600" * 2, 4)) == ["abc", "é", "\U0001f600", "\U0001f600"]
    text = "".join(Random(3).choices("aé中\U0001f600", k=500))
    for size in (4, 7, 100):
        parts = list(cut(text, size))
        assert text.startswith("".join(parts))
        assert all(size - 3 <= len(part.encode()) <= size for part in parts)


def test_what_happens_in_a_process_of_its_own(modules):
    with modules["process"].Worker(modules["process"].processors()[-1:]) as worker:
        assert worker.ask(os.getpid) != os.getpid()
        assert worker.ask(max, 3, 4) == 4
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            worker.ask(divmod, 1, 0)
        assert len(worker.ask(modules["process"].processors)) <= 1
        with pytest.raises(RuntimeError, match="ended with code 3"):
            worker.ask(os._exit, 3)


def test_a_busy_machine_is_said(modules):
    report = modules["report"]
    assert "quiet machine" in report.busyness(report.QUIET + 0.01)
    assert "quiet machine" not in report.busyness(report.QUIET)
    assert "not known" in report.busyness(None)
    used = report.Watch().cpus_of_others()
    assert (used is not None and used >= 0) if sys.platform == "linux" else used is None
