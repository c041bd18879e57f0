"""Parallel texts: those of the package, and those in files."""

import gzip
import json

import pytest

from bpetok.diagnostics import Language, ParallelCorpus, load_corpus
from bpetok.errors import CorpusError

ROWS = [("eng", "a", "one"), ("eng", "b", "two"), ("rus", "b", "два"), ("rus", "a", "один")]


def jsonl(rows=ROWS):
    return "".join(
        json.dumps(dict(zip(("language", "segment", "text"), row, strict=True))) + "\n" for row in rows
    )


def test_rows_in_any_order():
    corpus = ParallelCorpus.of(reversed(ROWS))
    assert [each.code for each in corpus.languages] == ["eng", "rus"]
    assert [each.script for each in corpus.languages] == ["Latin", "Cyrillic"]
    assert corpus.segments == ("a", "b")
    assert corpus.texts == ("one", "two", "один", "два")
    assert corpus.language_of.tolist() == [0, 0, 1, 1]
    assert corpus.segment_of.tolist() == [0, 1, 0, 1]
    assert corpus.table([1, 2, 3, 4]).tolist() == [[1, 2], [3, 4]]


def test_missing_segments():
    corpus = ParallelCorpus.of([*ROWS, ("fra", "b", "deux")])
    assert corpus.present.tolist() == [[True, True], [False, True], [True, True]]


def test_the_hash_is_of_languages_segments_and_texts():
    assert ParallelCorpus.of(ROWS).sha256 == ParallelCorpus.of(ROWS, name="other", note="x").sha256
    others = [
        [*ROWS[:3], ("rus", "a", "Один")],
        [*ROWS[:3], ("ukr", "a", "один")],
        [*ROWS[:3], ("rus", "c", "один")],
    ]
    assert len({ParallelCorpus.of(rows).sha256 for rows in [ROWS, *others]}) == 4


def test_languages_by_code_and_by_what_begins_it():
    corpus = ParallelCorpus.of([("cmn_Hans", "1", "一"), ("cmn_Hant", "1", "一"), ("tha_Thai", "1", "ก")])
    assert corpus.number("tha") == corpus.number("tha_Thai") == 2
    with pytest.raises(CorpusError, match="cmn_Hans, cmn_Hant"):
        corpus.number("cmn")
    with pytest.raises(CorpusError, match="no language 'xyz'"):
        corpus.number("xyz")


def test_a_subset():
    corpus = ParallelCorpus.of(ROWS, languages={"eng": Language("eng", "English", "Latin")}).subset(["eng"])
    assert [each.name for each in corpus.languages] == ["English"]
    assert corpus.texts == ("one", "two")


def test_surrogates_are_repaired():
    corpus = ParallelCorpus.of([("eng", "1", "\ud83d\ude42 \ud800")])
    assert corpus.texts == ("🙂 \ufffd",)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no text"),
        ([("eng", "1", "a"), ("eng", "1", "b")], "'eng' has segment '1' twice"),
        ([("eng", "1", " \n")], "'1' of 'eng' is empty"),
    ],
)
def test_bad_rows(rows, message):
    with pytest.raises(CorpusError, match=message):
        ParallelCorpus.of(rows)


def test_the_phrasebook():
    corpus = load_corpus()
    assert len(corpus.languages) >= 50
    assert len({each.script for each in corpus.languages}) >= 20
    assert len(corpus.segments) == 30
    assert corpus.present.all()
    assert "translated by machine" in corpus.note
    assert "Small" in corpus.note
    # The script that a code says is the one that most letters have, but for Chinese and Japanese.
    again = ParallelCorpus.of(
        (corpus.languages[language].code, corpus.segments[segment], text)
        for language, segment, text in zip(corpus.language_of, corpus.segment_of, corpus.texts, strict=True)
    )
    for said, found in zip(corpus.languages, again.languages, strict=True):
        assert said.script == found.script, said


def test_json_lines(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text(jsonl() + "\n")
    assert load_corpus(path).sha256 == ParallelCorpus.of(ROWS).sha256
    packed = tmp_path / "c.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert load_corpus(packed).sha256 == ParallelCorpus.of(ROWS).sha256


def test_versions_in_json_lines(tmp_path):
    path = tmp_path / "c.jsonl"
    versions = [
        {"code": "eng", "name": "English", "latitude": 53, "segments": {"a": "one", "b": "two"}},
        {"code": "rus", "script": "Cyrillic", "segments": {"b": "два", "a": "один"}},
    ]
    path.write_text("".join(json.dumps(version) + "\n" for version in versions))
    corpus = load_corpus(path)
    assert corpus.sha256 == ParallelCorpus.of(ROWS).sha256
    assert corpus.languages[0] == Language("eng", "English", "Latin", None, 53.0, None)


def test_tsv(tmp_path):
    path = tmp_path / "c.tsv"
    lines = ["language\tsegment\ttext\tname", *("\t".join((*row, "N")) for row in ROWS)]
    path.write_text("\n".join(lines), "utf-8")
    corpus = load_corpus(path)
    assert corpus.sha256 == ParallelCorpus.of(ROWS).sha256
    assert corpus.languages[0].name == "N"


def test_a_quotation_mark_in_a_tsv_is_text(tmp_path):
    path = tmp_path / "c.tsv"
    path.write_text('language\tsegment\ttext\neng\t1\t"a\n', "utf-8")
    assert load_corpus(path).texts == ('"a',)


def test_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    import pyarrow

    path = tmp_path / "c.parquet"
    columns = dict(zip(("language", "segment", "text"), zip(*ROWS, strict=True), strict=True))
    parquet.write_table(pyarrow.table({name: list(values) for name, values in columns.items()}), path)
    assert load_corpus(path).sha256 == ParallelCorpus.of(ROWS).sha256
    path.write_bytes(b"PAR1")
    with pytest.raises(CorpusError, match="not a whole Parquet file"):
        load_corpus(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.jsonl", "{", ":1: not a line of JSON"),
        ("c.jsonl", "[1]", ":1: not a JSON object"),
        ("c.jsonl", '{"segment": "1", "text": "a"}', "row 1 has no language"),
        ("c.jsonl", '{"language": "eng", "text": "a"}', "row 1 has no segment"),
        ("c.jsonl", '{"language": "eng", "segment": 1, "text": 2}', "no text"),
        ("c.jsonl", '{"code": "eng", "segments": [1]}', "row 1 has no language"),
        ("c.tsv", "language\tsegment\neng\t1\n", "no text"),
        ("c.tsv", b"\xff", "not UTF-8"),
        ("c.txt", "abc", "not .tsv, .jsonl or .parquet"),
        ("c.jsonl", "", "no text"),
    ],
)
def test_bad_files(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CorpusError, match=message):
        load_corpus(path)


def test_no_such_corpus():
    with pytest.raises(CorpusError, match="neither phrasebook nor udhr"):
        load_corpus("nothing.tsv")
