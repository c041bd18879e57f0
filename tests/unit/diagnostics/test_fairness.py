"""Premiums, what they are made of, and how they are spread: by hand."""

import numpy as np
import pytest

from bpetok.diagnostics import ParallelCorpus, diagnose
from bpetok.diagnostics.bootstrap import Resampling
from bpetok.diagnostics.fairness import gini, premiums, spread
from toys import toy

# With `toy("ab")` eng has 1 + 2 tokens in 2 + 2 bytes, deu 3 + 2 in 4 + 2, ell 4 + 2 in 4 + 2.
ROWS = [
    ("eng", "1", "ab"),
    ("eng", "2", "cd"),
    ("deu", "1", "abcd"),
    ("deu", "2", "ce"),
    ("ell", "1", "αβ"),
    ("ell", "2", "γ"),
]


def test_a_report_by_hand():
    report = diagnose([toy("ab")], ParallelCorpus.of(ROWS), context=90, prices={"toy": 10}, draws=0)
    figures = {code: found.figures for code, found in report.tokenizer().languages.items()}
    assert {code: found.n_tokens for code, found in report.tokenizer().languages.items()} == {
        "deu": 5,
        "ell": 6,
        "eng": 3,
    }
    assert figures["eng"]["premium"].value == 1
    assert figures["deu"]["premium"].value == pytest.approx(5 / 3)
    assert figures["ell"]["premium"].value == 2
    assert figures["ell"]["byte_premium"].value == pytest.approx(6 / 4)
    assert figures["ell"]["vocabulary_penalty"].value == pytest.approx((6 / 6) / (3 / 4))
    assert figures["ell"]["context_window"].value == pytest.approx(45)
    assert figures["ell"]["cost"].value == pytest.approx(20)
    whole = report.tokenizer().figures
    assert whole["median_premium"].value == pytest.approx(5 / 3)
    assert whole["mean_premium"].value == pytest.approx((1 + 5 / 3 + 2) / 3)
    assert whole["max_min"].value == 2
    assert whole["worst_decile"].value == 2
    # Pairs differ by 2/3, 1 and 1/3: twice their sum over 2 x 9 x mean.
    assert whole["gini"].value == pytest.approx(2 * 2 / (2 * 9 * (14 / 9)))


def test_the_premium_is_the_product_exactly():
    corpus = ParallelCorpus.of(ROWS)
    tokens, n_bytes = np.array([3, 2, 4, 2, 1, 2]), np.array([4, 2, 4, 2, 2, 2])
    found = premiums(corpus, tokens, n_bytes, corpus.number("eng"), Resampling(2, 20))
    assert found["premium"] == pytest.approx(found["byte_premium"] * found["vocabulary_penalty"], nan_ok=True)


def test_a_language_is_compared_over_what_both_have():
    rows = [*ROWS, ("fra", "2", "cdcd"), ("ita", "3", "zz")]
    report = diagnose([toy("ab")], ParallelCorpus.of(rows), draws=0)
    figures = report.tokenizer().languages
    assert figures["fra"].figures["premium"].value == 4 / 2  # over segment 2 alone
    assert "premium" not in figures["ita"].figures
    assert {each.code: each.complete for each in report.corpus.languages} == {
        "deu": True,
        "ell": True,
        "eng": True,
        "fra": False,
        "ita": False,
    }
    assert report.tokenizer().figures["max_min"].value == 2  # over complete languages alone


def test_gini_is_the_mean_difference_of_all_pairs():
    values = np.random.default_rng(2).random((11, 3))
    for column in range(3):
        x = values[:, column]
        pairs = np.abs(x[:, None] - x[None, :]).mean()
        assert gini(values)[column] == pytest.approx(pairs / (2 * x.mean()))


def test_the_worst_decile_is_a_mean_of_a_tenth():
    premium = np.arange(1.0, 31.0)[:, None]
    found = spread(
        {"premium": premium, "byte_premium": premium, "vocabulary_penalty": premium}, np.ones(30, bool)
    )
    assert found["worst_decile"][0, 0] == 29  # of 28, 29 and 30


def test_intervals_hold_the_figure():
    for figure in diagnose([toy("ab", "th", "e ")], "phrasebook").tokenizer().figures.values():
        if figure.low is not None:
            assert figure.low <= figure.value <= figure.high


def test_scripts_are_means_over_their_languages():
    rows = [*ROWS, ("ita", "3", "zz")]
    latin = diagnose([toy("ab")], ParallelCorpus.of(rows), draws=0).tokenizer().scripts["Latin"]
    assert (latin.n_languages, latin.n_tokens) == (3, 3 + 5 + 2)
    assert latin.figures["premium"].value == pytest.approx((1 + 5 / 3) / 2)  # of ita none is known
    assert latin.figures["bytes_per_token"].value == pytest.approx((4 / 3 + 6 / 5 + 2 / 2) / 3)
    assert "change_case" in latin.figures
