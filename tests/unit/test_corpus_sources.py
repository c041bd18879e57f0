"""Which files sources name, wherever they lie; fields inside of fields; weights, samples, each text once."""

import bz2
import gzip
import itertools
import json
import lzma
import os
import pickle
import random
import sys
from pathlib import Path

import pytest

from bpetok.corpus import Corpus, Document, check, read, records
from bpetok.corpus.compression import split_suffix
from bpetok.errors import CorpusError, MissingExtraError


def jsonl(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def texts(*sources: object, **options: object) -> list[str | bytes]:
    return [document.text for document in read(list(sources), **options)]


@pytest.fixture
def tree(tmp_path):
    """A folder with files in it, each of which holds its own name."""
    for name in (
        "b.txt",
        "a.md",
        "sub/c.txt",
        "sub/deep/d.txt",
        "sub/x.py",
        ".hidden/e.txt",
        ".f.txt",
        "LICENSE",
    ):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "tree" / "sub" / "z.txt.gz").write_bytes(gzip.compress(b"sub/z.txt.gz"))
    return tmp_path / "tree"


class TestNames:
    def test_a_folder_is_its_text_files(self, tree):
        assert texts(tree) == [b"a.md", b"b.txt", b"sub/c.txt", b"sub/deep/d.txt", b"sub/z.txt.gz"]

    def test_wildcards(self, tree):
        assert texts(f"{tree}/*.txt") == [b"b.txt"]
        assert texts(f"{tree}/**/*.txt") == [b"b.txt", b"sub/c.txt", b"sub/deep/d.txt"]
        assert texts(tree / "sub" / "?.[pt]*") == [b"sub/c.txt", b"sub/x.py", b"sub/z.txt.gz"]
        assert texts(f"{tree}/*") == [b"LICENSE", b"a.md", b"b.txt"]  # no folders

    def test_a_file_whose_name_has_wildcards_is_itself(self, tmp_path):
        for name in ("[x].txt", "x.txt"):
            (tmp_path / name).write_text(name)
        assert texts(tmp_path / "[x].txt") == [b"[x].txt"]

    def test_nothing_found(self, tree):
        with pytest.raises(CorpusError, match=r"\*\.csv: no file matches"):
            check(f"{tree}/*.csv")
        (tree / "empty").mkdir()
        with pytest.raises(CorpusError, match=r"empty: no file in this folder .*empty/\*\*/\*\.py"):
            check(tree / "empty")

    def test_every_bad_file_of_a_folder_is_named(self, tree):
        (tree / "bad.txt.gz").write_text("no gzip")
        (tree / "worse.txt.xz").write_text("no xz")
        with pytest.raises(CorpusError, match=r"2 of 7 .*bad\.txt\.gz: not gzip.*worse\.txt\.xz: not xz"):
            check(tree)


class TestURLs:
    @pytest.fixture(autouse=True)
    def memory(self):
        fsspec = pytest.importorskip("fsspec")
        fs = fsspec.filesystem("memory")
        fs.store.clear()
        yield fs
        fs.store.clear()

    def test_files(self, tree):
        assert texts(f"file://{tree}/sub/z.txt.gz") == [b"sub/z.txt.gz"]

    def test_wildcards_and_folders(self, memory):
        for name in ("/data/b.txt", "/data/a.jsonl", "/data/sub/c.txt", "/data/sub/.d.txt", "/data/e.py"):
            memory.pipe(name, b'{"text": "json"}\n' if "jsonl" in name else name.encode())
        assert check("memory://data/*.txt") == ["memory:///data/b.txt"]
        assert texts("memory://data/**/*.py") == [b"/data/e.py"]
        assert texts("memory://data") == ["json", b"/data/b.txt", b"/data/sub/c.txt"]

    @pytest.mark.parametrize("name", ["a.gz", "a.bz2", "a.xz", "a.zst"])
    def test_compressed(self, memory, name):
        pack = {"a.gz": gzip.compress, "a.bz2": bz2.compress, "a.xz": lzma.compress}
        if name == "a.zst":
            pack[name] = pytest.importorskip("zstandard").compress
        memory.pipe(f"/{name}", pack[name](b"text " * 10_000))
        assert texts(f"memory://{name}") == [b"text " * 10_000]
        memory.pipe(f"/{name}", pack[name](os.urandom(10_000))[:-100])
        with pytest.raises(CorpusError, match=r"memory://a\..*: the .* data is damaged or cut short"):
            texts(f"memory://{name}")

    def test_parquet(self, memory, tmp_path):
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet")
        pyarrow.parquet.write_table(pyarrow.table({"text": ["a", None, "b"]}), tmp_path / "a.parquet")
        memory.pipe("/a.parquet", (tmp_path / "a.parquet").read_bytes())
        assert texts("memory://a.parquet") == ["a", "b"]
        memory.pipe("/a.parquet", b"PAR1")
        with pytest.raises(CorpusError, match=r"memory://a\.parquet: not a whole Parquet file"):
            texts("memory://a.parquet")

    def test_chains(self, tmp_path):
        import zipfile

        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            archive.writestr("one.txt", "1")
            archive.writestr("two.jsonl", '{"text": "2"}\n')
        assert texts(f"zip://*.*::file://{tmp_path}/all.zip") == [b"1", "2"]

    def test_missing(self):
        for url in ("memory://no.txt", "memory://no/*.txt", "no-such-protocol://x"):
            with pytest.raises(CorpusError, match=rf"^{url.replace('*', '.')[:12]}"):
                check(url)

    def test_an_error_of_a_protocol_while_reading_is_named(self, memory, monkeypatch):
        memory.pipe("/a.jsonl", b'{"text": "a"}\n' * 10)

        class Broken:
            closed = False

            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

            def read(self, size):
                raise ConnectionAbortedError("gone") if size == 0 else RuntimeError("the peer has gone")

        monkeypatch.setattr(type(memory), "open", lambda *_, **__: Broken())
        with pytest.raises(CorpusError, match=r"a\.jsonl: cannot be read: RuntimeError: the peer has gone"):
            texts("memory://a.jsonl")

    def test_missing_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "fsspec.core", None)
        with pytest.raises(MissingExtraError, match=r'pip install "bpetok\[fsspec\]"'):
            check("s3://bucket/a.txt")

    def test_suffixes(self):
        assert split_suffix("https://host/a.jsonl.gz?x=1.txt#y") == (".jsonl", "gzip")
        assert split_suffix("zip://a.jsonl::s3://b/c.zip") == (".jsonl", None)


class TestCompression:
    @pytest.mark.parametrize(("name", "pack"), [("a.txt.bz2", bz2.compress), ("a.jsonl.xz", lzma.compress)])
    def test_bzip2_and_xz(self, tmp_path, name, pack):
        path = tmp_path / name
        path.write_bytes(pack(b'{"text": "one"}\n') + pack(b'{"text": "two"}\n'))
        assert texts(path) == (["one", "two"] if "jsonl" in name else [b'{"text": "one"}\n{"text": "two"}\n'])
        chance = random.Random(0)
        whole = pack(jsonl(*({"text": chance.randbytes(30).hex()} for _ in range(300))))
        for damaged in (whole[:-50], whole[:1000] + bytes(100) + whole[1100:]):
            path.write_bytes(damaged)
            with pytest.raises(CorpusError, match=rf"{name}: the (bzip2|xz) data is damaged or cut short"):
                texts(path)
        path.write_bytes(b"plain")
        with pytest.raises(CorpusError, match="whatever its name says"):
            check(path)


class TestText:
    def test_bytes_as_they_are(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_bytes(b"\xef\xbb\xbfone\r\ntwo")
        assert texts(path) == [b"\xef\xbb\xbfone\r\ntwo"]

    @pytest.mark.parametrize("coding", ["utf-16", "utf-32", "utf-16-be", "utf-32-be"])
    @pytest.mark.parametrize("name", ["a.txt", "a.txt.gz"])
    def test_other_unicode(self, tmp_path, coding, name):
        path = tmp_path / name
        data = ("\ufeff" * coding.endswith("be") + "text").encode(coding)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        with pytest.raises(CorpusError, match=r"a\.txt.*byte-order mark of UTF-16 or UTF-32: convert"):
            texts(path)


class TestFields:
    def test_json(self, tmp_path):
        path = tmp_path / "a.jsonl"
        rows = [{"a": {"b": "one"}}, {"a.b": "two", "a": {"b": "no"}}, {"a": None}, {"a": {"b": None}}]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert texts(path, field="a.b") == ["one", "two"]
        path.write_text('{"a": {"c": 1}}\n')
        with pytest.raises(CorpusError, match=r"a\.jsonl:1: no field 'a\.b' \(fields here: 'c'\)"):
            texts(path, field="a.b")
        path.write_text('{"a": "text"}\n')
        with pytest.raises(CorpusError, match=r"a\.jsonl:1: no field 'a\.b' \(fields here: none\)"):
            texts(path, field="a.b")

    def test_parquet(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "a.parquet"
        rows = [{"b": "one", "c": 1}, None, {"b": None, "c": 2}, {"b": "two", "c": 3}]
        pyarrow.parquet.write_table(pyarrow.table({"x": [1, 2, 3, 4], "a": rows}), path, row_group_size=2)
        assert texts(path, field="a.b") == ["one", "two"]
        with pytest.raises(CorpusError, match=r"no column 'a\.d' \(columns here: 'b', 'c'\)"):
            check(path, field="a.d")
        with pytest.raises(CorpusError, match=r"no column 'x\.b' \(columns here: none\)"):
            check(path, field="x.b")
        with pytest.raises(CorpusError, match=r"column 'a' is of type struct"):
            check(path, field="a")

    def test_a_row_that_is_not_utf8(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet")
        path = tmp_path / "a.parquet"
        column = pyarrow.array([b"ok"] * 1500 + [b"caf\xe9"], pyarrow.binary()).cast("string", safe=False)
        pyarrow.parquet.write_table(pyarrow.table({"text": column}), path)
        with pytest.raises(CorpusError, match=r"a\.parquet: row 1501: not UTF-8"):
            texts(path)

    def test_rows_in_memory(self):
        rows = [{"a": {"b": "one"}}, {"a": None}, {"a": {"b": b"two"}}]
        assert list(records(rows, field="a.b")) == [Document("one", "row 1"), Document(b"two", "row 3")]
        with pytest.raises(CorpusError, match=r"^row 2: field 'text' is of type int"):
            list(records([{"text": "a"}, {"text": 1}]))
        with pytest.raises(CorpusError, match=r"^row 1: a record must be an object .* of type list"):
            list(records([["text"]]))  # type: ignore[list-item]


class TestSelection:
    @pytest.fixture
    def lines(self, tmp_path):
        path = tmp_path / "a.jsonl"
        path.write_text("".join(json.dumps({"text": f"text {n}"}) + "\n" for n in range(1000)))
        return path

    def test_samples_are_of_their_size_nested_and_the_same_in_any_order(self, lines, tmp_path):
        everything = texts(lines)
        some, more = (texts(lines, sample=share) for share in (0.25, 0.5))
        assert 180 < len(some) < 320
        assert 430 < len(more) < 570
        assert set(some) < set(more) < set(everything)
        assert texts(lines, sample=0.25) == some
        assert texts(lines, sample=0.25, seed=1) != some
        backwards = tmp_path / "b.jsonl"
        backwards.write_text("".join(reversed(lines.read_text().splitlines(keepends=True))))
        assert texts(backwards, sample=0.25) == some[::-1]

    def test_weights(self, lines, tmp_path):
        other = tmp_path / "b.txt"
        other.write_text("other")
        found = [each.text for each in read({lines: 1.5, str(other): 3})]
        assert found.count(b"other") == 3
        runs = [len(list(same)) for _, same in itertools.groupby(found[:-3])]
        assert len(runs) == 1000
        assert set(runs) == {1, 2}
        assert 430 < runs.count(2) < 570
        assert [each.text for each in read({lines: 0, str(other): 1})] == [b"other"]
        assert texts(other, sample=2) == texts((other, 2)) == [b"other"] * 2

    def test_each_text_once(self, tmp_path):
        one, other = tmp_path / "a.jsonl", tmp_path / "b.txt"
        one.write_text("".join(json.dumps({"text": text}) + "\n" for text in ("x", "y", "x", "caf\u00e9")))
        other.write_bytes("caf\u00e9".encode())
        assert texts(one, other, unique=True) == ["x", "y", "caf\u00e9"]
        assert [each.text for each in read({one: 2, other: 1}, unique=True)] == [
            "x",
            "x",
            "y",
            "y",
            *["caf\u00e9"] * 2,
        ]

    @pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "2", None])
    def test_what_is_no_weight(self, lines, weight):
        with pytest.raises(CorpusError, match="it must be a number from 0"):
            read({lines: weight})
        with pytest.raises(CorpusError, match="it must be a number from 0"):
            read(lines, sample=weight)

    @pytest.mark.parametrize("seed", [-1, 2**64, 0.5])
    def test_what_is_no_seed(self, lines, seed):
        with pytest.raises(CorpusError, match="seed is"):
            read(lines, seed=seed)

    def test_a_corpus_can_be_pickled_and_read_again(self, lines: Path):
        corpus = Corpus.find(lines, sample=0.5, seed=3)
        assert list(pickle.loads(pickle.dumps(corpus))) == list(corpus) == list(corpus)
