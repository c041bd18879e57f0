"""Shards: every format read back, how they are cut, going on after any end of a run, and refusals."""

import gzip
import importlib.util
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.errors import (
    CorpusError,
    DisallowedSpecialError,
    FormatError,
    ShardError,
    ShardWriteError,
    TokenError,
)
from bpetok.shards import FORMATS, Manifest, segments, writer
from bpetok.shards import draft as draft_module

GPT2 = bpetok.get_encoding("gpt2")
CL100K = bpetok.get_encoding("cl100k_base")
TEXTS = ["hello world", "", "naïve 🙂 text\n", "hello " * 300, "the last one"]
FLAT = ("bin", "llmc", "npy")
ROWS = ("megatron", "parquet", "arrow")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Many segments, batches and checkpoints of little text."""
    monkeypatch.setattr(segments, "SEGMENT", 300)
    monkeypatch.setattr(segments, "WINDOW", 16)
    monkeypatch.setattr(writer, "BATCH", 1000)
    monkeypatch.setattr(writer, "CHECKPOINT_BYTES", 2500)


def megatron_rows(path: Path) -> list[list[int]]:
    """As Megatron-LM's `_IndexReader` and `IndexedDataset.get` read a pair of files."""
    index = path.with_suffix(".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, n_sequences, n_bounds = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1
    dtype = {4: np.dtype("<i4"), 8: np.dtype("<u2")}[code]
    lengths = np.frombuffer(index, "<i4", n_sequences, 34)
    pointers = np.frombuffer(index, "<i8", n_sequences, 34 + lengths.nbytes)
    bounds = np.frombuffer(index, "<i8", n_bounds, 34 + lengths.nbytes + pointers.nbytes)
    assert len(index) == 34 + lengths.nbytes + pointers.nbytes + bounds.nbytes
    assert bounds.tolist() == list(range(n_sequences + 1))
    data = path.read_bytes()
    assert len(data) == lengths.sum() * dtype.itemsize
    return [
        np.frombuffer(data, dtype, length, at).tolist() for length, at in zip(lengths, pointers, strict=True)
    ]


def rows_of(folder: Path, manifest: Manifest, split: str = "train") -> list[list[list[int]]]:
    """The rows of each shard; a format without rows has one."""
    dtype = np.dtype(manifest.dtype).newbyteorder("<")
    found = []
    for shard in manifest.shards:
        if shard.split != split:
            continue
        path = folder / shard.files[0].name
        kind = manifest.settings["format"]
        if kind == "bin":
            rows = [np.fromfile(path, dtype).tolist()]
        elif kind == "llmc":
            header = np.fromfile(path, "<i4", 256).tolist()
            assert header[:2] == ([20240520, 1] if dtype.itemsize == 2 else [20240801, 7])
            assert not any(header[3:])
            rows = [np.fromfile(path, dtype, offset=1024).tolist()]
            assert header[2] == len(rows[0])
        elif kind == "npy":
            array = np.load(path)
            assert array.dtype == dtype
            rows = array.tolist() if array.ndim == 2 else [array.tolist()]
        elif kind == "megatron":
            rows = megatron_rows(path)
        elif kind == "parquet":
            import pyarrow.parquet

            column = pyarrow.parquet.read_table(path)["input_ids"]
            assert str(column.type) == f"list<element: {manifest.dtype}>"
            rows = column.to_pylist()
        else:
            import pyarrow

            with pyarrow.ipc.open_file(str(path)) as file:
                rows = file.read_all()["input_ids"].to_pylist()
        if kind in ROWS or manifest.settings["sequence_length"] is None:
            assert len(rows) == shard.rows
        assert sum(map(len, rows)) == shard.tokens
        found.append(rows)
    manifest.verify(folder)
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", *(file.name for shard in manifest.shards for file in shard.files)
    }  # fmt: skip
    return found


def joined(shards: list[list[list[int]]]) -> list[int]:
    return [token for rows in shards for row in rows for token in row]


def joined_rows(shards: list[list[list[int]]]) -> list[list[int]]:
    return [row for rows in shards for row in rows]


def need(kind: str) -> None:
    if kind in ("parquet", "arrow"):
        pytest.importorskip("pyarrow")


class TestFormats:
    @pytest.mark.parametrize("tokenizer", [GPT2, CL100K], ids=["16 bits", "32 bits"])
    @pytest.mark.parametrize("kind", FORMATS)
    def test_read_back(self, tmp_path, kind, tokenizer):
        need(kind)
        manifest = tokenizer.encode_to(TEXTS, tmp_path, format=kind)
        expected = [[*tokenizer.encode(text), tokenizer.eot_token] for text in TEXTS]
        wide = "int32" if kind == "megatron" else "uint32"
        assert manifest.dtype == ("uint16" if tokenizer is GPT2 else wide)
        if kind in ROWS:
            assert rows_of(tmp_path, manifest) == [expected]
        else:
            assert rows_of(tmp_path, manifest) == [[joined([expected])]]

    @pytest.mark.parametrize("kind", FORMATS)
    def test_sequences(self, tmp_path, kind):
        need(kind)
        flat = [token for text in TEXTS for token in [*GPT2.encode(text), 50256]]
        manifest = GPT2.encode_to(
            TEXTS, tmp_path, format=kind, sequence_length=7, drop_tail=True, shard_tokens=100
        )
        shards = rows_of(tmp_path, manifest)
        whole = len(flat) // 7 * 7
        assert joined(shards) == flat[:whole]
        assert manifest.totals["train"]["dropped_tokens"] == len(flat) - whole
        assert {shard.tokens for shard in manifest.shards[:-1]} == {98}
        if kind in ("npy", *ROWS):
            assert {len(row) for rows in shards for row in rows} == {7}

    @pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "npy"])
    def test_a_tail_is_kept(self, tmp_path, kind):
        need(kind)
        manifest = GPT2.encode_to(TEXTS, tmp_path, format=kind, sequence_length=7)
        flat = [token for text in TEXTS for token in [*GPT2.encode(text), 50256]]
        shards = rows_of(tmp_path, manifest)
        assert joined(shards) == flat
        if kind in ROWS:
            assert [len(row) for row in shards[0]] == [7] * (len(flat) // 7) + [len(flat) % 7]

    @pytest.mark.parametrize("kind", ["parquet", "arrow"])
    def test_polars_reads_them(self, tmp_path, kind):
        polars = pytest.importorskip("polars")
        manifest = GPT2.encode_to(TEXTS, tmp_path, format=kind)
        path = tmp_path / manifest.shards[0].files[0].name
        frame = polars.read_parquet(path) if kind == "parquet" else polars.read_ipc(path)
        assert frame["input_ids"].dtype == polars.List(polars.UInt16)
        assert frame["input_ids"].to_list() == [[*GPT2.encode(text), 50256] for text in TEXTS]

    def test_row_groups_are_small(self, tmp_path, monkeypatch):
        parquet = pytest.importorskip("pyarrow.parquet")
        monkeypatch.setattr("bpetok.shards.formats.ROWS_TOKENS", 20)
        manifest = GPT2.encode_to([*TEXTS, "a b c d e", "f g"], tmp_path, format="parquet")
        assert parquet.ParquetFile(tmp_path / "train-00000.parquet").num_row_groups > 2
        assert joined(rows_of(tmp_path, manifest))[-3:] == [*GPT2.encode("f g"), 50256]

    @pytest.mark.parametrize("tokenizer", [GPT2, CL100K], ids=["16 bits", "32 bits"])
    def test_megatron_itself_reads_them(self, tmp_path, tokenizer):
        if importlib.util.find_spec("megatron") is None or importlib.util.find_spec("torch") is None:
            pytest.skip("megatron-core and torch are not installed")
        tokenizer.encode_to(TEXTS, tmp_path, format="megatron", separator=None)
        code = (
            "import sys, json\n"
            "from megatron.core.datasets.indexed_dataset import IndexedDataset\n"
            "data = IndexedDataset(sys.argv[1])\n"
            "print(json.dumps([data[i].tolist() for i in range(len(data))]), data.document_indices.tolist())"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "train-00000"], capture_output=True, text=True, check=True
        )
        rows = [tokenizer.encode(text) for text in TEXTS]
        assert done.stdout.strip() == f"{json.dumps(rows)} {list(range(len(TEXTS) + 1))}"

    def test_megatron_chooses_the_type_that_megatron_would(self):
        assert [FORMATS["megatron"].dtype(n) for n in (65499, 65500, 65537)] == ["<u2", "<i4", "<i4"]
        assert [FORMATS["bin"].dtype(n) for n in (65536, 65537)] == ["<u2", "<u4"]


class TestCutting:
    def test_separators(self, tmp_path):
        ids = [GPT2.encode(text) for text in TEXTS]
        before = GPT2.encode_to(TEXTS, tmp_path / "a", separator_at="before")
        assert joined(rows_of(tmp_path / "a", before)) == [token for each in ids for token in [50256, *each]]
        none = GPT2.encode_to(TEXTS, tmp_path / "b", separator=None)
        assert joined(rows_of(tmp_path / "b", none)) == joined([ids])
        named = CL100K.encode_to(TEXTS, tmp_path / "c", separator="<|endofprompt|>")
        assert joined(rows_of(tmp_path / "c", named))[-1] == 100276

    def test_no_separator_where_the_vocabulary_has_none(self, tmp_path):
        tokenizer = bpetok.train(["low lower lowest"] * 3, vocab_size=260)
        manifest = tokenizer.encode_to(["low"], tmp_path)
        assert joined(rows_of(tmp_path, manifest)) == tokenizer.encode("low")
        assert manifest.settings["separator"] is None

    @pytest.mark.parametrize("kind", FLAT)
    def test_shards_without_rows_are_full(self, tmp_path, kind):
        manifest = GPT2.encode_to(TEXTS, tmp_path, format=kind, shard_tokens=50)
        flat = [token for text in TEXTS for token in [*GPT2.encode(text), 50256]]
        assert [joined([rows]) for rows in rows_of(tmp_path, manifest)] == [
            flat[at : at + 50] for at in range(0, len(flat), 50)
        ]
        assert sum(shard.documents for shard in manifest.shards) == len(TEXTS)

    @pytest.mark.parametrize("kind", ROWS)
    def test_shards_of_documents_end_with_the_one_that_fills_them(self, tmp_path, kind):
        need(kind)
        texts = ["a b", "c", "", "d e f", "g", "", "h i"]
        rows = [[*GPT2.encode(text), 50256] for text in texts]
        manifest = GPT2.encode_to(texts, tmp_path, format=kind, shard_tokens=4)
        assert rows_of(tmp_path, manifest) == [rows[:2], rows[2:4], rows[4:7]]

    @pytest.mark.parametrize("kind", FORMATS)
    def test_empty_documents_and_none(self, tmp_path, kind):
        need(kind)
        for name, texts in (("a", [""] * 3), ("b", [])):
            manifest = GPT2.encode_to(texts, tmp_path / name, format=kind, separator=None)
            rows = rows_of(tmp_path / name, manifest)
            assert joined(rows) == []
            assert manifest.totals["train"]["documents"] == len(texts)
            assert len(manifest.shards) == (name == "a")
            if kind in ROWS and name == "a":
                assert rows == [[[], [], []]]

    def test_splits_depend_on_the_text_alone(self, tmp_path):
        texts = [f"text number {n}" for n in range(400)]
        one = GPT2.encode_to(texts, tmp_path / "a", validation=0.25, format="megatron")
        two = GPT2.encode_to(texts[::-1] * 2, tmp_path / "b", validation=0.25, format="megatron")
        other = GPT2.encode_to(texts, tmp_path / "c", validation=0.25, format="megatron", seed=1)

        def split_of(folder, manifest):
            return [
                {tuple(row) for row in joined_rows(rows_of(folder, manifest, name))}
                for name in ("train", "val")
            ]

        train, val = split_of(tmp_path / "a", one)
        assert len(train) + len(val) == 400
        assert 60 < len(val) < 140
        assert split_of(tmp_path / "b", two) == [train, val]
        assert split_of(tmp_path / "c", other)[1] != val

    @given(st.data())
    def test_segments_of_long_texts(self, data):
        """However a long text is cut, its ids are those of the whole, special tokens included."""
        specials = ["<|endoftext|>", "<|a b|>", "<|a b|><|c|>", "b|>\n<|", " x"]
        tokenizer = bpetok.Tokenizer(
            "special",
            pat_str=data.draw(st.sampled_from(["gpt2", "cl100k", "o200k"])),
            mergeable_ranks=GPT2._mergeable_ranks,
            special_tokens={text: 60000 + at for at, text in enumerate(specials)},
        )
        piece = st.sampled_from(
            [*specials, "word", " a", "b|", ">\n", "<|", "1234", "é", "שלום", "  ", "'s", "🙂"]
        )
        text = "".join(data.draw(st.lists(piece, min_size=50, max_size=400)))
        allowed = data.draw(st.sampled_from(["all", frozenset(), frozenset(specials[:2])]))
        cutter = segments.Segmenter(tokenizer, bpetok.shards.Settings())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(segments, "SEGMENT", 20)
            patch.setattr(segments, "WINDOW", 16)
            cut = list(cutter.of([bpetok.Document(text, "a text")]))
        options = {"allowed_special": allowed, "disallowed_special": ()}
        ids = [token for each in cut for token in tokenizer.encode(_str(each.text), **options)]
        assert ids == tokenizer.encode(text, **options)
        assert "".join(_str(each.text) for each in cut) == text
        assert [each.last for each in cut] == [False] * (len(cut) - 1) + [True]

    def test_a_large_file_is_read_in_segments(self, tmp_path):
        text = "Some words, and 1234 numbers; naïve ones.\n" * 200
        path = tmp_path / "large.txt"
        path.write_text(text)
        corpus = bpetok.Corpus.find({path: 2})
        cutter = segments.Segmenter(GPT2, bpetok.shards.Settings(validation=0.5))
        (part,) = cutter.parts(corpus)
        found = list(part())
        assert max(len(each.text) for each in found) < 400
        assert b"".join(each.text for each in found) == text.encode() * 2
        assert sum(each.last for each in found) == 2
        whole = list(cutter.of([bpetok.Document(text, "")]))
        assert {each.split for each in found} == {whole[0].split}


def _str(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode()


class TestSources:
    def test_files_of_all_kinds(self, tmp_path):
        folder = tmp_path / "corpus"
        (folder / "inner").mkdir(parents=True)
        (folder / "a.txt").write_text("plain text")
        with gzip.open(folder / "b.jsonl.gz", "wt") as file:
            file.write('{"text": "one"}\n{"text": "two ✓"}\n')
        (folder / "inner" / "c.md").write_text("# title")
        texts = ["plain text", "one", "two ✓", "# title"]
        manifest = GPT2.encode_to(folder, tmp_path / "out", format="megatron")
        assert rows_of(tmp_path / "out", manifest) == [[[*GPT2.encode(text), 50256] for text in texts]]
        assert [Path(each["path"]).name for each in manifest.sources] == ["a.txt", "b.jsonl.gz", "c.md"]
        assert manifest.totals["train"] == {
            "documents": 4, "bytes": sum(len(text.encode()) for text in texts),
            "tokens": sum(len(GPT2.encode(text)) + 1 for text in texts), "dropped_tokens": 0,
        }  # fmt: skip

    def test_parquet_and_zstandard(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        zstandard = pytest.importorskip("zstandard")
        parquet.write_table(pyarrow.table({"body": ["one", None, "two"]}), tmp_path / "a.parquet")
        (tmp_path / "b.jsonl.zst").write_bytes(zstandard.compress(b'{"body": "three"}\n'))
        corpus = bpetok.Corpus.find([tmp_path / "a.parquet", tmp_path / "b.jsonl.zst"], field="body")
        manifest = GPT2.encode_to(corpus, tmp_path / "out", separator=None)
        assert joined(rows_of(tmp_path / "out", manifest)) == joined(
            [map(GPT2.encode, ["one", "two", "three"])]
        )

    def test_bytes_that_are_not_utf8(self, tmp_path):
        path = tmp_path / "latin.txt"
        path.write_bytes(b"caf\xe9!")
        with pytest.raises(CorpusError, match=r"latin\.txt: not UTF-8 .*\n0 finished shards"):
            GPT2.encode_to(path, tmp_path / "a")
        manifest = GPT2.encode_to(path, tmp_path / "b", errors="replace", separator=None)
        assert joined(rows_of(tmp_path / "b", manifest)) == GPT2.encode("caf\ufffd!")

    def test_special_tokens_in_texts(self, tmp_path):
        path = tmp_path / "special.txt"
        path.write_text("a<|endoftext|>")
        with pytest.raises(DisallowedSpecialError, match=r"special\.txt: .*<\|endoftext\|>"):
            GPT2.encode_to(path, tmp_path / "a")
        manifest = GPT2.encode_to(path, tmp_path / "b", allowed_special="all", separator=None)
        assert joined(rows_of(tmp_path / "b", manifest)) == [64, 50256]

    def test_the_number_of_threads_changes_nothing(self, tmp_path):
        texts = [f"text {n} " * n for n in range(200)]
        one, many = (
            GPT2.encode_to(texts, tmp_path / str(n), num_threads=n, validation=0.2, shard_tokens=3000)
            for n in (1, 4)
        )
        assert one == many
        assert (tmp_path / "1/manifest.json").read_bytes() == (tmp_path / "4/manifest.json").read_bytes()

    def test_progress(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("some text\n" * 500)
        seen = []
        GPT2.encode_to(path, tmp_path / "out", progress=seen.append)
        assert {(each.stage, each.total, each.unit) for each in seen} == {("encode", 5000, "bytes")}
        assert [each.done for each in seen] == sorted(each.done for each in seen)
        assert seen[-1].done == 5000


# At places all along a run where files change, a child is killed, and another one goes on.
KILLED = """
import json, os, shutil, signal, sys
from pathlib import Path
import bpetok
from bpetok.shards import segments, writer
segments.SEGMENT, writer.BATCH, writer.CHECKPOINT_BYTES = 300, 1000, 2500
source, out, straight, options = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])
tokenizer = bpetok.Tokenizer.load(sys.argv[5])
if options["format"] in ("parquet", "arrow"):
    import pyarrow.parquet  # once for all children

def run(left):
    child = os.fork()
    if not child:
        def dying(call):
            def die(*args, **kwargs):
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)
            return die
        for name in ("replace", "fsync", "unlink", "fstat", "truncate"):
            setattr(os, name, dying(getattr(os, name)))
        tokenizer.encode_to(source, out, **options)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), status
    return status == 0

expected = {path.name: path.read_bytes() for path in straight.iterdir()}
place = 1
while True:
    whole = run(place)
    assert whole or run(0)
    found = {path.name: path.read_bytes() for path in out.iterdir()}
    assert found == expected, (place, sorted(found), sorted(expected))
    if whole:
        break
    shutil.rmtree(out)
    place += 29
print(place)
"""


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "a.jsonl").write_text(
        "".join(json.dumps({"text": f"document {n} " * (n % 40)}) + "\n" for n in range(60))
    )
    (folder / "b.txt").write_text("A longer text, of 5,000 characters.\n" * 150)
    (folder / "c.jsonl").write_text('{"text": ""}\n{"text": "the end"}\n' * 20)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class TestGoingOn:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_killed_anywhere(self, tmp_path, corpus, kind):
        need(kind)
        options = {"format": kind, "shard_tokens": 3000, "validation": 0.2}
        if kind in ("npy", "arrow"):
            options |= {"sequence_length": 29, "drop_tail": True}
        toy = bpetok.train(["document longer text"] * 3, vocab_size=280, special_tokens=["<|endoftext|>"])
        toy.save(tmp_path / "toy.json")
        manifest = toy.encode_to(corpus, tmp_path / "straight", **options)
        assert len(manifest.shards) > 3
        assert all(each["dropped_tokens"] for each in manifest.totals.values()) == ("drop_tail" in options)
        done = subprocess.run(
            [sys.executable, "-c", KILLED, corpus, tmp_path / "killed", tmp_path / "straight",
             json.dumps(options), tmp_path / "toy.json"],
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 50

    def test_after_an_unreadable_source(self, tmp_path, corpus):
        good = (corpus / "c.jsonl").read_bytes()
        GPT2.encode_to(corpus, tmp_path / "straight", shard_tokens=500)
        (corpus / "c.jsonl").write_bytes(good[:-5])
        with pytest.raises(CorpusError, match=r"c\.jsonl:40: not a line of JSON(.|\n)*finished shards"):
            GPT2.encode_to(corpus, tmp_path / "out", shard_tokens=500)
        assert (tmp_path / "out/train-00001.bin").read_bytes() == (
            tmp_path / "straight/train-00001.bin"
        ).read_bytes()
        (corpus / "c.jsonl").write_bytes(good)
        with pytest.raises(ShardError, match="another sources: name another folder, or overwrite"):
            GPT2.encode_to(corpus, tmp_path / "out", shard_tokens=500)
        GPT2.encode_to(corpus, tmp_path / "out", shard_tokens=500, overwrite=True)
        assert contents(tmp_path / "out") == contents(tmp_path / "straight")

    @pytest.mark.parametrize("after", [0, 3, 7, 20])
    def test_a_full_disk(self, tmp_path, corpus, monkeypatch, after):
        """Written by what fails as a disk does: some bytes are there, then there is no room."""
        options = {"format": "megatron", "shard_tokens": 500}
        GPT2.encode_to(corpus, tmp_path / "straight", **options)
        left = after

        class Full:
            def __init__(self, file):
                self.file = file

            def write(self, data):
                nonlocal left
                left -= 1
                if left < 0:
                    self.file.write(bytes(data)[:3])
                    raise OSError(28, "No space left on device")
                return self.file.write(data)

            def __getattr__(self, name):
                return getattr(self.file, name)

        with monkeypatch.context() as patch:
            patch.setattr(draft_module, "open", lambda *args: Full(open(*args)), raising=False)  # noqa: SIM115
            with pytest.raises(ShardWriteError, match=r"No space left on device.*make room") as caught:
                GPT2.encode_to(corpus, tmp_path / "out", **options)
            assert isinstance(caught.value, OSError)
        assert not (tmp_path / "out/manifest.json").exists()
        GPT2.encode_to(corpus, tmp_path / "out", **options)
        assert contents(tmp_path / "out") == contents(tmp_path / "straight")

    def test_texts_from_an_iterable(self, tmp_path):
        texts = [f"text {n} " * 20 for n in range(100)]
        GPT2.encode_to(texts, tmp_path / "straight")

        def broken():
            yield from texts[:60]
            raise RuntimeError("the caller's own")

        with pytest.raises(RuntimeError, match="own"):
            GPT2.encode_to(broken(), tmp_path / "out")
        with pytest.raises(ShardError, match="the texts are not those"):
            GPT2.encode_to(["other"] * 100, tmp_path / "out")
        GPT2.encode_to(iter(texts), tmp_path / "out")
        assert contents(tmp_path / "out") == contents(tmp_path / "straight")
        with pytest.raises(ShardError, match="whether of these texts cannot be seen"):
            GPT2.encode_to(texts, tmp_path / "out")

    def test_all_done_already(self, tmp_path, corpus):
        manifest = GPT2.encode_to(corpus, tmp_path / "out")
        times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
        assert GPT2.encode_to(corpus, tmp_path / "out") == manifest
        assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}

    def test_another_run_in_the_folder(self, tmp_path, corpus):
        GPT2.encode_to(corpus, tmp_path / "out")
        for call in (
            lambda: CL100K.encode_to(corpus, tmp_path / "out"),
            lambda: GPT2.encode_to(corpus, tmp_path / "out", separator=None),
            lambda: GPT2.encode_to(corpus / "a.jsonl", tmp_path / "out"),
        ):
            with pytest.raises(ShardError, match="of other sources or settings: name another folder"):
                call()
        CL100K.encode_to(corpus, tmp_path / "out", overwrite=True, format="npy")
        assert sorted(contents(tmp_path / "out")) == ["manifest.json", "train-00000.npy"]

    def test_files_of_the_callers_stay(self, tmp_path, corpus):
        out = tmp_path / "out"
        out.mkdir()
        (out / "notes.txt").write_text("mine")
        (out / "train-notes.bin").write_text("mine")
        (out / "train-00007.npy").write_text("mine")
        with pytest.raises(ShardError, match="files named as shards are"):
            GPT2.encode_to(corpus, out)
        GPT2.encode_to(corpus, out, overwrite=True)
        assert (out / "notes.txt").read_text() == (out / "train-notes.bin").read_text() == "mine"
        assert not (out / "train-00007.npy").exists()

    def test_two_at_a_time(self, tmp_path, corpus):
        with writer._locked(tmp_path), pytest.raises(ShardError, match="another process writes to it"):
            GPT2.encode_to(corpus, tmp_path)


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"format": "tfrecord"}, "format is 'tfrecord': choose one of bin, llmc"),
            ({"separator_at": "both"}, "choose 'before' or 'after'"),
            ({"sequence_length": 0}, "sequence_length is 0"),
            ({"shard_tokens": 2**31}, "shard_tokens is 2147483648"),
            ({"drop_tail": True}, "drop_tail needs a sequence_length"),
            ({"sequence_length": 10, "shard_tokens": 9}, "does not fit a shard of 9"),
            ({"sequence_length": 10, "format": "npy"}, "whole ones only"),
            ({"validation": 1.0}, "validation is 1.0"),
            ({"seed": -1}, "seed is -1"),
        ],
    )
    def test_settings(self, tmp_path, options, message):
        with pytest.raises(ShardError, match=message):
            GPT2.encode_to(["a"], tmp_path, **options)
        assert list(tmp_path.iterdir()) == []

    def test_an_unknown_separator(self, tmp_path):
        with pytest.raises(TokenError, match=r"'<s>' is no special token of gpt2 .*<\|endoftext\|>"):
            GPT2.encode_to(["a"], tmp_path, separator="<s>")

    def test_a_document_too_long_for_a_row(self, tmp_path, monkeypatch):
        monkeypatch.setattr(draft_module, "MOST_ROW", 20)
        with pytest.raises(ShardError, match="a document has more than"):
            GPT2.encode_to(["a " * 30], tmp_path, format="megatron")

    def test_the_folder_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(ShardWriteError, match="file"):
            GPT2.encode_to(["a"], tmp_path / "file")

    def test_damage(self, tmp_path):
        manifest = GPT2.encode_to(["a b c"], tmp_path)
        path = tmp_path / "train-00000.bin"
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(FormatError, match="damaged or was changed"):
            manifest.verify(tmp_path)
        (tmp_path / "manifest.json").write_text('{"format": "bpetok-shards", "version": 1, "shards": [{}]}')
        with pytest.raises(FormatError, match="lacks a part"):
            Manifest.load(tmp_path)
        (tmp_path / "manifest.json").write_text('{"format": "bpetok-shards", "version": 2}')
        with pytest.raises(FormatError, match="not version 1"):
            Manifest.load(tmp_path)
        os.unlink(tmp_path / "manifest.json")
        with pytest.raises(FormatError, match="no finished shards"):
            Manifest.load(tmp_path)


@given(
    st.lists(st.text("ab é\n", max_size=60), max_size=30),
    st.sampled_from(["bin", "megatron"]),
    st.sampled_from([None, 1, 7]),
    st.sampled_from([None, 7, 20]),
    st.sampled_from(["before", "after", None]),
)
def test_what_is_written_is_what_encode_gives(tmp_path_factory, texts, kind, width, size, at):
    """Against a plain specification: rows, their sequences, and the shards of them."""
    folder = tmp_path_factory.mktemp("shards")
    manifest = GPT2.encode_to(
        texts,
        folder,
        format=kind,
        sequence_length=width,
        shard_tokens=size,
        separator=None if at is None else "auto",
        separator_at=at or "after",
    )
    rows = [[50256] * (at == "before") + GPT2.encode(text) + [50256] * (at == "after") for text in texts]
    if width or kind == "bin":
        flat = joined([rows])
        step = width or size or max(len(flat), 1)
        rows = [flat[i : i + step] for i in range(0, len(flat), step)]
    shards = rows_of(folder, manifest)
    if kind == "megatron":
        assert [row for each in shards for row in each] == rows
        if width is None and size is not None:
            filled = [sum(map(len, each)) for each in shards]
            assert all(total >= size for total in filled[:-1])
            assert all(sum(map(len, each[:-1])) < size for each in shards)
    else:
        assert joined(shards) == joined([rows])
        assert all(shard.tokens == size // (width or 1) * (width or 1) for shard in manifest.shards[:-1])
