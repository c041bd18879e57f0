"""What a model, its training and an experiment are made of: plain, immutable settings, and the presets."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from bpetok.errors import TrainingError

__all__ = ["PRESETS", "ModelSettings", "Preset", "TrainSettings", "preset"]


@dataclass(frozen=True)
class ModelSettings:
    """The shape of a model.

    Attributes:
        width: of the residual stream (d).
        layers: how many blocks.
        heads: how many attention heads; `width` is a multiple of twice their number.
    """

    width: int
    layers: int
    heads: int

    def __post_init__(self) -> None:
        if min(self.width, self.layers, self.heads) < 1 or self.width % (2 * self.heads):
            raise TrainingError(
                f"a model of width {self.width} cannot have {self.heads} heads: the width must be a "
                "multiple of twice the number of heads, and all three numbers positive"
            )

    @property
    def trunk_parameters(self) -> int:
        """Parameters without the embedding: 12 d² a layer."""
        return 12 * self.width**2 * self.layers

    def as_large_as(self, n_symbols: int, n_like: int) -> ModelSettings:
        """The shape with a wider trunk, so that with `n_symbols` embeddings it has about as many parameters
        as this one with `n_like`."""
        wanted = self.trunk_parameters + n_like * self.width
        step = 2 * self.heads
        return min(
            (replace(self, width=width) for width in range(step, self.width * 32, step)),
            key=lambda shape: abs(shape.trunk_parameters + n_symbols * shape.width - wanted),
        )


@dataclass(frozen=True)
class TrainSettings:
    """How a model is trained.

    Attributes:
        batch: sequences a step.
        steps: optimizer steps.
        matrix_rate: learning rate of the matrices (Muon).
        embedding_rate: learning rate of the embedding (AdamW).
        warmup: share of the steps in which the rates rise from zero.
        cooldown: share of the steps at the end in which they fall to zero.
        weight_decay: of the matrices.
    """

    batch: int = 64
    steps: int = 800
    matrix_rate: float = 0.02
    embedding_rate: float = 0.01
    warmup: float = 0.02
    cooldown: float = 0.5
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        if self.batch < 1 or self.steps < 1:
            raise TrainingError(f"batch {self.batch} and steps {self.steps} must be at least 1")
        if not (0 <= self.warmup <= 1 and 0 <= self.cooldown <= 1):
            raise TrainingError(
                f"warmup {self.warmup} and cooldown {self.cooldown} are shares of the steps, from 0 to 1"
            )


@dataclass(frozen=True)
class Preset:
    """A size of experiment: a model, its training, and how much is tested."""

    name: str
    model: ModelSettings
    train: TrainSettings
    test_items: int

    def with_batch(self, batch: int) -> Preset:
        """The same with another number of sequences a step."""
        return replace(self, train=replace(self.train, batch=batch))

    def with_steps(self, steps: int) -> Preset:
        """The same with another number of steps."""
        return replace(self, train=replace(self.train, steps=steps))

    def scaled(self, factor: float) -> Preset:
        """The same with both learning rates times a factor."""
        train = self.train
        return replace(
            self,
            train=replace(
                train,
                matrix_rate=train.matrix_rate * factor,
                embedding_rate=train.embedding_rate * factor,
            ),
        )

    def spec(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def _of(name: str, shape: tuple[int, int, int], batch: int, steps: int, test_items: int) -> Preset:
    return Preset(name, ModelSettings(*shape), TrainSettings(batch=batch, steps=steps), test_items)


PRESETS = {
    one.name: one
    for one in (
        _of("cpu-test", (48, 2, 2), 32, 60, 64),
        _of("cpu-tiny", (96, 3, 3), 64, 400, 512),
        _of("cpu-small", (192, 4, 6), 64, 2_000, 1_024),
        _of("gpu-10m", (320, 8, 5), 256, 4_000, 2_048),
        _of("gpu-30m", (512, 10, 8), 256, 8_000, 2_048),
        _of("gpu-100m", (768, 14, 12), 512, 10_000, 4_096),
        _of("gpu-350m", (1_152, 22, 18), 512, 20_000, 4_096),
    )
}


def preset(name: str) -> Preset:
    """The preset of a name, or of a shape: "64x2x4" for a width of 64, 2 layers and 4 heads.

    Raises:
        TrainingError: there is none, or no model has such a shape.
    """
    if name in PRESETS:
        return PRESETS[name]
    if re.fullmatch(r"[0-9]+x[0-9]+x[0-9]+", name):
        width, layers, heads = map(int, name.split("x"))
        return _of(name, (width, layers, heads), 64, 400, 512)
    raise TrainingError(
        f"there is no preset {name!r}: use one of {', '.join(PRESETS)}, or WIDTHxLAYERSxHEADS"
    )
