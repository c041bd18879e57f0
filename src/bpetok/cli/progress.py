"""How far a training run has come, as a bar on the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bpetok.counting import Progress, ProgressCallback


@contextmanager
def bar(n_bytes: int | None = None) -> Iterator[ProgressCallback | None]:
    """A callback for `train` that draws on standard error; None where that is not a terminal.

    Args:
        n_bytes: size of the corpus, where it is known beforehand.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description:<17}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def update(progress: Progress) -> None:
            if progress.stage not in tasks:
                for earlier in tasks.values():
                    bars.stop_task(earlier)
                tasks[progress.stage] = bars.add_task(progress.text, total=None, amount="")
            total = n_bytes if progress.unit == "bytes" else progress.total
            amount = f"{progress.done / 1e6:,.0f} MB" if progress.unit == "bytes" else f"{progress.done:,}"
            bars.update(tasks[progress.stage], completed=progress.done, total=total, amount=amount)

        yield update
