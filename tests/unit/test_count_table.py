"""Count tables: as files, added up, and from counts made elsewhere."""

import gzip
import importlib
import json
import os
import struct
import sys
import zlib
from collections import Counter
from pathlib import Path

import pytest

import bpetok
from bpetok.count_table import CountTable
from bpetok.counting import count, merge_files, tally
from bpetok.errors import CorpusError, FormatError, MissingExtraError, PatternError
from bpetok.formats import counts as counts_format
from bpetok.formats.counts import CountFile, is_count_file
from bpetok.patterns import NAMED

PIECES = {b"a": 1, b"low": 2**61, b"\0" * 15: 3, b"\xff" * 16: 4, b"x" * 70_000: 5}


@pytest.fixture
def table(real_texts):
    return count(real_texts, pattern="o200k")


@pytest.fixture
def saved(table, tmp_path):
    path = tmp_path / "a.counts"
    table.save(path)
    return path


# ---- files -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [{}, {b"a": 2**63 - 1}, PIECES], ids=["none", "large", "some"])
def test_a_file_gives_back_the_table(tmp_path, pieces):
    table = CountTable.from_mapping(pieces, "gpt2")
    table.save(tmp_path / "x")
    copy = CountTable.load(str(tmp_path / "x"))
    assert copy == table
    assert dict(copy) == pieces
    assert (copy.pattern, copy.n_texts, copy.n_bytes, copy.provenance) == (
        table.pattern,
        table.n_texts,
        table.n_bytes,
        table.provenance,
    )


def test_files_say_where_counts_come_from(tmp_path):
    for name in "ba":
        (tmp_path / f"{name}.txt").write_text("low lower", "utf-8")
    sources = [tmp_path / "b.txt", "a text", tmp_path / "a.txt"]
    tally(sources, tmp_path / "x")
    expected = {
        "counted_by": [f"bpetok {bpetok.__version__}"],
        "sources": [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")],
        "n_sources": 2,
    }
    assert CountTable.load(tmp_path / "x").provenance == expected
    assert count(sources).provenance == expected
    both = CountTable.merge(count(sources), count(sources[:1]))
    assert both.provenance["sources"] == sorted([*expected["sources"], str(tmp_path / "b.txt")])
    assert both.provenance["n_sources"] == 3


def test_equal_tables_make_equal_files(saved, table, tmp_path):
    again = CountTable.merge(CountTable.load(saved))
    again.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == saved.read_bytes()


def test_the_layout_is_what_is_documented(tmp_path):
    CountTable.from_mapping({b"ab": 200, b"b": 1}, "gpt2").save(tmp_path / "x")
    data = (tmp_path / "x").read_bytes()
    assert data[:16] == b"bpetok counts 1\n"
    at, blocks = 16, []
    while at < len(data):
        packed, size, n = struct.unpack_from("<QQQ", data, at)
        body = data[at + 28 : at + 28 + packed]
        assert struct.unpack_from("<I", data, at + 24)[0] == zlib.crc32(data[at : at + 24] + body)
        blocks.append((zlib.decompress(body), n))
        assert len(blocks[-1][0]) == size
        at += 28 + packed
    assert len(blocks) == 66
    head = json.loads(blocks[0][0])
    assert (head["pattern"], head["normalizer"], head["parts"]) == (NAMED["gpt2"], None, 64)
    assert json.loads(blocks[-1][0])["n_pieces"] == 201
    assert sorted(block for block in blocks[1:-1] if block[1]) == [(b"\1b\1", 1), (b"\2ab\xc8\1", 1)]


def test_training_from_a_file_is_training(real_texts, saved):
    direct = bpetok.train(real_texts, vocab_size=600, pattern="o200k")
    loaded = bpetok.train_from_counts(CountTable.load(saved), vocab_size=600)
    assert loaded.vocabulary.tokens() == direct.vocabulary.tokens()
    assert (loaded.vocabulary.merges() == direct.vocabulary.merges()).all()
    assert loaded.provenance == direct.provenance


@pytest.mark.parametrize("num_threads", [1, 2, None])
def test_files_are_added_up_like_tables(real_texts, tmp_path, num_threads):
    paths = []
    for at in range(3):
        paths.append(tmp_path / f"{at}.counts")
        count(real_texts[at::3]).save(paths[-1])
    out = tmp_path / "sum.counts"
    totals = merge_files(paths, out, num_threads=num_threads)
    whole = count(real_texts)
    assert CountTable.load(out) == whole
    whole.save(tmp_path / "whole")
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()
    assert (totals.n_texts, totals.n_bytes) == (whole.n_texts, whole.n_bytes)
    assert (totals.n_pieces, totals.n_distinct) == (whole.n_pieces, len(whole))
    merge_files([paths[0]], paths[0])
    assert CountTable.load(paths[0]) == count(real_texts[0::3])


def test_files_that_cannot_be_added_up(tmp_path):
    paths = [tmp_path / name for name in "abcd"]
    CountTable.from_mapping({b"a": 2**62}, "gpt2").save(paths[0])
    CountTable.from_mapping({b"a": 2**62}, "gpt2").save(paths[1])
    CountTable.from_mapping({b"a": 1}, "o200k").save(paths[2])
    for given, message in ((paths[:2], "exceed"), (paths[1:3], "different patterns"), ([], "no count table")):
        with pytest.raises(CorpusError, match=message):
            merge_files(given, paths[3])
    assert not paths[3].exists()
    with pytest.raises(CorpusError, match="exceed"):
        CountTable.merge(CountTable.load(paths[0]), CountTable.load(paths[1]))


def test_every_damaged_byte_is_found(tmp_path):
    path = tmp_path / "x"
    table = CountTable.from_mapping({b"%d" % at: at + 1 for at in range(200)}, "gpt2")
    table.save(path)
    data = path.read_bytes()
    for at in range(0, len(data), 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        with pytest.raises(FormatError, match=r"^.*x (is damaged|is not a count table|is a count table of)"):
            CountTable.load(path)


def test_every_truncation_is_found(saved):
    data = saved.read_bytes()
    for size in [*range(80), *range(80, len(data), 997), len(data) - 1]:
        saved.write_bytes(data[:size])
        with pytest.raises(FormatError):
            CountTable.load(saved)
    saved.write_bytes(data + b"\0")
    with pytest.raises(FormatError, match="more behind its end"):
        CountTable.load(saved)


def rewritten(path, monkeypatch, **changes):
    """Make write_counts tell other things than what it writes."""
    make = counts_format._write_json
    monkeypatch.setattr(counts_format, "_write_json", lambda file, value: make(file, {**value, **changes}))
    CountTable.from_mapping({b"a": 2, b"b": 3}, "gpt2").save(path)
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_pieces": 6}, "totals are not those"),
        ({"n_distinct": 1}, "totals are not those"),
        ({"n_texts": -1}, "totals contradict"),
        ({"n_pieces": 2**63}, "totals contradict"),
        ({"n_pieces": 5.0}, "must be a int"),
        ({"parts": 32}, "head contradicts"),
        ({"hash": ""}, "head contradicts"),
        ({"normalizer": "nfc"}, "contradicts"),
        ({"pattern": 3}, "must be a str"),
        ({"provenance": []}, "must be a dict"),
        ({"provenance": {"counted_by": [], "sources": [1], "n_sources": 1}}, "'sources' holds something"),
    ],
)
def test_files_that_contradict_themselves(tmp_path, monkeypatch, changes, message):
    rewritten(tmp_path / "x", monkeypatch, **changes)
    with pytest.raises(FormatError, match=message):
        CountTable.load(tmp_path / "x")


@pytest.mark.parametrize(
    ("records", "n", "message"),
    [
        (b"\1a\0", 1, "wrong part|a count"),
        (b"\1a", 0, "wrong part|a count"),
        (b"\1b\1\1a\1", 2, "wrong part|order"),
        (b"", 1, "false head"),
    ],
)
def test_files_of_false_records(tmp_path, records, n, message):
    def totals():
        return {
            "n_texts": 0,
            "n_bytes": 0,
            "n_pieces": n,
            "n_distinct": n,
            "provenance": CountTable.from_mapping({}, "gpt2").provenance,
        }

    counts_format.write_counts(tmp_path / "x", lambda _: (records, n), totals, pattern=NAMED["gpt2"])
    with pytest.raises(FormatError, match=message):
        CountTable.load(tmp_path / "x")
    with pytest.raises(FormatError, match=message):
        merge_files([tmp_path / "x"], tmp_path / "y")


def test_a_file_of_another_version(saved):
    data = saved.read_bytes()
    saved.write_bytes(data[:14] + b"2\n" + data[16:])
    with pytest.raises(FormatError, match=r"of version '2', .* reads version '1': update bpetok"):
        CountTable.load(saved)
    assert is_count_file(saved)


def test_texts_that_were_normalised(saved, monkeypatch):
    kind = {"pattern": NAMED["gpt2"], "normalizer": "nfc"}
    rewritten(saved, monkeypatch, hash=counts_format._hash(kind), **kind)
    with pytest.raises(FormatError, match=r"went through .*'nfc'.*, which this bpetok does not know"):
        CountTable.load(saved)


def test_a_small_file_cannot_ask_for_much_memory(saved):
    """A head that promises more than deflate can pack is not believed."""
    data = bytearray(saved.read_bytes())
    packed = struct.unpack_from("<Q", data, 16)[0]
    struct.pack_into("<Q", data, 16 + 28 + packed + 16, 1 << 40)  # records of the first part
    saved.write_bytes(data)
    with pytest.raises(FormatError, match="false head"):
        CountTable.load(saved)


def test_files_that_are_no_tables(tmp_path):
    (tmp_path / "x").write_bytes(b"low\t3\n")
    assert not is_count_file(tmp_path / "x")
    with pytest.raises(FormatError, match="not a count table"):
        CountFile(tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        CountTable.load(tmp_path / "absent")


def test_saving_is_all_or_nothing(table, tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"as it was")

    def fails(data, n):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(counts_format, "_pack", fails)
    with pytest.raises(OSError, match="No space left"):
        table.save(path)
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    table.save(link)
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert CountTable.load(path) == table
    with pytest.raises(FormatError, match="not a regular file"):
        table.save(tmp_path)


# ---- counts made elsewhere -----------------------------------------------------------------------------


def test_mappings_of_str_and_bytes():
    assert dict(CountTable.from_mapping(Counter("low low"), "gpt2")) == {
        b"l": 2, b"o": 2, b"w": 2, b" ": 1
    }  # fmt: skip
    mixed = CountTable.from_mapping({"ä": 1, "ä".encode(): 2, b"\xff": 3}, "gpt2")
    assert dict(mixed) == {"ä".encode(): 3, b"\xff": 3}
    assert (mixed.n_texts, mixed.n_bytes, mixed.n_pieces) == (0, 9, 6)
    with pytest.raises(CorpusError, match="exceed"):
        CountTable.from_mapping({"a": 2**62, "b": 2**62}, "gpt2")


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_words_from_lines(tmp_path):
    file = write(
        tmp_path / "words.tsv", b"\xef\xbb\xbflow\t3\n lower\t2\r\na\tb\t1\nlow\t4\n\xff\t9223372036854775000"
    )
    counts = CountTable.from_words(file, "gpt2")
    assert dict(counts) == {b"low": 7, b" lower": 2, b"a\tb": 1, b"\xff": 9223372036854775000}
    assert counts.provenance["sources"] == [str(file)]
    packed = write(tmp_path / "words.tsv.gz", gzip.compress(b"low\t3\n"))
    assert dict(CountTable.from_words(packed, "gpt2")) == {b"low": 3}
    with pytest.raises(PatternError):
        CountTable.from_words(file, "no-such")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"low 3\n", r"words.tsv:1: no tab"),
        (b"a\t1\n\n", r"words.tsv:2: no tab"),
        (b"word\tcount\n", r"words.tsv:1: the count is 'count'.*delete the line if it is a heading"),
        (
            b"a\t1\nb\t-1\n",
            r"words.tsv:2: the count is '-1': it must be a whole number from 1 to 2",
        ),
        (b"a\t1.5\n", r"words.tsv:1: the count is '1.5'"),
        (b"a\t\n", r"words.tsv:1: the count is ''"),
        (b"a\t0\n", r"words.tsv:1: the count of b'a' is 0"),
        (b"a\t9223372036854775808\n", r"words.tsv:1: the count of b'a' is 9223372036854775808"),
        (b"a\t99999999999999999999\n", r"words.tsv:1: the count is '9999"),
        ("a\t\u0663\n".encode(), r"words.tsv:1: the count is"),
        (b"\t3\n", r"words.tsv:1: the word is empty"),
        (b"a\t9223372036854775807\nb\t1\n", "exceed"),
    ],
)
def test_lines_that_are_no_counts(tmp_path, content, message):
    with pytest.raises(CorpusError, match=message):
        CountTable.from_words(write(tmp_path / "words.tsv", content), "gpt2")


def test_a_file_of_words_that_is_not_there(tmp_path):
    with pytest.raises(CorpusError, match=r"absent.tsv: cannot be read: No such file"):
        CountTable.from_words(tmp_path / "absent.tsv", "gpt2")


def parquet(path, **columns):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    importlib.import_module("pyarrow.parquet").write_table(pyarrow.table(columns), path)
    return path


def test_words_from_parquet(tmp_path):
    file = parquet(tmp_path / "a.parquet", word=["low", "ä\n"], count=[3, 2])
    assert dict(CountTable.from_words(file, "gpt2")) == {b"low": 3, "ä\n".encode(): 2}
    file = parquet(tmp_path / "b.parquet", count=[3], word=[b"\xff"], more=[0.5])
    assert dict(CountTable.from_words(file, "gpt2")) == {b"\xff": 3}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"word": ["a"]}, r"no column 'count' \(columns here: 'word'\)"),
        ({"word": ["a"], "count": [1.5]}, "row 1: 'a', 1.5: a row must be text and a whole number"),
        ({"word": ["a", None], "count": [1, 1]}, "row 2: None, 1"),
        ({"word": ["a"], "count": [-1]}, "row 1: the count of b'a' is -1"),
        ({"word": [""], "count": [1]}, "row 1: the word is empty"),
    ],
)
def test_rows_that_are_no_counts(tmp_path, columns, message):
    with pytest.raises(CorpusError, match=message):
        CountTable.from_words(parquet(tmp_path / "a.parquet", **columns), "gpt2")


def test_parquet_that_is_damaged_or_cannot_be_read(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    with pytest.raises(CorpusError, match="not a whole Parquet file"):
        CountTable.from_words(write(tmp_path / "a.parquet", b"PAR1"), "gpt2")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"bpetok\[data\]"):
        CountTable.from_words(tmp_path / "a.parquet", "gpt2")


def test_merging_any_number():
    tables = [CountTable.from_mapping({b"a": at, b"%d" % at: 1}, "gpt2") for at in range(1, 6)]
    assert CountTable.merge(*tables) == CountTable.merge(*reversed(tables))
    assert CountTable.merge(*tables)[b"a"] == 15
    assert CountTable.merge(tables[0]) == tables[0]
    with pytest.raises(CorpusError, match="no count table"):
        CountTable.merge()
