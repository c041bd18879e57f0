"""Tables and plots of a record, and the pages that show one."""

import copy
import json
import re
from pathlib import Path

import pytest

from bpetok_bench import draw

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs" / "benchmarks.md"]


def row(kind, workload, state, ours, others, *, encoding="gpt2", threads=1, inexact=()):
    best = max(others, key=others.get, default=None)
    return {
        "encoding": encoding,
        "kind": kind,
        "workload": workload,
        "state": state,
        "threads": threads,
        "mb_per_s": {**others, "bpetok": ours},
        "inexact": list(inexact),
        "best_peer": best,
        "ratio": None if best is None else ours / others[best],
    }


RECORD = {
    "date": "2026-01-02T03:04:05+00:00",
    "machine": {"cpu": "Processor (model 3)", "system": "Linux 6"},
    "versions": {"bpetok": "0.1.0", "slow": "2.0"},
    "summary": [
        row("code", "list", "unseen", 60.4, {"slow": 8.04, "fast": 120.8}),
        row("code", "list", "seen", 99.6, {"slow": 9}),
        row("english", "list", "unseen", 50, {"slow": 10, "fast": 40}),
        row("english", "list", "seen", 75, {}, inexact=["fast"]),
        row("english", "decode", "unseen", 300, {"slow": 100}),
        row("english", "flat-2", "unseen", 250, {"slow": 125}, threads=2),
        row("english", "list", "unseen", 70, {"slow": 35}, encoding="o200k_base"),
    ],
}


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "record" / "machine.json"
    path.parent.mkdir()
    path.write_text(json.dumps(RECORD), "utf-8")
    return path


def test_tables_have_a_row_for_each_workload_and_a_column_for_each_kind():
    assert draw.tables(RECORD) == (
        "| gpt2 | text | English | code |\n"
        "|---|---|---|---|\n"
        "| list | unseen | **50** (fast 40: 1.25×) | **60** (fast 121: 0.50×) |\n"
        "| list | seen | **75** | **100** (slow 9.0: 11.07×) |\n"
        "| decode | unseen | **300** (slow 100: 3.00×) |  |\n"
        "| flat-2 | unseen | **250** (slow 125: 2.00×) |  |\n"
        "\n"
        "| o200k_base | text | English | code |\n"
        "|---|---|---|---|\n"
        "| list | unseen | **70** (slow 35: 2.00×) |  |\n"
        "\n"
        "MB of UTF-8 a second, medians; in brackets the fastest other library whose ids are the same, and "
        "the median of the ratios to it. Compared: bpetok 0.1.0, slow 2.0, fast. Other ids, somewhere, so "
        "left out there: fast. Processor (model 3), Linux 6, 2026-01-02.\n"
    )


def test_an_overview_has_the_main_workloads_on_one_thread():
    firsts = [
        line.split(" | ")[0] for line in draw.tables(RECORD, main=True).splitlines() if line[:3] == "| l"
    ]
    assert firsts == ["| list"] * 3
    assert "decode" not in draw.tables(RECORD, main=True)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"summary": []}', '{"summary": [{"merges": 3}]}'])
def test_what_is_no_record_is_refused(tmp_path, content):
    path = tmp_path / "train.json"
    path.write_text(content)
    with pytest.raises(draw.DrawError, match=r"train\.json is no record of `bpetok bench encode` or `train`"):
        draw.read(path)


# ---- pages -----------------------------------------------------------------------------------------

PAGE = """# Speed

<!-- benchmark-table main -->
Old figures.
<!-- /benchmark-table -->

All of it:

<!-- benchmark-table gone.json -->
<!-- /benchmark-table -->
The end.
"""


def test_a_page_shows_a_record_and_notices_when_it_is_another(tmp_path, record):
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text(PAGE, "utf-8")
    assert draw.shown(PAGE) == ["gone.json"]
    draw.insert(page, record, page.parent / "plot.svg")
    text = page.read_text("utf-8")
    image = "![Speed of bpetok and other libraries](plot.svg)\n\n"
    assert text == (
        "# Speed\n\n<!-- benchmark-table main ../record/machine.json plot.svg -->\n"
        f"{image}{draw.tables(RECORD, main=True)}<!-- /benchmark-table -->\n\nAll of it:\n\n"
        "<!-- benchmark-table ../record/machine.json plot.svg -->\n"
        f"{image}{draw.tables(RECORD)}<!-- /benchmark-table -->\nThe end.\n"
    )
    assert draw.shown(text) == ["../record/machine.json"] * 2
    assert draw.filled(page, text) == text
    draw.insert(page, record, page.parent / "plot.svg")
    assert page.read_text("utf-8") == text
    changed = copy.deepcopy(RECORD)
    changed["summary"][0]["mb_per_s"]["bpetok"] = 61
    record.write_text(json.dumps(changed), "utf-8")
    assert draw.filled(page, text) != text


def test_a_page_without_a_place_for_tables_is_refused(tmp_path, record):
    page = tmp_path / "page.md"
    page.write_text("<!-- benchmark-table -->\nand no end\n")
    with pytest.raises(draw.DrawError, match="has no <!-- benchmark-table -->"):
        draw.insert(page, record, tmp_path / "plot.svg")
    assert page.read_text() == "<!-- benchmark-table -->\nand no end\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_projects_pages_show_what_their_record_says(page):
    text = page.read_text("utf-8")
    assert draw.MARKED.search(text)
    assert draw.filled(page, text) == text, "make it anew: bpetok bench draw RECORD --svg ... --into PAGE"


def test_the_projects_plots_are_of_the_records_that_its_pages_name():
    places = [
        (page, match[1].split()) for page in PAGES for match in draw.MARKED.finditer(page.read_text("utf-8"))
    ]
    for page, words in places:
        names = [page.parent / word for word in words if word.endswith((".json", ".svg"))]
        if names:
            record, plot = names
            assert draw.fingerprint(draw.plot(draw.read(record))) in plot.read_text("utf-8")


# ---- plot ------------------------------------------------------------------------------------------


def test_a_plot_has_a_panel_for_each_workload_and_kind():
    rows = draw.plot(RECORD)["vconcat"]
    assert [[panel["title"]["text"] for panel in each["hconcat"]] for each in rows] == [
        ["list, English", "list, code"]
    ]
    bars = rows[0]["hconcat"][1]["data"]["values"]
    assert {each["engine"]: each["label"] for each in bars} == {"slow": "8.0", "fast": "121", "bpetok": "60"}
    assert "35" in json.dumps(draw.plot(RECORD, "o200k_base"))


def test_bars_of_engines_with_other_ids_are_left_out():
    record = {"summary": [row("english", "list", "unseen", 5, {"right": 4, "wrong": 9}, inexact=["wrong"])]}
    bars = draw.plot(record)["vconcat"][0]["hconcat"][0]["data"]["values"]
    assert {each["engine"] for each in bars} == {"bpetok", "right"}


def test_nothing_to_plot_is_said():
    with pytest.raises(draw.DrawError, match="none of list, numpy, documents for r50k_base"):
        draw.plot(RECORD, "r50k_base")


def test_the_image_is_complete_in_itself_and_says_what_it_was_drawn_from():
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    specification = draw.plot(RECORD)
    image = draw.svg(specification)
    assert image.startswith("<svg ")
    assert draw.fingerprint(specification) in image
    for text in ("bpetok", "fast", "121", "list, English"):
        assert f">{text}</text>" in image
    assert image.count(draw.OUR_BAR) == 2
    assert set(re.findall(r"https?://[^\"'\s)]+", image)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r'class="background"[^>]*fill="(?!none)', image)
    assert draw.fingerprint(draw.plot(RECORD, "o200k_base")) not in image
