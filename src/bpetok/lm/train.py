"""Training of one model: one arm, one task, one seed. A run that was cut off goes on, bit for bit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from bpetok.errors import ExperimentError, FormatError
from bpetok.formats.atomic import write_files
from bpetok.lm.arms import Arm
from bpetok.lm.config import Preset
from bpetok.lm.data import batch_of, draw_items, longest_sequence
from bpetok.lm.flops import step_flops
from bpetok.lm.model import Model
from bpetok.lm.optim import Optimizer
from bpetok.lm.tasks import Task
from bpetok.lm.words import Split

__all__ = ["Point", "Progress", "Trained", "train"]

_CHECKPOINT = 2
_SIZING = 512  # items that say how long sequences get


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    flops_per_second: float


@dataclass(frozen=True)
class Point:
    """The state of a model on its way.

    Attributes:
        step: how many steps it has taken.
        tokens: how many it saw, padding included.
        flops: what they cost.
        found: what was measured.
    """

    step: int
    tokens: int
    flops: int
    found: Any


@dataclass(frozen=True)
class Trained:
    """A trained model with the course of its training.

    Attributes:
        model: the model.
        losses: (step, nats a target) pairs, the mean since the pair before.
        curve: what was measured on the way.
        seconds: of the processor (of the clock, on another device), up to each point of the curve, without
            what measuring took.
        tokens: that it saw, padding included.
        flops: that it cost.
        optimizer: which ("muon", or "adamw" where that is missing).
    """

    model: Model
    losses: list[tuple[int, float]]
    curve: list[Point]
    seconds: list[float]
    tokens: int
    flops: int
    optimizer: str


def train(
    arm: Arm,
    task: Task,
    split: Split,
    preset: Preset,
    *,
    seed: int,
    checkpoint: Path | None = None,
    checkpoint_steps: int = 200,
    device: str = "cpu",
    autocast: bool = False,
    measure: Callable[[Model], Any] | None = None,
    measure_at: Sequence[int] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train a model.

    Args:
        seed: of the parameters and of the items; the item at a step depends on nothing else.
        checkpoint: a file to go on from if it is there, and to write every `checkpoint_steps` steps.
        device: as PyTorch names it.
        autocast: whether matrices are multiplied in bfloat16.
        measure: gives what a point of the curve holds, as plain data; it must change nothing.
        measure_at: the steps after which it is called.

    Raises:
        ExperimentError: the loss is no number; the checkpoint is of another run.
        FormatError: the checkpoint is damaged.
    """
    settings = preset.train
    draw = task.prepare(split.train)
    longest = longest_sequence(arm, draw_items(draw, _SIZING, seed, 1 << 40), spare=24)
    model = Model(preset.model, arm.n_symbols, longest)
    model.reset(torch.Generator().manual_seed(seed))
    model.to(device)
    optimizer = Optimizer(model, settings)
    identity = {
        "version": _CHECKPOINT,
        "arm": arm.name,
        "task": task.name,
        "seed": seed,
        "preset": preset.spec(),
        "n_symbols": arm.n_symbols,
    }
    step, total, since, flops, tokens, seconds = 0, 0.0, 0, 0, 0, 0.0
    losses: list[tuple[int, float]] = []
    curve: list[Point] = []
    times: list[float] = []
    if checkpoint is not None and checkpoint.exists():
        kept = _read(checkpoint, identity)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        step, total, since, flops, tokens, seconds = kept["counters"]
        losses = [(int(at), float(loss)) for at, loss in kept["losses"]]
        curve = [Point(*point) for point in kept["curve"]]
        times = list(kept["times"])
    # The clock runs on while others use the processor; only a GPU's own time is not seen otherwise.
    clock = time.process_time if device == "cpu" else time.perf_counter
    report = max(1, settings.steps // 40)
    began, began_tokens, began_flops, mark = time.perf_counter(), tokens, flops, clock()
    while step < settings.steps:
        batch = batch_of(arm, draw_items(draw, settings.batch, seed, step))
        inputs = _to(batch.tokens, device)
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=autocast):
            logits = model(inputs, _to(batch.where, device))
        loss = F.cross_entropy(logits, _to(batch.targets, device))
        loss.backward()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise ExperimentError(
                f"the loss of {arm.name} on {task.name} (seed {seed}) is {value} at step {step}: lower the "
                "learning rates; the last checkpoint is untouched"
            )
        optimizer.step(step)
        rows, length = batch.tokens.shape
        tokens += rows * length
        flops += step_flops(preset.model, arm.n_symbols, rows * length, length, len(batch.targets))
        step, total, since = step + 1, total + value, since + 1
        if step % report == 0 or step == settings.steps:
            losses.append((step, total / since))
            total, since = 0.0, 0
            if progress is not None:
                passed = time.perf_counter() - began
                progress(
                    Progress(
                        step,
                        settings.steps,
                        losses[-1][1],
                        (tokens - began_tokens) / passed,
                        (flops - began_flops) / passed,
                    )
                )
        if measure is not None and step in measure_at:
            seconds += clock() - mark
            curve.append(Point(step, tokens, flops, measure(model)))
            times.append(seconds)
            mark = clock()
        if checkpoint is not None and step % checkpoint_steps == 0 and step < settings.steps:
            _write(
                checkpoint,
                {
                    "identity": identity,
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "counters": [step, total, since, flops, tokens, seconds + clock() - mark],
                    "losses": losses,
                    "curve": [astuple(point) for point in curve],
                    "times": times,
                },
            )
    return Trained(model, losses, curve, times, tokens, flops, optimizer.kind)


def _to(array: Any, device: str) -> torch.Tensor:
    tensor = torch.from_numpy(array)
    if device.startswith("cuda"):
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor


def _write(path: Path, state: dict[str, Any]) -> None:
    import io

    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_files({str(path): buffer.getvalue()})


def _read(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        of = kept["identity"]
    except Exception as error:  # torch raises whatever its unpickler meets
        raise FormatError(
            f"{path} is a damaged checkpoint ({error}): delete it to begin this run anew"
        ) from error
    if of != identity:
        raise ExperimentError(f"{path} is the checkpoint of another run, {of}: use another folder")
    return kept
