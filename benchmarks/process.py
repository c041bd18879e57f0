"""Processes that do one thing at a time, so that what is measured meets nothing that came before it."""

import multiprocessing
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CLOSING = 10  # seconds


class AskError(RuntimeError):
    """The process did not answer: what was called raised an exception, or it crashed, or took too long."""


class Worker:
    """A fresh Python process that calls functions when it is asked to.

    Args:
        cpus: the processors that it may use, from its beginning; none for all.
        environment: variables that it has, from its beginning.
    """

    def __init__(self, cpus: Sequence[int] = (), environment: Mapping[str, str] | None = None) -> None:
        # Not by `multiprocessing.Process`: it would import again what the main module here has imported.
        self.pipe, theirs = multiprocessing.Pipe()
        command = [sys.executable, "-m", "bpetok_bench.process", str(theirs.fileno()), *map(str, cpus)]
        variables = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=variables)
        theirs.close()

    def ask(self, function: Callable[..., Any], *arguments: object, limit: float | None = None) -> Any:
        """Call a function of a module there, and wait for what it returns.

        Args:
            limit: after so many seconds the process is killed.

        Raises:
            AskError: in any case but success. Unless `alive`, the process is of no use any more.
        """
        try:
            self.pipe.send((function, arguments))
            if not self.pipe.poll(limit):
                self.process.kill()
                raise AskError(f"it took more than {limit:g} s")
            answer, error = self.pipe.recv()
        except (EOFError, ConnectionError):
            raise AskError(f"the process ended with code {self.process.wait()}") from None
        if error is not None:
            raise AskError(error)
        return answer

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        self.pipe.close()  # which ends `serve`, unless it is still at work
        try:
            self.process.wait(CLOSING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
        except BaseException as raised:  # a panic of a library in Rust is no Exception
            error = "".join(traceback.format_exception_only(raised)).strip()
            error += f" ({where(raised)})"
        pipe.send((answer, error))


def where(error: BaseException) -> str:
    """The innermost line of Python in which an exception was raised."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def processors() -> list[int]:
    """Those that this process may use; empty where a process cannot be bound to some."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def memory(field: str) -> int:
    """A field of Linux's account of this process, in bytes; 0 elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])), [int(cpu) for cpu in sys.argv[2:]])
