"""Shards while they are written, so that a run that was killed goes on where its last checkpoint was.

A draft is a file that ids are appended to, and for formats with rows a second one of the rows' lengths. A
checkpoint notes how long they are once they are on disk; going on cuts off what was written later.
"""

import contextlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from bpetok.errors import ShardError
from bpetok.shards.formats import FORMATS, MOST_ROW, Contents, Ids, Lengths
from bpetok.shards.manifest import Shard, describe
from bpetok.shards.settings import Settings

_LENGTH = np.dtype("<i8")


@dataclass(slots=True)
class State:
    """How far a split is: the number of its open shard, the ids in that, the documents that end in it, the
    rows whose lengths are known, the ids behind the last document's end, and whether the files are there."""

    number: int = 0
    tokens: int = 0
    documents: int = 0
    rows: int = 0
    pending: int = 0
    opened: bool = False


class Stream:
    """The shards of one split: appended to, finished when full.

    Args:
        folder: where the files are.
        split: the split's name.
        settings: how shards are cut.
        dtype: the type of ids.
        state: from a checkpoint, to go on from there.
    """

    def __init__(
        self, folder: Path, split: str, settings: Settings, dtype: np.dtype[Any], state: State
    ) -> None:
        self.state = state
        self.finished: list[Shard] = []
        self._folder = folder
        self._split = split
        self._settings = settings
        self._format = FORMATS[settings.format]
        self._dtype = dtype
        self._by_document = self._format.rows and settings.sequence_length is None
        self._ids: IO[bytes] | None = None
        self._lengths: IO[bytes] | None = None
        if state.opened:
            self._reopen()

    # ---- appending -----------------------------------------------------------------------------------

    def add(self, ids: Ids, ends: Lengths) -> None:
        """Append ids.

        Args:
            ids: the ids.
            ends: where documents end in them, in order.
        """
        at = done = 0
        while at < len(ids) or done < len(ends):
            if self._is_full() and (self._by_document or at < len(ids)):
                self.finish()
            stop, until = self._slice(at, done, ids, ends)
            self._append(ids[at:stop], ends[done:until] - at)
            at, done = stop, until

    def _is_full(self) -> bool:
        capacity = self._settings.capacity
        return (
            capacity is not None
            and self.state.tokens >= capacity
            and not (self._by_document and self.state.pending)
        )

    def _slice(self, at: int, done: int, ids: Ids, ends: Lengths) -> tuple[int, int]:
        """Up to which id, and which document's end, the open shard takes."""
        capacity = self._settings.capacity
        if capacity is None:
            return len(ids), len(ends)
        room = max(capacity - self.state.tokens, 0)
        if self._by_document:
            filling = max(done, int(np.searchsorted(ends, at + room, "left")))
            return (int(ends[filling]), filling + 1) if filling < len(ends) else (len(ids), len(ends))
        stop = min(at + room, len(ids))
        return stop, int(np.searchsorted(ends, stop, "right"))

    def _append(self, ids: Ids, ends: Lengths) -> None:
        file = self._ids or self._open()
        file.write(ids.astype(self._dtype, copy=False).data)
        state = self.state
        state.tokens += len(ids)
        state.documents += len(ends)
        if self._lengths is not None:
            lengths = np.diff(ends, prepend=-state.pending)
            state.pending = state.pending + len(ids) if not len(ends) else len(ids) - int(ends[-1])
            if state.pending > MOST_ROW or (len(lengths) and lengths.max() > MOST_ROW):
                raise ShardError(
                    f"a document has more than 2**31 - 1 ids, too many for a row of {self._settings.format}: "
                    "set sequence_length, or choose bin"
                )
            self._lengths.write(lengths.astype(_LENGTH).data)
            state.rows += len(lengths)

    # ---- files ---------------------------------------------------------------------------------------

    def _draft(self, what: str) -> Path:
        return self._folder / f".{self._split}-{self.state.number:05d}.{what}.part"

    def _targets(self) -> list[Path]:
        stem = f"{self._split}-{self.state.number:05d}"
        return [self._folder / f"{stem}{suffix}" for suffix in self._format.suffixes]

    def _open(self) -> IO[bytes]:
        self.state = State(number=self.state.number, opened=True)
        self._ids = open(self._draft("ids"), "wb")  # noqa: SIM115
        self._ids.write(bytes(self._format.header))
        if self._by_document:
            self._lengths = open(self._draft("lengths"), "wb")  # noqa: SIM115
        return self._ids

    def _reopen(self) -> None:
        """Open the files of a draft as they were at the checkpoint."""
        draft, target = self._draft("ids"), self._targets()[0]
        if not draft.exists() and target.exists():
            os.replace(target, draft)  # the run was ended behind the finishing of a shard
        self._ids = self._cut(draft, self._format.header + self.state.tokens * self._dtype.itemsize)
        if self._by_document:
            self._lengths = self._cut(self._draft("lengths"), self.state.rows * _LENGTH.itemsize)

    def _cut(self, path: Path, size: int) -> IO[bytes]:
        file = open(path, "r+b")  # noqa: SIM115
        if file.seek(0, os.SEEK_END) < size:
            file.close()
            raise ShardError(f"{path} is shorter than its checkpoint says: begin anew with overwrite")
        file.truncate(size)
        file.seek(size)
        return file

    def sync(self) -> dict[str, Any]:
        """Bring all that was appended to disk; returns the state that goes on from here."""
        for file in (self._ids, self._lengths):
            if file is not None:
                file.flush()
                os.fsync(file.fileno())
        return asdict(self.state)

    def close(self) -> None:
        """Close the files, whatever has been written to them."""
        for file in (self._ids, self._lengths):
            if file is not None:
                with contextlib.suppress(OSError):  # what is buffered, no checkpoint counts on
                    file.close()
        self._ids = self._lengths = None

    def finish(self) -> None:
        """Make the open shard's files, and begin another shard. The draft of lengths, and what else is not
        needed any more, stays until `clean`: a run that is ended before the next checkpoint needs it."""
        if not self.state.opened:
            return
        self.sync()
        state = self.state
        self.close()
        contents = Contents(
            self._draft("ids"), state.tokens, self._dtype, self._row_lengths(), self._settings.sequence_length
        )
        paths = self._targets()
        self._format.finish(contents, paths)
        rows = len(contents.lengths)
        files = tuple(map(describe, paths))
        self.finished.append(Shard(self._split, state.tokens, state.documents, rows, files))
        self.state = State(number=state.number + 1)

    def _row_lengths(self) -> Lengths:
        state, width = self.state, self._settings.sequence_length
        if self._by_document:
            return np.fromfile(self._draft("lengths"), _LENGTH)
        if width is None:
            return np.array([state.tokens], np.int64)
        whole, tail = divmod(state.tokens, width)
        return np.append(np.full(whole, width, np.int64), [tail] * (tail > 0)).astype(np.int64)

    def drop_tail(self) -> int:
        """Leave out the ids behind the last whole sequence; returns how many these are. The file keeps
        them until the shard is finished: the checkpoint before still counts on them."""
        width = self._settings.sequence_length
        tail = self.state.tokens % width if width else 0
        self.state.tokens -= tail
        if tail and not self.state.tokens:
            self.close()
            self.state = State(number=self.state.number)
        return tail

    def clean(self) -> None:
        """Remove the drafts of finished shards, whose checkpoint has been made."""
        current = None if not self.state.opened else f"{self.state.number:05d}"
        for path in self._folder.glob(f".{self._split}-*.part"):
            if current is None or path.name.split(".")[1] != f"{self._split}-{current}":
                path.unlink()
