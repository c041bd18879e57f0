"""Talking to a trained arm: a question in its tokens, and what the model writes.

A model's file holds no vocabulary, since the settings of its experiment say how that came about: the words
are read again and cut again. A word that is none of them is cut by the same tokenizer; it can be asked about
if the arm has a symbol for each of its tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bpetok.errors import ExperimentError, TrainingError
from bpetok.lm.arms import ASK, BEGIN, END, PAD, Arm
from bpetok.lm.folder import read
from bpetok.lm.model import Model
from bpetok.lm.run import Job, load_model, materials
from bpetok.lm.tasks import Item, Task
from bpetok.lm.words import Entry

__all__ = ["Choice", "Reply", "Speaker", "load_speaker", "models_of"]

_FIRST = 2  # symbols of a text's prompt that stay when it gets longer than the model has places


@dataclass(frozen=True)
class Choice:
    """How the next symbol is chosen.

    Attributes:
        temperature: what logits are divided by; 0 for the most likely symbol.
        top_k: of how many of the most likely symbols; None for all.
        seed: of the draws.
    """

    temperature: float = 0.0
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < math.inf:
            raise TrainingError(f"a temperature of {self.temperature}: give 0 or more")
        if self.top_k is not None and self.top_k < 1:
            raise TrainingError(f"a choice of {self.top_k} symbols: give 1 or more")

    def pick(self, logits: npt.NDArray[np.float32], rng: np.random.Generator) -> int:
        """One of the symbols.

        Args:
            logits: of each symbol, shape (symbols,).
            rng: what draws; not used at a temperature of 0.
        """
        if self.temperature == 0:
            return int(logits.argmax())
        scaled = logits.astype(np.float64) / self.temperature
        if self.top_k is not None and self.top_k < len(scaled):
            # Of equal ones the first, so that there are never more than asked for.
            scaled[np.argsort(-scaled, kind="stable")[self.top_k :]] = -np.inf
        weights = np.exp(scaled - scaled.max())
        return int(rng.choice(len(weights), p=weights / weights.sum()))


@dataclass(frozen=True)
class Reply:
    """What a model wrote.

    Attributes:
        item: what it was asked.
        prompt: the bytes of the tokens that it saw.
        written: the bytes of those that it wrote.
        answer: these as text; what is no plain character in a word's answer shows as U+FFFD.
        right: whether it is right; None where the task cannot tell.
    """

    item: Item
    prompt: tuple[bytes, ...]
    written: tuple[bytes, ...]
    answer: str
    right: bool | None


@dataclass(frozen=True)
class Speaker:
    """A trained model, with what it takes to ask it.

    Attributes:
        model: the model.
        arm: how words are cut.
        task: what is asked.
        entries: the words that the task knows.
    """

    model: Model
    arm: Arm
    task: Task
    entries: Sequence[Entry]

    def reply(self, line: str, choice: Choice = Choice(), length: int = 64) -> Reply:
        """What the model writes to a question, or how it goes on with a text.

        Args:
            line: a question as the task's `form` says.
            choice: how symbols are chosen.
            length: symbols that are written, at most.

        Raises:
            TrainingError: the line is no such question, or longer than those that the model was trained on.
            EncodeError: the arm never had a token of the word.
        """
        item = self.task.item(line, self.entries)
        prompt = self.arm.prompt(item)
        if item.is_text:
            prompt += self.arm.answer(item)
            written = list(self._text(prompt, choice, length))
            shown = tuple(self.arm.bytes_of(written))
            return Reply(
                item, tuple(self.arm.bytes_of(prompt)), shown, b"".join(shown).decode(errors="replace"), None
            )
        written = list(self._answer(prompt, choice, length))
        answer = self.arm.spell(written)
        # "" says that the task cannot tell.
        right = self.task.judge(self.entries)(item, answer) if item.answer else None
        return Reply(item, tuple(self.arm.bytes_of(prompt)), tuple(self.arm.bytes_of(written)), answer, right)

    def _answer(self, prompt: Sequence[int], choice: Choice, length: int) -> Iterator[int]:
        rng, symbols = np.random.default_rng(choice.seed), list(prompt)
        room = self.model.longest - len(symbols)
        if room < 1:
            raise TrainingError(
                f"the question is {len(symbols)} symbols long, and the model has {self.model.longest} "
                "places: ask about a shorter word"
            )
        for _ in range(min(length, room)):
            symbols.append(choice.pick(self._logits(symbols), rng))
            if symbols[-1] == END:
                return
            yield symbols[-1]

    def _text(self, prompt: Sequence[int], choice: Choice, length: int) -> Iterator[int]:
        """A text has no end; what does not fit is forgotten from its beginning on, for the model has learned
        from little longer ones."""
        rng, symbols, places = np.random.default_rng(choice.seed), list(prompt), self.model.longest
        for _ in range(length):
            if len(symbols) > places:
                symbols = [*symbols[:_FIRST], *symbols[_FIRST - places :]]
            logits = self._logits(symbols)
            logits[[PAD, BEGIN, END, ASK]] = -np.inf  # they are in no text
            symbols.append(choice.pick(logits, rng))
            yield symbols[-1]

    @torch.inference_mode()
    def _logits(self, symbols: Sequence[int]) -> npt.NDArray[np.float32]:
        where = torch.zeros((1, len(symbols)), dtype=torch.bool)
        where[0, -1] = True
        logits: npt.NDArray[np.float32] = self.model(torch.tensor([symbols]), where)[0].numpy()
        return logits


def models_of(folder: Path) -> list[tuple[str, str]]:
    """The arms and tasks that an experiment's folder has models of.

    Raises:
        ExperimentError: there is no experiment, or no model is trained yet.
    """
    settings = _settings(folder)
    found = [
        (arm, task)
        for arm in settings["arms"]
        for task in settings["tasks"]
        if _file(folder, arm, task).exists()
    ]
    if not found:
        raise ExperimentError(f"{folder} has no trained model yet: go on with `bpetok lm run`")
    return found


def load_speaker(folder: Path, arm: str, task: str) -> Speaker:
    """The model of an arm and a task with seed 0, as the experiment trained it.

    Raises:
        ExperimentError: it is not there, or its words are not what they were.
        FormatError: a file is damaged.
    """
    settings = _settings(folder)
    path = _file(folder, arm, task)
    if not path.exists():
        raise ExperimentError(
            f"{folder} has no model of {arm} on {task}: it has {_listed(models_of(folder))}"
        )
    model = load_model(path)
    asked, _, entries, split, made = materials(settings["words"], settings["n_words"], arm, task)
    if made.n_symbols != model.n_vocab:
        raise ExperimentError(
            f"the model of {arm} has {model.n_vocab} symbols, and its words give {made.n_symbols}: they are "
            "not what they were when it was trained; bring back the word list, or train again"
        )
    return Speaker(model, made, asked, split.train if asked.recalled else entries)


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "experiment.json"
    if (folder / "ladder.json").exists():
        raise ExperimentError(f"{folder} holds a ladder: name the folder of one of its sizes")
    if not path.exists():
        raise ExperimentError(f"{folder} holds no experiment: make one with `bpetok lm run -o {folder}`")
    settings: dict[str, Any] = read(path)
    return settings


def _file(folder: Path, arm: str, task: str) -> Path:
    return folder / "models" / f"{Path(Job(arm, task, 'examples', 0).file).stem}.pt"


def _listed(models: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{arm} on {task}" for arm, task in models)
