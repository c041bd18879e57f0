"""How far a training run has come, as a bar on the terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bpetok.counting import Progress, ProgressCallback


@contextmanager
def bar(n_bytes: int | None = None) -> Iterator[ProgressCallback | None]:
    """A callback for `train` and `tally` that draws on standard error; None where that is not a terminal.

    Args:
        n_bytes: size of the corpus, where it is known beforehand and the files do not tell.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        TaskID,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description:<17}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),  # -:--:-- where the total is not known
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}
        began: dict[str, float] = {}

        def update(progress: Progress) -> None:
            if progress.stage not in tasks:
                for earlier in tasks.values():
                    bars.stop_task(earlier)
                tasks[progress.stage] = bars.add_task(progress.text, total=None, amount="")
                began[progress.stage] = bars.get_time()
            amount, total = f"{progress.done:,}", progress.total
            if progress.unit == "bytes":
                total = total or n_bytes
                seconds = bars.get_time() - began[progress.stage]
                rate = f", {progress.done / seconds / 1e6:,.0f} MB/s" if seconds > 0.1 else ""
                amount = f"{progress.done / 1e6:,.0f} MB{rate}"
            bars.update(tasks[progress.stage], completed=progress.done, total=total, amount=amount)

        yield update
