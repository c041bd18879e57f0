"""The engines of a measurement, each in a process of its own, and what they give compared."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

import bpetok
from bpetok_bench import engines, measure, vocabularies
from bpetok_bench.process import AskError, Worker

LOADING = 120  # seconds


class DifferentIdsError(Exception):
    """bpetok does not agree with the reference, so that no time says anything."""


class Team:
    """Processes of engines, begun when they are first asked; one that crashed or was ended is begun anew.

    Args:
        reference: the engine that is right.
        encoding: which vocabulary.
        folder: where its files are.
        threads: how many an engine may use.
        cpus: the processors of all.
    """

    def __init__(
        self, reference: str, encoding: str, folder: Path, threads: int, cpus: Sequence[int]
    ) -> None:
        self.reference, self.encoding, self.folder = reference, encoding, folder
        self.threads, self.cpus = threads, cpus
        self.workers: dict[str, Worker] = {}

    def ask(self, name: str, function: Callable[..., Any], *arguments: object, limit: float) -> Any:
        """Call a function in the process of an engine.

        Raises:
            AskError: it could not be loaded, or gave no answer.
        """
        if not self.has(name):
            self.begin(name).ask(measure.load, name, self.encoding, self.folder, self.threads, limit=LOADING)
        return self.workers[name].ask(function, *arguments, limit=limit)

    def ask_unloaded(self, name: str, function: Callable[..., Any], *arguments: object, limit: float) -> Any:
        """The same for a function that loads the engine itself, in a new process."""
        return self.begin(name).ask(function, name, self.encoding, self.folder, *arguments, limit=limit)

    def begin(self, name: str) -> Worker:
        if name in self.workers:
            self.workers.pop(name).close()
        self.workers[name] = Worker(self.cpus, {engines.THREADS: str(self.threads)})
        return self.workers[name]

    def has(self, name: str) -> bool:
        return name in self.workers and self.workers[name].alive

    def differences(self, answers: dict[str, Any]) -> dict[str, str]:
        """The engines whose last answers are not the reference's, with the first difference of each.

        Raises:
            DifferentIdsError: one of them is bpetok.
        """
        right = next((name for name in (self.reference, "bpetok") if name in answers), None)
        if right is None:
            return {}
        expected = answers[right]["digests"][0]
        found = {}
        for name, answer in answers.items():
            for call, digest in enumerate(answer["digests"]):
                if digest != expected and name not in found:
                    again = ", the second time" if call else ""
                    found[name] = self.first_difference(right, name, call) + again
        if "bpetok" in found or right in found:
            where = found.get("bpetok", found.get(right))
            raise DifferentIdsError(f"{self.encoding}: bpetok and {right} differ: {where}")
        return found

    def first_difference(self, right: str, name: str, call: int) -> str:
        try:
            expected, lengths = self.workers[right].ask(measure.kept_arrays, 0)
            found, own_lengths = self.workers[name].ask(measure.kept_arrays, call)
        except AskError as error:
            return f"at an unknown place: {error}"
        return describe(vocabularies.load(self.encoding, self.folder), expected, lengths, found, own_lengths)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self.workers.values():
            worker.close()


def describe(
    tokenizer: bpetok.Tokenizer,
    expected: npt.NDArray[np.generic],
    lengths: npt.NDArray[np.int64],
    found: npt.NDArray[np.generic],
    own_lengths: npt.NDArray[np.int64],
) -> str:
    """Where two arrays differ first, and with ids, in what text."""
    shorter = min(len(expected), len(found))
    at = int(np.argmax(np.append(expected[:shorter] != found[:shorter], True)))
    if at == len(expected) == len(found):
        return f"equal ids, in strings of {own_lengths[:4].tolist()} and not {lengths[:4].tolist()}"
    string = int(np.searchsorted(np.cumsum(lengths), at, "right"))
    begin = int(lengths[:string].sum())
    text = f"string {string}, item {at - begin}: {found[at : at + 4].tolist()}"
    text += f" and not {expected[at : at + 4].tolist()}"
    if expected.dtype == np.uint32:
        around = tokenizer.decode_bytes(expected[max(begin, at - 4) : at + 6])
        text += f", in {around!r}"
    return text
