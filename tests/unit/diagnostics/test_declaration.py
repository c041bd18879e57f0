"""Published vocabularies on the Declaration of Human Rights: the figures by plain Python, text by text."""

import gzip
import json
import statistics

import pytest

from bpetok import get_encoding
from bpetok.diagnostics import diagnose, load_corpus
from declaration import DECLARATION, needs_declaration

ARTICLES = [f"art{number}" for number in range(1, 31)]


@pytest.fixture(scope="module")
def report():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BPETOK_DATA", str(DECLARATION.parent))
        corpus = load_corpus("udhr")
    encodings = [get_encoding("cl100k_base"), get_encoding("o200k_base")]
    return diagnose(encodings, corpus, reachability=False, draws=200)


def plain_premiums(name):
    """The premium over English of each version that has all articles, and the script of each."""
    encode = get_encoding(name).encode_ordinary
    tokens, scripts = {}, {}
    with gzip.open(DECLARATION, "rt", encoding="utf-8") as lines:
        for version in map(json.loads, lines):
            if all(article in version["segments"] for article in ARTICLES):
                texts = [version["segments"][article] for article in ARTICLES]
                tokens[version["code"]] = sum(len(encode(text)) for text in texts)
                scripts[version["code"]] = version["script"]
    return {code: n / tokens["eng"] for code, n in tokens.items()}, scripts


@needs_declaration
@pytest.mark.parametrize(
    ("name", "median", "gini", "burmese"), [("cl100k_base", 2.4, 0.31, 15.7), ("o200k_base", 1.9, 0.27, 6.5)]
)
def test_premiums_and_gini(report, name, median, gini, burmese):
    premiums, scripts = plain_premiums(name)
    found = report.tokenizer(name)
    assert len(premiums) == sum(language.complete for language in report.corpus.languages) == 521
    for code, premium in premiums.items():
        assert found.languages[code].figures["premium"].value == pytest.approx(premium)
    values = [*premiums.values()]
    assert found.figures["median_premium"].value == pytest.approx(statistics.median(values))
    assert statistics.median(values) == pytest.approx(median, abs=0.05)
    mean = statistics.fmean(values)
    difference = statistics.fmean(abs(a - b) for a in values for b in values)
    assert found.figures["gini"].value == pytest.approx(difference / (2 * mean))
    assert difference / (2 * mean) == pytest.approx(gini, abs=0.005)
    of_script = [premium for code, premium in premiums.items() if scripts[code] == "Myanmar"]
    assert found.scripts["Myanmar"].figures["premium"].value == pytest.approx(statistics.fmean(of_script))
    assert statistics.fmean(of_script) == pytest.approx(burmese, abs=0.06)


@needs_declaration
def test_versions_without_every_article_are_measured_and_left_out_of_the_whole(report):
    partial = [language for language in report.corpus.languages if not language.complete]
    assert len(partial) == 11
    for language in partial:
        assert report.state(f"premium.{language.code}", "o200k_base").figure.value > 0


@needs_declaration
def test_the_premium_is_the_product(report):
    for tokenizer in report.tokenizers:
        for found in tokenizer.languages.values():
            figures = found.figures
            product = figures["byte_premium"].value * figures["vocabulary_penalty"].value
            assert figures["premium"].value == pytest.approx(product)
