"""Reports as data: there and back, figures with all that they mean, two tokenizers side by side."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from bpetok import get_encoding
from bpetok.diagnostics import MEASURES, ParallelCorpus, Report, diagnose
from bpetok.diagnostics.figures import Figure, from_plain
from bpetok.diagnostics.tables import by_premium, to_csv, to_latex
from bpetok.errors import CorpusError, DiagnosticsError, FormatError
from toys import Plain, toy

CORPUS = ParallelCorpus.of(
    [("eng", "1", "ab"), ("eng", "2", "cd"), ("deu", "1", "abc"), ("deu", "2", "ä b"), ("tha", "1", "กข")]
)
REPORT = diagnose([toy("ab"), toy("cd", "ab", name="b_b")], CORPUS, prices={"toy": 2.5})


def test_there_and_back(tmp_path):
    path = tmp_path / "r.json"
    REPORT.save(str(path))
    again = Report.load(str(path))
    assert again.to_dict() == REPORT.to_dict() == json.loads(path.read_text("utf-8"))
    assert again.tokenizer("toy").entries is None


def test_every_measure_is_defined_in_the_data_and_in_the_docs():
    plain = REPORT.to_dict()
    page = (Path(__file__).parents[3] / "docs" / "diagnostics.md").read_text("utf-8")
    for name, measure in MEASURES.items():
        assert plain["measures"][name]["definition"] == measure.definition
        assert f"| `{name}` | {measure.title} | {measure.definition}" in page
    for tokenizer in REPORT.tokenizers:
        assert tokenizer.figures.keys() <= MEASURES.keys()
        for found in (*tokenizer.languages.values(), *tokenizer.scripts.values()):
            assert found.figures.keys() <= MEASURES.keys()


def test_every_field_of_the_data_is_in_the_docs():
    page = (Path(__file__).parents[3] / "docs" / "diagnostics.md").read_text("utf-8")
    words = set(re.findall(r"\w+", page))
    plain = REPORT.to_dict()
    tokenizer = plain["tokenizers"][0]
    for part in (
        plain,
        plain["corpus"],
        plain["corpus"]["languages"][0],
        plain["settings"],
        tokenizer,
        tokenizer["languages"]["eng"],
        tokenizer["scripts"]["Latin"],
        tokenizer["vocabulary"],
        tokenizer["reachability"],
        tokenizer["probes"],
        tokenizer["probes"]["probes"][0],
        plain["comparisons"][0],
    ):
        assert part.keys() <= words


def test_a_figure_with_all_that_it_means():
    stated = REPORT.state("fertility.deu", "toy")
    assert stated.figure == REPORT.tokenizer("toy").languages["deu"].figures["fertility"]
    text = str(stated)
    for part in ("Fertility of deu by toy", "borders of tokens inside", CORPUS.sha256[:12], "UAX 29", "eng"):
        assert part in text
    assert REPORT.state("premium.deu", "toy").segmenter is None
    assert REPORT.state("gini", "b_b").language is None


@pytest.mark.parametrize(
    ("which", "tokenizer", "message"),
    [
        ("nothing", "toy", "no measure 'nothing'"),
        ("premium", "toy", "premium.CODE"),
        ("gini.eng", "toy", "gini alone"),
        ("premium.xyz", "toy", "not one language"),
        ("premium.eng", None, "no single tokenizer"),
        ("premium.eng", "other", "no single tokenizer 'other'"),
        ("fertility.tha", "toy", "no fertility of tha"),
        ("cost.eng", "b_b", "no cost"),
    ],
)
def test_figures_that_are_not_there(which, tokenizer, message):
    with pytest.raises(DiagnosticsError, match=message):
        REPORT.state(which, tokenizer)


def test_words_are_left_out_where_none_are_known():
    thai = {each.code: each for each in REPORT.corpus.languages}["tha"]
    assert thai.n_words is None
    figures = REPORT.tokenizer("toy").languages["tha"].figures
    assert {"fertility", "tokens_per_word", "continued_words", "single_token_words"}.isdisjoint(figures)
    assert "graphemes_per_token" in figures


def test_a_dictionary_finds_words():
    pytest.importorskip("icu4py", reason="icu4py is not installed")
    report = diagnose(
        [toy("ab")], ParallelCorpus.of([("eng", "1", "a b"), ("tha", "1", "สวัสดีครับ")]), segmenter="icu"
    )
    assert {each.code: each.n_words for each in report.corpus.languages} == {"eng": 2, "tha": 2}
    stated = report.state("fertility.tha")
    assert stated.figure.value == 30 / 2
    assert "word breaker of ICU" in stated.segmenter


def test_relative_length_is_over_the_first_tokenizer():
    assert REPORT.state("relative_length.eng", "toy").figure == Figure(1, 1, 1)
    # ab|c|d and ab|cd
    assert REPORT.state("relative_length.eng", "b_b").figure.value == pytest.approx(2 / 3)


def test_two_tokenizers_side_by_side():
    (found,) = REPORT.comparisons
    assert (found.first, found.second) == ("toy", "b_b")
    assert (found.n_same, found.n_added, found.n_removed, found.n_renumbered) == (256, 1, 0, 1)
    assert [(each.text, each.before, each.after) for each in (*found.added, *found.renumbered)] == [
        ("cd", None, 256),
        ("ab", 256, 257),
    ]
    assert (found.n_texts, found.n_longer, found.n_shorter, found.longer) == (5, 0, 1, ())
    (back,) = diagnose([toy("cd", "ab", name="b_b"), toy("ab")], CORPUS, draws=0).comparisons
    assert [vars_of(each) for each in back.longer] == [("eng", "2", 1, 2)]
    assert [each.text for each in back.removed] == ["cd"]


def vars_of(longer):
    return dataclasses.astuple(longer)


def test_the_least_tokenizer_has_the_same_figures():
    plain = diagnose({"toy": Plain(toy("ab"))}, CORPUS).tokenizer()
    ours = diagnose([toy("ab")], CORPUS).tokenizer()
    assert (plain.languages, plain.scripts, plain.figures) == (ours.languages, ours.scripts, ours.figures)
    assert (plain.sha256, plain.reachability, plain.probes) == (ours.sha256, ours.reachability, ours.probes)


def test_tiktoken_is_measured_as_it_is():
    from peers import tiktoken_encoding

    theirs = diagnose([tiktoken_encoding("gpt2")], CORPUS, reachability=False).tokenizer()
    ours = diagnose([get_encoding("gpt2")], CORPUS, reachability=False).tokenizer()
    assert (theirs.languages, theirs.figures, theirs.sha256) == (ours.languages, ours.figures, ours.sha256)
    assert theirs.vocabulary.kinds == ours.vocabulary.kinds


@pytest.mark.parametrize(
    ("tokenizers", "options", "message"),
    [
        ([], {}, "at least one tokenizer"),
        ([toy(), toy()], {}, "a name of its own"),
        ([toy()], {"prices": {"other": 1}}, "a price is given for other"),
        ([toy()], {"context": 0}, "at least one token"),
        ([toy()], {"segmenter": "spaces"}, "no segmenter 'spaces'"),
        ([object()], {}, "no tokenizer that can be measured"),
    ],
)
def test_what_cannot_be_measured(tokenizers, options, message):
    with pytest.raises(DiagnosticsError, match=message):
        diagnose(tokenizers, CORPUS, **options)


def test_no_such_reference():
    with pytest.raises(CorpusError, match="no language 'xyz'"):
        diagnose([toy()], CORPUS, reference="xyz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plain: plain.update(version=99), "version 1"),
        (lambda plain: plain.pop("corpus"), "'corpus' is missing"),
        (lambda plain: plain.update(tokenizers={}), "should be a list"),
        (lambda plain: plain["settings"].update(context="many"), r"report.settings.context: should be int"),
        (lambda plain: plain["tokenizers"][0]["languages"].update(eng=3), "should be an object"),
        (lambda plain: plain["tokenizers"][0]["figures"]["gini"].update(value="x"), "should be float"),
    ],
)
def test_damaged_reports(change, message):
    plain = REPORT.to_dict()
    change(plain)
    with pytest.raises(FormatError, match=message):
        Report.from_dict(plain)


def test_a_file_that_is_no_report(tmp_path):
    path = tmp_path / "r.json"
    for content in (b"{", b"[]", b"\xff", b"3"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="report"):
            Report.load(str(path))


def test_a_whole_number_is_a_float_but_a_truth_is_no_number():
    assert from_plain(Figure, {"value": 3}) == Figure(3.0)
    with pytest.raises(FormatError):
        from_plain(Figure, {"value": True})


def test_csv():
    lines = to_csv(REPORT).splitlines()
    assert len(lines) == 1 + 2 * 3
    head = lines[0].split(",")
    assert head[:5] == ["tokenizer", "language", "name", "script", "tokens"]
    row = dict(zip(head, lines[1].split(","), strict=True))
    assert (row["tokenizer"], row["language"], row["tokens"]) == ("toy", "deu", "6")
    assert float(row["premium"]) == REPORT.state("premium.deu", "toy").figure.value
    assert float(row["premium_low"]) <= float(row["premium"]) <= float(row["premium_high"])


def test_latex():
    text = to_latex(REPORT, top=2)
    assert r"\multicolumn{3}{c}{b\_b}" in text
    assert text.count(r" \\") == 2 + 2
    assert [each.code for each in by_premium(REPORT)] == ["tha", "deu", "eng"]
    assert "eng & " not in text.replace("\n", "\n ")
    assert CORPUS.sha256[:12] in text
