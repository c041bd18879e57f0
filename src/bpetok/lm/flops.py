"""What training costs in floating-point operations, and how much of a device that uses.

A multiplication with an addition counts as two operations. Forward and backward together cost three times
the forward pass (Kaplan et al. 2020): 6 a token for each parameter of the trunk, 6 V d for each place
where logits are computed, and 12 L d T a token for the scores of attention and what they weigh, T being
the length of the sequence.
"""

from __future__ import annotations

from bpetok.lm.config import ModelSettings

__all__ = ["PEAKS", "step_flops", "utilisation"]

# Dense bfloat16 operations a second, as the makers state them.
PEAKS = {
    "NVIDIA A100": 312e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H200": 989e12,
    "NVIDIA L4": 121e12,
    "NVIDIA L40S": 362e12,
    "NVIDIA GeForce RTX 4090": 165e12,
}


def step_flops(settings: ModelSettings, n_vocab: int, tokens: int, length: int, places: int) -> int:
    """Operations of one training step.

    Args:
        settings: the model.
        n_vocab: how many tokens the softmax has.
        tokens: in the batch, padding included.
        length: of its sequences.
        places: where logits are computed.
    """
    trunk = 6 * settings.trunk_parameters * tokens
    attention = 12 * settings.layers * settings.width * length * tokens
    return trunk + attention + 6 * n_vocab * settings.width * places


def utilisation(flops_per_second: float, machine: str, devices: int = 1) -> float | None:
    """The share of the peak of devices that work together, or None for a kind that is not in the table.

    >>> utilisation(1978e11, "NVIDIA H100 80GB HBM3")
    0.2
    """
    # The longest name that fits: one maker's L40S is not an L4.
    names = [name for name in PEAKS if machine.startswith(name)]
    return flops_per_second / PEAKS[max(names, key=len)] / devices if names else None
