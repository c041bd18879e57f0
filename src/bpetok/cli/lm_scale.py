"""`bpetok lm scale`: bits per byte against compute, and which vocabulary is the best buy for how much."""

from pathlib import Path
from typing import Any

import click

from bpetok.cli import common
from bpetok.cli.lm_training import bar, listed, machine_options, rates_option

_LADDER = ("arms", "widths", "layers", "seeds", "ratio", "batch", "text", "rates")


def _widths(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    parts = listed(ctx, param, value)
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r}: write whole numbers with commas between them", ctx, param)
    return tuple(map(int, parts))


@click.command("scale")
@click.option(
    "--arms",
    default="bytes,bpe:256,bpe:1024,bpe:4096,bpe:8192",
    show_default=True,
    callback=listed,
    help="As of `lm run`; vocabularies are learned from the training side of the text.",
)
@click.option(
    "--widths",
    default="32,48,64,96,128",
    show_default=True,
    callback=_widths,
    help="Of the models: four or more, multiples of 16.",
)
@click.option("--layers", type=click.IntRange(1), default=2, show_default=True, help="Of every model.")
@click.option(
    "--seeds", type=click.IntRange(2), default=3, show_default=True, help="Models of each arm and width."
)
@click.option(
    "--bytes-per-parameter",
    "ratio",
    type=click.FloatRange(0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="N",
    help="Bytes of text that a model reads, for each parameter of its trunk.",
)
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Sequences a step, of which texts take a quarter.",
)
@click.option("--text", default="docstrings", show_default=True, help="docstrings, or a text file in UTF-8.")
@rates_option
@click.option("--no-train", is_flag=True, help="Show what the folder has: train nothing.")
@machine_options
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="FOLDER",
    help="A folder for it all.",
)
@click.option("--charts", "charts_path", metavar="FOLDER", help="Write each chart as SVG, and as Vega-Lite.")
@common.json_option
def scale_command(
    arms: tuple[str, ...],
    widths: tuple[int, ...],
    layers: int,
    seeds: int,
    ratio: float,
    batch: int,
    text: str,
    rates: tuple[float, ...],
    no_train: bool,
    jobs: int,
    device: str,
    bf16: bool,
    compiled: bool,
    output: Path,
    charts_path: str | None,
    as_json: bool,
) -> None:
    """Train sizes of each arm on a text, and show which arm is the best buy for how much compute.

    What the folder has already is kept; a ladder that was cut off goes on where it was.
    """
    from bpetok.lm.scaling import scaling

    if no_train:
        machine = ("jobs", "device", "bf16", "compiled")
        common.exclude("--no-train", (*_LADDER, *machine), "the folder says how its ladder was trained")
    else:
        from bpetok.lm.ladder import Ladder, climb
        from bpetok.lm.run import Machine

        ladder = Ladder(arms, widths, layers, seeds, ratio, batch, text, rates)
        with bar() as progress:
            climb(
                ladder,
                output,
                processes=jobs,
                machine=Machine(device, bf16, compiled),
                progress=progress,
            )
    spec = scaling(output).spec()
    if charts_path is not None:
        from bpetok.page.charts import write_charts
        from bpetok.page.lm_scale import scale_charts

        write_charts(scale_charts(spec), charts_path, ("svg",))
    if as_json:
        common.echo_json(spec)
    else:
        _show(spec)


def _show(spec: dict[str, Any]) -> None:
    from rich.console import Console

    from bpetok.page.lm_scale import scale_findings

    console = Console(highlight=False)
    console.print(
        _table(
            ("arm", "width", "parameters", "FLOPs", "bits per byte"),
            [
                (
                    at["arm"], f"{at['width']}", f"{at['parameters']:,}", f"{at['flops']:.2g}",
                    _figure(at["bits_per_byte"]),
                )
                for at in spec["points"]
            ],
        )
    )  # fmt: skip
    console.print("\nL(C) = E + A (C / C0)^-α, with 95 % intervals:")
    console.print(
        _table(
            ("arm", "E", "α", "C0", "off by"),
            [
                (
                    fit["arm"], _figure(fit["floor"]), _figure(fit["alpha"]), f"{fit['reference']:.2g}",
                    f"{fit['error']:.3f}",
                )
                for fit in spec["fits"]
            ],
        )
    )  # fmt: skip
    console.print()
    for line in scale_findings(spec):
        console.print(line, markup=False, soft_wrap=True)


def _figure(interval: tuple[float, float, float]) -> str:
    estimate, low, high = interval
    return f"{estimate:.3f} ({low:.3f} to {high:.3f})"


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
