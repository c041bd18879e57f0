"""Experiments: the same files again, from one process or two, after a break; and what they show."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")

from bpetok.errors import ExperimentError, FormatError, TrainingError
from bpetok.lm.results import results
from bpetok.lm.run import Experiment, run

WORDS = str(Path(__file__).parents[1] / "data" / "words.txt")
EXPERIMENT = Experiment(
    arms=("bytes", "bpe:60"),
    tasks=("spell", "contains"),
    preset="cpu-test",
    seeds=2,
    budgets=("examples", "flops"),
    words=WORDS,
    steps=9,
    rates=(0.5, 1.0),
)


def files(folder):
    """All that must be equal in two equal experiments."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != "times"
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    run(EXPERIMENT, folder)
    return folder


def test_two_processes_write_the_same_files(done, tmp_path):
    run(EXPERIMENT, tmp_path, processes=2)
    assert files(tmp_path) == files(done)


def test_what_is_missing_is_made_again_and_the_same(done, tmp_path):
    class Stop(Exception):
        pass

    def stop(report):
        if report.done >= 10:
            raise Stop

    with pytest.raises(Stop):
        run(EXPERIMENT, tmp_path, progress=stop)
    assert len(list(tmp_path.glob("[rs]*/*-*.json"))) >= 10
    assert files(tmp_path) != files(done)
    partial = results(tmp_path)
    assert partial.missing
    run(EXPERIMENT, tmp_path)
    assert files(tmp_path) == files(done)


def test_another_experiment_needs_another_folder(done):
    with pytest.raises(ExperimentError, match="differs in seeds"):
        run(dataclasses.replace(EXPERIMENT, seeds=1), done)
    with pytest.raises(ExperimentError, match="differs in arms"):
        run(dataclasses.replace(EXPERIMENT, arms=("bpe:60", "bytes")), done)
    with pytest.raises(ExperimentError, match="differs in steps, size"):
        run(dataclasses.replace(EXPERIMENT, steps=10), done)


def test_other_versions_need_another_folder(done, tmp_path):
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "environment.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "torch": "1.0"}))
    with pytest.raises(ExperimentError, match=r"made with torch 1\.0 instead of"):
        run(EXPERIMENT, tmp_path)


def test_an_experiment_grows_into_the_larger_one(done, tmp_path):
    run(dataclasses.replace(EXPERIMENT, seeds=1, arms=("bytes",), budgets=("examples",)), tmp_path)
    run(EXPERIMENT, tmp_path)
    assert files(tmp_path) == files(done)


def test_the_curve_ends_where_the_model_does(done):
    for path in (done / "runs").glob("*.json"):
        run_file = json.loads(path.read_text())
        half = len(run_file["right"]) // 2
        last = run_file["curve"][-1]
        assert (last["step"], last["tokens"], last["flops"]) == tuple(
            run_file[key] for key in ("steps", "tokens", "flops")
        )
        assert last["right"] == run_file["right"][:half]
        flops = [point["flops"] for point in run_file["curve"]]
        assert flops == sorted(set(flops))
        times = json.loads((done / "times" / f"runs-{path.name}").read_text())["seconds"]
        assert len(times) == len(flops)
        assert times == sorted(times)


def test_the_folder_says_what_the_arms_and_the_baselines_did(done):
    for path in (done / "arms").glob("*.json"):
        for word, (pieces, seen) in json.loads(path.read_text())["words"].items():
            assert "".join(pieces) == word
            assert len(seen) == len(pieces)
    items = json.loads((done / "items" / "contains.json").read_text())
    for found in json.loads((done / "baselines" / "contains.json").read_text()).values():
        assert found["right"] == "".join(
            str(int(answer == item["answer"])) for item, answer in zip(items, found["answers"], strict=True)
        )


def test_the_rates_are_those_with_most_right_on_validation_words(done):
    for arm in EXPERIMENT.arms:
        tried = {}
        for path in (done / "sweep").glob("*.json"):
            found = json.loads(path.read_text())
            if found["job"]["arm"] == arm:
                factor = found["rate_factor"]
                right, loss = tried.get(factor, (0, 0))
                tried[factor] = (right - found["accuracy"], loss + found["held_out_loss"])
        assert set(tried) == set(EXPERIMENT.rates)
        taken = {
            one["rate_factor"]
            for one in map(json.loads, (path.read_text() for path in (done / "runs").glob("*.json")))
            if one["job"]["arm"] == arm
        }
        assert taken == {min(EXPERIMENT.rates, key=lambda factor: tried[factor])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ("spell", "sing")}, "no task 'sing'"),
        ({"budgets": ("money",)}, "no budget 'money'"),
        ({"arms": ()}, "arms"),
        ({"arms": ("bytes", "bytes")}, "each once"),
        ({"seeds": 0}, "0 seeds"),
        ({"preset": "gpu-huge"}, "no preset"),
        ({"steps": 0}, "steps 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(change, message):
    with pytest.raises(TrainingError, match=message):
        dataclasses.replace(EXPERIMENT, **change)


@pytest.mark.parametrize(
    ("arm", "message"),
    [("nothing", "no arm 'nothing'"), ("bpe:3", "at least"), ("bpe:x", "needs a number")],
)
def test_arms_that_cannot_be_are_refused(tmp_path, arm, message):
    with pytest.raises(TrainingError, match=message):
        run(dataclasses.replace(EXPERIMENT, arms=(arm,), rates=(1.0,)), tmp_path)


def test_results_are_what_the_answers_say(done):
    found = results(done)
    assert not found.missing
    for cell in found.cells:
        runs = [json.loads(path.read_text()) for path in (done / "runs").glob("*.json")]
        runs = [
            r
            for r in runs
            if (r["job"]["arm"], r["job"]["task"], r["job"]["budget"]) == (cell.arm, cell.task, cell.budget)
        ]
        items = json.loads((done / "items" / f"{cell.task}.json").read_text())
        assert len(runs) == 2
        right = [
            [
                answer in (item["answer"], *item["accepted"])
                for item, answer in zip(items, r["answers"], strict=True)
            ]
            for r in runs
        ]
        assert cell.accuracy.estimate == pytest.approx(sum(map(sum, right)) / (2 * len(items)))
        by_tokens = [one.n for one in cell.strata if "seen" not in one.name]
        by_novelty = [one.n for one in cell.strata if "seen" in one.name]
        assert sum(by_tokens) == sum(by_novelty) == 2 * len(items)
        assert cell.accuracy.low <= cell.accuracy.estimate <= cell.accuracy.high
    assert {(one.arm, one.task, one.budget) for one in found.contrasts} == {
        ("bpe:60", task, budget) for task in EXPERIMENT.tasks for budget in EXPERIMENT.budgets
    }
    assert found.arms["bytes"]["tokens_per_word"] > found.arms["bpe:60"]["tokens_per_word"]
    assert json.dumps(found.spec())


def test_equal_operations_cost_as_much(done):
    cells = {(one.arm, one.budget): one for one in results(done).cells if one.task == "spell"}
    assert cells["bpe:60", "flops"].flops == pytest.approx(cells["bytes", "examples"].flops, rel=0.15)
    assert cells["bpe:60", "flops"].steps != cells["bytes", "examples"].steps


def test_a_folder_without_an_experiment_and_a_damaged_file_are_named(done, tmp_path):
    with pytest.raises(ExperimentError, match="no experiment"):
        results(tmp_path)
    run(dataclasses.replace(EXPERIMENT, seeds=1, rates=(1.0,), tasks=("spell",)), tmp_path)
    path = next((tmp_path / "runs").glob("*.json"))
    path.write_text(path.read_text()[:-20])
    with pytest.raises(FormatError, match=r"\.json cannot be read"):
        results(tmp_path)
