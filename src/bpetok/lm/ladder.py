"""A ladder: language models of plain text in several sizes, of every arm.

A rung is an ordinary experiment in a folder of its own, named by its shape (`64x2x4/`), with one task, the
text, and one budget. So training, going on after a break, processes side by side and the files are those of
`bpetok.lm.run`, and a job need not know of sizes. `ladder.json` beside the rungs says which belong
together; the fit over them is in `bpetok.lm.scaling`.

The rungs differ in width alone. A rung of N trunk parameters (12 d² a layer) reads `bytes_per_parameter`
times N bytes of text, the same stretches for every arm: so data grows in step with the model, which is about
what Hoffmann et al. (2022) find best, and operations grow with about N². Embeddings do not count in N, or
arms with more tokens would read more. The number is the same for all arms: none has been tuned for one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bpetok.errors import TrainingError
from bpetok.lm.config import ModelSettings
from bpetok.lm.folder import write
from bpetok.lm.power_law import LEAST_POINTS
from bpetok.lm.run import Experiment, Machine, Report, check_same, run, serves
from bpetok.lm.tasks import TASKS
from bpetok.lm.texts import WINDOW, load_texts

__all__ = ["Ladder", "climb"]

_VERSION = 1
_HEAD = 16  # width of an attention head
_SOURCE = "docstrings"
_PROCESSOR = Machine()


@dataclass(frozen=True)
class Ladder:
    """Which sizes of which arms are trained, and how long.

    Attributes:
        arms: tokenizers, see `bpetok.lm.arms.make_arm`.
        widths: of the models, at least four, multiples of 16: attention heads are 16 wide.
        layers: of every model.
        seeds: how many models are trained of each arm and width, at least two: what lies between them is
            what intervals are made of.
        bytes_per_parameter: of text that is read, for each parameter of the trunk.
        batch: sequences a step, of which texts take a quarter.
        text: "docstrings", or the path of a text file in UTF-8.
        rates: factors of the learning rates that are tried for each arm and width, each for a third of the
            steps, on the validation side of the text.
    """

    arms: tuple[str, ...]
    widths: tuple[int, ...] = (32, 48, 64, 96, 128)
    layers: int = 2
    seeds: int = 3
    bytes_per_parameter: float = 20.0
    batch: int = 64
    text: str = _SOURCE
    rates: tuple[float, ...] = (0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        if len(set(self.widths)) < max(LEAST_POINTS, len(self.widths)):
            raise TrainingError(
                f"widths {', '.join(map(str, self.widths))}: give {LEAST_POINTS} or more, and each once; to "
                "fewer points, a law of three parameters fits whatever they are"
            )
        for width in self.widths:
            if width < _HEAD or width % _HEAD:
                raise TrainingError(f"a width of {width} is not a multiple of {_HEAD}: use one that is")
        if self.seeds < 2:
            raise TrainingError(
                f"{self.seeds} seeds: give two or more, since intervals are made of what lies between them"
            )
        if not 0 < self.bytes_per_parameter < math.inf:
            raise TrainingError(f"{self.bytes_per_parameter} bytes for a parameter: give a number above 0")
        for arm in self.arms:
            if not serves(arm, "text"):
                raise TrainingError(
                    f"the arm {arm!r} changes words one by one, and no text is cut so: leave the change out"
                )
        for width in self.widths:
            self.rung(width)

    def name(self, width: int) -> str:
        """The shape of a rung, and its folder."""
        return f"{width}x{self.layers}x{width // _HEAD}"

    def trunk_parameters(self, width: int) -> int:
        """Parameters of a rung without the embedding."""
        return ModelSettings(width, self.layers, width // _HEAD).trunk_parameters

    def steps(self, width: int) -> int:
        """How many steps a rung is trained."""
        wanted = self.bytes_per_parameter * self.trunk_parameters(width)
        return max(1, round(wanted / (WINDOW * TASKS["text"].step_items(self.batch))))

    def rung(self, width: int) -> Experiment:
        """The experiment with the models of a width."""
        is_own = self.text != _SOURCE
        task = f"text@text:{self.text}" if is_own else "text"
        return Experiment(
            arms=self.arms,
            tasks=(task,),
            preset=self.name(width),
            seeds=self.seeds,
            words=f"text:{self.text}" if is_own else self.text,
            steps=self.steps(width),
            batch=self.batch,
            rates=self.rates,
            sweep_tasks=(task,),
        )

    def spec(self) -> dict[str, Any]:
        """As plain data."""
        return {"version": _VERSION, **json.loads(json.dumps(asdict(self)))}


def climb(
    ladder: Ladder,
    folder: Path,
    *,
    processes: int = 1,
    machine: Machine = _PROCESSOR,
    progress: Callable[[Report], None] | None = None,
) -> None:
    """Train every model of a ladder that the folder has no results of, from the smallest to the largest.

    A ladder may grow: by arms behind the first, widths and seeds. Arguments and errors are those of
    `bpetok.lm.run.run`.

    Raises:
        CorpusError: the text cannot be read, or is too short.
    """
    path = folder / "ladder.json"
    if path.exists():
        check_same(path, ladder.spec())
    text = sum(len(entry.word.encode()) for entry in load_texts(ladder.text).train)
    folder.mkdir(parents=True, exist_ok=True)
    write(path, {**ladder.spec(), "text_bytes": text})
    widths = sorted(ladder.widths)
    for at, width in enumerate(widths):

        def show(report: Report, at: int = at) -> None:
            if progress is not None:
                # Every rung has as many models.
                done, total = at * report.total + report.done, len(widths) * report.total
                progress(Report(done, total, report.running))

        run(
            ladder.rung(width),
            folder / ladder.name(width),
            processes=processes,
            machine=machine,
            progress=show,
        )
