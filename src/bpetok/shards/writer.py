"""Writing shards: segments to ids to streams, with checkpoints.

One thread reads what comes next while the batch engine encodes. What a checkpoint holds is decided by counts
of segments alone, and segments by the texts alone, so that a run that was ended anywhere, by whatever, leads
to the same bytes when it is begun again.
"""

import errno
import fcntl
import functools
import hashlib
import itertools
import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bpetok.corpus import Corpus, storage
from bpetok.counting import Progress, ProgressCallback, Sources, documents, total_bytes
from bpetok.errors import BpetokError, CorpusError, EncodeError, ShardError, ShardWriteError
from bpetok.formats.checks import parse_json
from bpetok.shards import manifest
from bpetok.shards.draft import State, Stream
from bpetok.shards.formats import FORMATS, Ids, load_pyarrow, placed
from bpetok.shards.manifest import Manifest, Shard
from bpetok.shards.segments import Segment, Segmenter
from bpetok.shards.settings import Settings

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

CHECKPOINT = ".checkpoint.json"
BATCH = 1 << 23  # characters or bytes of text that are encoded at a time, by all threads
CHECKPOINT_BYTES = 1 << 28  # of text from one checkpoint to the next, if no shard is finished before

_SUFFIXES = "|".join(sorted({suffix[1:] for each in FORMATS.values() for suffix in each.suffixes}))
_SHARD = re.compile(rf"(train|val)-[0-9]{{5,}}\.({_SUFFIXES})")

Segments = Callable[[], Iterator[Segment]]


def write(
    tokenizer: "Tokenizer",
    sources: Sources,
    out: str | os.PathLike[str],
    settings: Settings,
    *,
    field: str = "text",
    special: dict[str, Any] | None = None,
    errors: Literal["strict", "replace"] = "strict",
    num_threads: int | None = None,
    progress: ProgressCallback | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Encode a corpus into a folder of shards; see `Tokenizer.encode_to`.

    Args:
        tokenizer: what encodes.
        sources: the texts.
        out: the folder.
        settings: how ids become shards.
        field: the field or column that holds the text.
        special: the arguments `allowed_special` and `disallowed_special` of `encode`.
        errors: what to do with bytes that are not UTF-8.
        num_threads: how many threads encode; None for as many as there are processors.
        progress: called now and then from the calling thread.
        overwrite: begin anew, whatever the folder holds.
    """
    folder = Path(out)
    segmenter = Segmenter(tokenizer, settings)
    if isinstance(sources, str | os.PathLike | dict):
        sources = Corpus.find(sources, field=field)
    corpus = sources if isinstance(sources, Corpus) else None
    if corpus is not None:
        parts = segmenter.parts(corpus)
    else:
        parts = [functools.partial(segmenter.of, documents(sources, field=field))]
    if settings.format in ("parquet", "arrow"):
        load_pyarrow()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            run = _Run(tokenizer, corpus, folder, settings, special or {}, errors, num_threads)
            return run.go(parts, None if corpus is None else total_bytes(corpus), progress, overwrite)
    except BpetokError:
        raise
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise ShardWriteError(
            f"{folder}: cannot be written ({error.strerror or error}): finished shards and the last "
            f"checkpoint are kept; {'make room' if full else 'see to it'}, then give the same command again"
        ) from error


class _Run:
    """One call of `write`, in a folder that no other process writes to."""

    def __init__(
        self,
        tokenizer: "Tokenizer",
        corpus: Corpus | None,
        folder: Path,
        settings: Settings,
        special: dict[str, Any],
        errors: str,
        num_threads: int | None,
    ) -> None:
        self._tokenizer = tokenizer
        self._folder = folder
        self._settings = settings
        self._special = special
        self._errors = errors
        self._num_threads = num_threads
        self._dtype = np.dtype(FORMATS[settings.format].dtype(tokenizer.n_vocab))
        self._shards: list[Shard] = []
        self._totals = {
            split: {"documents": 0, "bytes": 0, "tokens": 0, "dropped_tokens": 0} for split in settings.splits
        }
        self._open = False  # whether the last document goes on in the next batch
        self._streams: list[Stream] = []
        policy = {
            name: sorted(value) if isinstance(value, set | frozenset | list | tuple) else value
            for name, value in special.items()
        }
        self._about: dict[str, Any] = {
            "tokenizer": manifest.tokenizer_entry(tokenizer),
            "settings": {**settings.plain(), **policy, "errors": errors},
            "dtype": self._dtype.name,
            "sources": None
            if corpus is None
            else [
                {"path": part.path, "bytes": 0 if part.path == "-" else storage.size(part.path)}
                for part in corpus.files
            ],
        }
        # What must be the same for a run to go on.
        self._same = {
            **self._about,
            "corpus": None
            if corpus is None
            else [
                *([part.path if part.path == "-" else storage.identity(part.path), part.weight]
                  for part in corpus.files),
                corpus.field, corpus.seed, corpus.unique,
            ],
        }  # fmt: skip

    def go(
        self, parts: list[Segments], total: int | None, progress: ProgressCallback | None, overwrite: bool
    ) -> Manifest:
        """Write what is not written yet."""
        done, before = self._begin(overwrite)
        if done is not None:
            return done
        reached = before["position"], before["last"]
        n_bytes = sum(each["bytes"] for each in self._totals.values())
        unsaved = 0
        try:
            self._save(*reached)
            for batch, position in _ahead(_batches(parts, *reached)):
                size = self._encode(batch)
                reached = position, _fingerprint(batch[-1])
                n_bytes += size
                unsaved += size
                if progress is not None:
                    progress(Progress("encode", n_bytes, total, "bytes", "encoding"))
                if unsaved >= CHECKPOINT_BYTES or any(stream.finished for stream in self._streams):
                    self._save(*reached)
                    unsaved = 0
            return self._finish(reached)
        except (CorpusError, EncodeError) as error:
            self._save(*reached)
            raise type(error)(
                f"{error}\n{len(self._shards)} finished shards and a checkpoint are kept in {self._folder}: "
                "when the source is right, the same command goes on from there"
            ) from error
        finally:
            for stream in self._streams:
                stream.close()

    # ---- from a checkpoint to the next ---------------------------------------------------------------

    def _begin(self, overwrite: bool) -> tuple[Manifest | None, dict[str, Any]]:
        """What a finished run has left, or else where to go on."""
        checkpoint, finished = self._folder / CHECKPOINT, self._folder / manifest.NAME
        if overwrite:
            self._remove()
        if finished.exists():
            done = Manifest.load(self._folder)
            if self._about["sources"] is None:
                raise self._other(
                    f"{self._folder} holds finished shards; whether of these texts cannot be seen"
                )
            if {name: getattr(done, name) for name in self._about} != self._about:
                raise self._other(f"{self._folder} holds finished shards of other sources or settings")
            self._forget()
            return done, {}
        before: dict[str, Any] = {"position": [0, 0], "last": None}
        states = [State() for _ in self._settings.splits]
        if checkpoint.exists():
            before = parse_json(checkpoint.read_bytes(), str(checkpoint))
            for name, value in self._same.items():
                if before.get(name) != json.loads(json.dumps(value)):
                    raise self._other(f"{self._folder} holds unfinished shards with another {name}")
            self._shards = list(map(Shard.of, before["shards"]))
            self._totals = before["totals"]
            self._open = before["open"]
            states = [State(**state) for state in before["states"]]
        elif self._present():
            raise self._other(f"{self._folder} holds files named as shards are, without a manifest")
        self._streams = [
            Stream(self._folder, split, self._settings, self._dtype, state)
            for split, state in zip(self._settings.splits, states, strict=True)
        ]
        return None, before

    def _forget(self) -> None:
        """Remove the checkpoint, then what only a checkpoint counts on."""
        (self._folder / CHECKPOINT).unlink(missing_ok=True)
        for name in (CHECKPOINT, manifest.NAME, "train-*", "val-*"):
            for path in self._folder.glob(f".{name}.part"):
                path.unlink()

    def _other(self, what: str) -> ShardError:
        return ShardError(f"{what}: name another folder, or overwrite it")

    def _remove(self) -> None:
        """Remove what an earlier run has left, the manifest first."""
        (self._folder / manifest.NAME).unlink(missing_ok=True)
        self._forget()
        for path in self._present():
            path.unlink()

    def _present(self) -> list[Path]:
        """The files whose names are those of shards."""
        return [path for path in self._folder.iterdir() if _SHARD.fullmatch(path.name)]

    def _save(self, position: list[int], last: str | None) -> None:
        """Make a checkpoint."""
        states = [stream.sync() for stream in self._streams]
        for stream in self._streams:
            self._shards += stream.finished
            stream.finished = []
        document = {
            **self._same,
            "position": position,
            "last": last,
            "open": self._open,
            "states": states,
            "totals": self._totals,
            "shards": [asdict(shard) for shard in self._shards],
        }
        with placed(self._folder / CHECKPOINT) as file:
            file.write(json.dumps(document).encode())
        for stream in self._streams:
            stream.clean()

    def _finish(self, reached: tuple[list[int], str | None]) -> Manifest:
        for stream, totals in zip(self._streams, self._totals.values(), strict=True):
            if self._settings.drop_tail:
                dropped = stream.drop_tail()
                totals["dropped_tokens"] += dropped
                totals["tokens"] -= dropped
        self._save(*reached)
        for stream in self._streams:
            stream.finish()
            self._shards += stream.finished
        self._shards.sort(key=lambda shard: (self._settings.splits.index(shard.split), shard.files[0].name))
        done = Manifest(**self._about, totals=self._totals, shards=tuple(self._shards))
        with placed(self._folder / manifest.NAME) as file:
            file.write(done.dump())
        self._forget()
        return Manifest.load(self._folder)

    # ---- a batch -------------------------------------------------------------------------------------

    def _encode(self, batch: list[Segment]) -> int:
        """Encode segments and hand the ids to the streams; returns the bytes of text."""
        texts = [self._text(segment) for segment in batch]
        try:
            ids, offsets = self._tokenizer.encode_flat(texts, num_threads=self._num_threads, **self._special)
        except EncodeError:
            for segment, text in zip(batch, texts, strict=True):
                try:
                    self._tokenizer.count(text, **self._special)
                except EncodeError as error:
                    raise type(error)(f"{segment.source}: {error}") from error
            raise
        last = np.array([segment.last for segment in batch])
        first = np.concatenate(([not self._open], last[:-1]))
        self._open = not batch[-1].last
        sizes = np.diff(offsets)
        n_bytes = np.array([_n_bytes(segment.text) for segment in batch])
        splits = np.array([segment.split for segment in batch])
        for number, (stream, totals) in enumerate(zip(self._streams, self._totals.values(), strict=True)):
            mine = splits == number
            if not mine.any():
                continue
            own = ids if mine.all() else ids[np.repeat(mine, sizes)]
            flat, ends = self._separated(own, sizes[mine], first[mine], last[mine])
            stream.add(flat, ends)
            totals["documents"] += len(ends)
            totals["bytes"] += int(n_bytes[mine].sum())
            totals["tokens"] += len(flat)
        return int(n_bytes.sum())

    def _separated(self, ids: Ids, sizes: Any, first: Any, last: Any) -> tuple[Ids, Any]:
        """Ids with separators in their places, and where documents end in them."""
        stops = np.cumsum(sizes)
        ends = stops[last]
        if self._settings.separator is None:
            return ids, ends
        if self._settings.separator_at == "after":
            return np.insert(ids, ends, self._settings.separator), ends + np.arange(1, len(ends) + 1)
        places = (stops - sizes)[first]
        return np.insert(ids, places, self._settings.separator), ends + np.cumsum(first)[last]

    def _text(self, segment: Segment) -> str:
        if isinstance(segment.text, str):
            return segment.text
        try:
            return segment.text.decode(errors=self._errors)
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{segment.source}: not UTF-8 ({error.reason}: {error.object[error.start : error.end]!r}): "
                "convert it, for example with iconv, or have such bytes replaced"
            ) from error


def _batches(
    parts: list[Segments], position: list[int], last: str | None
) -> Iterator[tuple[list[Segment], list[int]]]:
    """Segments from a position on, with the position behind them: a part, and how many of its segments.

    Raises:
        ShardError: the segment before the position is not the one with this fingerprint.
    """
    batch: list[Segment] = []
    size = 0
    first, skipped = position
    for number in range(first, len(parts)):
        segments = parts[number]()
        if number == first and skipped:
            passed = list(itertools.islice(segments, skipped - 1, skipped))
            if not passed or _fingerprint(passed[0]) != last:
                raise ShardError(
                    "the texts are not those that the unfinished shards were made from: name another folder, "
                    "or overwrite it"
                )
        for done, segment in enumerate(segments, 1 + (skipped if number == first else 0)):
            batch.append(segment)
            size += len(segment.text)
            if size >= BATCH:
                yield batch, [number, done]
                batch, size = [], 0
    if batch:
        yield batch, [len(parts), 0]


def _ahead(items: Iterator[Any]) -> Iterator[Any]:
    """The same, each made by another thread while the one before is in use."""
    end = object()
    with ThreadPoolExecutor(1, "bpetok-read") as pool:
        waiting = pool.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = pool.submit(next, items, end)
            yield item


def _fingerprint(segment: Segment) -> str:
    text = segment.text if isinstance(segment.text, bytes) else segment.text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _n_bytes(text: str | bytes) -> int:
    if isinstance(text, str) and not text.isascii():
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to the folder; one that is killed keeps them no longer.

    Raises:
        ShardError: another one does.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ShardError(
                f"{folder}: another process writes to it: wait for it, or name another"
            ) from error
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)
