"""What the commands share that train language models: options, and the bar of progress."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from bpetok.lm.run import Report
    from bpetok.lm.train import Progress

F = TypeVar("F", bound=Callable[..., Any])


def listed(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Names with commas between them, as the callback of an option."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _factors(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        factors = tuple(map(float, listed(ctx, param, value)))
    except ValueError:
        factors = ()
    if not all(0 < factor < math.inf for factor in factors or (0,)):
        raise click.BadParameter(f"{value!r}: write positive numbers with commas between them", ctx, param)
    return factors


rates_option = click.option(
    "--rates",
    default="0.5,1,2",
    show_default=True,
    callback=_factors,
    help="Multiples of the preset's learning rates, of which each arm takes its best; one is not searched.",
)


def machine_options(function: F) -> F:
    """`--jobs`, `--device`, `--bf16` and `--compile`: what computes."""
    for option in (
        click.option("--compile", "compiled", is_flag=True, help="Compile the models (torch.compile)."),
        click.option("--bf16", is_flag=True, help="Multiply matrices in bfloat16."),
        click.option("--device", default="cpu", show_default=True, help="As PyTorch names it."),
        click.option(
            "-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Models at once."
        ),
    ):
        function = option(function)
    return function


@contextmanager
def bar() -> Iterator["Callable[[Report], None] | None"]:
    """A bar over all runs, with the state of those under way; None where there is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("models"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("models", total=None, state="")

        def update(report: "Report") -> None:
            state = "\n".join(_state(Path(name).stem, at) for name, at in report.running.items())
            bars.update(bar, completed=report.done, total=report.total, state=state)

        yield update


def _state(name: str, at: "Progress") -> str:
    share = "" if at.utilisation is None else f", {at.utilisation:.0%} of the peak"
    return (
        f"{name} {at.step}/{at.steps} loss {at.loss:.3f} {at.tokens_per_second / 1e3:,.0f}k tokens/s "
        f"{at.flops_per_second / 1e9:,.0f} GFLOP/s{share}"
    )
