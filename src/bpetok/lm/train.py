"""Training of one model: one arm, one task, one seed. A run that was cut off goes on, bit for bit."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel

from bpetok.errors import ExperimentError, FormatError
from bpetok.formats.atomic import write_files
from bpetok.lm.arms import Arm
from bpetok.lm.config import ModelSettings, Preset
from bpetok.lm.data import Batch, batch_of, draw_items, longest_sequence, share_of, taught
from bpetok.lm.flops import step_flops, utilisation
from bpetok.lm.group import processes, rank
from bpetok.lm.model import Model
from bpetok.lm.optim import Optimizer
from bpetok.lm.tasks import TASKS, Task
from bpetok.lm.words import Split

__all__ = ["Batches", "Point", "Progress", "Trained", "machine_name", "shape_of", "train"]

_CHECKPOINT = 3
# What tells seeds apart that are drawn from at one step.
_TAUGHT, _CUTS = 1, 2
_SIZING = 512  # items that say how long sequences get


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: how many steps it has taken.
        steps: how many it is to take.
        loss: nats a target, the mean since the last report.
        tokens_per_second: padding included, since it was begun or gone on with.
        flops_per_second: operations, likewise.
        utilisation: what share of the device's peak that is; None for a device whose peak is not known.
    """

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    flops_per_second: float
    utilisation: float | None


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
    """

    model: Model
    losses: list[tuple[int, float]]
    curve: list[Point]
    seconds: list[float]
    tokens: int
    flops: int


def shape_of(preset: Preset, arm: Arm) -> ModelSettings:
    """The shape of an arm's model: the preset's, or a wider one that has as many parameters as that of the
    arm that it is to be like."""
    return preset.model if arm.like is None else preset.model.as_large_as(arm.n_symbols, arm.like)


def machine_name(device: str) -> str:
    """What kind of machine a device of PyTorch is: that of a GPU by its maker's name."""
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return platform.processor() or platform.machine()


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
    compiled: bool = False,
    measure: Callable[[Model], Any] | None = None,
    measure_at: Sequence[int] = (),
    progress: Callable[[Progress], None] | None = None,
) -> Trained:
    """Train a model. In a process group of `torch.distributed` the batches are shared out, and every process
    has the same model at the end.

    Args:
        seed: of the parameters and of the items; the item at a step depends on nothing else.
        checkpoint: a file to go on from if it is there, and to write every `checkpoint_steps` steps.
        device: as PyTorch names it.
        autocast: whether matrices are multiplied in bfloat16.
        compiled: whether the trunk is compiled.
        measure: gives what a point of the curve holds, as plain data; it must change nothing.
        measure_at: the steps after which it is called.

    Raises:
        ExperimentError: the loss is no number; a batch does not fit into memory; the checkpoint is of
            another run.
        FormatError: the checkpoint is damaged.
    """
    settings = preset.train
    shape = shape_of(preset, arm)
    batches = Batches(arm, task, split, seed, settings.batch)
    model = Model(shape, arm.n_symbols, batches.longest)
    model.reset(torch.Generator().manual_seed(seed))
    model.to(device)
    optimizer = Optimizer(model, settings)
    loss_of = _Loss(model, device, autocast, compiled)
    identity = {
        "version": _CHECKPOINT,
        "arm": arm.name,
        "task": task.name,
        "seed": seed,
        "preset": preset.spec(),
        "n_symbols": arm.n_symbols,
    }
    step, since, flops, tokens, seconds = 0, 0, 0, 0, 0.0
    total = torch.zeros((), device=device)
    losses: list[tuple[int, float]] = []
    curve: list[Point] = []
    times: list[float] = []
    if checkpoint is not None and checkpoint.exists():
        kept = _read(checkpoint, identity)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        step, since, flops, tokens, seconds = kept["counters"]
        total += kept["total"]
        losses = [(int(at), float(loss)) for at, loss in kept["losses"]]
        curve = [Point(*point) for point in kept["curve"]]
        times = list(kept["times"])
    # The clock runs on while others use the processor; only a GPU's own time is not seen otherwise.
    clock = time.process_time if device == "cpu" else time.perf_counter
    report, machine = max(1, settings.steps // 40), machine_name(device)
    began, began_tokens, began_flops, mark = time.perf_counter(), tokens, flops, clock()
    while step < settings.steps:
        batch = batches.at(step)
        # Nothing here waits for the device: the next batch is made while it computes.
        try:
            total += loss_of(batch)
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            raise _too_large(arm, batches, step, loss_of, optimizer) from error
        optimizer.step(step)
        rows, length = batch.tokens.shape
        tokens += rows * length
        flops += step_flops(shape, arm.n_symbols, rows * length, length, len(batch.targets))
        step, since = step + 1, since + 1
        reported = step % report == 0 or step == settings.steps
        kept_now = checkpoint is not None and step % checkpoint_steps == 0 and step < settings.steps
        if (reported or kept_now) and not (_finite(total) and all(map(_finite, model.parameters()))):
            raise ExperimentError(
                f"the loss of {arm.name} on {task.name} (seed {seed}) is {float(total) / since} by step "
                f"{step}: lower the learning rates; the last checkpoint is untouched"
            )
        if reported:
            losses.append((step, float(total) / since))
            total.zero_()
            since = 0
            if progress is not None:
                passed = time.perf_counter() - began
                pace = (flops - began_flops) / passed
                progress(
                    Progress(
                        step,
                        settings.steps,
                        losses[-1][1],
                        (tokens - began_tokens) / passed,
                        pace,
                        utilisation(pace, machine, processes()),
                    )
                )
        if measure is not None and step in measure_at:
            seconds += clock() - mark
            curve.append(Point(step, tokens, flops, measure(model)))
            times.append(seconds)
            mark = clock()
        if kept_now and checkpoint is not None and rank() == 0:
            _write(
                checkpoint,
                {
                    "identity": identity,
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "counters": [step, since, flops, tokens, seconds + clock() - mark],
                    "total": total,
                    "losses": losses,
                    "curve": [astuple(point) for point in curve],
                    "times": times,
                },
            )
    return Trained(model, losses, curve, times, tokens, flops)


class Batches:
    """The batch of every step, the same however training got there.

    Args:
        arm: how words are cut.
        task: what is asked.
        split: the words; those of training are asked about.
        seed: of the items.
        size: sequences a step, of which the task takes its share.
    """

    def __init__(self, arm: Arm, task: Task, split: Split, seed: int, size: int) -> None:
        self.arm, self.seed, self.size, self.share = arm, seed, task.step_items(size), task.share
        self._draw = task.prepare(split.train)
        self._spell = None
        if arm.changes.taught:
            every = (*split.train, *split.validation, *split.test)
            self._spell = TASKS["spell"].prepare(every)
        sample = draw_items(self._draw, _SIZING, seed, 1 << 40)
        self.longest = longest_sequence(arm, sample)
        if arm.changes.dropout or arm.changes.stochastok:
            self.longest *= 4

    def at(self, step: int) -> Batch:
        """The batch of a step."""
        items = draw_items(self._draw, self.size, self.seed, step)
        if self._spell is not None:
            items = taught(items, draw_items(self._spell, self.size, self.seed, step, _TAUGHT))
        return batch_of(self.arm, items, np.random.default_rng((self.seed, step, _CUTS)))


class _Loss:
    """The gradients of a batch, or in a process group of this process's part of it, summed over all."""

    def __init__(self, model: Model, device: str, autocast: bool, compiled: bool) -> None:
        self.device, self.autocast = device, autocast
        # `dynamic` stays off: lengths are rounded up, so that few shapes occur.
        self.model: torch.nn.Module = model
        if compiled:
            self.model = cast("torch.nn.Module", torch.compile(model, dynamic=False))
        self.processes = processes()
        if self.processes > 1:
            ids = None if device == "cpu" else [torch.device(device).index or 0]
            self.model = DistributedDataParallel(self.model, device_ids=ids)

    def __call__(self, batch: Batch) -> torch.Tensor:
        """Add up the gradients, and give the mean loss of the whole batch."""
        part = batch if self.processes == 1 else share_of(batch, rank(), self.processes)
        inputs, where, targets = (
            _to(array, self.device) for array in (part.tokens, part.where, part.targets)
        )
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.autocast):
            logits = self.model(inputs, where)
        if self.processes == 1:
            loss = F.cross_entropy(logits, targets)
            loss.backward()
            return loss.detach()
        # Processes have different numbers of targets: each weighs by its own, and DDP divides by theirs.
        loss = F.cross_entropy(logits, targets, reduction="sum") * (self.processes / len(batch.targets))
        loss.backward()
        mean = loss.detach().clone()
        dist.all_reduce(mean)
        return mean / self.processes


def _finite(tensor: torch.Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in str(error)


def _too_large(
    arm: Arm, batches: Batches, step: int, loss_of: _Loss, optimizer: Optimizer
) -> ExperimentError:
    """An error that says with what batch the step fits into memory, found by halving."""
    size, tried = batches.size, batches.size // 2
    while tried:
        for part in optimizer.parts:
            part.zero_grad(set_to_none=True)
        if loss_of.device.startswith("cuda"):
            torch.cuda.empty_cache()
        batches.size = tried
        try:
            loss_of(batches.at(step))
            break
        except (MemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            tried //= 2
    # A task takes its share of a batch.
    size, fits = (int(items / batches.share) for items in (size, tried))
    remedy = (
        f"a batch of {fits} fits (--batch {fits})"
        if tried
        else "even a batch of one does not fit: use a smaller preset or another device"
    )
    return ExperimentError(
        f"a batch of {size} of {arm.name} does not fit into the memory of {loss_of.device}: {remedy}; the "
        "last checkpoint is untouched"
    )


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
