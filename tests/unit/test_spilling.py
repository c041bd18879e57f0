"""Counts in parts, in memory and on disk; a memory budget changes nothing but the memory."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bpetok import counting, spilling
from bpetok._count import PieceCounts
from bpetok.counting import count, tally
from bpetok.errors import CorpusError, FormatError, SpillError
from bpetok.spilling import N_PARTS, Runs, gather, joined

PIECES = {b"a": 1, b"low": 2**62, b"\0" * 15: 3, b"\xff" * 16: 4, b"x" * 70_000: 5, "ä".encode(): 300}


def table_of(pieces, n_parts=1):
    table = PieceCounts(n_parts)
    for piece, n in pieces.items():
        table.add(piece, n)
    return table


def many(n):
    return {b"%d" % at * (at % 7 + 1): at % 300 + 1 for at in range(n)}


@pytest.mark.parametrize("pieces", [{}, PIECES, many(30_000)], ids=["none", "some", "many"])
@pytest.mark.parametrize("n_parts", [1, 2, 3, 64, 65_536])
def test_parts_hold_every_piece_once(pieces, n_parts):
    table = table_of(pieces)
    n_shown = min(n_parts, 70)
    parts = [table.dump(part, n_parts) for part in range(n_shown)]
    found = {}
    for part, (records, n) in enumerate(parts):
        alone = PieceCounts(n_parts)
        assert alone.load(records, part, n_parts) == n == len(alone)
        assert not found.keys() & dict(alone.items()).keys()
        found |= dict(alone.items())
        assert alone.dump(ordered=True)[0] == table.dump(part, n_parts, ordered=True)[0]
    assert found.items() <= pieces.items()
    assert n_parts > n_shown or found == pieces


def test_records():
    table = table_of({b"b": 1, b"ab": 200, b"a": 3})
    assert table.dump(ordered=True) == (b"\1a\3\2ab\xc8\1\1b\1", 3)
    assert PieceCounts().dump() == (b"", 0)
    with pytest.raises(IndexError, match="no part 4 of 4"):
        table.dump(4, 4)
    with pytest.raises(ValueError, match="one of 0 parts"):
        PieceCounts(0)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (b"\0\1", "no bytes"),
        (b"\2a", "ends behind"),
        (b"\1a", "a count"),
        (b"\1a\0", "a count"),
        (b"\1a\x80", "a count"),
        (b"\1a" + b"\xff" * 9 + b"\1", "a count"),
        (b"\x80" * 12, "no bytes"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\x7fa\1", "ends behind"),
        (b"\1b\1\1a\1", "not in order"),
        (b"\1a\1\1a\1", "not in order"),
        (b"\2ab\1\1a\1", "not in order"),
    ],
)
def test_records_that_are_none(records, message):
    with pytest.raises(FormatError, match=message):
        PieceCounts().load(records, ordered=True)


def test_records_of_another_part():
    table = table_of({b"a": 1})
    part = next(part for part in range(N_PARTS) if table.dump(part, N_PARTS)[1])
    with pytest.raises(FormatError, match="wrong part"):
        PieceCounts(N_PARTS).load(table.dump()[0], part - 1, N_PARTS)


def test_records_whose_sum_is_too_large():
    records = table_of({b"a": 2**63 - 1}).dump()[0]
    table = PieceCounts()
    table.load(records)
    with pytest.raises(CorpusError, match="exceed"):
        table.load(records)
    assert table.n_pieces == 2**63 - 1


def test_a_table_is_used_again_after_it_was_cleared():
    table = table_of(PIECES)
    table.clear()
    assert len(table) == table.n_pieces == 0
    assert table.get(b"a") == 0
    table.add(b"x" * 20, 2)
    assert table.items() == [(b"x" * 20, 2)]


def test_reserving_changes_nothing():
    table = table_of(PIECES)
    table.reserve(100_000)
    assert dict(table.items()) == PIECES
    table.update(table_of(many(90_000)))
    assert dict(table.items()) == PIECES | many(90_000)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_runs_add_up(num_threads):
    with Runs() as runs:
        assert not runs
        for pieces in (many(100), PIECES, {}, many(3000)):
            table = table_of(pieces)
            runs.spill(table)
            assert len(table) == 0
        assert runs
        table = joined(gather(lambda part: runs.part(part).dump(), num_threads))
    expected = table_of(many(100))
    for pieces in (PIECES, many(3000)):
        expected.update(table_of(pieces))
    assert table.equals(expected)
    assert runs.n_pieces == table.n_pieces


def test_runs_whose_sum_is_too_large():
    with Runs() as runs:
        runs.spill(table_of({b"a": 2**62}))
        with pytest.raises(CorpusError, match="exceed"):
            runs.spill(table_of({b"b": 2**62}))


@pytest.fixture
def tight(monkeypatch):
    """So little memory that every job is followed by a spill; returns how many tables were spilled."""
    spilled = []
    spill = Runs.spill

    def counted(self, table):
        spilled.append(len(table))
        spill(self, table)

    monkeypatch.setattr(counting, "MIN_MEMORY", 0)
    monkeypatch.setattr(counting, "OWN_MEMORY", 0)
    monkeypatch.setattr(counting, "CHUNK", 2000)
    monkeypatch.setattr(Runs, "spill", counted)
    return spilled


@pytest.mark.parametrize("num_threads", [1, 2, 3])
@pytest.mark.parametrize("pattern", ["o200k", r"\w+|\W"])
def test_a_budget_changes_nothing(real_texts, tmp_path, tight, num_threads, pattern):
    texts = [*real_texts[:3], "\n".join(real_texts[:4])]
    free = count(texts, pattern=pattern)
    assert not tight
    budgeted = count(texts, pattern=pattern, memory=1, num_threads=num_threads)
    assert len(tight) >= 2
    assert budgeted == free
    assert budgeted.table.dump(ordered=True) == free.table.dump(ordered=True)
    assert (budgeted.n_texts, budgeted.n_bytes) == (free.n_texts, free.n_bytes)

    free.save(tmp_path / "free")
    totals = tally(texts, tmp_path / "budgeted", pattern=pattern, memory=1, num_threads=num_threads)
    assert (tmp_path / "free").read_bytes() == (tmp_path / "budgeted").read_bytes()
    assert (totals.n_texts, totals.n_bytes, totals.n_pieces, totals.n_distinct) == (
        free.n_texts,
        free.n_bytes,
        free.n_pieces,
        len(free),
    )


def test_too_little_memory():
    with pytest.raises(CorpusError, match="at least 134217728"):
        count(["a"], memory=(128 << 20) - 1)
    assert dict(count(["a"], memory=128 << 20)) == {b"a": 1}


def test_nothing_is_left_in_the_folder(real_texts, tmp_path, tight):
    seen = []
    count(real_texts, memory=1, temp=tmp_path, progress=lambda _: seen.extend(tmp_path.iterdir()))
    assert tight
    assert not any(tmp_path.iterdir())

    def stop(progress):
        if tight:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count(real_texts, memory=1, temp=tmp_path, progress=stop)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_not_there(real_texts, tmp_path, tight):
    with pytest.raises(SpillError, match=r"absent cannot be written: .*--temp.*--memory"):
        count(real_texts, memory=1, temp=tmp_path / "absent")


@pytest.mark.parametrize("num_threads", [1, 2])
def test_a_full_disk(real_texts, tmp_path, tight, monkeypatch, num_threads):
    """The file takes some bytes, then no more."""
    real = tempfile.TemporaryFile

    class Full:
        def __init__(self, **options):
            self.file, self.room = real(**options), 3000

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            n = self.file.write(data[: self.room])
            self.room -= n
            return n

        def __getattr__(self, name):
            return getattr(self.file, name)

    monkeypatch.setattr(spilling.tempfile, "TemporaryFile", Full)
    out = tmp_path / "out.counts"
    out.write_bytes(b"as it was")
    with pytest.raises(SpillError, match=r"No space left on device; name another folder \(--temp"):
        tally(real_texts, out, memory=1, temp=tmp_path, num_threads=num_threads)
    assert out.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [out]


def test_a_disk_that_gets_full_in_earnest(tmp_path):
    """A limit on the size of files is the nearest thing to a full disk that a test can have."""
    resource = pytest.importorskip("resource")
    code = f"""
import resource, sys
from pathlib import Path
from bpetok import counting
from bpetok.errors import SpillError
counting.MIN_MEMORY = counting.OWN_MEMORY = 0
counting.CHUNK = 2000
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, {resource.RLIM_INFINITY}))
try:
    text = " ".join(chr(97 + n % 26) * (n // 26) for n in range(900))
    counting.count([text], memory=1, temp={str(tmp_path)!r})
except SpillError as error:
    sys.exit(str(error))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"the temporary file for counts in {tmp_path} cannot be written: File too")
    assert not any(Path(tmp_path).iterdir())
