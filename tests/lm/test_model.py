"""The model: gradients, causality, what it costs, and training that goes on bit for bit."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")
from torch.utils.flop_counter import FlopCounterMode

from bpetok.errors import ExperimentError, FormatError
from bpetok.lm.arms import make_arm
from bpetok.lm.config import ModelSettings, preset
from bpetok.lm.data import batch_of, draw_items
from bpetok.lm.evaluate import answers
from bpetok.lm.flops import step_flops
from bpetok.lm.model import Model
from bpetok.lm.optim import rate_at
from bpetok.lm.tasks import TASKS
from bpetok.lm.train import Batches, _Loss, shape_of, train
from bpetok.lm.words import load_words

WORDS = str(Path(__file__).parents[1] / "data" / "words.txt")
SMALL = ModelSettings(16, 2, 2)


def model_of(settings=SMALL, n_vocab=11, longest=12, seed=0):
    model = Model(settings, n_vocab, longest)
    model.reset(torch.Generator().manual_seed(seed))
    return model


def awake(model):
    """Projections begin at zero, and hide what stands before them."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return model


def test_gradients_are_those_of_finite_differences():
    model = awake(model_of(ModelSettings(4, 1, 1), 5, 6)).double()
    tokens = torch.tensor([[1, 2, 3, 4], [4, 0, 2, 1]])
    names = [name for name, _ in model.named_parameters()]

    def loss(*parameters):
        logits = torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (tokens,))
        return torch.nn.functional.cross_entropy(
            logits.double()[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()
        )

    parameters = tuple(p.detach().requires_grad_() for p in model.parameters())
    # The logits are single-precision numbers, so the steps must not be small.
    assert torch.autograd.gradcheck(loss, parameters, eps=1e-2, atol=3e-3, rtol=1e-2)


def test_a_token_changes_nothing_before_it():
    model = awake(model_of())
    tokens = torch.randint(11, (1, 10), generator=torch.Generator().manual_seed(2))
    changed = tokens.clone()
    changed[0, 6] = (changed[0, 6] + 1) % 11
    with torch.no_grad():
        first, second = model(tokens), model(changed)
    assert torch.equal(first[:, :6], second[:, :6])
    assert not torch.allclose(first[:, 6:], second[:, 6:])


def test_a_sequence_may_be_longer_than_those_of_training():
    """A stretch of text that is cut into more tokens than a sample of others once ended a run."""
    model = awake(model_of(longest=4))
    tokens = torch.randint(11, (1, 40), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        assert torch.allclose(model(tokens)[:, :9], model(tokens[:, :9]), atol=1e-5)


def test_logits_where_they_are_asked_for_are_those_of_all_places():
    model = awake(model_of())
    tokens = torch.randint(11, (3, 8), generator=torch.Generator().manual_seed(3))
    where = torch.rand(3, 8, generator=torch.Generator().manual_seed(4)) < 0.4
    with torch.no_grad():
        assert torch.allclose(model(tokens, where), model(tokens)[where], atol=1e-6)


def test_positions_matter_and_only_by_their_distance():
    model = awake(model_of())
    with torch.no_grad():
        alone = model(torch.tensor([[1, 2, 3]]))
        turned = model(torch.tensor([[2, 1, 3]]))
    assert not torch.allclose(alone[0, -1], turned[0, -1])


@pytest.mark.parametrize("shape", [(16, 2, 2), (32, 3, 4)])
def test_the_operations_counted_are_those_that_pytorch_counts(shape):
    settings = ModelSettings(*shape)
    model = model_of(settings, 40, 16)
    rows, length = 3, 12
    tokens = torch.randint(40, (rows, length))
    where = torch.zeros(rows, length, dtype=torch.bool)
    where[:, 5:9] = True
    with (
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        model(tokens, where).sum().backward()
    ours = step_flops(settings, 40, rows * length, length, int(where.sum()))
    # The first layer's input needs no gradient of its own matrices less than all others.
    assert counter.get_total_flops() == pytest.approx(ours, rel=0.02)


def test_the_rates_rise_stay_and_fall():
    settings = preset("cpu-tiny").train
    rates = [rate_at(step, settings) for step in range(settings.steps)]
    assert rates[0] == 1 / 8  # warmup is a fiftieth of 400 steps
    assert max(rates) == 1
    assert 0 < rates[-1] < 0.01
    top = rates.index(1.0)
    assert rates[:top] == sorted(rates[:top])
    assert rates[settings.steps // 2 :] == sorted(rates[settings.steps // 2 :], reverse=True)


@pytest.fixture(scope="module")
def arm(entries):
    return make_arm("bytes", [entry.word for entry in entries])


def weights(trained):
    return {name: parameter.detach().numpy().copy() for name, parameter in trained.model.named_parameters()}


def same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_a_run_that_was_cut_off_ends_the_same(tmp_path, arm, split):
    size = preset("cpu-test").with_steps(12)
    task = TASKS["insert"]
    whole = train(arm, task, split, size, seed=3)
    path = tmp_path / "checkpoint.pt"

    class Stop(Exception):
        pass

    def stop(state):
        if state.step >= 8:
            raise Stop

    with pytest.raises(Stop):
        train(arm, task, split, size, seed=3, checkpoint=path, checkpoint_steps=5, progress=stop)
    assert path.exists()
    resumed = train(arm, task, split, size, seed=3, checkpoint=path, checkpoint_steps=5)
    assert same(weights(whole), weights(resumed))
    assert (resumed.losses, resumed.tokens, resumed.flops) == (whole.losses, whole.tokens, whole.flops)
    assert not same(weights(whole), weights(train(arm, task, split, size, seed=4)))


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tmp_path, arm, split):
    path = tmp_path / "checkpoint.pt"
    size = preset("cpu-test").with_steps(4)
    train(arm, TASKS["spell"], split, size, seed=1, checkpoint=path, checkpoint_steps=2)
    with pytest.raises(ExperimentError, match="another run"):
        train(arm, TASKS["spell"], split, size, seed=2, checkpoint=path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(FormatError, match="damaged"):
        train(arm, TASKS["spell"], split, size, seed=1, checkpoint=path)
    assert path.read_bytes() == data[: len(data) // 2]


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_good_checkpoint(
    tmp_path, arm, split, monkeypatch
):
    path = tmp_path / "checkpoint.pt"
    size = preset("cpu-test").with_steps(12)
    losses = iter([1.0, 1.0, 1.0, float("nan")])
    cross_entropy = torch.nn.functional.cross_entropy
    monkeypatch.setattr("bpetok.lm.train.F.cross_entropy", lambda *args: cross_entropy(*args) * next(losses))
    with pytest.raises(ExperimentError, match=r"loss .* is nan by step 4"):
        train(arm, TASKS["spell"], split, size, seed=1, checkpoint=path, checkpoint_steps=2)
    kept = torch.load(path, weights_only=True)
    assert kept["counters"][0] == 2
    assert all(torch.isfinite(parameter).all() for parameter in kept["model"].values())


@pytest.mark.parametrize(
    ("share", "fitting", "remedy"),
    [(1.0, 9, "a batch of 8 fits"), (0.25, 3, "a batch of 8 fits"), (1.0, 0, "even a batch of one")],
)
def test_a_batch_that_does_not_fit_is_named_with_one_that_does(
    arm, split, monkeypatch, share, fitting, remedy
):
    monkeypatch.setattr(type(TASKS["spell"]), "share", share)
    forward = Model.forward

    def limited(self, tokens, where=None):
        if len(tokens) > fitting:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, tokens, where)

    monkeypatch.setattr(Model, "forward", limited)
    with pytest.raises(ExperimentError, match=rf"batch of 32 of bytes does not fit .*{remedy}"):
        train(arm, TASKS["spell"], split, preset("cpu-test").with_steps(2), seed=1)


def test_a_model_as_large_as_another():
    words = [entry.word for entry in load_words("phrasebook:ell_Grek", most=2_000)]
    size = preset("cpu-test")
    other, wide = make_arm("bpe:1000", words), make_arm("bytes+like:bpe:1000", words)

    def parameters(settings, arm):
        return sum(p.numel() for p in Model(settings, arm.n_symbols, 8).parameters())

    wanted, shape = parameters(size.model, other), shape_of(size, wide)
    # No other width that the heads allow comes nearer.
    step = 2 * shape.heads
    off = [
        abs(parameters(dataclasses.replace(shape, width=width), wide) - wanted)
        for width in (shape.width, shape.width - step, shape.width + step)
    ]
    assert off[0] == min(off)
    assert shape.width > size.model.width
    assert shape_of(size, other) == size.model


def first_step(arm, split, compiled=False):
    """The loss of a batch and its gradients, before an optimizer enlarges what rounding does to them."""
    batches = Batches(arm, TASKS["insert"], split, 3, 32)
    model = awake(Model(preset("cpu-test").model, arm.n_symbols, batches.longest))
    loss = float(_Loss(model, "cpu", False, compiled)(batches.at(0)))
    return loss, torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def assert_equal_but_for_rounding(found, wanted):
    (loss, gradient), (wanted_loss, wanted_gradient) = found, wanted
    assert loss == pytest.approx(wanted_loss, rel=1e-6)
    assert (gradient - wanted_gradient).norm() < 1e-5 * wanted_gradient.norm()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PyTorch's own
def test_a_compiled_model_is_the_same(arm, split):
    try:
        compiled = first_step(arm, split, compiled=True)
    except Exception as error:
        if type(error).__module__.startswith("torch._") and "compiler" in str(error).lower():
            pytest.skip(f"no C++ compiler for torch.compile: {error}")
        raise
    assert_equal_but_for_rounding(compiled, first_step(arm, split))


DDP = """
import os
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[3])
from test_model import WORDS, first_step
from bpetok.lm.arms import make_arm
from bpetok.lm.config import preset
from bpetok.lm.group import joined, rank
from bpetok.lm.run import Experiment, run
from bpetok.lm.tasks import TASKS
from bpetok.lm.train import train
from bpetok.lm.words import load_words, split_words
entries = load_words(WORDS)
arm = make_arm("bytes", [entry.word for entry in entries])
split = split_words(entries, test=0.25, validation=0.1)
with joined(on_gpu=False):
    found = first_step(arm, split)
    trained = train(arm, TASKS["insert"], split, preset("cpu-test").with_steps(5), seed=3)
    torch.save([found, trained.model.state_dict()], f"{sys.argv[1]}/{rank()}.pt")
    os.environ["WORLD_SIZE"] = "1"  # this group serves for the run, too
    whole = Experiment(("bytes",), ("insert",), "cpu-test", 1, words=WORDS, steps=2, rates=(1.0,))
    run(whole, Path(sys.argv[2]))
"""


def test_two_processes_train_the_same_model_as_one(tmp_path, arm, split):
    script = tmp_path / "train.py"
    script.write_text(DDP)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    given = [str(script), str(tmp_path), str(tmp_path / "run"), str(Path(__file__).parent)]
    ended = subprocess.run([*command, *given], capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    alone = first_step(arm, split)
    (first, weights), (second, others) = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    for found in (first, second):
        assert_equal_but_for_rounding(found, alone)
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    # Both asked their part of the items, and one wrote the answers to all, in their order.
    kept = json.loads((tmp_path / "run" / "runs" / "bytes-insert-examples-0.json").read_text())
    items = json.loads((tmp_path / "run" / "items" / "insert.json").read_text())
    assert len(kept["answers"]) == len(items)
    right = (item["answer"] == answer for item, answer in zip(items, kept["answers"], strict=True))
    assert kept["right"] == "".join(str(int(one)) for one in right)
    assert kept["curve"][-1]["right"] == kept["right"][: len(items) // 2]


def test_bfloat16_trains(arm, split):
    size = preset("cpu-test").with_steps(60)
    trained = train(arm, TASKS["spell"], split, size, seed=1, autocast=True)
    assert trained.losses[-1][1] < 0.75 * trained.losses[0][1]


def test_batches_hold_what_the_items_say(arm, entries):
    items = draw_items(TASKS["insert"].prepare(entries), 9, 1)
    batch = batch_of(arm, items)
    targets = iter(batch.targets.tolist())
    for row, item in enumerate(items):
        written = [next(targets) for _ in range(int(batch.where[row].sum()))]
        assert arm.spell(written[:-1]) == item.answer
        places = np.flatnonzero(batch.where[row])
        assert batch.tokens[row, places[1:]].tolist() == written[:-1]
        assert places[0] == len(arm.prompt(item)) - 1


def test_a_small_model_learns_to_spell_and_what_it_says_is_greedy(arm, entries, split):
    size = preset("cpu-test").with_steps(150)
    trained = train(arm, TASKS["spell"], split, size, seed=1)
    items = draw_items(TASKS["spell"].prepare(split.train), 40, 9)
    given = answers(trained.model, arm, items, longest=14)
    assert given == [answers(trained.model, arm, [item], longest=14)[0] for item in items]
    for item, answer in zip(items[:5], given, strict=False):
        symbols = arm.prompt(item)
        for _ in range(14):
            logits = trained.model(torch.tensor([symbols]))[0, -1]
            if int(logits.argmax()) == 2:
                break
            symbols.append(int(logits.argmax()))
        assert arm.spell(symbols[len(arm.prompt(item)) :]) == answer
    assert sum(item.is_right(answer) for item, answer in zip(items, given, strict=True)) >= 20
