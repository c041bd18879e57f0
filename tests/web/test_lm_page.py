"""The page of an experiment with language models: a small real run with texts, whole and in part."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")
pytest.importorskip("jinja2", reason="jinja2 is not installed")
pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")

from bpetok.cli.lm import command
from bpetok.errors import FormatError
from bpetok.lm.results import results
from bpetok.lm.run import Experiment, run
from bpetok.page.lm import lm_examples, lm_findings, lm_page, lm_tables

WORDS = str(Path(__file__).parents[1] / "data" / "words.txt")
ARMS = ("bytes", "bpe:60", "bpe:60+dropout:0.2")


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    text = folder / "text.txt"
    text.write_text("".join(f"The number {at} is followed by the number {at + 1}.\n" for at in range(9_000)))
    tasks = ("spell", "rhyme-choice", f"text@text:{text}")
    run(
        Experiment(
            arms=(*ARMS, "bpe:400"),
            tasks=tasks,
            preset="cpu-test",
            seeds=2,
            words=WORDS,
            steps=4,
            rates=(1.0,),
        ),
        folder / "run",
    )
    return folder / "run"


@pytest.fixture(scope="module")
def spec(done):
    return results(done).spec()


def report(*given):
    made = CliRunner().invoke(command, ["report", *map(str, given)], catch_exceptions=False)
    assert made.exit_code == 0, made.output
    return made.output


def test_the_page_shows_every_cell_and_says_what_is_missing(done, tmp_path, page):
    gone = next((done / "runs").glob("bpe_60-rhyme-choice-examples-1*"))
    kept = gone.read_bytes()
    gone.unlink()
    report(done, "--html", tmp_path / "part.html", "--charts", tmp_path / "charts")
    gone.write_bytes(kept)
    page.goto((tmp_path / "part.html").as_uri())
    page.wait_for_selector("html[data-ready]")
    assert "1 runs are not there" in page.locator("main").inner_text()
    scores = page.locator("[aria-label='Scores, examples'] tbody tr[data-task]")
    assert scores.count() == 3
    assert "zlib" in scores.last.inner_text()
    assert "bits a byte" in scores.last.inner_text()
    assert page.locator("[aria-label=Cost] tbody tr").count() == 4 + 4 + 3
    assert page.locator("[aria-label=Examples] .token").count() > 3
    drawn = {"sizes", "arms", "curve-examples", "curve-flops", "curve-seconds", "text-flops"}
    assert {each.get_attribute("id") for each in page.locator("figure").all()} == drawn
    assert page.locator("figure svg").count() == len(drawn)
    for name in drawn:
        svg = (tmp_path / "charts" / f"{name}.svg").read_text("utf-8")
        # As a picture it has a color of its own, not that of the page.
        assert "currentColor" not in svg
        assert "#7d8590" in svg


def test_json_csv_and_the_terminal_say_the_same(done, spec, tmp_path):
    said = report(done, "--json", tmp_path / "r.json", "--csv", tmp_path / "r.csv")
    assert json.loads((tmp_path / "r.json").read_text()) == spec
    with (tmp_path / "r.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    cells = [*spec["cells"], *spec["texts"]]
    assert len(lines) == len(cells) == 4 + 4 + 3
    for line, cell in zip(lines, cells, strict=True):
        score = cell[line["measure"]]
        assert [float(line[name]) for name in ("score", "low", "high")] == score
        assert line["shortcut"] == cell["best_shortcut"]["name"]
        assert line["label"] == cell.get("label", "")
        assert (f"{score[0]:.3f}" if line["measure"] == "bits_per_byte" else f"{score[0]:.1%}") in said


def test_arms_with_changes_stand_beside_those_without(spec):
    (table,) = lm_tables(spec)
    assert table["arms"] == [*ARMS, "bpe:400"]
    assert [set(row["cells"]) for row in table["rows"]] == [
        {*ARMS, "bpe:400"}, {*ARMS, "bpe:400"}, {"bytes", "bpe:60", "bpe:400"}
    ]  # fmt: skip
    compared = {(one["reference"], one["arm"]) for one in spec["contrasts"] if one["budget"] == "examples"}
    assert compared == {*(("bytes", arm) for arm in (*ARMS[1:], "bpe:400")), ("bpe:60", ARMS[2])}


def test_examples_are_the_answers_that_were_given(done, spec):
    found = lm_examples(done, spec)
    assert {one["task"] for one in found} == {"spell", "rhyme-choice"}
    for one in found:
        items = json.loads((done / "items" / f"{one['task']}.json").read_text())
        at = [" ".join(text for text, _ in item["prompt"]) for item in items].index(one["prompt"])
        assert list(one["answers"]) == [*ARMS, "bpe:400"]
        for arm, given in one["answers"].items():
            file = (
                f"{arm.replace(':', '_').replace('+', '_').replace('.', '_')}-{one['task']}-examples-0.json"
            )
            kept = json.loads((done / "runs" / file).read_text())
            assert (given["answer"], given["right"]) == (kept["answers"][at], kept["right"][at] == "1")
            assert "".join(given["pieces"]) == items[at]["word"]


@pytest.mark.parametrize("name", ["items/spell.json", "arms/bpe_60.json", "environment.json"])
@pytest.mark.parametrize("damage", ["", "{", "[1]"])
def test_a_damaged_file_is_named(done, spec, name, damage):
    path = done / name
    kept = path.read_bytes()
    path.write_text(damage)
    try:
        with pytest.raises(FormatError, match=path.name):
            lm_page(done, spec)
    finally:
        path.write_bytes(kept)


def contrast(task, *difference, measure="accuracy", p=0.01):
    return {"arm": "b", "reference": "a", "task": task, "budget": "examples", "measure": measure,
            "p_adjusted": p, "difference": difference}  # fmt: skip


def found(*contrasts, seeds=2, cells=()):
    settings = {"arms": ["a", "b"], "seeds": seeds}
    return lm_findings({"settings": settings, "contrasts": contrasts, "cells": cells})


def test_no_difference_is_claimed_that_is_not_carried():
    open_ = ["1 of 1 differences from a are not told apart from none."]
    assert found(contrast("t", 0.3, 0.1, 0.5, p=0.2)) == open_
    assert found(contrast("t", 0.3, -0.1, 0.5)) == open_
    assert found(contrast("t", 0.3, 0.1, 0.5)) == ["a does better at t, 30 points (10 to 50) over b."]
    assert found()[0].startswith("Nothing can be compared")
    assert found(seeds=1)[-1].startswith("There is one seed")


def test_what_is_lost_and_what_is_won_are_said_alike():
    text = contrast("u", 0.14, 0.12, 0.16, measure="bits_per_byte")
    assert found(contrast("s", 0.3, 0.1, 0.5), contrast("t", -0.8, -0.9, -0.7), text) == [
        "a does better at s, 30 points (10 to 50) over b.",
        "Another arm does better at t, 80 points (70 to 90) with b; "
        "u, 0.14 bits a byte fewer (0.12 to 0.16) with b.",
    ]


def test_what_was_not_learned_is_said():
    cells = [
        {"budget": "examples", "task": task, "arm": arm, "label": label}
        for task, labels in {"s": ("learned", "at baseline"), "t": ("at baseline", "not learned")}.items()
        for arm, label in zip("ab", labels, strict=True)
    ]
    assert found(cells=cells)[:2] == [
        "At t no arm lies above the best shortcut: none was seen to learn it.",
        "Learned by others, but not s by b.",
    ]
