"""The training benchmark on a few kilobytes: figures are there, and what is wrong or broken is noticed."""

import importlib.util
import json
import os
import sys
from random import Random

import pytest

import bpetok
from bpetok_bench import draw, mixture, train, trainers

FAKES = """
import os
import time

from bpetok_bench import trainers


class Backwards(trainers.Bpetok):
    def tokens(self, trained):
        return super().tokens(trained)[::-1]


class Other(trainers.Bpetok):
    library = "json"

    def tokens(self, trained):
        return [*super().tokens(trained)[:-1], b"another"]


class Crashing(Other):
    def train(self, path, vocab_size):
        os._exit(3)


class Hanging(Other):
    def train(self, path, vocab_size):
        time.sleep(100)


class Missing(Other):
    library = "no_library_has_this_name"
"""


@pytest.fixture
def text_file(tmp_path):
    draw = Random(7)
    words = ["".join(draw.choices("abcdeé中", k=draw.randint(1, 8))) for _ in range(300)]
    file = tmp_path / "text.txt"
    file.write_text("\n".join(" ".join(draw.choices(words, k=9)) for _ in range(900)), "utf-8")
    return file


@pytest.fixture
def measured(text_file, monkeypatch, tmp_path):
    (tmp_path / "train_fakes.py").write_text(FAKES, "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))

    def run(*names, **more):
        small = {"sizes": (0.01,), "vocab_sizes": (400,), "threads": (1,), "repeats": 1, "limit": 30}
        options = train.Options(files=(text_file,), engines=names, **{**small, **more})
        return json.loads(json.dumps(train.run(options)))

    yield run
    sys.modules.pop("train_fakes", None)


def test_sizes_vocabularies_and_counting_are_measured(measured):
    record = measured("bpetok", sizes=(0.01, 0.02, 0.1), vocab_sizes=(400, 300), repeats=2)
    rows = {(row["megabytes"], row["vocab_size"]): row for row in record["summary"]}
    assert rows.keys() == {(0.01, 400), (0.02, 400), (0.1, 400), (0.02, 300)}
    assert all(row["seconds"] > 0 and row["common"] == row["ratio"] == 1 for row in rows.values())
    assert all(row["n_tokens"] == row["same"] == row["vocab_size"] - 256 for row in rows.values())
    assert {row["megabytes"] for row in record["counting"]} == {0.01, 0.02, 0.1}
    assert all(row["mb_per_s"] > 0 < row["pieces"] for row in record["counting"])
    assert record["failures"] == []
    assert record["corpora"]["0.1"]["parts"]["given"]["reordered_bytes"] > 0
    assert record["corpora"]["0.01"]["parts"]["given"]["reordered_bytes"] == 0
    assert "| 0.02 MB | 300 | 1 | **" in draw.tables(record)
    assert "300" not in draw.tables(record, main=True).split("\n\n")[0]


@pytest.mark.parametrize("name", list(trainers.TRAINERS))
def test_every_library_trains(name, text_file):
    library = trainers.TRAINERS[name].library
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    trainer = trainers.TRAINERS[name](1)
    tokens = trainer.tokens(trainer.train(text_file, 500))
    ours = bpetok.train(
        text_file, vocab_size=500, pattern=trainers.PATTERN, tie_break=trainer.tie_break
    ).vocabulary.tokens()
    if name in ("bpetok", "bpetok-hf", "tokenizers", "gigatoken"):
        assert [t for t in tokens if len(t) > 1] == [t for _, t in sorted(ours.items()) if len(t) > 1]
    else:
        assert len({token.strip() for token in tokens} & {token.strip() for token in ours.values()}) > 50


def test_a_library_with_other_tokens_has_less_in_common(measured):
    record = measured("train_fakes:Other", "bpetok")
    other = next(row for row in record["summary"] if row["engine"] == "train_fakes:Other")
    assert (other["same"], other["n_tokens"]) == (143, 144)
    assert other["common"] == pytest.approx(143 / 145)


def test_libraries_that_fail_are_recorded_and_the_others_go_on(measured):
    names = ("train_fakes:Crashing", "train_fakes:Hanging", "bpetok", "train_fakes:Missing")
    record = measured(*names, sizes=(0.01, 0.02), limit=5)
    reasons = {(row["engine"], row["megabytes"]): row["reason"] for row in record["failures"]}
    assert reasons["train_fakes:Crashing", 0.02] == "the process ended with code 3"
    assert reasons["train_fakes:Hanging", 0.01] == "it took more than 5 s"
    assert reasons["train_fakes:Hanging", 0.02].startswith("not asked")
    assert record["missing"] == ["train_fakes:Missing"]
    assert {row["engine"] for row in record["summary"]} == {"bpetok"}
    assert "| failed | over 5 s | **" in draw.tables(record)


def test_bpetok_that_differs_from_itself_ends_the_run(measured):
    with pytest.raises(train.DifferentTokensError, match="other tokens than before"):
        measured("bpetok", "train_fakes:Backwards")


def test_what_is_left_when_time_is_over_is_said(measured):
    record = measured("bpetok", total=1e-9)
    assert record["summary"] == []
    assert all("the whole run was over" in row["reason"] for row in record["failures"])


@pytest.mark.parametrize("wrong", [{"sizes": ()}, {"sizes": (0,)}, {"vocab_sizes": (9,)}, {"threads": (0,)}])
def test_wrong_options_are_refused(measured, wrong):
    with pytest.raises(ValueError, match="must"):
        measured("bpetok", **wrong)


def test_blocks_change_no_piece(text_file, monkeypatch):
    text = text_file.read_text("utf-8") + "\n\n  a\n b \nc\r\nd" * 50
    text_file.write_bytes(text.encode())
    monkeypatch.setattr(trainers, "BLOCK", 100)
    parts = list(trainers.blocks(text_file))
    assert len(parts) > 20
    assert "".join(parts) == text
    assert bpetok.count(parts, pattern="gpt2") == bpetok.count([text], pattern="gpt2")


def test_text_that_comes_again_has_its_words_in_another_order(text_file, tmp_path):
    about = mixture.write(tmp_path / "mix", 200_000, given=[text_file])
    data = (tmp_path / "mix").read_text("utf-8")
    size = len(text_file.read_text("utf-8"))
    first, second = data[:size], data[size + 1 : 2 * size + 1]
    assert first == text_file.read_text("utf-8")
    assert first != second
    assert sorted(first.split()) == sorted(second.split())
    assert about["bytes"] == (tmp_path / "mix").stat().st_size >= 200_000


def test_a_plot_has_a_point_for_each_size_and_library(measured):
    record = measured("bpetok", "train_fakes:Other", sizes=(0.01, 0.02))
    specification = draw.plot(record)
    points = {(each["engine"], each["megabytes"]) for each in specification["data"]["values"]}
    assert points == {(name, size) for name in ("bpetok", "train_fakes:Other") for size in (0.01, 0.02)}
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    assert draw.fingerprint(specification) in draw.svg(specification)


def test_a_training_record_goes_to_its_own_place_in_a_page(measured, tmp_path):
    record, page = tmp_path / "train.json", tmp_path / "page.md"
    record.write_text(json.dumps(measured("bpetok")), "utf-8")
    other = "<!-- benchmark-table main -->\n<!-- /benchmark-table -->\n"
    page.write_text(f"{other}<!-- benchmark-table train main -->\n<!-- /benchmark-table -->\n", "utf-8")
    draw.insert(page, record, tmp_path / "train.svg")
    text = page.read_text("utf-8")
    assert text.startswith(f"{other}<!-- benchmark-table train main train.json train.svg -->\n![")
    assert "| 0.01 MB | 400 | 1 | **" in text
    page.write_text(other, "utf-8")
    with pytest.raises(draw.DrawError, match="has no <!-- benchmark-table train -->"):
        draw.insert(page, record, tmp_path / "train.svg")
