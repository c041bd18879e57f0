"""Processes that do one thing at a time, so that what is measured meets nothing that came before it."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self


class Worker:
    """A fresh Python process that calls functions when it is asked to.

    Args:
        cpus: the processors that it may use, from its beginning; none for all.
    """

    def __init__(self, cpus: Sequence[int] = ()) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, cpus), daemon=True)
        self.process.start()
        theirs.close()

    def ask(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a function of a module there, and wait for what it returns."""
        self.pipe.send((function, arguments))
        try:
            answer, error = self.pipe.recv()
        except EOFError:
            self.process.join()
            raise RuntimeError(f"the process ended with code {self.process.exitcode}") from None
        if error is not None:
            raise RuntimeError(f"in the process of its own: {error}")
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipe.close()  # which ends `serve`
        self.process.join()


def serve(pipe: Connection, cpus: Sequence[int]) -> None:
    """Answer until the other side closes."""
    if cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cpus)
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        answer, error = None, None
        try:
            answer = function(*arguments)
        except Exception:
            error = traceback.format_exc()
        pipe.send((answer, error))


def processors() -> list[int]:
    """Those that this process may use; empty where a process cannot be bound to some."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
