"""`bpetok tally` and `bpetok train --counts`: counts as files."""

import json
import os
import pty
import subprocess

import pytest
from command_line import COMMAND, refused, run, run_process

import bpetok
from bpetok import CountTable
from bpetok.patterns import NAMED

SMALL = ("--vocab-size", "262")


def test_counts_are_those_of_the_files(words, write, tmp_path):
    records = write("records.jsonl", json.dumps({"body": "low lower"}) + "\n")
    out = tmp_path / "a.counts"
    result = run("tally", words, records, "-o", out, "--field", "body", "--pattern", "gpt2", "--threads", "2")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "8 distinct pieces, " in result.stderr
    assert f"written to {out} (" in result.stderr
    table = CountTable.load(out)
    assert table == bpetok.count([words, "low lower"], pattern="gpt2")
    assert table.provenance["sources"] == sorted([str(words), str(records)])


def test_json_summary(words, tmp_path):
    out = tmp_path / "a.counts"
    result = run("tally", words, "-o", out, "--json", "--memory", "200MiB", "--temp", tmp_path)
    summary = json.loads(result.stdout)
    table = bpetok.count(words)
    assert summary.pop("seconds") >= 0
    assert summary == {
        "output": str(out),
        "pattern": NAMED["cl100k"],
        "corpus": {"documents": 1, "bytes": words.stat().st_size},
        "pieces": table.n_pieces,
        "distinct_pieces": len(table),
        "size": out.stat().st_size,
    }
    assert sorted(tmp_path.iterdir()) == sorted([words, out])


def test_training_from_counts_is_training(words, write, tmp_path):
    more = write("more.txt", "slowly lowly " * 30)
    parts = [tmp_path / "a.counts", tmp_path / "b.counts"]
    for path, part in zip((words, more), parts, strict=True):
        assert run("tally", path, "-o", part).exit_code == 0
    direct, counted, summed = (tmp_path / f"{name}.bpe" for name in ("direct", "counted", "summed"))
    first = run("train", words, more, "-o", direct, *SMALL, "--name", "x", "--json")
    second = run("train", "--counts", *parts, "-o", counted, *SMALL, "--name", "x", "--json")
    assert first.exit_code == second.exit_code == 0, second.output
    assert direct.read_bytes() == counted.read_bytes()
    assert json.loads(first.stdout)["corpus"] == json.loads(second.stdout)["corpus"]

    both = tmp_path / "both.counts"
    assert run("tally", "--counts", *parts, "-o", both).exit_code == 0
    assert run("train", "--counts", both, "-o", summed, *SMALL, "--name", "x").exit_code == 0
    assert summed.read_bytes() == direct.read_bytes()


def test_words_of_ones_own(write, tmp_path):
    counts, words = tmp_path / "a.counts", write("words.tsv", "low\t5\nlower\t7\n")
    assert run("tally", write("a.txt", "low low"), "-o", counts, "--pattern", "gpt2").exit_code == 0
    out = tmp_path / "sum.counts"
    result = run("tally", "--counts", words, counts, "-o", out)
    assert result.exit_code == 0, result.output
    table = CountTable.load(out)
    assert dict(table) == {b"low": 6, b" low": 1, b"lower": 7}
    assert table.pattern == NAMED["gpt2"]
    result = run("train", "--counts", words, counts, "-o", tmp_path / "a.bpe", *SMALL)
    assert result.exit_code == 0, result.output
    expected = bpetok.train_from_counts(table, vocab_size=262)
    trained = bpetok.Tokenizer.load(tmp_path / "a.bpe")
    assert trained.vocabulary.tokens() == expected.vocabulary.tokens()
    assert trained.pattern.source == NAMED["gpt2"]
    assert run("tally", "--counts", "-", "-o", out, "--force", stdin="low\t3\n").exit_code == 0
    assert CountTable.load(out).pattern == NAMED["cl100k"]


def test_what_is_refused(words, write, tmp_path):
    out = tmp_path / "a.counts"
    refused(run("tally", words, "-o", "-"), "standard output", "name a file")
    refused(run("tally", tmp_path / "absent", "-o", out), "absent", "cannot be read")
    refused(run("tally", "--counts", tmp_path / "absent", "-o", out), "absent", "No such file")
    refused(run("tally", "--counts", words, "-o", out), "words.txt:1: no tab")
    refused(run("tally", words, "-o", out, "--memory", "lots"), "'lots' is not a size", "512MiB")
    refused(
        run("tally", words, "-o", out, "--memory", "1MB"), "memory is 1000000 bytes", "at least 134217728"
    )
    refused(run("tally", words, "-o", out, "--temp", tmp_path / "absent"), "absent", "does not exist")
    refused(run("tally", words, "-o", out, "--pattern", "("), "pattern")
    assert not out.exists()
    assert run("tally", words, "-o", out, "--pattern", "gpt2").exit_code == 0
    refused(run("tally", words, "-o", out), "exists", "--force")
    other = tmp_path / "b.counts"
    refused(run("tally", "--counts", out, "-o", other, "--pattern", "o200k"), "leave --pattern away")
    assert run("tally", "--counts", out, "-o", other, "--pattern", "gpt2").exit_code == 0
    assert run("tally", words, "-o", other, "--force").exit_code == 0
    refused(run("tally", "--counts", out, other, "-o", tmp_path / "c"), "different patterns")
    for option in (("--memory", "200MB"), ("--dask", "local:1"), ("--sample", "0.5"), ("--unique",)):
        for command in (("tally",), ("train", *SMALL)):
            refused(
                run(*command, "--counts", out, "-o", tmp_path / "c", *option),
                f"{option[0]} does not go together with --counts: these FILES are counted already",
            )
    damaged = write("damaged.counts", out.read_bytes()[:-1])
    refused(run("train", "--counts", damaged, "-o", tmp_path / "c", *SMALL), "damaged.counts is damaged")
    assert not (tmp_path / "c").exists()


def test_a_full_disk_leaves_nothing(tmp_path):
    """Counts that are spilled to a disk without room; a limit on file sizes stands in for it."""
    pytest.importorskip("resource")
    code = """
import resource, sys
from bpetok import counting
from bpetok.cli.main import main
counting.MIN_MEMORY = counting.OWN_MEMORY = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
sys.argv[0] = "bpetok"
main()
"""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(" ".join(chr(97 + n % 26) * (n // 26) for n in range(900)), "ascii")
    command = [
        COMMAND[0],
        "-c",
        code,
        "tally",
        corpus,
        "-o",
        tmp_path / "out",
        "--memory",
        "1",
        "--temp",
        tmp_path,
    ]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "the temporary file for counts in" in done.stderr
    assert "--temp" in done.stderr
    assert list(tmp_path.iterdir()) == [corpus]


def test_standard_input_and_a_pipe(words, tmp_path):
    done = run_process("tally", "-", "-o", tmp_path / "a", stdin=words.read_bytes())
    assert done.returncode == 0, done.stderr
    assert CountTable.load(tmp_path / "a") == bpetok.count(words)


def test_progress_on_a_terminal(words, tmp_path):
    """A terminal shows a bar with an amount and the time left; here it is read back."""
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [*COMMAND, "tally", str(words), "-o", str(tmp_path / "a")],
        stderr=slave,
        env={**os.environ, "COLUMNS": "99"},
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(master)
    assert done.wait() == 0
    assert b"counting pieces" in shown
    assert b" MB" in shown
    assert b"100%" in shown
