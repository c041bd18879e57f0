"""What `train` and `tally` may be given: folders, wildcards, URLs, weights, samples, workers."""

import os
import signal
import subprocess
import time

import pytest
from command_line import COMMAND, refused, run

from bpetok import count
from bpetok.corpus import Corpus
from bpetok.count_table import CountTable


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    for n in range(20):
        (folder / f"{n}.jsonl").write_text("".join(f'{{"text": "low lower{n * k}"}}\n' for k in range(50)))
    (folder / "words.txt").write_text("low lower lowest " * 100)
    return folder


@pytest.fixture
def tally(tmp_path):
    """Run `tally` and give the counts."""

    def command(*arguments: object) -> CountTable:
        out = tmp_path / "out.counts"
        result = run("tally", *arguments, "-o", out, "--force")
        assert result.exit_code == 0, result.output
        return CountTable.load(out)

    return command


def test_folders_wildcards_and_urls(folder, tally):
    pytest.importorskip("fsspec")
    expected = count(folder)
    assert (
        tally(folder)
        == tally(f"{folder}/*.jsonl", f"{folder}/**/*.txt")
        == tally(f"file://{folder}")
        == expected
    )


def test_weights(folder, tally):
    words = folder / "words.txt"
    assert tally(f"{words}=3") == tally(words, words, words) == count({words: 3})
    assert tally(f"{folder}/*.jsonl=0.5", "--seed", "4") == count(
        Corpus.find({f"{folder}/*.jsonl": 0.5}, seed=4)
    )
    named = folder / "a=2"
    named.write_text("a file of that name")
    assert tally(named) == count(named)


def test_samples_and_each_text_once(folder, tally):
    assert tally(folder, "--sample", "0.3", "--seed", "1") == count(Corpus.find(folder, sample=0.3, seed=1))
    assert tally(folder, folder, "--unique") == count(Corpus.find(folder, unique=True))


def test_training(folder, tmp_path):
    from bpetok import Tokenizer, train

    out = tmp_path / "out.bpe"
    options = ("-o", out, "--vocab-size", "270", "--sample", "0.5")
    result = run("train", f"{folder}/*.jsonl", *options)
    assert result.exit_code == 0, result.output
    expected = train(Corpus.find(f"{folder}/*.jsonl", sample=0.5), vocab_size=270)
    assert Tokenizer.load(out).vocabulary.tokens() == expected.vocabulary.tokens()


def test_a_checkpoint_needs_workers(folder, tmp_path):
    result = run("tally", folder, "-o", tmp_path / "out", "--checkpoint", tmp_path / "kept")
    refused(result, "--checkpoint needs workers", "--dask local:2")


class TestDask:
    @pytest.fixture(autouse=True)
    def needed(self):
        pytest.importorskip("distributed")

    def test_local_workers(self, folder, tally, tmp_path):
        kept = tmp_path / "kept"
        assert tally(folder, "--dask", "local:2", "--checkpoint", kept) == count(folder)
        assert list(kept.glob("*.counts"))

    def test_no_scheduler(self, folder, tmp_path):
        out = tmp_path / "out.counts"
        result = run("tally", folder, "-o", out, "--dask", "tcp://127.0.0.1:9")
        refused(result, "tcp://127.0.0.1:9: no Dask scheduler answers")
        assert not out.exists()

    def test_an_interrupt_keeps_what_is_done(self, folder, tmp_path):
        """Ctrl-C, which goes to all processes."""
        (folder / "large.txt").write_text("low lower lowest\n" * 500_000)
        kept, out = tmp_path / "kept", tmp_path / "out.counts"
        with subprocess.Popen(
            [*COMMAND, "tally", f"{folder}=100", "-o", out, "--dask", "local:1", "--checkpoint", kept],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            for _ in range(600):
                if list(kept.glob("*.counts")):
                    break
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGINT)
            stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stdout) == (130, b"")
        assert stderr == b"Interrupted: no output file was written or changed.\n"
        assert not out.exists()
        files = list(kept.iterdir())
        assert files
        assert all(CountTable.load(path) for path in files)
