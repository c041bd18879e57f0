"""Answers: what a model writes, greedily, symbol by symbol."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from bpetok.lm.arms import END, PAD, Arm
from bpetok.lm.data import batch_of
from bpetok.lm.model import Model
from bpetok.lm.tasks import Item

__all__ = ["answers", "nats"]


@torch.inference_mode()
def answers(model: Model, arm: Arm, items: Sequence[Item], *, longest: int, at_once: int = 512) -> list[str]:
    """What the model answers to each item.

    Args:
        longest: symbols of an answer, at most; what is not ended by then counts as it is.
        at_once: items in a batch.
    """
    device = model.embedding.weight.device
    model.eval()
    out: list[str] = []
    for first in range(0, len(items), at_once):
        prompts = [arm.prompt(item) for item in items[first : first + at_once]]
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=device)
        tokens = torch.full((len(prompts), int(lengths.max()) + longest), PAD, device=device)
        for at, prompt in enumerate(prompts):
            tokens[at, : len(prompt)] = torch.tensor(prompt, device=device)
        open_ = torch.arange(len(prompts), device=device)  # the rows that have not ended
        for step in range(longest):
            ends = lengths[open_] + step
            seen = tokens[open_, : int(ends.max())]
            where = F.one_hot(ends - 1, seen.shape[1]).bool()
            following = model(seen, where).argmax(dim=-1)
            goes_on = following != END
            open_, following, ends = open_[goes_on], following[goes_on], ends[goes_on]
            if not len(open_):
                break
            tokens[open_, ends] = following
        for row, prompt in zip(tokens.tolist(), prompts, strict=True):
            written = row[len(prompt) : len(prompt) + longest]
            out.append(arm.spell(written[: written.index(PAD)] if PAD in written else written))
    model.train()
    return out


@torch.inference_mode()
def nats(model: Model, arm: Arm, items: Sequence[Item], *, at_once: int = 64) -> list[float]:
    """The loss of the model on each answer, in nats, summed over its symbols."""
    device = model.embedding.weight.device
    model.eval()
    out: list[float] = []
    for first in range(0, len(items), at_once):
        batch = batch_of(arm, items[first : first + at_once])
        tokens, where, targets = (
            torch.from_numpy(array).to(device) for array in (batch.tokens, batch.where, batch.targets)
        )
        each = F.cross_entropy(model(tokens, where), targets, reduction="none").double()
        sums = torch.zeros(len(tokens), dtype=torch.float64, device=device)
        out += sums.index_add_(0, where.nonzero()[:, 0], each).tolist()
    model.train()
    return out
