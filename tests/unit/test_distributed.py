"""Counting on executors: the same counts, whatever is divided how, whatever is lost on the way."""

import functools
import gzip
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

import bpetok
from bpetok import counting, distributed
from bpetok.corpus import Corpus
from bpetok.errors import CorpusError, MissingExtraError, PatternError, WorkerError
from bpetok.patterns import resolve
from bpetok.treatment import NOTHING

COMMON = counting.Way(resolve("gpt2"), NOTHING)


class InPlace(Executor):
    """Does the work when it is given; what `before` raises becomes the result."""

    def __init__(self, before=lambda n: None) -> None:
        self.n = 0
        self.before = before
        self.closed = False

    def submit(self, fn, /, *args, **kwargs):
        self.n += 1
        future: Future = Future()
        try:
            self.before(self.n)
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.closed = True


@pytest.fixture
def small(monkeypatch):
    """Shards and chunks of a few hundred bytes."""
    monkeypatch.setattr(distributed, "MIN_SHARD", 700)
    monkeypatch.setattr(distributed, "MAX_SHARD", 700)
    monkeypatch.setattr(counting, "CHUNK", 200)


@pytest.fixture
def folder(tmp_path):
    """Files of all kinds."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    chance = random.Random(0)

    def words(n):
        ends = [" ", "  ", "\n", "\n\n ", "\r\n", ", "]
        return "".join(
            chance.choice(["low", "lower", "caf\u00e9", "12345", "it's"]) + chance.choice(ends)
            for _ in range(n)
        )

    (folder / "large.txt").write_bytes(words(2000).encode())
    (folder / "empty.txt").touch()
    for n in range(9):
        (folder / f"small{n}.txt").write_bytes(words(20).encode())
    lines = "".join(json.dumps({"text": words(5)}) + "\n" for _ in range(50))
    (folder / "lines.jsonl").write_text(lines)
    (folder / "packed.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    zstandard = pytest.importorskip("zstandard")
    frames = [lines.encode()[at : at + 500] for at in range(0, len(lines), 500)]
    (folder / "frames.jsonl.zst").write_bytes(b"".join(map(zstandard.compress, frames)))
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"text": [words(10) for _ in range(100)]})
    pyarrow.parquet.write_table(table, folder / "table.parquet", row_group_size=10)
    return folder


def assert_same(one, other, tmp_path):
    assert one == other
    assert (one.n_texts, one.n_bytes, one.provenance) == (other.n_texts, other.n_bytes, other.provenance)
    one.save(tmp_path / "one")
    other.save(tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.usefixtures("small")
class TestShards:
    def test_every_part_is_in_one(self, folder):
        shards = distributed.divide(Corpus.find(folder), COMMON.cut)
        parts = [part for shard in shards for part in shard.files]
        assert len(shards) > 20
        ranges = {}
        for part in parts:
            ranges.setdefault(Path(part.path).name, []).append((part.start, part.end))
        assert len(ranges) == 15
        for name, end in (("large.txt", (folder / "large.txt").stat().st_size), ("table.parquet", 10)):
            assert len(ranges[name]) > 3
            assert [start for start, _ in ranges[name]] == [0, *(end for _, end in ranges[name][:-1])]
            assert ranges[name][-1][1] == end
        assert ranges["packed.jsonl.gz"] == [(0, None)]
        for name in ("lines.jsonl", "frames.jsonl.zst"):
            assert len(ranges[name]) > 1
            assert [start for start, _ in ranges[name]] == [0, *(end for _, end in ranges[name][:-1])]
            assert ranges[name][-1][1] is None
        assert max(len(shard.files) for shard in shards) > 1
        assert distributed.divide(Corpus.find(folder), COMMON.cut) == shards

    def test_no_cut_where_the_pattern_or_the_weight_forbids(self, folder):
        large = folder / "large.txt"
        assert len(distributed.divide(Corpus.find(large), None)) == 1
        assert len(distributed.divide(Corpus.find({large: 1.5}), COMMON.cut)) == 1
        assert len(distributed.divide(Corpus.find({large: 2}), COMMON.cut)) > 3

    @pytest.mark.parametrize("pattern", ["cl100k", "gpt2", "o200k", r"\w+|\W"])
    def test_counts_are_those_of_one_process(self, folder, tmp_path, pattern):
        with ThreadPoolExecutor(2) as pool:
            assert_same(
                bpetok.count(folder, pattern=pattern, executor=pool),
                bpetok.count(folder, pattern=pattern),
                tmp_path,
            )

    def test_weights_and_samples(self, folder, tmp_path):
        weights = {f"{folder}/large.txt": 2, f"{folder}/*.parquet": 0.5, f"{folder}/lines.jsonl": 1.5}
        weights |= {f"{folder}/frames.jsonl.zst": 2, f"{folder}/packed.jsonl.gz": 0}
        for corpus in (Corpus.find(weights), Corpus.find(folder, sample=0.3, seed=5)):
            assert_same(bpetok.count(corpus, executor=InPlace()), bpetok.count(corpus), tmp_path)
        plain = bpetok.count(folder / "large.txt")
        twice = bpetok.count({folder / "large.txt": 2}, executor=InPlace())
        assert twice == bpetok.CountTable.merge(plain, plain)
        assert twice.n_texts == 2


@pytest.mark.usefixtures("small")
class TestCheckpoint:
    def test_a_second_run_counts_nothing(self, folder, tmp_path):
        kept = tmp_path / "new" / "kept"
        first, second = InPlace(), InPlace()
        expected = bpetok.count(folder)
        assert_same(bpetok.count(folder, executor=first, checkpoint=kept), expected, tmp_path)
        assert first.n == len(list(kept.iterdir())) > 20
        assert_same(bpetok.count(folder, executor=second, checkpoint=kept), expected, tmp_path)
        assert second.n == 0

    def test_only_what_has_changed_is_counted_again(self, folder, tmp_path):
        kept = tmp_path / "kept"
        bpetok.count(folder, executor=InPlace(), checkpoint=kept)
        (folder / "lines.jsonl").write_text('{"text": "other"}\n' * 50)
        again = InPlace()
        counts = bpetok.count(folder, executor=again, checkpoint=kept)
        assert counts == bpetok.count(folder)
        assert 0 < again.n <= 2

    def test_damaged_files_are_made_again(self, folder, tmp_path):
        kept = tmp_path / "kept"
        expected = bpetok.count(folder, executor=InPlace(), checkpoint=kept)
        files = sorted(kept.iterdir())
        files[0].write_bytes(files[0].read_bytes()[:-10])
        files[1].write_bytes(b"")
        again = InPlace()
        assert bpetok.count(folder, executor=again, checkpoint=kept) == expected
        assert again.n == 2

    def test_other_settings_do_not_meet(self, folder, tmp_path):
        kept = tmp_path / "kept"
        for pattern in ("gpt2", "o200k"):
            counts = bpetok.count(folder, pattern=pattern, executor=InPlace(), checkpoint=kept)
            assert counts == bpetok.count(folder, pattern=pattern)
        sampled = Corpus.find(folder, sample=0.5)
        counts = bpetok.count(sampled, pattern="gpt2", executor=InPlace(), checkpoint=kept)
        assert counts == bpetok.count(sampled, pattern="gpt2")

    def test_an_unreadable_shard_is_named_when_the_others_are_saved(self, folder, tmp_path):
        kept = tmp_path / "kept"
        with (folder / "lines.jsonl").open("a") as file:
            file.write("{oops}\n")
        counted = InPlace()
        with pytest.raises(CorpusError, match=r"lines\.jsonl:51: not a line of JSON"):
            bpetok.count(folder, executor=counted, checkpoint=kept)
        assert len(list(kept.iterdir())) == counted.n - 1
        with (folder / "packed.jsonl.gz").open("ab") as file:
            file.write(b"garbage")
        with pytest.raises(CorpusError, match=r"^2 of \d+ parts .*lines\.jsonl:51: .*packed\.jsonl\.gz"):
            bpetok.count(folder, executor=InPlace(), checkpoint=kept)

    def test_without_a_checkpoint_the_first_error_ends_it(self, folder):
        (folder / "empty.txt").write_bytes(b"\xff")
        counted = InPlace()
        with pytest.raises(CorpusError, match=r"empty\.txt: the bytes at offset 0 are not UTF-8"):
            bpetok.count(folder, pattern=r"\w+|\W", executor=counted)

    def test_an_interrupt_keeps_what_is_done(self, folder, tmp_path):
        kept = tmp_path / "kept"
        n = 0

        def stop(progress):
            nonlocal n
            n += 1
            if n == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            bpetok.count(folder, executor=InPlace(), checkpoint=kept, progress=stop)
        saved = sorted(kept.iterdir())
        assert len(saved) >= 5
        assert all(path.suffix == ".counts" for path in saved)
        again = InPlace()
        assert bpetok.count(folder, executor=again, checkpoint=kept) == bpetok.count(folder)
        assert again.n == len(list(kept.iterdir())) - len(saved)


def raises_at(*numbers, error):
    def before(n):
        if n in numbers:
            raise error

    return before


@pytest.mark.usefixtures("small")
class TestLosses:
    def test_a_lost_worker_is_retried(self, folder):
        pool = InPlace(raises_at(2, 3, error=MemoryError("no room")))
        assert bpetok.count(folder, executor=pool) == bpetok.count(folder)

    def test_not_for_ever(self, folder, tmp_path):
        kept = tmp_path / "kept"
        large = folder / "large.txt"

        def before(n):
            if n == 1 or n > 5:
                raise ConnectionError("lost")

        with pytest.raises(WorkerError, match=r"large\.txt: not counted in 3 tries.*Error \(lost\)"):
            bpetok.count(large, executor=InPlace(before), checkpoint=kept)
        assert len(list(kept.iterdir())) == 4
        with pytest.raises(WorkerError, match="3 tries"):
            bpetok.count(large, executor=InPlace(raises_at(*range(99), error=ConnectionError("lost"))))

    def test_a_pool_that_breaks_is_made_again(self, folder):
        made = []

        def make():
            numbers = [[3], [1], []][len(made)]
            made.append(InPlace(raises_at(*numbers, error=BrokenProcessPool("died"))))
            return made[-1]

        assert bpetok.count(folder, executor=make) == bpetok.count(folder)
        assert len(made) == 3
        assert all(pool.closed for pool in made)

    def test_not_for_ever_either(self, folder):
        made = []

        def make():
            made.append(InPlace(raises_at(*range(1000), error=BrokenProcessPool("died"))))
            return made[-1]

        with pytest.raises(WorkerError, match=r"not counted in 3 tries.*BrokenProcessPool"):
            bpetok.count(folder, executor=make)
        assert len(made) == 3
        assert all(pool.closed for pool in made)

    def test_a_pool_that_was_given_is_not(self, folder):
        pool = InPlace(raises_at(3, error=BrokenProcessPool("died")))
        with pytest.raises(WorkerError, match=r"lost a worker .*checkpoint .*`lambda: Process"):
            bpetok.count(folder, executor=pool)
        assert not pool.closed

    def test_a_pool_that_is_closed(self, folder):
        pool = ThreadPoolExecutor(1)
        pool.shutdown()
        with pytest.raises(WorkerError, match="takes no work: cannot schedule"):
            bpetok.count(folder, executor=pool)


class TestRefusals:
    def test_what_is_no_file(self, folder):
        for sources in (["text"], iter([folder]), [b"text"]):
            with pytest.raises(CorpusError, match="workers read files by themselves"):
                bpetok.count(sources, executor=InPlace())
        with pytest.raises(CorpusError, match="-: not a file that workers can read"):
            bpetok.count("-", executor=InPlace())

    def test_unique(self, folder):
        with pytest.raises(CorpusError, match="each text once"):
            bpetok.count(Corpus.find(folder, unique=True), executor=InPlace())

    def test_a_checkpoint_needs_an_executor(self, tmp_path):
        with pytest.raises(CorpusError, match="give one, such as ProcessPoolExecutor"):
            bpetok.count(["text"], checkpoint=tmp_path)

    def test_a_pattern(self, folder):
        with pytest.raises(PatternError):
            bpetok.count(folder, pattern="a*", executor=InPlace())


def test_progress(folder, small):
    seen = []
    counts = bpetok.count(folder, executor=InPlace(), progress=seen.append)
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert seen[-1].done == counts.n_bytes
    assert {each.stage for each in seen} == {"count"}


def test_processes(folder, tmp_path, small):
    make = functools.partial(ProcessPoolExecutor, 2, mp_context=multiprocessing.get_context("spawn"))
    counts = bpetok.count(folder, executor=make, checkpoint=tmp_path / "kept")
    assert_same(counts, bpetok.count(folder), tmp_path)


def test_a_process_that_is_killed(folder, small):
    made, killed = [], []

    def make():
        made.append(ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")))
        return made[-1]

    def kill(progress):
        if not killed:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)

    assert bpetok.count(folder, executor=make, progress=kill) == bpetok.count(folder)
    assert len(made) == 2


KILLED = """
import sys
from concurrent.futures import ThreadPoolExecutor
import bpetok
from bpetok import distributed
distributed.MIN_SHARD = distributed.MAX_SHARD = 700
corpus, kept, out = sys.argv[1:]

def show(progress):
    print(progress.done, flush=True)
    if out == "-":
        sys.stdin.read(1)

with ThreadPoolExecutor(2) as pool:
    counts = bpetok.count(corpus, executor=pool, checkpoint=kept, progress=show)
counts.save(out)
"""


def test_a_run_that_was_killed_goes_on(folder, tmp_path):
    """SIGKILL after a few shards, then the same again to the end."""
    kept, out = tmp_path / "kept", tmp_path / "out.counts"
    command = [sys.executable, "-c", KILLED, str(folder), str(kept)]
    with subprocess.Popen([*command, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline().strip().isdigit()
            process.stdin.write(b"x")
            process.stdin.flush()
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    saved = {path: path.stat().st_ino for path in kept.glob("*.counts")}
    assert len(saved) >= 3
    subprocess.run([*command, str(out)], check=True, timeout=60, stdout=subprocess.DEVNULL)
    assert {path: path.stat().st_ino for path in saved} == saved  # not written again
    assert len(list(kept.glob("*.counts"))) > len(saved)
    bpetok.count(folder).save(tmp_path / "plain.counts")
    assert out.read_bytes() == (tmp_path / "plain.counts").read_bytes()


@pytest.fixture(scope="module")
def cluster():
    """Two Dask workers, each a process of this machine."""
    pytest.importorskip("distributed")
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, death_timeout=60
    ) as cluster:
        yield cluster


class TestDask:
    def test_two_workers(self, cluster, folder, tmp_path, small):
        with distributed.dask_executor(cluster.scheduler_address) as executor:
            counts = bpetok.count(folder, executor=executor, checkpoint=tmp_path / "kept")
        assert_same(counts, bpetok.count(folder), tmp_path)

    def test_a_worker_that_dies(self, cluster, folder, tmp_path, small):
        from distributed import Client

        with Client(cluster.scheduler_address, timeout=10) as client:
            victims = list(client.run(os.getpid).values())
            killed = []

            def kill(progress):
                if not killed:
                    killed.append(victims[0])
                    os.kill(victims[0], signal.SIGKILL)

            counts = bpetok.count(folder, executor=client.get_executor(), progress=kill)
            assert_same(counts, bpetok.count(folder), tmp_path)
            assert killed
            client.wait_for_workers(2, timeout=60)

    def test_an_error_in_a_worker(self, cluster, folder, small):
        (folder / "lines.jsonl").write_text("{oops}\n")
        with (
            distributed.dask_executor(cluster.scheduler_address) as executor,
            pytest.raises(CorpusError, match=r"lines\.jsonl:1: not a line of JSON"),
        ):
            bpetok.count(folder, executor=executor)

    def test_no_scheduler(self, monkeypatch):
        pytest.importorskip("distributed")
        monkeypatch.setattr(distributed, "CONNECT", 1)
        for where in ("tcp://127.0.0.1:9", "nowhere", "local:0", "local:x"):
            with pytest.raises(WorkerError, match=where), distributed.dask_executor(where):
                pass

    def test_missing_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "distributed", None)
        with (
            pytest.raises(MissingExtraError, match=r'pip install "bpetok\[dask\]"'),
            distributed.dask_executor("local:2"),
        ):
            pass
