"""Damaged files of every format of the registry, corpora and counts: read as what they are, or refused."""

import bz2
import contextlib
import functools
import gzip
import io
import itertools
import json
import lzma
import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hostile
from bpetok import CountTable, count
from bpetok.corpus import read
from bpetok.errors import BpetokError
from bpetok.formats import FORMATS


@pytest.mark.parametrize("format", FORMATS)
def test_there_are_sound_files(format):
    """A new format is damaged, too: if it holds none of the samples, add it to `hostile.BY_HAND`."""
    assert hostile.whole(format)
    for files in hostile.whole(format):
        assert hostile.outcome(files) == "read"


@pytest.mark.parametrize("format", FORMATS)
@given(seed=st.integers(0, 2**32))
def test_damage_is_harmless_or_refused(format, seed):
    for files in itertools.islice(hostile.cases(format, seed), 3):
        hostile.outcome(files)


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_that_is_cut_short_anywhere(format):
    for files in hostile.whole(format):
        for name, data in files.items():
            step = max(1, len(data) // 150)
            for end in [*range(0, len(data), step), *range(max(0, len(data) - 40), len(data))]:
                hostile.outcome({**files, name: data[:end]})


# ---- corpora and counts --------------------------------------------------------------------------------

LINES = b"".join(json.dumps({"text": f"the cat \u00e9 {at}", "id": at}).encode() + b"\n" for at in range(40))


def _counts() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        count(["the cat and the other cat"]).save(path)
        return path.read_bytes()


def _zstandard(data: bytes) -> bytes:
    return pytest.importorskip("zstandard", reason="zstandard is not installed").compress(data)


def _parquet() -> bytes:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    parquet.write_table(pyarrow.table({"text": ["the cat", None, "\u00e9"] * 20}), out)
    return out.getvalue()


CORPORA = {
    "x.txt.gz": lambda: gzip.compress(b"the cat" * 30, mtime=0),
    "x.txt.bz2": lambda: bz2.compress(b"the cat" * 30),
    "x.txt.xz": lambda: lzma.compress(b"the cat" * 30),
    "x.txt.zst": lambda: _zstandard(b"the cat" * 30),
    "x.jsonl": lambda: LINES,
    "x.jsonl.gz": lambda: gzip.compress(LINES, mtime=0),
    "x.jsonl.zst": lambda: _zstandard(LINES[:300]) + _zstandard(LINES[300:]),
    "x.parquet": _parquet,
    "x.counts": _counts,
    "x.tsv": lambda: b"the\t5\ncat\t7\n\xc3\xa9\t1\n",
}
READERS = {"x.counts": CountTable.load, "x.tsv": functools.partial(CountTable.from_words, pattern="gpt2")}


def _all_of(path: Path) -> None:
    for document in read(path):
        assert isinstance(document.text, str | bytes)


@pytest.mark.parametrize("name", CORPORA)
@given(seed=st.integers(0, 2**32))
def test_corpora_and_counts(name, seed):
    data = CORPORA[name]()
    random = Random(seed)
    reader = READERS.get(name, _all_of)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(data)
        reader(path)
        for _ in range(3):
            path.write_bytes(hostile.damaged(data, random))
            with contextlib.suppress(BpetokError):
                reader(path)
