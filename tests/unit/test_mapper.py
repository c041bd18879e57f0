"""Batches of texts to batches of ids: `datasets`, processes of every kind, and pickles that are equal."""

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import bpetok
from bpetok import Template, Vocabulary
from bpetok.errors import ArrowError, CorpusError, DisallowedSpecialError
from bpetok.normalization import Lowercase

GPT2 = bpetok.get_encoding("gpt2")
TEXTS = ["hello world", None, "", "naïve 🙂", "the last one"]
METHODS = sorted({"fork", "spawn"} & set(multiprocessing.get_all_start_methods()))


def expected(texts):
    return [None if text is None else GPT2.encode(text) for text in texts]


def lists(column):
    return [None if ids is None else list(map(int, ids)) for ids in column]


class TestBatches:
    def test_lists(self):
        found = GPT2.mapper(length="length")({"text": TEXTS, "other": [1] * 5})
        assert found.keys() == {"input_ids", "length"}
        assert lists(found["input_ids"]) == expected(TEXTS)
        assert {ids.dtype for ids in found["input_ids"] if ids is not None} == {np.dtype(np.uint32)}
        assert found["length"] == [None if ids is None else len(ids) for ids in expected(TEXTS)]

    def test_names(self):
        found = GPT2.mapper("a", output="b", length="c")({"a": ["hello"]})
        assert found["b"][0].tolist() == [31373]
        assert found["c"] == [1]

    def test_no_texts(self):
        assert GPT2.mapper()({"text": []}) == {"input_ids": []}
        assert GPT2.mapper()({"text": [None]}) == {"input_ids": [None]}

    def test_one_text(self):
        assert GPT2.mapper()({"text": "hello world"}) == {"input_ids": [31373, 995]}
        assert GPT2.mapper(length="n")({"text": None}) == {"input_ids": None, "n": None}

    def test_a_table(self):
        pyarrow = pytest.importorskip("pyarrow")
        for kind in (pyarrow.string(), pyarrow.large_string()):
            table = pyarrow.table({"text": pyarrow.array(TEXTS, kind), "length": [0] * 5})
            found = GPT2.mapper(length="length")(table)
            assert found.column_names == ["text", "input_ids", "length"]
            assert found["input_ids"].type == pyarrow.list_(pyarrow.uint32())
            assert found["input_ids"].to_pylist() == expected(TEXTS)
            assert found["length"].to_pylist() == [
                None if ids is None else len(ids) for ids in expected(TEXTS)
            ]
        with pytest.raises(ArrowError, match="holds int64"):
            GPT2.mapper("n")(pyarrow.table({"n": [1]}))

    def test_special_tokens(self):
        batch = {"text": ["a<|endoftext|>"]}
        with pytest.raises(DisallowedSpecialError, match="endoftext"):
            GPT2.mapper()(batch)
        allowed = GPT2.mapper(allowed_special={"<|endoftext|>"})
        assert lists(allowed(batch)["input_ids"]) == [[64, 50256]]

    def test_errors(self):
        with pytest.raises(CorpusError, match="has no column 'text': it has 'a', 'b'"):
            GPT2.mapper()({"a": [], "b": []})
        with pytest.raises(TypeError, match="got int at index 1"):
            GPT2.mapper()({"text": ["a", 1]})
        with pytest.raises(TypeError, match="must be 'all' or a set"):
            GPT2.mapper(allowed_special="some")
        with pytest.raises(ValueError, match="num_threads must be at least 1"):
            GPT2.mapper(num_threads=0)


def trained():
    return bpetok.train(["low lower lowest new newer"] * 3, vocab_size=270, special_tokens=["<s>", "<e>"])


def prepared():
    vocabulary = Vocabulary.from_ranks({bytes([b]): b for b in range(256)} | {b"ab": 256}, {"<s>": 257})
    return bpetok.Tokenizer.from_vocabulary(
        "lower", "gpt2", vocabulary, normalizer=Lowercase(), template=Template((257, "A"))
    )


def scored():
    vocabulary = Vocabulary.from_characters(
        {256: b"a", 257: b"b", 258: b"ab"}, scores={256: -1.5, 257: -2, 258: 0.1}, special_tokens={},
        byte_tokens=range(256),
    )  # fmt: skip
    return bpetok.Tokenizer.from_vocabulary("scored", "whole", vocabulary)


MAKERS = {"registered": lambda: GPT2, "trained": trained, "prepared": prepared, "scored": scored}


@pytest.mark.parametrize("name", MAKERS)
class TestPickles:
    def test_equal_tokenizers_have_equal_pickles(self, name):
        options = {"allowed_special": set("abcdefg"), "disallowed_special": ["x", "y"]}
        reordered = {"allowed_special": frozenset("gfedcba"), "disallowed_special": {"y", "x"}}
        data = pickle.dumps(MAKERS[name]().mapper(**options))
        again = pickle.loads(data)
        assert pickle.dumps(MAKERS[name]().mapper(**reordered)) == data
        assert pickle.dumps(again) == data
        batch = {"text": ["abab é <s>"]}
        own = MAKERS[name]().mapper(**options)
        assert lists(again(batch)["input_ids"]) == lists(own(batch)["input_ids"])

    def test_in_other_processes(self, name):
        code = (
            "import hashlib, pickle, sys; sys.path.insert(0, 'tests/unit'); import test_mapper\n"
            f"mapper = test_mapper.MAKERS[{name!r}]().mapper(allowed_special=set('abcdefg'))\n"
            "print(hashlib.sha256(pickle.dumps(mapper)).hexdigest())"
        )
        found = {
            subprocess.run(
                [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True, text=True, check=True,
            ).stdout
            for seed in ("1", "2")
        }  # fmt: skip
        assert len(found) == 1

    def test_nothing_is_lost(self, name):
        made = MAKERS[name]()
        again = pickle.loads(pickle.dumps(made))
        for part in ("name", "normalizer", "template", "decoder", "added_tokens", "provenance", "dropout"):
            assert getattr(again, part) == getattr(made, part)
        assert again.vocabulary.tokens() == made.vocabulary.tokens()
        counts = made.vocabulary.merge_counts
        assert counts is None or again.vocabulary.merge_counts.tolist() == counts.tolist()
        assert again.encode("abAB newer é") == made.encode("abAB newer é")

    def test_shards_can_be_written_with_it(self, name, tmp_path):
        manifest = MAKERS[name]().encode_to(["abab"], tmp_path, separator=None)
        assert manifest.totals["train"]["tokens"] == len(MAKERS[name]().encode("abab"))


class TestDatasets:
    @pytest.fixture
    def data(self, tmp_path, monkeypatch):
        datasets = pytest.importorskip("datasets")
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        return datasets.Dataset.from_dict({"text": TEXTS * 20})

    def test_map(self, data):
        found = data.map(trained().mapper(length="length"), batched=True, batch_size=7)
        wanted = [None if text is None else trained().encode(text) for text in TEXTS * 20]
        assert found["input_ids"][:] == wanted
        assert data.map(GPT2.mapper())["input_ids"][:] == expected(TEXTS * 20)
        arrow = data.with_format("arrow").map(GPT2.mapper(), batched=True).with_format(None)
        assert arrow["input_ids"][:] == expected(TEXTS * 20)
        batched = data.map(GPT2.mapper(), batched=True)
        assert batched.features["input_ids"] == arrow.features["input_ids"]

    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    @pytest.mark.parametrize("method", METHODS)
    def test_processes(self, data, method, monkeypatch):
        multiprocess = pytest.importorskip("multiprocess")
        before = multiprocess.get_start_method()
        multiprocess.set_start_method(method, force=True)
        try:
            found = data.map(trained().mapper(), batched=True, batch_size=9, num_proc=2)
        finally:
            multiprocess.set_start_method(before, force=True)
        assert found["input_ids"][:] == data.map(trained().mapper(), batched=True)["input_ids"][:]

    def test_the_fingerprint_is_stable(self, data):
        from datasets.fingerprint import Hasher

        for make in MAKERS.values():
            assert Hasher.hash(make().mapper()) == Hasher.hash(pickle.loads(pickle.dumps(make().mapper())))
        first, second = (data.map(trained().mapper(), batched=True) for _ in range(2))
        assert first._fingerprint == second._fingerprint
        assert data.map(trained().mapper(length="n"), batched=True)._fingerprint != first._fingerprint


def encode_in_child(mapper, texts):
    return lists(mapper({"text": texts})["input_ids"])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("threads", [1, None])
@pytest.mark.parametrize("method", METHODS)
def test_processes_while_threads_encode(method, threads):
    """A child has what the threads of its parent had on lease, but not the threads."""
    mapper = trained().mapper(num_threads=threads)
    texts = [f"newer lower text {i} " * 40 for i in range(60)]
    wanted = encode_in_child(mapper, texts)
    done = threading.Event()

    def work():
        while not done.is_set():
            encode_in_child(mapper, texts)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    try:
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.starmap(encode_in_child, [(mapper, texts)] * 4) == [wanted] * 4
    finally:
        done.set()
        for worker in workers:
            worker.join()


class Texts:
    """A data set of the map style that encodes in the worker."""

    def __init__(self, mapper):
        self.mapper = mapper

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return np.array(self.mapper({"text": f"newer text {index:02}"})["input_ids"])


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("method", METHODS)
def test_workers_of_pytorch(method):
    data = pytest.importorskip("torch.utils.data")
    texts = Texts(trained().mapper())
    loader = data.DataLoader(texts, batch_size=None, num_workers=2, multiprocessing_context=method)
    assert [ids.tolist() for ids in loader] == [texts[i].tolist() for i in range(20)]
