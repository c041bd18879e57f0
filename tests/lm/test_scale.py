"""Ladders of sizes: the law that is fitted, its intervals, the best buy, training and the report."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from bpetok.errors import ExperimentError, TrainingError
from bpetok.lm.ladder import Ladder
from bpetok.lm.power_law import fit_power_laws
from bpetok.lm.scaling import best_buys, draw_losses, fit_of, scaling

COMPUTE = np.geomspace(1e9, 1e12, 6)
LADDER = Ladder(("bytes", "bpe:300"), (16, 32, 48, 64), 1, 2, bytes_per_parameter=0.5, batch=16, rates=(1.0,))


def law(compute, floor, scale, alpha, reference=1e10):
    return floor + scale * (np.asarray(compute) / reference) ** -alpha


@pytest.mark.parametrize("floor", [0.0, 0.7, 1.5])
@pytest.mark.parametrize("alpha", [0.03, 0.2, 0.5, 1.3])
def test_a_law_without_noise_is_found(floor, alpha):
    losses = law(COMPUTE, floor, 0.8, alpha)
    found = fit_power_laws(COMPUTE, losses)
    assert found.alpha[0] == pytest.approx(alpha, rel=0.01)
    assert found.floor[0] == pytest.approx(floor, abs=0.02)
    assert found.at(COMPUTE)[0] == pytest.approx(losses, abs=1e-4)
    between = np.sqrt(COMPUTE[1:] * COMPUTE[:-1])
    assert found.at(between)[0] == pytest.approx(law(between, floor, 0.8, alpha), abs=1e-4)


def test_no_neighbouring_law_fits_better():
    rng = np.random.default_rng(3)
    losses = law(COMPUTE, 1.0, 0.9, 0.25) + rng.normal(0, 0.02, (40, 6))
    found = fit_power_laws(COMPUTE, losses)
    best = np.square(found.at(COMPUTE) - losses).sum(axis=1)
    for _ in range(200):
        other = dataclasses.replace(
            found,
            floor=np.maximum(found.floor + rng.normal(0, 0.02, 40), 0),
            scale=np.maximum(found.scale + rng.normal(0, 0.02, 40), 0),
            alpha=np.clip(found.alpha * np.exp(rng.normal(0, 0.05, 40)), 0.01, 4),
        )
        assert (np.square(other.at(COMPUTE) - losses).sum(axis=1) >= best - 1e-6).all()


def test_parameters_stay_within_their_bounds():
    rng = np.random.default_rng(0)
    found = fit_power_laws(COMPUTE, rng.uniform(0.5, 3, (300, 6)))
    assert (found.floor >= 0).all()
    assert (found.scale >= 0).all()
    assert ((found.alpha >= 0.01) & (found.alpha <= 4)).all()
    # A loss that rises has no part that falls: what is left is its mean.
    rising = fit_power_laws(COMPUTE, np.arange(1.0, 7.0))
    assert rising.scale[0] == 0
    assert rising.floor[0] == pytest.approx(3.5)


def test_too_few_sizes_are_refused():
    with pytest.raises(ExperimentError, match="there are 3 amounts of compute: give 4 sizes or more"):
        fit_power_laws([1e9, 1e9, 1e10, 1e11], [3.0, 3.1, 2.0, 1.5])
    with pytest.raises(TrainingError, match="give 4 or more"):
        dataclasses.replace(LADDER, widths=(16, 32, 48))


def nats_of(losses, rng, seeds, stretches=60, noise=0.02):
    """Losses of stretches around the bits per byte of each size, with a part of each seed's own."""
    sizes = rng.integers(100, 192, stretches).astype(float)
    common = rng.normal(0, 0.1, stretches)
    out = []
    for loss in losses:
        of_seed = rng.normal(0, noise, (seeds, 1))
        out.append((loss + of_seed + common) * sizes * np.log(2))
    return sizes, out


def test_intervals_hold_what_is_true_about_as_often_as_they_say():
    """95 % intervals of the law in the middle, and of its exponent, over many made-up ladders. Stretches
    have a common share of the loss, of which the interval holds what it is on average."""
    rng = np.random.default_rng(1)
    true = law(COMPUTE, 1.0, 0.9, 0.25)
    hits, trials = {"loss": 0, "alpha": 0}, 100
    for trial in range(trials):
        sizes, nats = nats_of(true, rng, seeds=4)
        drawn = draw_losses({("bytes", at): one for at, one in enumerate(nats)}, sizes, draws=300, seed=trial)
        losses = [float(one.sum(axis=1).mean() / sizes.sum() / np.log(2)) for one in nats]
        fit, _ = fit_of("bytes", COMPUTE, losses, np.stack([*drawn.values()], axis=1))
        middle = fit.curve[len(fit.curve) // 2]
        expected = float(law(middle.flops, 1.0, 0.9, 0.25))
        hits["loss"] += middle.bits_per_byte.low <= expected <= middle.bits_per_byte.high
        hits["alpha"] += fit.alpha.low <= 0.25 <= fit.alpha.high
    assert all(0.85 * trials <= count <= trials - 1 for count in hits.values()), hits


def arms_of(laws, seeds=3, noise=0.004, draws=400):
    """Fits of made-up arms, each given by its amounts of compute and the parameters of its law."""
    rng = np.random.default_rng(5)
    fits, found = [], {}
    for name, (compute, *parameters) in laws.items():
        losses = law(compute, *parameters)
        drawn = losses + rng.normal(0, noise / np.sqrt(seeds), (draws, len(losses)))
        fit, found[name] = fit_of(name, compute, losses, drawn)
        fits.append(fit)
    return fits, found


def test_the_best_buy_changes_where_the_laws_cross():
    laws = {"small": (COMPUTE, 1.2, 0.8, 0.3), "large": (COMPUTE * 0.5, 1.0, 1.0, 0.3)}  # equal at 1e10
    buys = best_buys(*arms_of(laws))
    assert buys[0].flops == pytest.approx(1e9)
    assert buys[-1].flops == pytest.approx(5e11)
    for buy in buys:
        assert sum(buy.shares.values()) == pytest.approx(1)
        if buy.flops < 5e9:
            assert buy.candidates == (buy.lowest,) == ("small",)
        if buy.flops > 2e10:
            assert buy.candidates == (buy.lowest,) == ("large",)
    nearest = min(buys, key=lambda buy: abs(np.log(buy.flops / 1e10)))
    assert max(nearest.shares.values()) < 1


def test_equal_arms_are_not_told_apart():
    buys = best_buys(*arms_of(dict.fromkeys(("a", "b", "c"), (COMPUTE, 1.0, 0.9, 0.25))))
    assert all(set(buy.candidates) == {"a", "b", "c"} for buy in buys)


def test_nothing_is_said_beyond_what_was_measured():
    laws = {"a": (COMPUTE, 1.0, 0.9, 0.25), "b": (COMPUTE * 1e4, 1.0, 0.9, 0.25)}
    assert best_buys(*arms_of(laws)) == []


def test_a_loss_that_does_not_fall_is_named():
    losses = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
    with pytest.raises(ExperimentError, match="bits per byte of bytes do not fall"):
        fit_of("bytes", COMPUTE, losses, np.array([losses, losses]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (16, 32, 48, 40)}, "40 is not a multiple of 16"),
        ({"widths": (16, 32, 48, 48)}, "each once"),
        ({"seeds": 1}, "1 seeds: give two or more"),
        ({"bytes_per_parameter": 0.0}, "above 0"),
        ({"layers": 0}, "must be"),
        ({"arms": ("bytes", "bpe:300+spelled")}, "no text is cut so"),
    ],
)
def test_ladders_that_cannot_be_are_refused(change, message):
    with pytest.raises(TrainingError, match=message):
        dataclasses.replace(LADDER, **change)


def test_steps_grow_with_the_trunk_alone():
    steps = [LADDER.steps(width) for width in LADDER.widths]
    assert LADDER.trunk_parameters(32) == 12 * 32**2
    assert steps == [2, 8, 18, 32]  # 0.5 bytes a parameter, in steps of 4 stretches of 192 bytes
    assert LADDER.rung(64).sized().train.steps == 32
    assert LADDER.rung(64).sized().model.heads == 4


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("".join(f"The number {at} is followed by the number {at + 1}.\n" for at in range(6_000)))
    return path


@pytest.fixture(scope="module")
def done(tmp_path_factory, text):
    pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")
    from bpetok.lm.ladder import climb

    folder = tmp_path_factory.mktemp("ladder")
    ladder, seen = dataclasses.replace(LADDER, text=str(text)), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bpetok.lm.run._CURVE", (1,))  # no curves, which take most of the time here
        climb(ladder, folder, progress=lambda at: seen.append((at.done, at.total)))
    assert seen == sorted(seen)
    assert seen[-1] == (16, 16)
    return folder


def test_a_ladder_has_a_point_for_each_size_and_arm(done):
    found = scaling(done)
    assert [(one.arm, one.width) for one in found.points] == [
        (arm, width) for arm in LADDER.arms for width in LADDER.widths
    ]
    for one in found.points:
        files = sorted((done / LADDER.name(one.width) / "runs").glob(f"{one.arm.replace(':', '_')}-*.json"))
        runs = [json.loads(path.read_text()) for path in files]
        assert one.per_seed == tuple(run["bits_per_byte"] for run in runs)
        assert one.flops == pytest.approx(np.mean([run["flops"] for run in runs]))
        assert one.parameters == one.trunk_parameters + one.tokens * one.width
        assert one.bits_per_byte.low <= one.bits_per_byte.estimate <= one.bits_per_byte.high
        assert one.steps == LADDER.steps(one.width)
    by_arm = {arm: [one.flops for one in found.points if one.arm == arm] for arm in LADDER.arms}
    for buy in found.buys:
        assert all(flops[0] * 0.999 <= buy.flops <= flops[-1] * 1.001 for flops in by_arm.values())
    assert json.loads(json.dumps(found.spec()))["settings"]["widths"] == [16, 32, 48, 64]


def test_what_is_missing_is_made_again_and_the_same(done, text, tmp_path, monkeypatch):
    from bpetok.lm.ladder import climb

    def files(folder):
        return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("runs/*.json")}

    ladder = dataclasses.replace(LADDER, text=str(text))
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    gone = next((tmp_path / "32x1x2" / "runs").glob("bpe_300-*"))
    gone.unlink()
    with pytest.raises(ExperimentError, match="lacks 1 of 16 models"):
        scaling(tmp_path)
    monkeypatch.setattr("bpetok.lm.run._CURVE", (1,))
    climb(ladder, tmp_path)
    assert files(tmp_path) == files(done)
    with pytest.raises(ExperimentError, match="differs in bytes_per_parameter"):
        climb(dataclasses.replace(ladder, bytes_per_parameter=1.0), tmp_path)
    with pytest.raises(ExperimentError, match="differs in arms"):
        climb(dataclasses.replace(ladder, arms=("bpe:300", "bytes")), tmp_path)
    with pytest.raises(ExperimentError, match="holds no ladder"):
        scaling(tmp_path / "32x1x2")


def test_learning_rates_of_a_text_are_those_with_the_fewest_bits(text, tmp_path):
    pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")
    from bpetok.lm.run import run

    ladder = dataclasses.replace(LADDER, arms=("bytes",), text=str(text), rates=(0.001, 1.0))
    run(dataclasses.replace(ladder.rung(16), steps=30, seeds=1), tmp_path)
    tried = [json.loads(path.read_text()) for path in (tmp_path / "sweep").glob("*.json")]
    best = min(tried, key=lambda one: one["bits_per_byte"])
    assert len({one["bits_per_byte"] for one in tried}) == 2
    taken = json.loads(next((tmp_path / "runs").glob("*.json")).read_text())
    assert taken["rate_factor"] == best["rate_factor"] == 1.0


def scale(*given):
    from bpetok.cli.main import cli

    return CliRunner().invoke(cli, ["lm", "scale", *map(str, given)])


def test_the_command_shows_what_the_folder_has(done, tmp_path):
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    made = scale("--no-train", "-o", done, "--json", "--charts", tmp_path)
    assert made.exit_code == 0, made.output
    spec = json.loads(made.output)
    assert spec == json.loads(json.dumps(scaling(done).spec()))
    assert (tmp_path / "scale.svg").read_bytes().startswith(b"<svg")
    chart = json.loads((tmp_path / "scale.vl.json").read_text())
    assert sum("bits" in row for row in chart["data"]["values"]) == 16
    said = scale("--no-train", "-o", done).output
    for point in spec["points"]:
        assert f"{point['bits_per_byte'][0]:.3f} (" in said
    assert "L(C) = E + A (C / C0)^-α" in said
    refused = scale("--no-train", "-o", done, "--widths", "16,32,48,64")
    assert refused.exit_code == 2
    assert "--widths does not go together with --no-train" in refused.output


def test_findings_say_no_more_than_was_found():
    from bpetok.page.lm_scale import scale_buys, scale_findings

    def buy(flops, *arms):
        return {"flops": flops, "candidates": arms}

    spec = {
        "buys": [buy(1e9, "a"), buy(2e9, "a"), buy(4e9, "a", "b", "c"), buy(8e9, "c")],
        "fits": [{"arm": "a", "alpha": (0.2, 0.01, 0.5)}, {"arm": "b", "alpha": (0.2, 0.1, 0.5)}],
        "passes": 2.5,
    }
    assert scale_buys(spec)[0] == (1e9, 2e9, ("a",))
    assert scale_findings(spec) == [
        "From 1e+09 to 2e+09 FLOPs a is the best buy.",
        "At 4e+09 FLOPs a, b and c are not told apart as the best buy.",
        "At 8e+09 FLOPs c is the best buy.",
        "These sizes do not tell the exponent of a: add widths further apart.",
        "The largest size reads the text 2.5 times, not new text all along.",
    ]
    nothing = scale_findings({"buys": [], "fits": [], "passes": 0.5})
    assert len(nothing) == 1
    assert "none is compared" in nothing[0]
