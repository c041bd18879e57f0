"""The page of an experiment with language models: a small real run, whole and in part."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")
pytest.importorskip("jinja2", reason="jinja2 is not installed")
pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")

from bpetok.cli.lm import command
from bpetok.lm.results import results
from bpetok.lm.run import Experiment, run
from bpetok.page.lm import lm_findings, lm_label

WORDS = str(Path(__file__).parents[1] / "data" / "words.txt")
EXPERIMENT = Experiment(
    arms=("bytes", "bpe:60"), tasks=("spell", "contains"), preset="cpu-test", seeds=1, words=WORDS, steps=4,
    rates=(1.0,),
)  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    run(EXPERIMENT, folder)
    return folder


def report(*given):
    made = CliRunner().invoke(command, ["report", *map(str, given)], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    return made.output


def test_the_page_shows_every_cell_and_says_what_is_missing(done, tmp_path, page):
    gone = next((done / "runs").glob("bpe_60-contains-*"))
    kept = gone.read_bytes()
    gone.unlink()
    report(done, "--html", tmp_path / "part.html", "--charts", tmp_path / "charts")
    gone.write_bytes(kept)
    page.goto((tmp_path / "part.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    assert "1 runs are not there" in page.locator("main").inner_text()
    assert page.locator("[aria-label=Accuracy] tbody tr").count() == 3
    assert page.locator("[aria-label=Examples] .token").count() > 3
    assert page.locator("figure svg").count() >= 4
    assert (tmp_path / "charts" / "curve-flops.svg").read_bytes().startswith(b"<svg")


def test_json_csv_and_the_terminal_say_the_same(done, tmp_path):
    said = report(done, "--json", tmp_path / "r.json", "--csv", tmp_path / "r.csv")
    spec = json.loads((tmp_path / "r.json").read_text())
    assert spec == results(done).spec()
    lines = (tmp_path / "r.csv").read_text().splitlines()
    assert len(lines) == 1 + len(spec["cells"]) == 5
    for cell in spec["cells"]:
        assert f"{cell['accuracy'][0]:.1%}" in said


def cell(*accuracy, learned=False):
    return {"task": "t", "accuracy": accuracy, "learned": learned}


def test_a_label_is_what_the_intervals_carry():
    spec = {"baselines": {"t": {"rule": [0.5, 0.4, 0.6]}}}
    assert lm_label(spec, cell(0.9, 0.8, 1.0, learned=True)) == "learned"
    assert lm_label(spec, cell(0.55, 0.45, 0.65)) == "at baseline"
    assert lm_label(spec, cell(0.2, 0.1, 0.3)) == "not learned"


def test_no_difference_is_claimed_that_is_not_carried():
    one = {"arm": "b", "task": "t", "budget": "examples", "p_adjusted": 0.2, "difference": [0.3, 0.1, 0.5]}
    spec = {"settings": {"arms": ["a", "b"], "seeds": 2}, "contrasts": [one]}
    assert lm_findings(spec) == ["1 of 1 differences from a are not told apart from none."]
    one["p_adjusted"] = 0.01
    assert lm_findings(spec) == ["t: b has 30 points fewer right than a (10 to 50)."]
    spec["contrasts"] = []
    assert lm_findings(spec)[0].startswith("Nothing can be compared")
