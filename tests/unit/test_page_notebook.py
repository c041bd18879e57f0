"""What notebooks show: markup without scripts, in which every text is escaped."""

import html.parser

import pytest

from bpetok import Tokenizer, get_encoding
from bpetok.diagnostics.corpora import ParallelCorpus
from bpetok.diagnostics.diagnose import diagnose

CORPUS = ParallelCorpus.of(
    [("eng", "1", "Good day to all of you"), ("rus", "1", "Добрый день всем"), ("<b>", "1", "aa bb")],
    name="<three>",
)


class Parser(html.parser.HTMLParser):
    """The tags and the text of some markup."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(markup)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_a_text_is_shown_token_by_token():
    encoding = get_encoding("cl100k_base")
    text = "<script>alert(1)</script> naïve 東\n<|endoftext|>"
    view = encoding.view(text)
    assert list(view.ids) == encoding.encode(text, allowed_special="all")
    parsed = Parser(view._repr_html_())
    assert "script" not in parsed.tags
    assert parsed.tags.count("span") == len(view.ids)
    assert "<|endoftext|>" in parsed.text
    assert "·naï" in parsed.text
    assert f"{len(view.ids)} tokens of cl100k_base" in parsed.text
    assert str(encoding.view("東亀")) == "⟨E6 9D⟩│⟨B1⟩│⟨E4 BA⟩│⟨80⟩"


def test_a_tokenizer_is_a_table():
    ranks = {bytes([byte]): byte for byte in range(256)}
    tokenizer = Tokenizer("<i>", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<s>": 256})
    parsed = Parser(tokenizer._repr_html_())
    assert "i" not in parsed.tags
    assert "s" not in parsed.tags
    assert "257" in parsed.text
    assert "bytes, by ranks" in parsed.text


def test_a_report_is_a_table_with_charts():
    report = diagnose([get_encoding("gpt2")], CORPUS, draws=0)
    parsed = Parser(report._repr_html_())
    assert "b" not in parsed.tags
    assert "<three>" in parsed.text
    assert f"{report.state('premium.rus').figure.value:.2f}×" in parsed.text


def test_a_report_as_a_data_frame():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = diagnose([get_encoding("gpt2")], CORPUS, draws=0).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame["language"]) == ["<b>", "eng", "rus"]
    assert frame.loc[1, "premium"] == 1


def test_charts_for_altair():
    altair = pytest.importorskip("altair", reason="altair is not installed")
    charts = diagnose([get_encoding("gpt2")], CORPUS, draws=0).to_altair()
    assert {"payers-gpt2", "premiums", "scripts"} <= charts.keys()
    assert all(isinstance(each, altair.TopLevelMixin) for each in charts.values())
