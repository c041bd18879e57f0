"""Corpus readers: every format, every way a file can be bad, and that all is checked first."""

import gzip
import io
import json
import os
import stat
import sys
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from bpetok.corpus import Corpus, Document, Part, check, jsonl, read
from bpetok.corpus.compression import places, split_suffix
from bpetok.errors import CorpusError, MissingExtraError

RECORDS = [{"text": "one\n"}, {"text": "zwei — два 🙂", "id": 2}, {"text": ""}]
TEXTS = [record["text"] for record in RECORDS]


def packed(*records: object) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def texts(*paths: Path | str, field: str = "text") -> list[str | bytes]:
    return [document.text for document in read([str(path) for path in paths], field=field)]


@pytest.fixture
def zstandard():
    return pytest.importorskip("zstandard")


@pytest.fixture
def parquet(tmp_path):
    """Write columns to a Parquet file and give its path."""
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")

    def write(name: str = "data.parquet", **columns: object) -> Path:
        path = tmp_path / name
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
        return path

    return write


def test_text_is_one_document_of_the_bytes_as_they_are(tmp_path):
    path = tmp_path / "notes.unknown"
    path.write_bytes(b"caf\xc3\xa9\r\n\xff\x00end")
    assert list(read(path)) == [Document(b"caf\xc3\xa9\r\n\xff\x00end", str(path))]


def test_empty_file_is_an_empty_document(tmp_path):
    path = tmp_path / "empty.txt"
    path.touch()
    assert texts(path) == [b""]


def test_one_path_and_several_and_any_iterable(tmp_path):
    paths = [tmp_path / "b.txt", tmp_path / "a.txt"]
    for path in paths:
        path.write_text(path.stem)
    assert [document.text for document in read(str(paths[0]))] == [b"b"]
    assert [document.text for document in read(iter(paths))] == [b"b", b"a"]
    assert check(paths) == [str(path) for path in paths]


def test_documents_are_immutable():
    with pytest.raises(AttributeError):
        Document("a", "b").text = "c"  # type: ignore[misc]


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".JSONL"])
def test_json_lines(tmp_path, suffix):
    path = tmp_path / f"data{suffix}"
    path.write_bytes(packed(*RECORDS))
    assert texts(path) == TEXTS


def test_json_lines_of_another_field_without_last_newline_with_bom_blanks_and_nulls(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"body": "a"}\r\n\n  \n{"body": null}\n{"body": "b"}')
    assert texts(path, field="body") == ["a", "b"]


def test_json_lines_keep_lone_surrogates(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"text": "\\ud800"}\n')
    assert texts(path) == ["\ud800"]


def test_empty_json_lines_hold_no_document(tmp_path):
    path = tmp_path / "data.jsonl"
    path.touch()
    assert texts(path) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{bad}\n", r"data\.jsonl:2: not a line of JSON .*correct or delete"),
        (b'{"text": "caf\xe9"}\n', r"data\.jsonl:2: not UTF-8 .*iconv"),
        (b'{"body": "x", "id": 1}\n', r"data\.jsonl:2: no field 'text' \(fields here: 'body', 'id'\)"),
        (b"{}\n", r"data\.jsonl:2: no field 'text' \(fields here: none\)"),
        (b'{"text": 7}\n', r"data\.jsonl:2: field 'text' is of type int"),
        (b'["text"]\n', r"data\.jsonl:2: a record must be an object .*list"),
        (b"[" * 100_000 + b"\n", r"data\.jsonl:2: not a line of JSON"),
        (b'{"text": ' + b"9" * 5000 + b"}\n", r"data\.jsonl:2: "),
        (b'{"text": "cut of', r"data\.jsonl:2: not a line of JSON"),
    ],
)
def test_bad_json_line_is_named_by_file_and_line(tmp_path, line, message):
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"text": "good"}\n' + line)
    documents = read(path)
    assert next(documents).text == "good"
    with pytest.raises(CorpusError, match=message):
        next(documents)


@pytest.mark.parametrize("name", ["data.txt.gz", "data.gz"])
def test_gzip_text(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"one ") + gzip.compress(b"two"))
    assert texts(path) == [b"one two"]


def test_gzip_json_lines(tmp_path):
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(packed(*RECORDS)))
    assert texts(path) == TEXTS


def test_zstandard_text_of_several_frames(tmp_path, zstandard):
    compressor = zstandard.ZstdCompressor()
    long = bytes(range(256)) * 4096
    path = tmp_path / "data.txt.zst"
    path.write_bytes(b"".join(compressor.compress(part) for part in (b"one ", b"", long, b" two")))
    assert texts(path) == [b"one " + long + b" two"]


def test_zstandard_json_lines(tmp_path, zstandard):
    path = tmp_path / "data.jsonl.zst"
    path.write_bytes(zstandard.compress(packed(*RECORDS)))
    assert texts(path) == TEXTS


# Line ends of both kinds, blank lines, a line longer than most ranges, and no newline at the end.
LINES = (
    b'\xef\xbb\xbf{"text": "one"}\r\n\n  \r\n{"text": "two"}\n{"text": null}\n{"text": "'
    + b"long " * 12
    + b'"}\r\n\r\n{"text": "\\n"}\n{"text": "last"}'
)


def in_ranges(path, starts):
    """The texts of ranges that meet at these places."""
    parts = [
        Part(str(path), start=start, end=end) for start, end in zip(starts, [*starts[1:], None], strict=True)
    ]
    return [document.text for part in parts for document in Corpus((part,))]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_ranges_of_json_lines_have_each_line_once(tmp_path, end):
    path = tmp_path / "data.jsonl"
    path.write_bytes(LINES + end)
    whole = texts(path)
    assert whole == ["one", "two", "long " * 12, "\n", "last"]
    for step in range(1, len(LINES) + 2):
        starts = places(str(path), step)
        assert starts == list(range(0, len(LINES + end), step))
        assert in_ranges(path, starts) == whole
    for one in range(1, len(LINES)):
        assert in_ranges(path, [0, one, len(LINES)]) == whole
    for size in range(1, 20):
        blocks = list(jsonl.blocks(str(path), size=size))
        assert b"".join(block.data for block in blocks) == LINES + end
        assert all(block.data.endswith(b"\n") for block in blocks[:-1])
        assert [document.text for block in blocks for document in block.documents("text")] == whole


def test_ranges_of_zstandard_frames(tmp_path, zstandard):
    path = tmp_path / "data.jsonl.zst"
    for size in (3, 7, 40, 1000):
        frames = [b"\x5e\x2a\x4d\x18\x03\0\0\0abc"]  # one to be passed over
        for n, at in enumerate(range(0, len(LINES), size)):
            how = {"write_checksum": n % 2 == 1, "write_content_size": n % 3 > 0}
            frames.append(zstandard.ZstdCompressor(**how).compress(LINES[at : at + size]))
            if n % 4 == 0:
                frames.append(zstandard.compress(b""))
        path.write_bytes(b"".join(frames))
        starts = places(str(path), 1)
        assert starts == [sum(map(len, frames[:n])) for n in range(len(frames))]
        for step in (1, 20, 30, 50, 10_000):
            starts = places(str(path), step)
            assert all(later - start >= step for start, later in pairwise(starts))
            assert in_ranges(path, starts) == ["one", "two", "long " * 12, "\n", "last"]


def test_frames_of_every_kind_of_head_and_block(tmp_path, zstandard):
    chance = Random(0)
    noise = chance.randbytes(300_000)  # blocks that are stored as they are
    contents = [b"a", b"a" * 1000, b"a" * 70_000, b"a" * 300_000, noise, noise[:200], b"some text " * 50_000]
    frames = []
    for content in contents:
        for level in (1, 19):
            compressor = zstandard.ZstdCompressor(level=level).compressobj()  # a frame of unknown size
            frames += [
                zstandard.ZstdCompressor(level=level).compress(content),
                compressor.compress(content) + compressor.flush(),
            ]
    path = tmp_path / "data.jsonl.zst"
    path.write_bytes(b"".join(frames))
    assert places(str(path), 1) == [sum(map(len, frames[:n])) for n in range(len(frames))]


def test_where_no_range_may_begin(tmp_path, zstandard):
    frame = zstandard.compress(LINES)
    for name, content in (
        ("one.jsonl.zst", frame),
        ("damaged.jsonl.zst", frame + b"no frame"),
        ("cut.jsonl.zst", frame + frame[:5]),
        ("empty.jsonl.zst", b""),
        ("a.jsonl.gz", gzip.compress(LINES)),
        ("empty.jsonl", b""),
    ):
        (tmp_path / name).write_bytes(content)
        assert places(str(tmp_path / name), 1) == [0]


def test_an_error_in_a_range_has_the_line_of_the_file(tmp_path, zstandard):
    lines = [b'{"text": "line"}\n'] * 9 + [b"no line\n"] + [b'{"text": "line"}\n'] * 9
    plain, zst = tmp_path / "data.jsonl", tmp_path / "data.jsonl.zst"
    plain.write_bytes(b"".join(lines))
    zst.write_bytes(b"".join(map(zstandard.compress, lines)))
    for path in (plain, zst):
        for step in (1, 10, 30, 100, 1000):
            with pytest.raises(CorpusError, match=rf"{path.name}:10: not a line of JSON"):
                in_ranges(path, places(str(path), step))


@pytest.mark.parametrize("keep", [0.3, 0.9, -1])
@pytest.mark.parametrize("name", ["data.txt.gz", "data.jsonl.gz", "data.txt.zst", "data.jsonl.zst"])
def test_compressed_file_cut_short(tmp_path, name, keep):
    random = Random(0)
    plain = packed(*({"text": random.randbytes(30).hex()} for _ in range(200)))
    if name.endswith(".gz"):
        whole = gzip.compress(plain)
    else:
        whole = pytest.importorskip("zstandard").compress(plain)
    path = tmp_path / name
    path.write_bytes(whole[:keep] if keep == -1 else whole[: int(len(whole) * keep)])
    with pytest.raises(CorpusError, match=rf"{name}.*cut short.*get the file again"):
        texts(path)


@pytest.mark.parametrize("name", ["data.txt.gz", "data.txt.zst"])
def test_damaged_compressed_file(tmp_path, name):
    if name.endswith(".gz"):
        whole = bytearray(gzip.compress(b"a long enough text " * 100))
        whole[-6] ^= 0xFF  # the checksum
    else:
        zstandard = pytest.importorskip("zstandard")
        whole = bytearray(
            zstandard.ZstdCompressor(write_checksum=True).compress(b"a long enough text " * 100)
        )
        whole[-1] ^= 0xFF
    path = tmp_path / name
    path.write_bytes(whole)
    with pytest.raises(CorpusError, match=rf"{name}.*damaged"):
        texts(path)


@pytest.mark.parametrize("name", ["data.txt.gz", "data.jsonl.zst"])
@pytest.mark.parametrize("content", [b"", b"plain text"])
def test_file_that_is_not_what_its_name_says(tmp_path, name, content):
    if name.endswith(".zst"):
        pytest.importorskip("zstandard")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"whatever its name says"):
        check(path)


def test_parquet_in_batches_with_nulls(parquet):
    rows = [f"row {n}" if n % 3 else None for n in range(3000)]
    path = parquet(text=rows, id=list(range(3000)))
    assert texts(path) == [row for row in rows if row is not None]


def test_parquet_of_another_column_and_types(parquet):
    import pyarrow

    path = parquet(
        body=pyarrow.array(["a", "b", "a"]).dictionary_encode(),
        raw=pyarrow.array([b"\xff", b"", b"x"]),
        tags=pyarrow.array([["a"], [], None]),
    )
    assert texts(path, field="body") == ["a", "b", "a"]
    assert texts(path, field="raw") == [b"\xff", b"", b"x"]
    with pytest.raises(CorpusError, match=r"column 'tags' is of type list<"):
        check(path, field="tags")


def test_parquet_column_is_checked_first(parquet):
    path = parquet(body=["a"], id=[1])
    with pytest.raises(CorpusError, match=r"no column 'text' \(columns here: 'body', 'id'\)"):
        check(path)
    with pytest.raises(CorpusError, match=r"column 'id' is of type int64"):
        check(path, field="id")


@pytest.mark.parametrize("keep", [0, 10, -10])
def test_parquet_cut_short(parquet, keep):
    path = parquet(text=["a", "b"])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CorpusError, match=r"data\.parquet: not a whole Parquet file"):
        check(path)


def test_parquet_damaged_inside(parquet):
    path = parquet(text=[f"some text {n}" for n in range(1000)])
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=r"data\.parquet"):
        texts(path)


def test_compressed_parquet_is_refused(tmp_path):
    path = tmp_path / "data.parquet.gz"
    path.write_bytes(gzip.compress(b"PAR1"))
    with pytest.raises(CorpusError, match="unpack it first"):
        check(path)


def test_all_bad_sources_are_named_before_any_is_read(tmp_path):
    good = tmp_path / "good.txt"
    good.write_text("good")
    (tmp_path / "old.tar").touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(CorpusError) as caught:
        read([good, tmp_path / "missing.txt", folder, tmp_path / "old.tar"])
    message = str(caught.value)
    assert message.startswith("3 of 4 sources cannot be read: ")
    assert "missing.txt: cannot be read: No such file or directory" in message
    assert f"{folder}: no file in this folder has the name of a text" in message
    assert "old.tar: .tar files are not read" in message


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "secret.txt"
    path.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(CorpusError, match=r"secret\.txt: cannot be read: permission denied"):
        check(path)


def test_file_gone_after_the_check(tmp_path):
    path = tmp_path / "gone.txt"
    path.touch()
    documents = read(path)
    path.unlink()
    with pytest.raises(CorpusError, match=r"gone\.txt: cannot be read"):
        next(documents)


def test_no_source_at_all():
    with pytest.raises(CorpusError, match="at least one file"):
        check([])


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"typed \xff text")))
    assert list(read("-")) == [Document(b"typed \xff text", "-")]
    with pytest.raises(CorpusError, match="only once"):
        check(["-", "-"])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_opened_by_the_check(tmp_path):
    path = tmp_path / "pipe.jsonl.gz"
    os.mkfifo(path)
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert check(path) == [str(path)]  # would wait for a writer, had it opened the pipe


@pytest.mark.parametrize(("module", "name"), [("zstandard", "data.jsonl.zst"), ("pyarrow", "data.parquet")])
def test_missing_package_names_the_extra(tmp_path, monkeypatch, module, name):
    path = tmp_path / name
    path.write_bytes(b"anything")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r'pip install "bpetok\[data\]"'):
        check(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.JSONL.GZ", (".jsonl", "gzip")),
        ("b.txt.zst", (".txt", "zstd")),
        ("b.gz", ("", "gzip")),
        (".gz", ("", None)),
        ("dir.gz/file", ("", None)),
    ],
)
def test_suffixes(path, expected):
    assert split_suffix(path) == expected
