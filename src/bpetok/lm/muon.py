"""Muon: steps of equal size in all directions of a matrix (Jordan et al. 2024).

`torch.optim.Muon` (2.9 and later) is the same optimizer, matrix by matrix and always in bfloat16. Processors
without instructions for that format take ten times as long for it as for single precision, and it is most of
what training a small model costs there. So here the format is the device's, and matrices of one shape are
dealt with together.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

__all__ = ["Muon", "orthogonalised"]

# A quintic that takes singular values between 0 and 1 to about 1 when it is applied five times.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


def orthogonalised(matrices: Tensor) -> Tensor:
    """The nearest matrices with equal singular values, about: Newton's and Schulz's iteration.

    Args:
        matrices: of shape (count, rows, columns), in the format that is computed in.

    Returns:
        The same shape and format; singular values lie between 0.7 and 1.2.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(_ITERATIONS):
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum with Nesterov's correction, orthogonalised, and decoupled weight decay.

    Args:
        matrices: the parameters, each of two dimensions.
        lr: the learning rate; a matrix with more rows than columns has it times the root of their ratio.
        momentum: the share of the momentum that is kept at a step.
        weight_decay: the share of a parameter that is taken off it at a step, times the rate.
    """

    def __init__(
        self, matrices: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Take a step with the gradients; a matrix without one stays as it is."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    alike.setdefault(matrix.shape, []).append(matrix)
            for (rows, columns), matrices in alike.items():
                directions = orthogonalised(self._directions(matrices, group["momentum"])).float()
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                for matrix, direction in zip(matrices, directions, strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-rate)

    def _directions(self, matrices: list[nn.Parameter], kept: float) -> Tensor:
        out = []
        for matrix in matrices:
            state = self.state[matrix]
            if not state:
                state["momentum"] = torch.zeros_like(matrix)
            gradient = cast("Tensor", matrix.grad)
            momentum = state["momentum"].lerp_(gradient, 1 - kept)
            out.append(gradient.lerp(momentum, kept))
        stacked = torch.stack(out)
        return stacked.bfloat16() if stacked.is_cuda else stacked
