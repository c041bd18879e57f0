"""Counting on any `concurrent.futures.Executor`: processes of this machine, or a cluster.

A corpus is divided into shards: a few files, some row groups of a Parquet file, or a range of a file that is
one text. Each worker reads its shard itself and gives back a `CountTable`; sums do not depend on order, so
the result is that of `bpetok.count` in one process, bit for bit. With a checkpoint, the table of each shard
is a file in a folder, and a run that was ended by whatever means goes on from there.
"""

import dataclasses
import functools
import hashlib
import json
import logging
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from typing import Any

from bpetok._count import PieceCounts
from bpetok.corpus import Corpus, Part, parquet, storage
from bpetok.corpus.compression import places, split_suffix
from bpetok.corpus.sources import LINES, plain_size
from bpetok.count_table import CountTable, provenance_of
from bpetok.counting import Progress, ProgressCallback, Sources, Way, count, spans
from bpetok.errors import BpetokError, CorpusError, FormatError, MissingExtraError, WorkerError
from bpetok.patterns import resolve
from bpetok.pretokenize import compile_pattern

__all__ = ["count_on", "dask_executor", "divide"]

MAX_SHARD = 128 << 20  # bytes of a file, as it is stored
MIN_SHARD = 1 << 20
N_SHARDS = 64  # at least, where that makes none too small: so that all workers have work to the end
IN_FLIGHT = 256  # shards that are given to the executor at a time
TRIES = 3  # of a shard whose worker is lost, and of a pool that breaks before any other shard is done
CONNECT = 5  # seconds to wait for a scheduler


def count_on(
    executor: Executor | Callable[[], Executor],
    sources: Sources,
    pattern: str,
    field: str,
    settings: Mapping[str, Any],
    progress: ProgressCallback | None,
    checkpoint: str | os.PathLike[str] | None,
) -> CountTable:
    """Count files in the workers of an executor; `bpetok.count` calls this when it is given one.

    Args:
        executor: an executor, which is left open; or what makes one, such as
            `lambda: ProcessPoolExecutor(4)`, which is closed in the end, and made again when a worker dies.
            `dask.distributed.Client.get_executor()` gives one for a cluster.
        sources: a path or a URL, a list of `pathlib.Path`, a mapping of paths to weights, or a
            `bpetok.corpus.Corpus`. All workers must see the files under these names.
        pattern: as in `bpetok.count`, and so is `field`.
        field: see there.
        settings: what else of `bpetok.count` holds in each worker: the treatment of texts, threads, memory,
            and the folder for counts that have no room.
        progress: called after each shard, from the calling thread.
        checkpoint: a folder, made if need be, where the table of each shard is kept in a file of its own. Its
            name is a hash of the files' names, sizes and times of last change, the range, and all settings; a
            later call with the same folder takes the tables that fit. None to keep nothing.

    Raises:
        CorpusError: the sources are not files, or some cannot be read. With a checkpoint, that is said when
            all other shards are saved.
        PatternError: the pattern does not compile, or matches the empty string.
        WorkerError: workers were lost, again and again.
    """
    resolved = resolve(pattern)
    if resolved.scanner is None:
        compile_pattern(resolved.source)
    corpus = _files(sources, field)
    way = Way(resolved, settings["treatment"])
    shards = divide(corpus, way.cut if way.cuttable else None)
    table, n_texts, n_bytes = PieceCounts(), 0, 0

    def take(counts: CountTable) -> None:
        nonlocal n_texts, n_bytes
        table.update(counts.table)
        n_texts += counts.n_texts
        n_bytes += counts.n_bytes
        if progress is not None:
            progress(Progress("count", n_bytes, None, "bytes", "counting pieces"))

    folder = None if checkpoint is None else os.fspath(checkpoint)
    todo: dict[str, Corpus] = {}
    if folder is None:
        todo = {str(number): shard for number, shard in enumerate(shards)}
    else:
        os.makedirs(folder, exist_ok=True)
        for name, shard in _names(shards, way):
            path = os.path.join(folder, name)
            with suppress(FileNotFoundError, FormatError):  # a damaged file is made again
                take(CountTable.load(path))
                continue
            todo[path] = shard

    def done(name: str, counts: CountTable) -> None:
        if folder is not None:
            counts.save(name)
        take(counts)

    with _pool(executor) as pool:
        work = functools.partial(_count_shard, settings={**settings, "pattern": pattern})
        _run(pool, todo, work, done, keep=folder is not None)
    return CountTable(
        table,
        resolved.source,
        way.treatment,
        n_texts=n_texts,
        n_bytes=n_bytes,
        provenance=provenance_of(part.path for part in corpus.files),
    )


def divide(corpus: Corpus, cut: Callable[[bytes], int] | None) -> list[Corpus]:
    """The shards of a corpus: each a corpus of its own. The same files give the same shards.

    Small files that follow each other share a shard. A large file is one shard if it is compressed, other
    than JSON lines in several frames of Zstandard; or if it is one text behind a URL.

    Args:
        corpus: the files.
        cut: finds a place where a file that is one text may be cut: see `counting.Way.cut`; None where none
            may.

    Raises:
        CorpusError: a file cannot be read.
    """
    sizes = [storage.size(part.path) for part in corpus.files]
    step = min(max(sum(sizes) // N_SHARDS, MIN_SHARD), MAX_SHARD)
    shards: list[list[Part]] = []
    room = 0
    for part, size in zip(corpus.files, sizes, strict=True):
        parts = [part]
        if size > step:
            parts = _cut(part, size, step, cut)
        if shards and len(parts) == 1 and room >= size:
            shards[-1] += parts
            room -= size
        else:
            shards += [[each] for each in parts]
            room = step - size if len(parts) == 1 else 0
    return [dataclasses.replace(corpus, files=tuple(parts)) for parts in shards]


def _cut(part: Part, size: int, step: int, cut: Callable[[bytes], int] | None) -> list[Part]:
    suffix = split_suffix(part.path)[0]
    ranges: list[tuple[int, int | None]] = []
    if suffix == ".parquet":
        start = held = 0
        sizes = parquet.sizes(part.path)
        for group, n_bytes in enumerate(sizes, 1):
            held += n_bytes
            if held >= step or group == len(sizes):
                ranges.append((start, group))
                start, held = group, 0
    elif suffix in LINES:
        starts = places(part.path, step)
        ranges += zip(starts, [*starts[1:], None], strict=True)
    elif cut is not None and plain_size(part.path) is not None and part.weight == int(part.weight):
        with storage.open_raw(part.path) as file:

            def look(at: int, n: int) -> bytes:
                file.seek(at)
                return file.read(n)

            ranges += spans(look, 0, size, step, cut)
    else:
        return [part]
    return [dataclasses.replace(part, start=start, end=end) for start, end in ranges]


@contextmanager
def dask_executor(where: str) -> Iterator[Executor]:
    """An executor of a Dask cluster, closed in the end.

    Args:
        where: the address of a scheduler, such as "tcp://host:8786"; or "local:N" for N processes of this
            machine.

    Raises:
        WorkerError: no scheduler answers there within five seconds.
        MissingExtraError: Dask is not installed.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise MissingExtraError('Dask is not installed: pip install "bpetok[dask]"') from error
    kind, _, number = where.partition(":")
    if kind == "local":
        if not number.isascii() or not number.isdigit() or int(number) < 1:
            raise WorkerError(f"{where}: write local:N for N processes of this machine, such as local:2")
        with _deaf_to_interrupts():
            cluster = LocalCluster(
                n_workers=int(number),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs=logging.CRITICAL,  # what is lost is said by WorkerError
            )
        with cluster, Client(cluster, timeout=CONNECT) as client:
            yield client.get_executor(pure=False)
        return
    try:
        client = Client(where, timeout=CONNECT)
    except (OSError, ValueError) as error:
        raise WorkerError(
            f"{where}: no Dask scheduler answers ({type(error).__name__}): start one with `dask scheduler`, "
            "or name the address that it prints"
        ) from error
    with client:
        yield client.get_executor(pure=False)


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that are started here take no notice of Ctrl-C, which a terminal sends to all: this one ends
    them, and says so once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# ---- what is counted -----------------------------------------------------------------------------------


def _count_shard(shard: Corpus, name: str, attempt: int, settings: dict[str, Any]) -> CountTable:
    """In a worker. The name and the attempt are for executors that take equal calls for one."""
    return count(shard, **settings)


def _files(sources: Sources, field: str) -> Corpus:
    """The files that the caller named, which workers can read by themselves.

    Raises:
        CorpusError: there are others than files.
    """
    if isinstance(sources, Corpus):
        corpus = sources
    elif isinstance(sources, str | os.PathLike | Mapping) or (
        isinstance(sources, Sequence) and all(isinstance(source, os.PathLike) for source in sources)
    ):
        corpus = Corpus.find(sources, field=field)
    else:
        raise CorpusError(
            "workers read files by themselves: give an executor a path, a list of pathlib.Path, or a "
            "bpetok.Corpus, or count texts without one"
        )
    if corpus.unique:
        raise CorpusError(
            "no worker knows the texts of the others, so each text once (unique) is not possible on an "
            "executor: count without one"
        )
    for part in corpus.files:
        if not storage.is_url(part.path) and not os.path.isfile(part.path):
            raise CorpusError(f"{part.path}: not a file that workers can read: count it without them")
    return corpus


def _names(shards: list[Corpus], way: Way) -> Iterator[tuple[str, Corpus]]:
    """Each shard with the name of its file: what was counted, and how."""
    identity = functools.cache(storage.identity)
    for shard in shards:
        about = {
            "version": 1,  # to be raised when the same texts give other pieces
            "pattern": way.pattern.source,
            **way.treatment.spec(),
            "field": shard.field,
            "seed": shard.seed,
            "files": [[identity(part.path), part.weight, part.start, part.end] for part in shard.files],
        }
        digest = hashlib.blake2b(json.dumps(about).encode(), digest_size=16)
        yield f"{digest.hexdigest()}.counts", shard


# ---- the run -------------------------------------------------------------------------------------------


class _Pool:
    """An executor, and another one when it breaks, if that can be made."""

    def __init__(self, executor: Executor | Callable[[], Executor]) -> None:
        self._make = None if isinstance(executor, Executor) else executor
        self.executor = executor if isinstance(executor, Executor) else executor()

    def renew(self, error: BrokenExecutor) -> None:
        """Have a new executor in place of a broken one.

        Raises:
            WorkerError: what makes one was not given.
        """
        if self._make is None:
            raise WorkerError(
                f"the executor lost a worker and takes no more work ({error}): start again, with a "
                "checkpoint to keep what has been counted, or give what makes an executor, such as "
                "`lambda: ProcessPoolExecutor(4)`, and it is made again"
            ) from error
        self.close()
        self.executor = self._make()

    def close(self) -> None:
        """Let go of an executor that was made here."""
        if self._make is not None:
            self.executor.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _pool(executor: Executor | Callable[[], Executor]) -> Iterator[_Pool]:
    pool = _Pool(executor)
    try:
        yield pool
    finally:
        pool.close()


def _run(
    pool: _Pool,
    shards: dict[str, Corpus],
    work: Callable[[Corpus, str, int], CountTable],
    done: Callable[[str, CountTable], None],
    *,
    keep: bool,
) -> None:
    """Have all shards counted.

    Args:
        pool: who does it.
        shards: what to do, by name.
        work: how to do one, in a worker.
        done: takes each result.
        keep: whether results last, so that it is worth going on when a shard has failed.
    """
    waiting = deque(shards)
    running: dict[Future[CountTable], str] = {}
    lost: Counter[str] = Counter()
    failed: dict[str, BpetokError] = {}
    broken: BrokenExecutor | None = None
    breaks = 0
    try:
        while waiting or running:
            while waiting and len(running) < IN_FLIGHT and broken is None:
                name = waiting[0]
                try:
                    future = pool.executor.submit(work, shards[name], name, lost[name])
                except BrokenExecutor as error:
                    broken = error
                    break
                except RuntimeError as error:
                    raise WorkerError(f"the executor takes no work: {error}") from error
                running[future] = waiting.popleft()
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                try:
                    counts = future.result()
                except BrokenExecutor as error:
                    broken = error
                    waiting.append(name)
                except BpetokError as error:
                    if not keep:
                        raise
                    failed[name] = error
                except Exception as error:  # each kind of executor has its own
                    lost[name] += 1
                    if lost[name] == TRIES:
                        failed[name] = _lost(shards[name], error)
                        if not keep:
                            raise failed[name] from error
                    else:
                        waiting.append(name)
                else:
                    breaks = 0
                    done(name, counts)
            if broken is not None and not running:
                breaks += 1
                if breaks == TRIES:
                    raise _lost(shards[waiting[0]], broken) from broken
                pool.renew(broken)
                broken = None
    except BaseException:
        for future in running:
            future.cancel()
        if keep:
            for future, name in running.items():
                if future.done() and not future.cancelled() and future.exception() is None:
                    done(name, future.result())
        raise
    errors = [failed[name] for name in shards if name in failed]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise type(errors[0])(
            f"{len(errors)} of {len(shards)} parts of the corpus could not be counted: "
            + "; ".join(map(str, errors))
        )


def _lost(shard: Corpus, error: Exception) -> WorkerError:
    names = ", ".join(part.path for part in shard.files[:3]) + (" ..." if len(shard.files) > 3 else "")
    return WorkerError(
        f"{names}: not counted in {TRIES} tries, the last of which ended with {type(error).__name__} "
        f"({error}): see the workers' logs, and whether they have enough memory"
    )
