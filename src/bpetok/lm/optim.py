"""The optimizer: Muon for the matrices of the trunk, AdamW for the embedding; and the schedule of their
rates."""

from __future__ import annotations

from typing import Any

import torch

from bpetok.lm.config import TrainSettings
from bpetok.lm.model import Model
from bpetok.lm.muon import Muon

__all__ = ["Optimizer", "rate_at"]


def rate_at(step: int, settings: TrainSettings) -> float:
    """The share of the full learning rate at a step: up, level, and down to zero, all linear."""
    rise = max(1, round(settings.steps * settings.warmup))
    fall = max(1, round(settings.steps * settings.cooldown))
    return min(1.0, (step + 1) / rise, (settings.steps - step) / fall)


class Optimizer:
    """Both optimizers as one."""

    def __init__(self, model: Model, settings: TrainSettings) -> None:
        self.settings = settings
        matrices = Muon(model.matrices(), settings.matrix_rate, weight_decay=settings.weight_decay)
        embedding = torch.optim.AdamW(
            [model.embedding.weight],
            lr=settings.embedding_rate,
            betas=(0.9, 0.95),
            weight_decay=0.0,
            fused=model.embedding.weight.device.type in ("cpu", "cuda"),
        )
        self.parts: tuple[torch.optim.Optimizer, ...] = (matrices, embedding)
        self._full = [part.param_groups[0]["lr"] for part in self.parts]

    def step(self, step: int) -> None:
        """Take a step with the gradients, which are gone after it."""
        share = rate_at(step, self.settings)
        for part, full in zip(self.parts, self._full, strict=True):
            part.param_groups[0]["lr"] = full * share
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a checkpoint was made."""
        for part, kept in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(kept)
