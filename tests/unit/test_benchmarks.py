"""The benchmarks on a few kilobytes: figures are there, and engines that are wrong or broken are noticed."""

import gzip
import hashlib
import itertools
import json
import os
import struct
import sys
from random import Random

import pytest

from bpetok import get_encoding
from bpetok_bench import corpus, encode, engines, measure, report, summary, vocabularies, workloads
from bpetok_bench.options import Options, choose
from bpetok_bench.process import AskError, Worker, processors
from bpetok_bench.team import DifferentIdsError, describe

# Engines that need no vocabulary: an id for each byte. They are found by name in processes of their own.
FAKES = '''
import os
import sys
import time

from bpetok_bench.engines import Engine


class Bytes(Engine):
    library = "json"

    def encode(self, text):
        return list(text.encode())

    def decode(self, ids):
        return "".join(map(chr, ids))


class Also(Bytes):
    pass


class Backwards(Bytes):
    def encode(self, text):
        return super().encode(text)[::-1]


class WrongArrays(Bytes):
    def encode_array(self, text):
        return super().encode_array(text)[1:]


class WrongSecondTime(Bytes):
    known = ""

    def encode(self, text):
        ids = super().encode(text)
        if text == self.known:
            ids[7] += 1
        self.known = text
        return ids


class WrongDivision(Bytes):
    def encode_flat(self, texts):
        ids, offsets = super().encode_flat(texts)
        offsets[1] += 1
        return ids, offsets


class WrongCount(Bytes):
    def count(self, text):
        return len(text.encode()) + 1


class OnlyTwice(Bytes):
    """Stops at text that it has seen in another step."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.seen = {}

    def encode(self, text):
        self.seen[text] = self.seen.get(text, 0) + 1
        assert self.seen[text] <= 2, "seen before"
        return super().encode(text)

    def count(self, text):
        return len(self.encode(text))


class Slow(Bytes):
    def encode(self, text):
        time.sleep(0.02)
        return super().encode(text)


class Refusing(Bytes):
    def __init__(self, *arguments):
        raise NotImplementedError("no such vocabulary")


class Crashing(Bytes):
    def encode_array(self, text):
        os._exit(3)


class Panicking(Bytes):
    def encode_array(self, text):
        raise BaseException("a panic")


class Hanging(Bytes):
    def encode(self, text):
        time.sleep(100 if "\\u200d" in text else 0)
        return super().encode(text)


class Missing(Bytes):
    library = "no_library_has_this_name"
'''


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    """The module `fakes` can be imported, here and in the processes of engines."""
    (tmp_path / "fakes.py").write_text(FAKES, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    monkeypatch.setattr(vocabularies, "write", lambda encoding, folder: None)
    yield
    sys.modules.pop("fakes", None)


@pytest.fixture
def text_file(tmp_path):
    draw = Random(7)
    words = ["".join(draw.choices("abcdeé中 ", k=draw.randint(1, 8))) for _ in range(300)]
    file = tmp_path / "text.txt"
    file.write_text(" ".join(draw.choices(words, k=20_000)), "utf-8")
    return file


@pytest.fixture
def measured(text_file):
    """Runs the benchmark on a few kilobytes."""

    def run(*names, workloads=("list",), repeats=1, **more):
        options = Options(
            encodings=("gpt2",), files=(text_file,), engines=names, workloads=workloads, repeats=repeats,
            **{"megabytes": 0.002, "hard_scale": 0.0005, **more},
        )  # fmt: skip
        return encode.run(options)

    return run


# ---- a whole run -------------------------------------------------------------------------------------


def test_everything_is_measured_with_the_engines_that_are_installed(text_file):
    pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    lines = []
    small = {"megabytes": 0.002, "repeats": 1, "hard_scale": 0.001}
    options = Options(encodings=("cl100k_base",), files=(text_file,), **small)
    record = json.loads(json.dumps(encode.run(options, lines.append)))
    names = record["engines"]
    assert {"bpetok", "tiktoken"} <= set(names)
    with_encodings = [name for name, each in engines.ENGINES.items() if each.has_encodings]
    assert sorted([*names, *record["missing"]]) == sorted(with_encodings)
    assert record["missing"] == [] or ", ".join(record["missing"]) in lines[0]
    assert record["reference"] == "tiktoken"
    assert (record["inexact"], record["edges"][0]["of"]) == ([], len(workloads.EDGES))
    alone = len(processors()) == 1
    assert {row["workload"] for row in record["failures"]} == ({"documents-2, flat-2"} if alone else set())
    assert {"date", "commit", "build", "machine", "versions", "settings", "cpus_of_others"} <= record.keys()
    assert record["corpora"]["given"]["sha256"]

    steps = {(row["workload"], row["state"], row["engine"]): row for row in record["results"]}
    done = {name for name, each in workloads.WORKLOADS.items() if each.threads == 1 or not alone}
    states = {*itertools.product(done, ("unseen", "seen")), ("cold", "cold")}
    assert steps.keys() == {(*step, name) for step in states for name in names}
    for (workload, state, _), row in steps.items():
        ours = steps[workload, state, "bpetok"]
        assert row["seconds"] > 0 < row["tokens"] == ours["tokens"]
        assert (row["bytes"], row["strings"]) == (ours["bytes"], ours["strings"])
    assert {(row["workload"], row["state"]) for row in record["summary"]} == states
    assert all(row["mb_per_s"].keys() == set(names) for row in record["summary"])
    assert all(row["ratio"] > 0 < row["tiktoken_ratio"] for row in record["summary"])
    assert {row["engine"] for row in record["loading_summary"]} == set(names)
    assert all(row["load_ms"] > 0 for row in record["loading_summary"])
    assert {row["engine"] for row in record["memory_summary"]} == set(names)
    assert {row["input"] for row in record["hard"]} == workloads.HARD.keys()
    assert all(row["exact"] and row["growth"] > 0 for row in record["hard"])


def test_no_text_is_new_twice(fakes, measured):
    names = [name for name, each in workloads.WORKLOADS.items() if each.threads == 1 and name != "decode"]
    record = measured("fakes:OnlyTwice", workloads=tuple(names), repeats=3)
    assert record["failures"] == []
    assert {row["workload"] for row in record["results"]} == set(names)


def test_a_slow_engine_is_asked_in_one_repeat_only(fakes, measured):
    record = measured("fakes:Bytes", "fakes:Slow", repeats=3)
    repeats = {(row["engine"], row["repeat"]) for row in record["results"]}
    assert repeats == {
        *((f"fakes:{name}", 0) for name in ("Bytes", "Slow")),
        ("fakes:Bytes", 1),
        ("fakes:Bytes", 2),
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engines": ("nonesuch",)}, "no engine is called 'nonesuch': use bpetok, tiktoken"),
        ({"encodings": ("klingon",)}, "no encoding is called 'klingon': use gpt2"),
        ({"workloads": ("lists",)}, "no workload is called 'lists': use list"),
        ({"kinds": ("poetry",)}, "no kind of text is called 'poetry': use"),
        ({"megabytes": 0.0001}, "at least 1000 bytes"),
        ({"repeats": 0}, "at least 1"),
        ({"repeats": 900}, "there is text for"),
    ],
)
def test_wrong_options_are_refused(text_file, options, message):
    small = {"engines": ("bpetok",), "files": (text_file,), "megabytes": 0.002}
    with pytest.raises(ValueError, match=message):
        encode.run(Options(**{**small, **options}))


def test_a_build_that_changes_during_the_run_is_noticed(fakes, measured, monkeypatch):
    monkeypatch.setattr(report, "build", map(str, itertools.count()).__next__)
    with pytest.raises(DifferentIdsError, match="changed or compiled anew"):
        measured("fakes:Bytes")


# ---- engines that are wrong --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "workload", "difference"),
    [
        ("Backwards", "list", "string 0, item 0: ["),
        ("Backwards", "documents", "string 0, item 0: ["),
        ("Backwards", "cold", "string 0, item 0: ["),
        ("WrongArrays", "numpy", "string 0, item 0: ["),
        ("WrongSecondTime", "list", "the second time"),
        ("WrongDivision", "flat", "equal ids, in strings of ["),
        ("WrongCount", "count", "string 0, item 0: ["),
    ],
)
def test_an_engine_with_other_ids_is_not_exact(fakes, measured, name, workload, difference):
    record = measured("fakes:Bytes", f"fakes:{name}", "fakes:Also", workloads=(workload,))
    (found,) = record["inexact"]
    assert found.items() >= {
        "engine": f"fakes:{name}", "encoding": "gpt2", "kind": "given", "workload": workload,
    }.items()  # fmt: skip
    assert difference in found["difference"]
    for row in record["summary"]:
        assert row["inexact"] == [f"fakes:{name}"]
        assert row["mb_per_s"].keys() == {"fakes:Bytes", "fakes:Also"}
    assert any(f"Not exact: fakes:{name}" in line for line in summary.remarks(record))


def test_odd_strings_and_hard_inputs_are_compared(fakes, measured):
    record = measured("fakes:Bytes", "fakes:Backwards", workloads=("edges", "hard"))
    exact, wrong = record["edges"]
    assert (exact["differ"], exact["first"]) == (0, None)
    assert wrong["differ"] > 20
    assert wrong["first"] == "' \\n': [10, 32] and not [32, 10]"
    exact = {row["input"]: row["exact"] for row in record["hard"] if row["engine"] == "fakes:Backwards"}
    assert (exact["a"], exact["random a-z"]) == (True, False)


def test_other_ids_of_bpetok_end_the_run(fakes, measured):
    for workload in ("list", "edges", "hard"):
        with pytest.raises(DifferentIdsError, match="gpt2: "):
            measured("fakes:Bytes", "bpetok", workloads=(workload,))


@pytest.mark.parametrize("engine", ["tokenizers", "fastokens"])
def test_a_file_of_ones_own_is_measured(tmp_path, text_file, engine):
    pytest.importorskip(engine, reason=f"{engine} is measured (extra bench)")
    pytest.importorskip("tokenizers", reason="it says which ids are right (extra bench)")
    path = tmp_path / "mine" / "tokenizer.json"
    path.parent.mkdir()
    vocabularies.write("gpt2", tmp_path)
    path.write_bytes((tmp_path / "gpt2.tokenizer.json").read_bytes())
    small = {"megabytes": 0.002, "repeats": 1, "workloads": ("list", "documents")}
    names = tuple(dict.fromkeys(("bpetok", "tokenizers", engine)))
    options = Options(encodings=(str(path),), files=(text_file,), engines=names, **small)
    record = encode.run(options)
    assert {row["encoding"] for row in record["results"]} == {"mine"}
    assert {row["engine"] for row in record["results"]} == set(names)
    assert not record["inexact"]
    assert not record["failures"]


def test_engines_that_read_no_such_file_are_left_out(tmp_path):
    path = tmp_path / "some.model"
    path.write_bytes(b"")
    names, missing = choose(Options(encodings=(str(path),)))
    assert {*names, *missing} == {"bpetok", "gigatoken", "sentencepiece"}


def test_the_first_difference_is_described():
    import numpy as np

    ids, lengths = np.array([64, 65, 66, 67], np.uint32), np.array([1, 3])
    other = np.array([64, 65, 68, 67], np.uint32)
    gpt2 = get_encoding("gpt2")
    found = describe(gpt2, ids, lengths, other, lengths)
    assert found == "string 1, item 1: [68, 67] and not [66, 67], in b'bcd'"
    shorter = describe(gpt2, ids, lengths, ids[:3], np.array([1, 2]))
    assert shorter == "string 1, item 2: [] and not [67], in b'bcd'"
    longer = describe(gpt2, ids[:3], np.array([1, 2]), ids, lengths)
    assert longer == "string 2, item 0: [67] and not [], in b''"


# ---- engines that are missing or broken ----------------------------------------------------------------


def test_an_engine_that_is_not_installed_is_named(fakes, measured, capsys):
    record = measured("fakes:Bytes", "fakes:Missing")
    assert (record["engines"], record["missing"]) == (["fakes:Bytes"], ["fakes:Missing"])
    summary.show(record)
    assert "Not installed: fakes:Missing." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Refusing", "NotImplementedError: no such vocabulary (fakes.py:"),
        ("Crashing", "the process ended with code 3"),
        ("Panicking", "BaseException: a panic"),
    ],
)
def test_an_engine_that_fails_is_recorded_and_the_others_go_on(fakes, measured, capsys, name, reason):
    record = measured("fakes:Bytes", f"fakes:{name}", workloads=("list", "numpy"), repeats=2)
    (failure,) = record["failures"]
    assert failure["engine"] == f"fakes:{name}"
    assert reason in failure["reason"]
    rows = {(row["engine"], row["workload"], row["repeat"]) for row in record["results"]}
    assert {("fakes:Bytes", workload, n) for workload in ("list", "numpy") for n in (0, 1)} <= rows
    assert (f"fakes:{name}", "numpy", 0) not in rows
    assert ((f"fakes:{name}", "list", 1) in rows) == (name != "Refusing")  # it is begun anew
    summary.show(record)
    assert f"No answer: fakes:{name} on gpt2, given, " in capsys.readouterr().out


def test_an_engine_that_takes_too_long_is_ended(fakes, measured):
    record = measured("fakes:Bytes", "fakes:Hanging", workloads=("hard",), hard_limit=4)
    row = next(
        row for row in record["hard"] if (row["engine"], row["input"]) == ("fakes:Hanging", "joined emoji")
    )
    assert (row["quarter_s"], row["full_s"], row["growth"]) == (None, None, None)
    row = next(row for row in record["hard"] if (row["engine"], row["input"]) == ("fakes:Hanging", "spaces"))
    assert row["growth"] > 0
    (reason,) = {row["reason"] for row in record["failures"] if row["kind"] == "joined emoji"}
    assert reason == "a quarter of it: it took more than 4 s"
    assert all(row["full_s"] for row in record["hard"] if row["engine"] == "fakes:Bytes")


# ---- figures -----------------------------------------------------------------------------------------


def test_medians_and_ratios():
    def rows(engine, *seconds, kind="code"):
        where = {"encoding": "e", "kind": kind, "workload": "list", "threads": 1, "state": "seen"}
        return [
            {**where, "engine": engine, "repeat": repeat, "bytes": 1_000_000 * (repeat + 1), "seconds": each}
            for repeat, each in enumerate(seconds)
        ]

    # Megabytes a second: 10, 20, 10; 5, 20, 40; 100; 1, 1, 1.
    results = [
        *rows("bpetok", 0.1, 0.1, 0.3),
        *rows("tiktoken", 1, 2, 3),
        *rows("fast", 0.2, 0.1, 0.075),
        *rows("wrong", 0.01),
        *rows("wrong", 0.01, kind="english"),
    ]
    inexact = [{"engine": "wrong", "encoding": "e", "kind": "code", "workload": "numpy"}]
    code, english = summary.speeds(results, inexact)
    assert code["mb_per_s"] == pytest.approx({"bpetok": 10, "tiktoken": 1, "fast": 20})
    assert (code["inexact"], code["best_peer"]) == (["wrong"], "fast")
    assert code["ratio"] == pytest.approx(1)  # of 2, 1 and a quarter
    assert code["tiktoken_ratio"] == pytest.approx(10)
    assert english["mb_per_s"] == pytest.approx({"wrong": 100})
    assert (english["best_peer"], english["ratio"], english["tiktoken_ratio"]) == ("wrong", None, None)


def test_a_ratio_is_of_the_steps_that_both_did():
    assert summary.ratio({"bpetok": {0: 10.0, 1: 30.0}, "slow": {0: 2.0}}, "slow") == 5
    assert summary.ratio({"bpetok": {1: 30.0}, "slow": {0: 2.0}}, "slow") is None
    assert summary.ratio({"slow": {0: 2.0}}, "slow") is None


def test_times_and_memory_are_summarized_by_engine():
    record = {
        "results": [], "inexact": [],
        "loading": [
            {"encoding": "e", "engine": "x", "import_s": each, "load_s": 2 * each, "first_text_s": 0}
            for each in (0.1, 0.9, 0.2)
        ],
        "memory": [
            {"encoding": "e", "engine": "x", "before_bytes": 1e6, "loaded_bytes": 3e6, "encoded_bytes": each}
            for each in (5e6, 7e6)
        ],
    }  # fmt: skip
    found = summary.summarize(record)
    (loading,), (memory,) = found["loading_summary"], found["memory_summary"]
    assert (loading["import_ms"], loading["load_ms"], loading["first_text_ms"]) == (200, 400, 0)
    assert (memory["loaded_mb"], memory["encoded_mb"]) == (2, 5)


# ---- texts -------------------------------------------------------------------------------------------


def test_text_is_taken_once_and_ends_between_lines_words_or_characters():
    reader = workloads.Reader("one two\nthree four five six 中文中文中文中文")
    assert reader.take(10) == "one two\n"
    assert reader.take(12) == "three four"
    assert reader.take(9) == " five"
    assert [reader.take(9) for _ in range(3)] == [" six", " 中文", "中文中"]
    with pytest.raises(ValueError, match="too little"):
        reader.take(10)
    assert reader.take(9) == "中文中文"[1:]


def test_strings_are_the_text_in_parts_of_the_wanted_sizes():
    draw = Random(3)
    text = "".join(draw.choices("aé中\U0001f600 \n", (9, 2, 2, 1, 3, 1), k=5000))
    parts = workloads.strings(text, (80, 120), "seed")
    assert "".join(parts) == text
    assert all(36 < len(part.encode()) <= 120 for part in parts[:-1])
    assert workloads.strings(text, (80, 120), "seed") == parts
    assert workloads.strings(text, (80, 120), "other") != parts


def test_hard_inputs_have_their_size_and_are_no_part_of_each_other():
    for name, quarter, whole in workloads.hard_inputs(0.01):
        size = workloads.HARD[name][0] // 100
        assert size <= len(whole.encode()) < size + 4000
        assert size // 4 <= len(quarter.encode()) < size // 4 + 4000
        assert whole.startswith(quarter) == (len(set(whole)) == 1)


def test_results_of_all_forms_are_comparable():
    import numpy as np

    for method, result in (
        ("encode", [[1, 2], [], [3]]),
        ("encode_array", [np.array([1, 2], np.int64), np.array([]), np.array([3])]),
        ("encode_flat", (np.array([1, 2, 3]), np.array([0, 2, 2, 3], np.uint64))),
    ):
        ids, lengths = measure.comparable(result, method)
        assert (ids.dtype, ids.tolist(), lengths.tolist()) == (np.uint32, [1, 2, 3], [2, 0, 1])
    assert measure.comparable([3, 4], "count")[0].tolist() == [3, 4]
    assert bytes(measure.comparable(["é", "a"], "decode")[0]) == "éa".encode()


# ---- the modules below -------------------------------------------------------------------------------


def catalogue(*messages):
    """A compiled gettext catalogue of translations, the header among them."""
    table = 28 + 8 * len(messages)
    at = table + 8 * len(messages)
    places, texts = b"", b""
    for message in messages:
        places += struct.pack("<2I", len(message), at + len(texts))
        texts += message + b"\0"
    head = struct.pack("<7I", 0x950412DE, 0, len(messages), 28, table, 0, at)
    return head + b"\0" * (8 * len(messages)) + places + texts


def test_a_corpus_holds_each_text_once_and_no_other_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_bytes(b"one\n")
    (tmp_path / "a" / "two.gz").write_bytes(gzip.compress("zwei é\n".encode()))
    (tmp_path / "again.txt").write_bytes(b"one\n")
    (tmp_path / "three.mo").write_bytes(catalogue(b"Content-Type: x\n", b"drei", b"eins\0viele"))
    (tmp_path / "zeros").write_bytes(b"a\0b")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    (tmp_path / "broken.mo").write_bytes(catalogue(b"head", b"text")[:9])
    (tmp_path / "large").write_bytes(b"x" * (corpus.MOST_BYTES + 1))
    (tmp_path / "link").symlink_to(tmp_path / "a" / "one.txt")
    found = corpus.build("given", 10**6, [tmp_path])
    assert sorted(found.texts) == ["drei\neins\nviele", "one\n", "zwei é\n"]
    assert found.n_bytes == len("".join(found.texts).encode())
    assert found.sha256 == hashlib.sha256("".join(found.texts).encode()).hexdigest()
    assert corpus.build("given", 10**6, [tmp_path]) == found
    assert corpus.build("given", 1, [tmp_path]).texts == found.texts[:1]
    with pytest.raises(ValueError, match="use code, english, multilingual or given"):
        corpus.build("poetry", 10)


def test_what_happens_in_a_process_of_its_own():
    with Worker(processors()[-1:], {"BPETOK_BENCH_TEST": "yes"}) as worker:
        assert worker.ask(os.getpid) == worker.process.pid != os.getpid()
        assert worker.ask(os.getenv, "BPETOK_BENCH_TEST") == "yes"
        assert worker.ask(max, 3, 4) == 4
        with pytest.raises(AskError, match="ZeroDivisionError"):
            worker.ask(divmod, 1, 0)
        assert len(worker.ask(processors)) <= 1
        assert worker.alive
        with pytest.raises(AskError, match="ended with code 3"):
            worker.ask(os._exit, 3)
        assert not worker.alive
        with pytest.raises(AskError, match="ended with code 3"):
            worker.ask(max, 3, 4)


def test_a_process_begins_with_no_library_but_pythons():
    with Worker() as worker:
        worker.ask(measure.digests)
        loaded = set(worker.ask(eval, "list(__import__('sys').modules)"))
    assert "bpetok_bench.measure" in loaded
    assert not {"bpetok", "numpy", "tiktoken", "rich"} & loaded


def test_a_busy_machine_is_said():
    assert "quiet machine" in report.busyness(report.QUIET + 0.01)
    assert "quiet machine" not in report.busyness(report.QUIET)
    assert "not known" in report.busyness(None)
    used = report.Watch().cpus_of_others()
    assert (used is not None and used >= 0) if sys.platform == "linux" else used is None


def test_a_package_without_metadata_has_no_version():
    assert report.version("numpy")[0].isdigit()
    assert report.version("no-package-has-this-name") == "not installed"
