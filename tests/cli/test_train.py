"""`bpetok train`: what it writes, what it says, and what it leaves behind when it cannot."""

import json
import os
import pty
import random
import signal
import subprocess
import time
from contextlib import suppress

import pytest
from command_line import COMMAND, refused, run, run_process

import bpetok

SMALL = ("--vocab-size", "265")


def test_native_file_and_summary(words, tmp_path):
    out = tmp_path / "words.bpe"
    result = run("train", words, "-o", out, *SMALL, "--special", "<end>")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "words: 265 tokens (8 merges)" in result.stderr
    assert "bytes per token on the corpus" in result.stderr
    assert f"written to {out} (native)" in result.stderr
    tokenizer = bpetok.Tokenizer.load(out)
    same = bpetok.train(words, vocab_size=265, special_tokens=["<end>"])
    assert tokenizer.name == "words"
    assert tokenizer.vocabulary.tokens() == same.vocabulary.tokens()
    assert tokenizer.special_tokens_set == {"<end>"}


@pytest.mark.parametrize("file_format", ["gpt2", "transformers"])
def test_a_format_of_a_folder(words, tmp_path, file_format):
    out = tmp_path / "folder"
    arguments = ("train", words, *SMALL, "--pattern", "gpt2", "--format", file_format, "-o")
    assert run(*arguments, out).exit_code == 0
    assert bpetok.Tokenizer.load(out).n_vocab == 265
    refused(run(*arguments, out), "exists", "--force")
    assert run(*arguments, out, "--force").exit_code == 0
    refused(run(*arguments, tmp_path / "none" / "folder"), "there is no folder", "none")
    refused(run(*arguments, words), "there is no folder", "words.txt")
    assert sorted(tmp_path.iterdir()) == sorted([out, words])


@pytest.mark.parametrize("file_format", ["native", "tiktoken", "huggingface"])
def test_formats_load_to_the_same_ids(words, tmp_path, file_format):
    out = tmp_path / ("out.json" if file_format == "huggingface" else "out.bpe")
    result = run("train", words, "-o", out, *SMALL, "--format", file_format)
    assert result.exit_code == 0, result.output
    text = words.read_text()
    ids = bpetok.train(words, vocab_size=265).encode(text)
    assert run("encode", words, "-t", out).stdout.split() == list(map(str, ids))


def test_json_summary(words, tmp_path):
    out = tmp_path / "words.bpe"
    result = run("train", words, "-o", out, *SMALL, "--json", "--name", "mine")
    summary = json.loads(result.stdout)
    size = words.stat().st_size
    tokens = len(bpetok.train(words, vocab_size=265).encode(words.read_text()))
    assert summary.pop("seconds") >= 0
    assert summary == {
        "name": "mine",
        "vocab_size": 265,
        "n_merges": 9,
        "corpus": {"documents": 1, "bytes": size, "tokens": tokens},
        "bytes_per_token": round(size / tokens, 4),
        "ended_early": None,
        "output": str(out),
        "format": "native",
    }


def test_settings_reach_the_trainer(words, tmp_path):
    out = tmp_path / "words.bpe"
    settings = {"min_frequency": 3, "max_token_length": 4, "tie_break": "huggingface", "pattern": r"\w+|\W"}
    options = [
        word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    result = run("train", words, "-o", out, *SMALL, *options, "--threads", "1", "--special", "<end>")
    assert result.exit_code == 0, result.output
    expected = bpetok.train(words, vocab_size=265, special_tokens=["<end>"], **settings)
    assert bpetok.Tokenizer.load(out).vocabulary.tokens() == expected.vocabulary.tokens()
    assert "fewer tokens than asked for: no pair is left" in result.stderr


def test_fields_and_standard_input_and_output(write, words, tmp_path):
    records = write("records.jsonl", json.dumps({"body": words.read_text()}) + "\n")
    from_file = tmp_path / "out.bpe"
    assert run("train", words, "-o", from_file, *SMALL, "--name", "x").exit_code == 0
    done = run_process("train", "-", "-o", "-", *SMALL, "--name", "x", stdin=words.read_bytes())
    assert done.returncode == 0
    assert done.stdout == from_file.read_bytes()
    done = run_process("train", records, "--field", "body", "-o", "-", *SMALL, "--name", "x")
    assert done.stdout == from_file.read_bytes()


def test_no_progress_where_standard_error_is_no_terminal(words, tmp_path):
    done = run_process("train", words, "-o", tmp_path / "out.bpe", *SMALL, env={"FORCE_COLOR": "1"})
    assert b"\x1b" not in done.stderr
    assert b"\r" not in done.stderr
    assert len(done.stderr.splitlines()) == 3


def test_progress_on_a_terminal(words, tmp_path):
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "train", words, "-o", tmp_path / "out.bpe", *SMALL],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    ) as process:
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # how Linux says that the other end has closed
            while block := os.read(ours, 4096):
                seen += block
        os.close(ours)
        stdout, _ = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (0, b"")
    assert b"counting pieces" in seen
    assert b"learning merges" in seen


class TestRefusals:
    def test_settings(self, words, tmp_path):
        out = ("-o", tmp_path / "out.bpe")
        refused(run("train", words, *out, "--vocab-size", "100"), "vocab_size is 100", "from 256")
        refused(run("train", words, *out, *SMALL, "--pattern", "a*"), "matches the empty string")
        refused(run("train", words, *out, *SMALL, "--pattern", "cl99k"), "unknown pattern name 'cl99k'")
        refused(run("train", words, *out, *SMALL, "--special", "<a>", "--special", "<a>"), "given twice")
        refused(run("train", words, *out, "--vocab-size", "many"), "'many' is not a valid integer")
        refused(run("train", words, "-o", "-", *SMALL, "--json"), "--json and -o -")
        assert list(tmp_path.iterdir()) == [words]

    def test_all_bad_files_are_named_before_work_begins(self, words, write, tmp_path):
        broken = write("broken.gz", "not gzip")
        result = run("train", words, tmp_path / "no.txt", broken, "-o", tmp_path / "out.bpe", *SMALL)
        refused(result, "2 of 3 sources", "no.txt: cannot be read", "broken.gz: not gzip data")

    def test_empty_corpus(self, write, tmp_path):
        out = tmp_path / "out.bpe"
        refused(run("train", write("empty.txt", ""), "-o", out, *SMALL), "holds no text")
        assert not out.exists()

    def test_an_existing_file_needs_force(self, words, write):
        out = write("out.bpe", "precious")
        refused(run("train", words, "-o", out, *SMALL), "out.bpe exists", "--force")
        assert out.read_bytes() == b"precious"
        assert run("train", words, "-o", out, *SMALL, "--force").exit_code == 0
        assert bpetok.Tokenizer.load(out).n_vocab == 265

    def test_the_format_of_two_files(self, words, write, tmp_path):
        beside = write("ranks.json", "precious")
        arguments = ("train", words, *SMALL, "--format", "tiktoken", "-o")
        refused(run(*arguments, tmp_path / "ranks"), "ranks.json exists", "--force")
        refused(run(*arguments, "-"), "2 files")
        assert beside.read_bytes() == b"precious"

    def test_a_bad_line_late_in_the_corpus_leaves_nothing(self, write, tmp_path):
        bad = write("bad.jsonl", '{"text": "good"}\n' * 100 + "{oops}\n")
        refused(run("train", bad, "-o", tmp_path / "out.bpe", *SMALL), "bad.jsonl:101")
        assert list(tmp_path.iterdir()) == [bad]


def test_interrupt_leaves_no_file(tmp_path, write):
    """SIGINT while the corpus is still coming in through a pipe: the run is certainly not over."""
    out = write("out.bpe", "precious")
    chance = random.Random(0)
    text = " ".join(chance.randbytes(4).hex() for _ in range(10_000)).encode()
    with subprocess.Popen(
        [*COMMAND, "train", "-", "-o", out, *SMALL, "--force"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A test runner in the background of a shell ignores the signal, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdin is not None
        process.stdin.write(text)
        process.stdin.flush()
        _wait_until_reading(process.pid)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, b"")
    assert stderr == b"Interrupted: no output file was written or changed.\n"
    assert out.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [out]


def _wait_until_reading(pid: int) -> None:
    """Wait until a process has taken what is in its standard input, and sleeps for more."""
    status = f"/proc/{pid}/status"
    if not os.path.exists(status):
        time.sleep(5)  # a system without /proc
        return
    for _ in range(600):
        with open(status) as file:
            sleeping = "\nState:\tS" in file.read()
        with open(f"/proc/{pid}/maps") as file:
            loaded = "_learn" in file.read()
        if sleeping and loaded:
            return
        time.sleep(0.05)
    pytest.fail("the process did not come to wait for its input")


class TestVariants:
    def test_superwords(self, words, tmp_path):
        out = tmp_path / "out.json"
        options = ("--superword-from", "262", "--superword-words", "3", "--pattern", "gpt2")
        result = run("train", words, "-o", out, *SMALL, *options, "--format", "huggingface")
        assert result.exit_code == 0, result.output
        same = bpetok.train(words, vocab_size=265, superword_from=262, superword_words=3, pattern="gpt2")
        loaded = bpetok.Tokenizer.load(out)
        assert loaded.vocabulary.tokens() == same.vocabulary.tokens()
        assert loaded.encode(words.read_text()) == same.encode(words.read_text())

    def test_scaffolds(self, words, tmp_path):
        out = tmp_path / "out.bpe"
        result = run("train", words, "-o", out, *SMALL, "--drop-scaffolds", "0.9", "--json")
        assert result.exit_code == 0, result.output
        summary = json.loads(result.stdout)
        same = bpetok.train(words, vocab_size=265, drop_scaffolds=0.9)
        assert bpetok.Tokenizer.load(out).vocabulary.ranks() == same.vocabulary.ranks()
        assert summary["scaffolds"] == same.provenance["scaffolds"]
        assert f"{summary['scaffolds']['dropped']} scaffolds left out" in result.stderr

    def test_parity(self, write, tmp_path):
        out = tmp_path / "out.bpe"
        corpora = {"x": "low lower lowest " * 9, "y": "slow slower " * 3, "z": "neu neuer " * 2}
        dev = {"x": "low\nlower\n", "y": "slow\nslower\n", "z": "neu\nneuer\n"}
        arguments = []
        for language in corpora:
            arguments += ["--parity", f"{language}={write(f'{language}.txt', corpora[language])}"]
            arguments += ["--dev", f"{language}={write(f'{language}.dev', dev[language])}"]
        result = run(
            "train", *arguments, "-o", out, *SMALL, "--global-merges", "2", "--window", "5", "--json"
        )
        assert result.exit_code == 0, result.output
        same = bpetok.train_parity(
            {language: [text] for language, text in corpora.items()},
            dev={language: [text] for language, text in dev.items()},
            vocab_size=265, global_merges=2, window=5,
        )  # fmt: skip
        assert bpetok.Tokenizer.load(out).vocabulary.merges().tolist() == same.vocabulary.merges().tolist()
        report = same.provenance["parity"]
        assert json.loads(result.stdout)["parity"] == report
        table = result.stderr.splitlines()
        assert table[2] == "language  classical  premium     parity  premium"
        for line, language in zip(table[3:6], corpora, strict=True):
            before, after = report["dev"]["classical"], report["dev"]["parity"]
            assert line.split() == [
                language,
                f"{before['tokens'][language]}", f"{before['premiums'][language]:.2f}",
                f"{after['tokens'][language]}", f"{after['premiums'][language]:.2f}",
            ]  # fmt: skip
        assert table[6].split()[0] == "total"
        assert table[7].startswith("Gini coefficient 0.")

    def test_parity_of_counts(self, write, tmp_path):
        arguments, counted = [], ["--counts"]
        for language, text in (("x", "low lower lowest " * 9), ("y", "slow slower " * 3)):
            file, counts = write(f"{language}.txt", text), tmp_path / f"{language}.counts"
            assert run("tally", file, "-o", counts, "--pattern", "gpt2").exit_code == 0
            dev = write(f"{language}.dev", text.split()[-1])
            arguments += ["--parity", f"{language}={file}", "--dev", f"{language}={dev}"]
            counted += ["--parity", f"{language}={counts}", "--dev", f"{language}={dev}"]
        results = []
        for options in ([*arguments, "--pattern", "gpt2", "--memory", "200MB"], counted):
            out = tmp_path / "out.bpe"
            result = run("train", *options, "-o", out, *SMALL, "--force", "--name", "same")
            assert result.exit_code == 0, result.output
            results.append(out.read_bytes())
        assert results[0] == results[1]

    @pytest.mark.parametrize("tie_break", ["huggingface", "rustbpe", "minbpe"])
    def test_ties(self, words, tmp_path, tie_break):
        out = tmp_path / "out.bpe"
        result = run("train", words, "-o", out, *SMALL, "--tie-break", tie_break)
        assert result.exit_code == 0, result.output
        same = bpetok.train(words, vocab_size=265, tie_break=tie_break)
        loaded = bpetok.Tokenizer.load(out)
        assert loaded.vocabulary.tokens() == same.vocabulary.tokens()
        assert loaded.vocabulary.merges().tolist() == same.vocabulary.merges().tolist()

    def test_options_that_do_not_go_together(self, words, tmp_path):
        out = tmp_path / "out.bpe"
        for arguments, message in (
            ((), "name the files to train on"),
            ((words, "--parity", f"x={words}"), "name the files to train on"),
            ((words, "--dev", f"x={words}"), "belong to --parity"),
            ((words, "--window", "5"), "belong to --parity"),
            (("--parity", f"x={words}"), "only one of --parity and --dev"),
            (("--parity", str(words), "--dev", f"x={words}"), "write LANG=FILE"),
            (
                ("--parity", f"x={words}", "--dev", f"x={words}", "--drop-scaffolds", "1"),
                "--drop-scaffolds does not go together with --parity",
            ),
            (
                ("--parity", f"x={words}", "--dev", f"x={words}", "--checkpoint", tmp_path),
                "--checkpoint does not go together with --parity: tally each language",
            ),
            (
                (words, "--tie-break", "minbpe", "--memory", "1GB"),
                "--memory does not go together with --tie-break minbpe",
            ),
            ((words, "--tie-break", "minbpe", "--counts"), "--counts does not go together"),
            (
                ("--parity", f"x={words}", "--dev", f"x={words}", "--tie-break", "minbpe"),
                "--parity does not go together with --tie-break minbpe",
            ),
            ((words, "--tie-break", "minbpe", "--superword-from", "260"), "does not go together"),
            ((words, "--superword-from", "9"), "superword_from is 9"),
            ((words, "--drop-scaffolds", "2"), "drop_scaffolds is 2"),
        ):
            refused(run("train", *arguments, "-o", out, *SMALL), message)
            assert not out.exists()
