"""Experiments: the same files again, from one process or two, after a break; and what they show."""

import dataclasses
import json
import math
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")

from bpetok.cli.main import cli
from bpetok.errors import ExperimentError, FormatError, TrainingError
from bpetok.lm.results import _label, results
from bpetok.lm.run import Experiment, Machine, run
from bpetok.lm.statistics import Interval

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


def test_two_processes_write_the_same_files_and_tell_how_far_they_are(done, tmp_path):
    seen = []

    def note(report):
        seen.append((report.done, report.total, dict(report.running)))

    run(EXPERIMENT, tmp_path, processes=2, progress=note)
    assert files(tmp_path) == files(done)
    made = len(list(tmp_path.glob("[rs]*/*-*.json")))
    assert seen[-1] == (made, made, {})
    states = [state for _, _, running in seen for state in running.values()]
    assert states
    for state in states:
        assert 0 < state.step <= state.steps
        assert state.tokens_per_second > 0
        assert math.isfinite(state.loss)
    assert max(len(running) for _, _, running in seen) <= 2


def test_a_device_whose_peak_is_known_is_seen_in_use(done, tmp_path):
    assert {cell.utilisation for cell in results(done).cells} == {None}
    shutil.copytree(done, tmp_path / "run")
    path = tmp_path / "run" / "times" / "runs-bytes-spell-examples-0.json"
    took = json.loads(path.read_text())
    assert took["devices"] == 1
    path.write_text(json.dumps({**took, "machine": "NVIDIA L40S 48GB", "devices": 2}))
    cell = next(one for one in results(tmp_path / "run").cells if (one.arm, one.task) == ("bytes", "spell"))
    flops = json.loads((done / "runs" / "bytes-spell-examples-0.json").read_text())["flops"]
    assert cell.machine == "NVIDIA L40S 48GB"
    assert cell.utilisation == pytest.approx(flops / took["seconds"][-1] / 362e12 / 2)


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


def test_tasks_of_other_words_texts_and_remedies(tmp_path):
    """One small run over what is left: other scripts, arithmetic, text, memory, and arms with changes."""
    path = tmp_path / "text.txt"
    path.write_text("".join(f"The number {at} is followed by the number {at + 1}.\n" for at in range(9_000)))
    experiment = Experiment(
        arms=("bytes", "bpe:400+dropout:0.2+spelled", "bpe:400+taught+stochastok", "fallback:400"),
        tasks=("spell@phrasebook:ell_Grek", f"text@text:{path}", "facts", "rhyme-word", "add"),
        preset="cpu-test",
        seeds=1,
        words=WORDS,
        n_words=500,
        steps=2,
        rates=(1.0,),
    )
    run(experiment, tmp_path)
    found = results(tmp_path)
    assert not found.missing
    greek, text, *others = experiment.tasks
    made = {(one.arm, one.task) for one in (*found.cells, *found.texts)}
    assert made == {(arm, task) for arm in experiment.arms for task in others} | {
        ("bytes", greek),
        ("bpe:400+dropout:0.2+spelled", greek),
        ("fallback:400", greek),
        ("bytes", text),
        ("fallback:400", text),
    }
    by_arm = {one.arm: one for one in found.texts}
    for one in found.texts:
        assert one.bits_per_byte.low <= one.bits_per_byte.estimate <= one.bits_per_byte.high
        assert one.curve[-1].score == pytest.approx(one.bits_per_byte.estimate, rel=0.1)
    # Two steps change little: every symbol is about as likely as any other.
    n_symbols = {
        kept["job"]["arm"]: kept["n_symbols"]
        for kept in (json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*text*.json"))
    }
    assert by_arm["bytes"].bytes_per_token == pytest.approx(1)
    assert by_arm["bytes"].bits_per_byte.estimate == pytest.approx(math.log2(n_symbols["bytes"]), rel=0.25)
    assert by_arm["fallback:400"].bytes_per_token > 1.2
    assert 0.1 < found.baselines[text]["zlib"].estimate < 8
    # One seed has no interval where single stretches are not known, so nothing is said.
    contrasts = {one.budget: one for one in found.contrasts if one.task == text}
    assert set(contrasts) == {"examples"}
    assert contrasts["examples"].measure == "bits_per_byte"
    assert contrasts["examples"].difference.estimate == pytest.approx(
        by_arm["bytes"].bits_per_byte.estimate - by_arm["fallback:400"].bits_per_byte.estimate
    )
    assert f"bytes@{greek.partition('@')[2]}" in found.arms
    for cell in found.cells:
        assert sum(one.n for one in cell.strata if "seen" in one.name) == (64 if cell.task != "facts" else 0)


def test_a_device_that_is_not_there_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"no device 'cuda:7' here .*use one of cpu"):
        run(EXPERIMENT, tmp_path, machine=Machine("cuda:7"))
    with pytest.raises(TrainingError, match="no device 'quantum'"):
        run(EXPERIMENT, tmp_path, machine=Machine("quantum"))


def test_models_side_by_side_are_not_shared_out_too(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="2 models at once, each trained by 2 processes"):
        run(EXPERIMENT, tmp_path, processes=2)
    assert not list(tmp_path.iterdir())


def test_a_rank_without_a_group_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    run(dataclasses.replace(EXPERIMENT, seeds=1, rates=(1.0,), tasks=("spell",), arms=("bytes",)), tmp_path)
    assert (tmp_path / "runs" / "bytes-spell-examples-0.json").exists()


def test_rates_can_be_chosen_by_a_text_and_by_what_an_arm_serves_for(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"The number {at} is followed by the number {at + 1}.\n" for at in range(9_000)))
    text = f"text@text:{path}"
    experiment = Experiment(
        arms=("bytes", "bpe:60+taught"), tasks=("nth",), sweep_tasks=(text, "nth"), preset="cpu-test",
        seeds=1, words=WORDS, steps=3, rates=(1.0, 1e-6),
    )  # fmt: skip
    run(experiment, tmp_path / "run")
    kept = [json.loads(path.read_text()) for path in (tmp_path / "run" / "sweep").glob("*.json")]
    assert {(one["job"]["arm"], one["job"]["task"]) for one in kept} == {
        ("bytes", text), ("bytes", "nth"), ("bpe:60+taught", "nth")
    }  # fmt: skip
    alone = dataclasses.replace(experiment, arms=("bytes",), sweep_tasks=(text,))
    run(alone, tmp_path / "alone")
    taken = json.loads((tmp_path / "alone" / "runs" / "bytes-nth-examples-0.json").read_text())
    losses = {one["rate_factor"]: one["held_out_loss"] for one in kept if one["job"]["task"] == text}
    assert taken["rate_factor"] == min(losses, key=losses.get) == 1.0


def test_the_first_arm_must_serve_every_task():
    with pytest.raises(
        TrainingError, match=r"first arm, 'bpe:60\+taught', does not serve for the task 'spell'"
    ):
        dataclasses.replace(EXPERIMENT, arms=("bpe:60+taught", "bytes"))


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
        ({"budgets": ("flops",)}, "give both"),
        ({"arms": ("bytes", "bpe:60+taught"), "sweep_tasks": ("spell",)}, "serves for none of the tasks"),
        ({"sweep_tasks": ()}, r"chosen by \(none\)"),
        ({"sweep_tasks": ("sing",)}, "no task 'sing'"),
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
    trained = {one for one in found.contrasts if one.budget in EXPERIMENT.budgets}
    assert {(one.arm, one.task, one.budget) for one in trained} == {
        ("bpe:60", task, budget) for task in EXPERIMENT.tasks for budget in EXPERIMENT.budgets
    }
    assert found.arms["bytes"]["tokens_per_word"] > found.arms["bpe:60"]["tokens_per_word"]
    assert json.dumps(found.spec())
    assert found.leakage["family"] == 0
    for cell in found.cells:
        assert cell.curve[-1].step == cell.steps
        assert cell.curve[-1].flops == pytest.approx(cell.flops)
        assert cell.curve[-1].seconds == pytest.approx(cell.seconds)


def test_equal_budgets_are_read_from_the_curves(done):
    found = [one for one in results(done).contrasts if one.budget == "equal flops"]
    assert {(one.arm, one.task) for one in found} == {("bpe:60", task) for task in EXPERIMENT.tasks}
    for one in found:
        scores = []
        for seed in range(EXPERIMENT.seeds):
            both = [
                json.loads((done / "runs" / f"{arm}-{one.task}-examples-{seed}.json").read_text())["curve"]
                for arm in ("bytes", "bpe_60")
            ]
            most = min(curve[-1]["flops"] for curve in both)
            first, other = (
                max((p for p in curve if p["flops"] <= most), key=lambda p: p["step"])["right"]
                for curve in both
            )
            scores.append((first.count("1") - other.count("1")) / len(first))
        assert one.difference.estimate == pytest.approx(sum(scores) / len(scores))


def test_contrasts_pair_seeds_by_their_number(done, tmp_path):
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    (tmp_path / "runs" / "bytes-spell-examples-0.json").unlink()
    kept = [
        json.loads((done / "runs" / f"{arm}-spell-examples-1.json").read_text())
        for arm in ("bytes", "bpe_60")
    ]
    (one,) = (one for one in results(tmp_path).contrasts if (one.task, one.budget) == ("spell", "examples"))
    assert one.difference.estimate == pytest.approx(kept[0]["accuracy"] - kept[1]["accuracy"])


def test_a_label_says_where_the_interval_lies(done):
    for cell in results(done).cells:
        best = cell.best_shortcut.score
        assert best.estimate == max(one.estimate for one in results(done).baselines[cell.task].values())
        assert cell.label == (
            "learned"
            if cell.accuracy.low > best.high
            else "not learned"
            if cell.accuracy.high < best.low
            else "at baseline"
        )


@pytest.mark.parametrize(
    ("accuracy", "label"),
    [((0.9, 0.8, 1.0), "learned"), ((0.55, 0.45, 0.65), "at baseline"), ((0.5, 0.3, 0.45), "at baseline"),
     ((0.2, 0.1, 0.3), "not learned"), ((0.7, 0.6, 0.8), "at baseline")],
)  # fmt: skip
def test_a_label_is_what_the_intervals_carry(accuracy, label):
    assert _label(Interval(*accuracy), Interval(0.5, 0.4, 0.6)) == label


def test_equal_operations_cost_as_much(done):
    cells = {(one.arm, one.budget): one for one in results(done).cells if one.task == "spell"}
    assert cells["bpe:60", "flops"].flops == pytest.approx(cells["bytes", "examples"].flops, rel=0.15)
    assert cells["bpe:60", "flops"].steps != cells["bytes", "examples"].steps


def test_a_folder_without_an_experiment_and_a_damaged_file_are_named(tmp_path):
    with pytest.raises(ExperimentError, match="no experiment"):
        results(tmp_path)
    run(dataclasses.replace(EXPERIMENT, seeds=1, rates=(1.0,), tasks=("spell",)), tmp_path)
    for folder in ("runs", "items", "baselines", "arms", "times"):
        path = next((tmp_path / folder).glob("*spell*.json" if folder != "arms" else "*.json"), None)
        path = path if folder != "times" else tmp_path / "times" / "runs-bytes-spell-examples-0.json"
        kept = path.read_text()
        for damaged in (kept[:-20], '{"right": 1}', "[]" if folder != "items" else "{}"):
            path.write_text(damaged)
            with pytest.raises(FormatError, match=path.name):
                results(tmp_path)
        path.write_text(kept)
    path = tmp_path / "experiment.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 9'))
    with pytest.raises(FormatError, match="version 9"):
        results(tmp_path)


def test_rates_are_positive_numbers_and_their_default_is_the_experiments(tmp_path):
    from bpetok.cli.lm import run_command

    given = next(param for param in run_command.params if param.name == "rates")
    assert tuple(map(float, given.default.split(","))) == Experiment.rates
    for wrong in ("0", "-1,2", "fast", "", "inf", "nan", "1,,2x"):
        made = CliRunner().invoke(cli, ["lm", "run", "--rates", wrong, "-o", str(tmp_path / "run")])
        assert made.exit_code == 2, wrong
        assert "positive numbers" in made.output
    assert not (tmp_path / "run").exists()
