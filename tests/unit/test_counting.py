"""Counting a corpus: what is a source, what comes out, what is refused."""

import json
import pickle
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from bpetok import counting, reference
from bpetok.corpus import Corpus, Document, Part
from bpetok.counting import CountTable, Progress, count
from bpetok.errors import CorpusError, PatternError
from bpetok.patterns import NAMED

TEXTS = ["It's 12345 lines,\n\n  not more.\n", "caf\u00e9 \ud83d\ude00 \ud800\n", "", "low lower\r\nlowest"]
CUSTOM = r"\w+|\W"


@pytest.mark.parametrize("pattern", [*NAMED, CUSTOM])
@pytest.mark.parametrize("num_threads", [1, 2, None])
def test_counts_are_those_of_the_pieces(pattern, num_threads):
    counts = count(TEXTS * 5, pattern=pattern, num_threads=num_threads)
    expected = reference.count_pieces(TEXTS * 5, NAMED.get(pattern, pattern))
    assert dict(counts) == expected
    assert counts.pattern == NAMED.get(pattern, pattern)
    assert counts.n_texts == 20
    assert counts.n_bytes == 5 * sum(len(reference.utf8(text)) for text in TEXTS)
    assert counts.n_pieces == expected.total()


@pytest.mark.parametrize("num_threads", [1, 3])
def test_long_texts_are_cut_between_pieces(real_texts, monkeypatch, num_threads):
    monkeypatch.setattr(counting, "CHUNK", 500)
    text = "\n".join(real_texts[:6])
    counts = count([text, text.encode()], num_threads=num_threads)
    assert dict(counts) == {
        piece: 2 * n for piece, n in reference.count_pieces([text], NAMED["cl100k"]).items()
    }
    assert counts.n_texts == 2
    assert counts.n_bytes == 2 * len(text.encode())


def test_no_place_is_safe_where_a_newline_may_lead_on():
    for text in (b"", b"a", b"\n", b"a\n", b"a\n b", b"a\n\nb"[:3], b"a\n\xff", b"a\n\xce", b"a\n\xcc\x81"):
        assert counting.safe_cut(text, 0) == len(text)
    assert counting.safe_cut(b"a\nb\nc", 2) == 2
    assert counting.safe_cut(b"a\nb\nc", 3) == 4
    assert counting.safe_cut("a\n\u4e2d".encode(), 0) == 2
    assert counting.safe_cut("a\r\n\u0662".encode(), 0) == 3


def test_a_str_alone_is_a_path_and_in_a_list_a_text(tmp_path):
    file = tmp_path / "corpus.txt"
    file.write_text("low lower", "utf-8")
    expected = {b"low": 1, b" lower": 1}
    assert dict(count(str(file))) == dict(count(file)) == dict(count([file])) == expected
    assert dict(count(iter([file]))) == dict(count(["low lower"])) == expected
    assert str(file).encode() not in count([str(file)])
    assert count([str(file)]).n_pieces > 2
    mixed = count([file, "low", b"low", Document("low", "here")])
    assert mixed[b"low"] == 4
    assert mixed.n_texts == 4


def test_a_missing_file_is_found_before_anything_is_counted(tmp_path):
    def called(progress):
        raise AssertionError("counting began")

    with pytest.raises(CorpusError, match="absent"):
        count(["text"] * 10 + [tmp_path / "absent.txt"], num_threads=1, progress=called)
    with pytest.raises(CorpusError, match="absent"):
        count(str(tmp_path / "absent.txt"))


@pytest.mark.parametrize("sources", [b"text", bytearray(b"text"), 3, None])
def test_what_is_no_corpus(sources):
    with pytest.raises(CorpusError, match="a corpus is a path or an iterable of texts"):
        count(sources)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_what_is_no_text(num_threads):
    with pytest.raises(CorpusError, match="item 2 of the corpus is of type int"):
        count(["a", 3], num_threads=num_threads)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_bytes_that_are_not_utf8(num_threads):
    broken = [b"good", "caf\u00e9\ud800 ".encode("utf-8", "surrogatepass") + b"\xff!"]
    counts = count(broken, pattern="gpt2", num_threads=num_threads)
    assert dict(counts) == reference.count_pieces(broken, NAMED["gpt2"])
    with pytest.raises(CorpusError, match=r"^text 2: the bytes at offset 5 are not UTF-8 .*named patterns"):
        count(broken, pattern=CUSTOM, num_threads=num_threads)
    with pytest.raises(CorpusError, match=r"^a/b.txt: the bytes at offset 0"):
        count([Document(b"\xff", "a/b.txt")], pattern=CUSTOM)


def test_patterns_are_checked_before_the_corpus_is_touched():
    def untouched():
        raise AssertionError("the corpus was read")
        yield

    for pattern in ("no-such", "(", "a*"):
        with pytest.raises(PatternError):
            count(untouched(), pattern=pattern)
    with pytest.raises(CorpusError, match="num_threads"):
        count(untouched(), num_threads=0)


@pytest.mark.parametrize("num_threads", [1, 2])
def test_an_error_of_the_source_comes_through(num_threads):
    def texts():
        yield from ["a"] * 10
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        count(texts(), num_threads=num_threads)


def test_progress(monkeypatch):
    monkeypatch.setattr(counting, "CHUNK", 64)
    seen: list[Progress] = []
    text = "one line of text\n" * 100
    count([text], num_threads=2, progress=seen.append)
    assert len(seen) > 10
    assert [at.done for at in seen] == sorted(at.done for at in seen)
    assert seen[-1] == Progress("count", len(text), None, "bytes", "counting pieces")


def test_a_callback_can_stop_the_run():
    def stop(progress):
        raise KeyboardInterrupt

    for num_threads in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            count(["text"], num_threads=num_threads, progress=stop)


def test_an_empty_corpus_has_an_empty_table():
    for sources in ([], [""], iter(())):
        counts = count(sources)
        assert len(counts) == counts.n_pieces == counts.n_bytes == 0


def test_a_table_is_a_mapping():
    counts = CountTable.from_mapping({b"b": 2, b"a": 1}, "gpt2")
    assert list(counts) == [b"a", b"b"]
    assert list(counts.items()) == [(b"a", 1), (b"b", 2)]
    assert counts[b"b"] == 2
    assert b"c" not in counts
    assert "b" not in counts
    assert counts.get(b"c", 7) == 7
    with pytest.raises(KeyError):
        counts[b"c"]
    assert "2 distinct pieces, 3 in all" in repr(counts)
    with pytest.raises(TypeError):
        hash(counts)


@pytest.mark.parametrize(
    "mapping", [{b"": 1}, {b"a": 0}, {b"a": -1}, {3: 1}, {b"a": 1.5}, {b"a": True}, {b"a": 2**63}]
)
def test_mappings_that_are_no_counts(mapping):
    with pytest.raises(CorpusError):
        CountTable.from_mapping(mapping, "gpt2")


def test_merging_is_counting_together():
    parts = [count([text]) for text in TEXTS]
    left = parts[0]
    for part in parts[1:]:
        left = CountTable.merge(left, part)
    right = parts[-1]
    for part in parts[-2::-1]:
        right = CountTable.merge(part, right)
    whole = count(TEXTS)
    assert left == right == whole
    assert (left.n_texts, left.n_bytes, left.n_pieces) == (whole.n_texts, whole.n_bytes, whole.n_pieces)
    assert Counter(dict(parts[0])) == reference.count_pieces(TEXTS[:1], NAMED["cl100k"])


def test_tables_of_different_patterns_do_not_mix():
    one, other = count(["a b"], pattern="gpt2"), count(["a b"], pattern="cl100k")
    with pytest.raises(CorpusError, match="different patterns"):
        CountTable.merge(one, other)
    assert dict(one) == dict(other)
    assert one != other
    assert one != dict(one)


def test_a_table_can_be_pickled():
    counts = count(TEXTS)
    copy = pickle.loads(pickle.dumps(counts))
    assert copy == counts
    assert (copy.pattern, copy.n_texts, copy.n_bytes) == (counts.pattern, counts.n_texts, counts.n_bytes)


def test_files_as_a_list_of_paths(tmp_path: Path):
    for at, text in enumerate(("one two", "two three")):
        (tmp_path / f"{at}.txt").write_text(text, "utf-8")
    counts = count(sorted(tmp_path.iterdir()), num_threads=2)
    assert dict(counts) == {b"one": 1, b" two": 1, b"two": 1, b" three": 1}


def test_rows_of_fields():
    rows = [{"a": {"b": "low"}}, {"a": None}, {"a": {"b": "low lower"}}]
    counts = count(rows, field="a.b")
    assert dict(counts) == {b"low": 2, b" lower": 1}
    assert counts.n_texts == 2
    assert count(iter([{"text": "low"}, "low"]))[b"low"] == 2
    with pytest.raises(CorpusError, match=r"^row 3: no field 'a.b'"):
        count([*rows[:2], {"b": "x"}], field="a.b")


def test_folders_wildcards_and_weights(tmp_path):
    (tmp_path / "a.txt").write_text("low")
    (tmp_path / "b.jsonl").write_text('{"text": "lower"}')
    both = {b"low": 1, b"lower": 1}
    assert dict(count(tmp_path)) == dict(count([tmp_path])) == dict(count(f"{tmp_path}/*")) == both
    assert dict(count({tmp_path / "a.txt": 3, str(tmp_path / "b.jsonl"): 1})) == {b"low": 3, b"lower": 1}


@pytest.mark.parametrize("num_threads", [1, 2])
def test_records_larger_than_a_chunk(tmp_path, real_texts, monkeypatch, num_threads):
    monkeypatch.setattr(counting, "CHUNK", 500)
    text = "\r\n".join(real_texts[:4])
    assert len(text) > 10_000
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "short"}) + "\n" + json.dumps({"text": text}))
    assert dict(count(path, num_threads=num_threads)) == reference.count_pieces(
        ["short", text], NAMED["cl100k"]
    )


@pytest.mark.parametrize("num_threads", [1, 2])
def test_large_files_are_taken_whole_times_and_in_ranges(tmp_path, real_texts, monkeypatch, num_threads):
    monkeypatch.setattr(counting, "CHUNK", 500)
    path = tmp_path / "a.txt"
    path.write_bytes("\n".join(real_texts[:4]).encode())
    whole = count(path, num_threads=num_threads)
    assert count({path: 2}, num_threads=num_threads) == CountTable.merge(whole, whole)
    assert count(Corpus.find([path, path], unique=True), num_threads=num_threads) == whole
    data = path.read_bytes()
    cuts = [0, *(counting.safe_cut(data, len(data) * at // 5) for at in range(1, 5)), len(data)]
    parts = [Part(str(path), 1, *span) for span in pairwise(cuts)]
    tables = [count(Corpus((part,)), num_threads=num_threads) for part in parts]
    assert CountTable.merge(*tables) == whole
    assert [table.n_texts for table in tables] == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("num_threads", [1, 3])
@pytest.mark.parametrize("pattern", ["cl100k", CUSTOM])
def test_json_lines_are_shared_out(tmp_path, monkeypatch, num_threads, pattern):
    texts = [f"line {n} of 3000\n" * (n % 50) for n in range(200)]
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\r\n" for text in texts), "utf-8", newline="")
    expected = count(texts, pattern=pattern)
    monkeypatch.setattr(counting, "CHUNK", 300)
    for weight in (0, 1, 2):
        counts = count({path: weight}, pattern=pattern, num_threads=num_threads)
        assert counts.n_texts == 200 * weight
        assert counts.n_bytes == expected.n_bytes * weight
        assert dict(counts) == {piece: n * weight for piece, n in expected.items() if weight}
    sampled = Corpus.find(path, sample=0.5, seed=3)
    assert count(sampled, pattern=pattern, num_threads=num_threads) == count(list(sampled), pattern=pattern)
    with path.open("a") as file:
        file.write("no json\n")
    with pytest.raises(CorpusError, match=r"lines\.jsonl:201: not a line of JSON"):
        count(path, pattern=pattern, num_threads=num_threads)
