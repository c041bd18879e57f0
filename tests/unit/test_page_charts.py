"""Charts as data, and drawn."""

import json
import math

import pytest

from bpetok import get_encoding
from bpetok.diagnostics.corpora import Language, ParallelCorpus
from bpetok.diagnostics.diagnose import diagnose
from bpetok.page.charts import SAVED, UTF8, VOCABULARY, diagnostics_charts, draw, payers, write_charts

TEXTS = {"eng": "Good day to all of you", "rus": "Добрый день всем", "jpn": "皆さん、こんにちは。"}
LANGUAGES = {
    "eng": Language("eng", "English", "Latin", latitude=51.5, longitude=0.0),
    "rus": Language("rus", "Russian", "Cyrillic", latitude=55.7, longitude=37.6),
    "jpn": Language("jpn", "Japanese", "Hiragana"),
}


@pytest.fixture(scope="module")
def report():
    rows = [(code, "1", text) for code, text in TEXTS.items()]
    return diagnose(
        [get_encoding("gpt2"), get_encoding("o200k_base")],
        ParallelCorpus.of(rows, languages=LANGUAGES),
        draws=0,
    )


def test_the_parts_of_a_bar_add_up_to_the_premium(report):
    for tokenizer in report.tokenizers:
        rows = payers(report, tokenizer)["data"]["values"]
        for language in report.corpus.languages:
            figures = tokenizer.languages[language.code].figures
            parts = {row["part"]: row for row in rows if row["language"].startswith(language.name)}
            premium, byte_premium = (figures[name].value for name in ("premium", "byte_premium"))
            ends = {part: math.pow(2, row["to"]) for part, row in parts.items() if row["to"] > row["from"]}
            if premium > byte_premium:
                assert ends["vocabulary"] == pytest.approx(premium)
                assert "saved by the vocabulary" not in ends
            elif premium < byte_premium:
                assert ends["saved by the vocabulary"] == pytest.approx(byte_premium)
                assert ends.get("UTF-8", 1) == pytest.approx(max(1, premium))
    assert len({UTF8, VOCABULARY, SAVED}) == 3


def test_there_is_a_chart_of_each_kind(report):
    charts = diagnostics_charts(report)
    assert charts.keys() == {
        "payers-gpt2", "payers-o200k-base", "premiums", "scripts", "world-gpt2", "world-o200k-base"
    }  # fmt: skip
    assert json.loads(json.dumps(charts)) == charts
    assert [row["label"] for row in charts["world-gpt2"]["data"]["values"]] == [
        "English",
        "Russian (Cyrillic)",
    ]


def test_charts_are_drawn_and_written(report, tmp_path):
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    folder = tmp_path / "new" / "charts"
    write_charts(diagnostics_charts(report), str(folder))
    names = {path.name for path in folder.iterdir()}
    assert names == {
        f"{name}.{form}" for name in diagnostics_charts(report) for form in ("svg", "png", "pdf", "vl.json")
    }
    assert (folder / "scripts.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "scripts.pdf").read_bytes().startswith(b"%PDF")
    svg = (folder / "payers-gpt2.svg").read_text("utf-8")
    assert "Russian (Cyrillic)" in svg
    assert "<script" not in svg
    assert (
        draw(json.loads((folder / "scripts.vl.json").read_bytes())) == (folder / "scripts.svg").read_bytes()
    )
