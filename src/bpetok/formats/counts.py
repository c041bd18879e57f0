"""Count tables as files.

A file is 16 bytes that say what it is and in which version, then blocks: one of JSON with the pattern and
what was done to the texts before; one for each of the 64 parts of the table, in order; one of JSON with the
totals and where they come from. A block is a head of 28 bytes (all numbers little-endian) and data packed by
zlib:

| bytes | what |
|---|---|
| 8 | size of the data as it is packed |
| 8 | size of the data |
| 8 | number of records in it; 0 for JSON |
| 4 | CRC-32 of the 24 bytes before and of the packed data |

A record is the length of a piece, its bytes, and its count, where both numbers are LEB128. The records of a
part are in the order of the pieces' bytes. So equal tables have equal parts, and two files can be added up
part by part.
"""

import hashlib
import json
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any

from bpetok._count import PieceCounts
from bpetok.errors import FormatError, PreparationError
from bpetok.formats.atomic import write_stream
from bpetok.formats.checks import check_pattern, field, parse_json
from bpetok.spilling import MAX_COUNT, N_PARTS, Records
from bpetok.treatment import NOTHING, Treatment

__all__ = ["CountFile", "is_count_file", "write_counts"]

MAGIC = b"bpetok counts "
VERSION = b"1\n"
HEAD = struct.Struct("<QQQ")
CRC = struct.Struct("<I")
MAX_JSON = 1 << 24
LEVEL = 1  # of zlib: higher ones take three times as long for a tenth less
_AGAIN = "count or copy it again"


def is_count_file(path: str | os.PathLike[str]) -> bool:
    """Whether a file begins like a count table, of whatever version.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def write_counts(
    path: str | os.PathLike[str],
    records: Callable[[int], Records],
    totals: Callable[[], dict[str, Any]],
    *,
    pattern: str,
    treatment: Treatment = NOTHING,
    num_threads: int = 1,
) -> None:
    """Write a count table; the file appears when it is complete.

    Args:
        path: where to.
        records: gives a part, in the order of the pieces' bytes; called from several threads.
        totals: gives n_texts, n_bytes, n_pieces, n_distinct and provenance, when all parts are written.
        pattern: the source of the split pattern.
        treatment: what was done to the texts before.
        num_threads: how many threads make and pack parts.
    """

    def pack(part: int) -> tuple[bytes, bytes]:
        return _pack(*records(part))

    with write_stream(path) as file:
        file.write(MAGIC + VERSION)
        kind = {"pattern": pattern, "normalizer": None} | treatment.spec()
        _write_json(file, {**kind, "hash": _hash(kind), "parts": N_PARTS})
        for block in _each(pack, num_threads):
            file.writelines(block)
        _write_json(file, totals())


def _each(pack: Callable[[int], tuple[bytes, bytes]], num_threads: int) -> Iterator[tuple[bytes, bytes]]:
    """The blocks of all parts in order, with few of them in memory."""
    with ThreadPoolExecutor(num_threads, "bpetok-pack") as pool:
        waiting: deque[Future[tuple[bytes, bytes]]] = deque()
        for part in range(N_PARTS):
            waiting.append(pool.submit(pack, part))
            if len(waiting) > num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _pack(data: bytes, n: int) -> tuple[bytes, bytes]:
    packed = zlib.compress(data, LEVEL)
    head = HEAD.pack(len(packed), len(data), n)
    return head + CRC.pack(zlib.crc32(packed, zlib.crc32(head))), packed


def _write_json(file: IO[bytes], value: dict[str, Any]) -> None:
    file.writelines(_pack(json.dumps(value, ensure_ascii=False, sort_keys=True).encode(), 0))


def _hash(kind: dict[str, Any]) -> str:
    """What two tables must have in common to be added up."""
    return hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()


class CountFile:
    """A count table in a file. Its frame is read at once, its parts when they are asked for.

    Attributes:
        path: the file.
        pattern: the source of the split pattern.
        treatment: what was done to the texts before.
        n_texts, n_bytes, n_pieces, n_distinct: the totals of the table.
        provenance: what was counted, and by which version.

    Args:
        path: the file.

    Raises:
        FormatError: it is not a count table, of another version, damaged, or cut short.
        OSError: it cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        with open(self.path, "rb") as file:
            self._end = file.seek(0, os.SEEK_END)
            file.seek(0)
            magic = file.read(len(MAGIC))
            if magic != MAGIC:
                raise FormatError(f"{self.path} is not a count table: name a file that `bpetok tally` wrote")
            version = file.read(len(VERSION))
            if version != VERSION:
                raise FormatError(
                    f"{self.path} is a count table of version {version[:1].decode('latin-1')!r}, and this "
                    f"bpetok reads version {VERSION[:1].decode()!r}: update bpetok, or count again"
                )
            start = file.tell()
            self._blocks = []
            for _ in range(N_PARTS + 2):
                self._blocks.append(start)
                file.seek(start)
                head = file.read(HEAD.size)
                if len(head) < HEAD.size:
                    raise self._damaged("it is cut short")
                start += HEAD.size + CRC.size + HEAD.unpack(head)[0]
                if start > self._end:
                    raise self._damaged("it is cut short")
            if start != self._end:
                raise self._damaged("there is more behind its end")
        about = self._json(0)
        kind = {key: about.get(key) for key in ("pattern", "normalizer", *about.keys() & {"symbols"})}
        self.pattern = field(about, "pattern", str, self.path)
        check_pattern(self.pattern, self.path)
        if about.get("parts") != N_PARTS or about.get("hash") != _hash(kind):
            raise self._damaged("its head contradicts itself")
        done = {key: kind[key] for key in kind.keys() - {"pattern"} if kind[key] is not None}
        try:
            self.treatment = Treatment.from_spec(done)
        except PreparationError as error:
            raise FormatError(
                f"{self.path}: its texts went through {done!r}, which this bpetok does not know ({error}): "
                "update bpetok, or count again"
            ) from error
        totals = self._json(N_PARTS + 1)
        self.n_texts, self.n_bytes, self.n_pieces, self.n_distinct = (
            field(totals, key, int, self.path) for key in ("n_texts", "n_bytes", "n_pieces", "n_distinct")
        )
        if min(self.n_texts, self.n_bytes) < 0 or not 0 <= self.n_distinct <= self.n_pieces <= MAX_COUNT:
            raise self._damaged("its totals contradict each other")
        self.provenance = field(totals, "provenance", dict, self.path)
        field(self.provenance, "n_sources", int, self.path)
        for key in ("counted_by", "sources"):
            names = field(self.provenance, key, list, self.path)
            if not all(isinstance(name, str) for name in names):
                raise self._damaged(f"{key!r} holds something else than text")

    def records(self, part: int) -> Records:
        """The records of one part; what they hold is not looked at.

        Raises:
            FormatError: the file is damaged there.
        """
        return self._block(part + 1)

    def load(self, part: int, table: PieceCounts) -> None:
        """Add one part to a table.

        Raises:
            FormatError: the file is damaged there.
            CorpusError: the sum of all counts would exceed 2**63 - 1.
        """
        data, n = self.records(part)
        try:
            if table.load(data, part, N_PARTS, ordered=True) != n:
                raise FormatError(f"there are not {n} records")
        except FormatError as error:
            raise self._damaged(f"part {part}: {error}") from error

    def _block(self, number: int) -> Records:
        with open(self.path, "rb") as file:
            file.seek(self._blocks[number])
            head, crc = file.read(HEAD.size), file.read(CRC.size)
            if len(head) + len(crc) < HEAD.size + CRC.size:
                raise self._damaged("it is cut short")
            n_packed, size, n = HEAD.unpack(head)
            if n_packed > self._end or size > 1100 * n_packed or 3 * n > size:  # deflate packs 1032 to 1
                raise self._damaged(f"block {number} has a false head")
            packed = file.read(n_packed)
        if zlib.crc32(packed, zlib.crc32(head)) != CRC.unpack(crc)[0]:
            raise self._damaged(f"the checksum of block {number} is wrong")
        try:
            unpacker = zlib.decompressobj()
            data = unpacker.decompress(packed, size + 1)
        except zlib.error as error:
            raise self._damaged(f"block {number} cannot be unpacked ({error})") from error
        if len(data) != size or not unpacker.eof:
            raise self._damaged(f"block {number} is not of the size that it should be")
        return data, n

    def _json(self, number: int) -> dict[str, Any]:
        data, _ = self._block(number)
        value = parse_json(data, self.path) if len(data) <= MAX_JSON else None
        if not isinstance(value, dict):
            raise self._damaged(f"block {number} is not an object of JSON")
        return value

    def _damaged(self, what: str) -> FormatError:
        return FormatError(f"{self.path} is damaged: {what}; {_AGAIN}")
