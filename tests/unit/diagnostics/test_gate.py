"""Conditions that a run fails by, and which runs can be compared."""

import dataclasses

import pytest

from bpetok import Tokenizer
from bpetok.diagnostics import Condition, ParallelCorpus, Report, diagnose, gate
from bpetok.errors import DiagnosticsError
from bpetok.normalization import NFC
from toys import toy

CORPUS = ParallelCorpus.of([("eng", "1", "ab"), ("tha_Thai", "1", "abcdc"), ("lao", "1", "ababc")])


def report(*tokens, name="toy", **options):
    return diagnose([toy(*tokens, name=name)], CORPUS, draws=0, **options)


# With ab: eng 1, tha 4, lao 3 tokens. With ab and cd: eng 1, tha 3, lao 3. With neither: 2, 5, 5.
OLD, NEW, NONE = report("ab", "cd"), report("ab"), report()


def failed(text, new=NEW, old=OLD):
    return [verdict.language for verdict in gate(new, old, [Condition.parse(text)]) if verdict.failed]


def test_conditions():
    assert failed("premium.tha > +5%") == ["tha_Thai"]
    assert failed("premium.tha > +33%") == ["tha_Thai"]
    assert failed("premium.tha > +34%") == []
    assert failed("premium.* > +5%") == ["tha_Thai"]
    assert failed("premium.lao > +0%") == []
    assert failed("premium.lao >= +0%") == ["lao"]
    assert failed("premium.tha > +0.9") == ["tha_Thai"]
    assert failed("premium.tha >= 4") == ["tha_Thai"]
    assert failed("premium.tha>4", old=None) == []
    assert failed("premium.* > 2.5", old=None) == ["lao", "tha_Thai"]
    assert failed("bytes_per_token.tha < -10%") == ["tha_Thai"]
    assert failed("gini > 0", old=None) == [None]
    assert failed("median_premium < -1%", new=OLD, old=NEW) == []


def test_a_verdict_in_words():
    (verdict,) = gate(NEW, OLD, [Condition.parse("premium.tha > +5%")])
    assert str(verdict) == "premium.tha > +5%: toy tha_Thai has 4, 3 in the baseline"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no condition"),
        ("premium.tha", "no condition"),
        ("premium.tha > five", "no condition"),
        ("premium > 5", "premium.CODE"),
        ("gini.tha > 5", "gini alone"),
        ("size > 5", "no measure 'size'"),
        ("premium.tha > 5%", "with a sign"),
        ("premium.tha = 5", "no condition"),
    ],
)
def test_bad_conditions(text, message):
    with pytest.raises(DiagnosticsError, match=message):
        Condition.parse(text)


def test_what_is_not_there():
    with pytest.raises(DiagnosticsError, match="give the baseline"):
        failed("gini > +5%", old=None)
    with pytest.raises(DiagnosticsError, match="not one language"):
        failed("premium.xyz > 5")
    with pytest.raises(DiagnosticsError, match="no cost"):
        failed("cost.tha > 5")


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (report("ab", reference="lao"), "reference language: eng here, lao in the baseline"),
        (report("ab", segmenter="whitespace"), "segmenter"),
        (report("ab", context=100), "context window"),
        (report("ab", prices={"toy": 3}), "prices"),
        (
            diagnose([toy("ab")], ParallelCorpus.of([("eng", "1", "a"), ("tha", "1", "b")]), draws=0),
            "corpus",
        ),
    ],
)
def test_runs_that_are_not_comparable_are_refused(other, what):
    with pytest.raises(DiagnosticsError, match=what):
        failed("gini > +5%", old=other)


def test_another_normalizer_is_refused():
    tokenizer = Tokenizer.from_vocabulary("toy", "gpt2", toy("ab").vocabulary, normalizer=NFC())
    with pytest.raises(DiagnosticsError, match="normalizer of toy"):
        failed("gini > +5%", new=diagnose([tokenizer], CORPUS, draws=0))


def test_tokenizers_are_matched_by_name_but_single_ones():
    assert failed("premium.tha > +5%", new=report("ab", name="renamed")) == ["tha_Thai"]
    two = diagnose([toy("ab"), toy(name="bytes")], CORPUS, draws=0)
    assert failed("premium.lao > +0%", new=two, old=two) == []
    with pytest.raises(DiagnosticsError, match="no single tokenizer 'toy'"):
        failed("gini > +5%", old=dataclasses.replace(two, tokenizers=two.tokenizers[1:] * 2))


def test_a_baseline_from_a_file(tmp_path):
    path = tmp_path / "old.json"
    OLD.save(str(path))
    assert failed("premium.tha > +5%", old=Report.load(str(path))) == ["tha_Thai"]


def test_a_figure_that_was_zero():
    assert failed("byte_tokens.tha > +5%", new=NONE, old=NONE) == []
    texts = ParallelCorpus.of([("eng", "1", "é")])
    zero, one = (diagnose([toy(*tokens)], texts, draws=0) for tokens in (["é"], []))
    assert failed("byte_tokens.eng > +5%", new=one, old=zero) == ["eng"]
    assert failed("byte_tokens.eng > +5%", new=zero, old=zero) == []
