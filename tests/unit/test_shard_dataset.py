"""Shards as a data set: windows of every format against a plain specification, and workers of PyTorch."""

import json
import multiprocessing
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok.errors import FormatError, ShardError
from bpetok.shards import FORMATS, TokenDataset, formats

GPT2 = bpetok.get_encoding("gpt2")
END = 50256
TEXTS = ["hello world", "", "naïve 🙂 text\n", "hello " * 30, "the last one"]


def windows(shards, context, stride):
    """The specification: shards are lists of (id, the number of its document)."""
    found = []
    for ids in shards:
        for start in range(0, len(ids) - context, stride):
            window = ids[start : start + context + 1]
            numbers = [number for _, number in window[:-1]]
            begins = [numbers.index(number) for number in numbers]
            tokens = [token for token, _ in window]
            found.append([tokens[:-1], tokens[1:], begins])
    return found


def numbered(texts, at):
    """(id, document) pairs of texts with separators."""
    pairs = []
    for number, text in enumerate(texts):
        ids = [END] * (at == "before") + GPT2.encode(text) + [END] * (at == "after")
        pairs += [(token, number) for token in ids]
    return pairs


def items(dataset):
    return [[array.tolist() for array in item] for item in dataset]


@pytest.mark.parametrize("kind", FORMATS)
class TestFormats:
    @pytest.mark.parametrize("at", ["before", "after"])
    def test_windows(self, tmp_path, monkeypatch, kind, at):
        monkeypatch.setattr(formats, "ROWS_TOKENS", 7)  # many batches in a file
        manifest = GPT2.encode_to(TEXTS, tmp_path, format=kind, separator_at=at, shard_tokens=20)
        flat = numbered(TEXTS, at)
        shards = []
        for shard in manifest.shards:
            shards.append(flat[: shard.tokens])
            flat = flat[shard.tokens :]
        assert len(shards) > 1
        for context, stride in ((1, 1), (4, 4), (5, 2), (3, 7), (19, 19), (100, 1)):
            dataset = TokenDataset(tmp_path, context=context, stride=stride, documents=True, verify=True)
            assert items(dataset) == windows(shards, context, stride)
            plain = TokenDataset(tmp_path, context=context, stride=stride)
            assert items(plain) == [item[:2] for item in windows(shards, context, stride)]
        x, y = TokenDataset(tmp_path, context=4)[-1]
        assert x.dtype == y.dtype == np.int64

    def test_sequences(self, tmp_path, kind):
        GPT2.encode_to(TEXTS, tmp_path, format=kind, sequence_length=6, drop_tail=True, shard_tokens=20)
        flat = numbered(TEXTS, "after")
        shards = [flat[i : i + 18] for i in range(0, len(flat) // 6 * 6, 18)]
        shards[-1] = shards[-1][: len(shards[-1]) // 6 * 6]
        assert items(TokenDataset(tmp_path, documents=True)) == windows(shards, 5, 6)
        assert items(TokenDataset(tmp_path, context=3, documents=True)) == windows(shards, 3, 3)

    def test_no_documents(self, tmp_path, kind):
        GPT2.encode_to([], tmp_path, format=kind)
        assert items(TokenDataset(tmp_path, context=2)) == []

    def test_pickled_and_forked(self, tmp_path, kind):
        GPT2.encode_to(TEXTS, tmp_path, format=kind)
        dataset = TokenDataset(tmp_path, context=4, documents=True)
        before = pickle.dumps(dataset)
        wanted = items(dataset)
        assert pickle.dumps(dataset) == before  # what was opened stays here
        assert items(pickle.loads(before)) == wanted


def test_rows_without_a_separator_are_documents(tmp_path):
    manifest = GPT2.encode_to(TEXTS, tmp_path, format="megatron", separator=None)
    flat = numbered(TEXTS, None)
    assert len(manifest.shards) == 1
    assert items(TokenDataset(tmp_path, context=5, documents=True)) == windows([flat], 5, 5)


def test_wide_ids(tmp_path):
    wide = bpetok.get_encoding("o200k_base")
    text = "größer " * 20
    for kind in FORMATS:
        wide.encode_to([text], tmp_path / kind, format=kind, separator=None)
        x, y = TokenDataset(tmp_path / kind, context=6)[0]
        assert [*x.tolist(), y[-1]] == wide.encode(text)[:7]


def test_splits(tmp_path):
    texts = [f"text number {i}" for i in range(50)]
    manifest = GPT2.encode_to(texts, tmp_path, validation=0.3)
    assert len(TokenDataset(tmp_path, split="val", context=1)) == manifest.totals["val"]["tokens"] - 1
    assert len(TokenDataset(tmp_path, context=1)) == manifest.totals["train"]["tokens"] - 1


class TestErrors:
    @pytest.mark.parametrize(("options", "message"), [
        ({}, "holds no sequences: say how many ids"),
        ({"context": 0}, "context is 0 and stride 0: both must be at least 1"),
        ({"context": 4, "stride": -1}, "stride -1"),
        ({"context": 4, "split": "test"}, "no split 'test': it has train"),
        ({"context": 4, "documents": True}, "have no separator and cannot be told apart"),
    ])  # fmt: skip
    def test_settings(self, tmp_path, options, message):
        GPT2.encode_to(TEXTS, tmp_path, separator=None)
        with pytest.raises(ShardError, match=message):
            TokenDataset(tmp_path, **options)

    def test_a_sequence_of_one_id_has_no_target(self, tmp_path):
        GPT2.encode_to(TEXTS, tmp_path, sequence_length=1)
        with pytest.raises(ShardError, match="context is 0"):
            TokenDataset(tmp_path)

    def test_no_such_item(self, tmp_path):
        GPT2.encode_to(["a b c"], tmp_path)
        dataset = TokenDataset(tmp_path, context=1)
        assert len(dataset) == 3
        for index in (3, -4):
            with pytest.raises(IndexError, match="the data set has 3"):
                dataset[index]

    def test_files_that_changed(self, tmp_path):
        GPT2.encode_to(["a b c"], tmp_path)
        path = tmp_path / "train-00000.bin"
        data = path.read_bytes()
        path.write_bytes(data[:-1] + b"x")
        TokenDataset(tmp_path, context=1)
        with pytest.raises(FormatError, match="damaged or was changed"):
            TokenDataset(tmp_path, context=1, verify=True)
        path.write_bytes(data[:-1])
        with pytest.raises(FormatError, match="does not have 8 bytes"):
            TokenDataset(tmp_path, context=1)
        path.unlink()
        with pytest.raises(FormatError, match=r"train-00000\.bin is missing"):
            TokenDataset(tmp_path, context=1)

    @pytest.mark.parametrize("kind", ["parquet", "arrow"])
    def test_damaged_files(self, tmp_path, kind):
        GPT2.encode_to(["a b c"], tmp_path, format=kind)
        path = tmp_path / f"train-00000.{kind}"
        path.write_bytes(b"x" * path.stat().st_size)
        with pytest.raises(FormatError, match=f"train-00000.{kind} is damaged"):
            TokenDataset(tmp_path, context=1)[0]

    @pytest.mark.parametrize("change", [{"format": "zip"}, {"sequence_length": "x"}, None])
    def test_a_damaged_manifest(self, tmp_path, change):
        GPT2.encode_to(["a b c"], tmp_path)
        path = tmp_path / "manifest.json"
        document = json.loads(path.read_text())
        document["settings"] = {} if change is None else document["settings"] | change
        path.write_text(json.dumps(document))
        with pytest.raises(FormatError, match=r"manifest\.json lacks a part, or has another"):
            TokenDataset(tmp_path, context=1)

    def test_unfinished(self, tmp_path):
        with pytest.raises(FormatError, match="holds no finished shards"):
            TokenDataset(tmp_path, context=1)


@pytest.mark.parametrize("kind", ["bin", "megatron", "arrow"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_pytorch(tmp_path, kind, method):
    data = pytest.importorskip("torch.utils.data")
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    GPT2.encode_to(TEXTS * 4, tmp_path, format=kind)
    dataset = TokenDataset(tmp_path, context=8, documents=True)
    wanted = items(dataset)
    loader = data.DataLoader(dataset, batch_size=3, num_workers=2, multiprocessing_context=method)
    batches = list(loader)
    assert [len(batch) for batch in batches] == [3] * len(batches)
    assert [[part[i].tolist() for part in batch] for batch in batches for i in range(len(batch[0]))] == wanted


@given(
    st.lists(st.text("ab é\n", max_size=20), max_size=12),
    st.sampled_from(sorted(FORMATS)),
    st.integers(1, 9),
    st.integers(1, 9),
    st.sampled_from([None, 5, 12]),
    st.sampled_from(["before", "after"]),
)
def test_any_shards(tmp_path_factory, texts, kind, context, stride, size, at):
    folder = tmp_path_factory.mktemp("shards")
    manifest = GPT2.encode_to(texts, folder, format=kind, shard_tokens=size, separator_at=at)
    flat, shards = numbered(texts, at), []
    for shard in manifest.shards:
        shards.append(flat[: shard.tokens])
        flat = flat[shard.tokens :]
    dataset = TokenDataset(folder, context=context, stride=stride, documents=True)
    assert items(dataset) == windows(shards, context, stride)
