"""`bpetok bench`: what the benchmarks are asked for, and what comes of their answers."""

import json
import sys
from dataclasses import replace

import pytest
from command_line import refused, run

from bpetok_bench import corpora, corpus, debian, encode, options, summary

ROW = {
    "encoding": "gpt2",
    "kind": "given",
    "workload": "list",
    "state": "unseen",
    "threads": 1,
    "mb_per_s": {"bpetok": 90.0, "other": 30.0},
    "inexact": [],
    "best_peer": "other",
    "ratio": 3.0,
}
RECORD = {
    "date": "2026-01-02T03:04:05+00:00",
    "machine": {"cpu": "Processor", "system": "Linux 6"},
    "versions": {"bpetok": "0.1.0"},
    "summary": [ROW],
}


@pytest.fixture
def asked(monkeypatch):
    """What the runner is asked for; nothing is measured."""
    found = []

    def answer(wanted, say):
        found.append(wanted)
        say("on my way")
        return RECORD

    monkeypatch.setattr(encode, "run", answer)
    monkeypatch.setattr(summary, "show", lambda record: print(f"{len(record['summary'])} row"))
    return found


def test_encode_hands_over_what_it_is_given(asked, write, tmp_path):
    text = write("text.txt", "text")
    result = run(
        *(
            "bench",
            "encode",
            "--encodings",
            "gpt2, r50k_base",
            "--workloads",
            "list,numpy",
            "--engines",
            "bpetok",
        ),
        *(
            "--kinds",
            "code",
            "--files",
            text,
            "--files",
            tmp_path,
            "--corpora",
            tmp_path,
            "--megabytes",
            "0.5",
        ),
        *("--repeats", 2, "--cpus", "0,1", "--limit", 3, "--hard-limit", 4, "--hard-scale", 0.5),
    )
    assert result.exit_code == 0
    assert asked == [
        options.Options(
            encodings=("gpt2", "r50k_base"),
            kinds=("code",),
            workloads=("list", "numpy"),
            engines=("bpetok",),
            files=(text, tmp_path),
            corpora=tmp_path,
            megabytes=0.5,
            repeats=2,
            cpus=(0, 1),
            limit=3,
            hard_limit=4,
            hard_scale=0.5,
        )
    ]
    assert (result.stdout, result.stderr) == ("1 row\n", "on my way\n")


def test_encode_without_options_and_quick(asked):
    assert run("bench", "encode").exit_code == 0
    assert run("bench", "encode", "--quick", "--repeats", 1).exit_code == 0
    assert asked == [options.Options(), replace(options.QUICK, repeats=1)]


def test_encode_writes_the_record(asked, tmp_path):
    assert run("bench", "encode", "--json", tmp_path / "record.json").exit_code == 0
    assert json.loads((tmp_path / "record.json").read_text("utf-8")) == RECORD
    refused(run("bench", "encode", "--json", tmp_path / "no" / "record.json"), "there is no folder")
    assert len(asked) == 1


def test_encode_really_measures(write):
    text = write("text.txt", "How much of it is there? Enough of it for this. " * 400)
    result = run(
        *(
            "bench",
            "encode",
            "--files",
            text,
            "--engines",
            "bpetok",
            "--encodings",
            "gpt2",
            "--workloads",
            "list",
        ),
        *("--megabytes", 0.002, "--repeats", 1, "--json", text.with_name("record.json")),
    )
    assert result.exit_code == 0, result.output
    record = json.loads(text.with_name("record.json").read_text("utf-8"))
    assert [each["state"] for each in record["summary"]] == ["unseen", "seen"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--encodings", "klingon"], "no encoding is called 'klingon'"),
        (["--cpus", "x"], "processors are numbers"),
        (["--repeats", "0"], "--repeats"),
        (["--files", "no.txt"], "no.txt"),
    ],
)
def test_wrong_options_are_refused(arguments, message):
    refused(run("bench", "encode", *arguments), message)


def test_wrong_ids_are_a_defect(monkeypatch):
    def fail(wanted, say):
        raise encode.DifferentIdsError("bpetok has other ids")

    monkeypatch.setattr(encode, "run", fail)
    result = run("bench", "encode")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: no figures: bpetok has other ids\n"


@pytest.mark.parametrize("command", [["encode"], ["corpora"]])
def test_the_remedy_is_said_where_the_benchmarks_are_not_installed(monkeypatch, command):
    for name in [name for name in sys.modules if name.partition(".")[0] == "bpetok_bench"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "bpetok_bench", None)
    refused(run("bench", *command), 'is not installed: pip install "bpetok[bench]"')


# ---- draw ------------------------------------------------------------------------------------------


def test_draw_prints_tables_and_writes_a_plot(write):
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    record = write("record.json", json.dumps(RECORD))
    result = run("bench", "draw", record)
    assert result.exit_code == 0
    assert "| list | unseen | **90** (other 30: 3.00×) |" in result.stdout
    assert record.with_suffix(".svg").read_text("utf-8").startswith("<svg")


def test_draw_puts_tables_into_pages(write, tmp_path):
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    record = write("record.json", json.dumps(RECORD))
    page = write("page.md", "<!-- benchmark-table -->\n<!-- /benchmark-table -->\n")
    result = run("bench", "draw", record, "--svg", tmp_path / "plot.svg", "--into", page)
    assert (result.exit_code, result.stdout) == (0, "")
    assert page.read_text("utf-8").startswith("<!-- benchmark-table record.json plot.svg -->\n![")
    assert "**90**" in page.read_text("utf-8")


def test_draw_refuses_what_is_no_record(write):
    refused(
        run("bench", "draw", write("train.json", "{}")), "train.json is no record of `bpetok bench encode`"
    )


def test_draw_needs_a_library(monkeypatch, write):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    refused(run("bench", "draw", write("record.json", json.dumps(RECORD))), 'pip install "bpetok[bench]"')


# ---- corpora ---------------------------------------------------------------------------------------


def test_corpora_are_built_and_checked(monkeypatch, tmp_path):
    package = debian.Package("doc", "1", "doc.deb", "")
    monkeypatch.setattr(debian, "require_tools", lambda: None)
    monkeypatch.setattr(debian, "known", lambda names: {"debian-policy": package})
    monkeypatch.setattr(debian, "download", lambda packages, folder: None)
    monkeypatch.setattr(debian, "members", lambda path, patterns: iter([("a.html", b"It is said. " * 99)]))
    folder = tmp_path / "corpora"
    result = run("bench", "corpora", "--to", folder)
    assert result.exit_code == 0, result.output
    assert "english: 1.2 kB, sha256" in result.stdout
    assert "English 100.0 %" in result.stdout
    assert "passed over: " in result.stderr
    monkeypatch.setenv("BPETOK_BENCH_CORPORA", str(folder))
    again = run("bench", "corpora", "--check")
    assert (again.exit_code, again.stdout, again.stderr) == (0, result.stdout, "")
    corpus.built_file(folder, "english").write_text("")
    refused(run("bench", "corpora", "--check"), "english.jsonl is not what manifest.json says")


def test_corpora_need_a_debian(monkeypatch, tmp_path):
    def fail():
        raise debian.PackageError("apt-get not found")

    monkeypatch.setattr(debian, "require_tools", fail)
    refused(run("bench", "corpora", "--to", tmp_path), "apt-get not found")
    with pytest.raises(corpora.CorporaError):
        corpora.check(tmp_path)


def test_train_really_measures_and_is_drawn(write):
    text = write("text.txt", "How much of it is there? Enough of it for this. " * 400)
    record = text.with_name("record.json")
    small = ("--sizes", "0.01", "--vocab-sizes", "280", "--threads", "1", "--repeats", 1)
    result = run("bench", "train", "--files", text, "--engines", "bpetok", *small, "--json", record)
    assert result.exit_code == 0, result.output
    assert "| 0.01 MB | 280 | 1 | **" in result.stdout
    assert [row["engine"] for row in json.loads(record.read_text("utf-8"))["summary"]] == ["bpetok"]
    refused(run("bench", "train", "--sizes", "x"), "sizes are numbers")
    refused(run("bench", "train", "--engines", "nonesuch"), "no engine is called 'nonesuch'")
