"""`bpetok bench`: measures encoding and training beside other libraries, and makes the text for it.

The measuring itself is the package `bpetok_bench`, which is installed with bpetok and asked for only here.
"""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import click

from bpetok.cli import common

F = TypeVar("F", bound=Callable[..., Any])

_REMEDY = 'pip install "bpetok[bench]"'


def _load(name: str) -> Any:
    """A module of `bpetok_bench`."""
    try:
        return import_module(f"bpetok_bench.{name}")
    except ModuleNotFoundError as error:
        raise click.UsageError(f"{error.name} is not installed: {_REMEDY}") from error


def _say(line: str) -> None:
    click.echo(line, err=True)


def _split(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",")) if value else ()


def _numbers(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    try:
        return tuple(map(int, _split(ctx, parameter, value)))
    except ValueError as error:
        what = "processors" if parameter.name == "cpus" else parameter.human_readable_name
        raise click.BadParameter(f"{what} are numbers with commas between them") from error


def _sizes(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[float, ...]:
    try:
        return tuple(map(float, _split(ctx, parameter, value)))
    except ValueError as error:
        raise click.BadParameter("sizes are numbers with commas between them") from error


def _names_option(name: str, what: str) -> Callable[[F], F]:
    """Names with commas between them; which there are is the benchmarks' to say."""
    return click.option(f"--{name}", callback=_split, metavar="A,B,...", help=what)


_folder = click.Path(file_okay=False, path_type=Path)
_file = click.Path(dir_okay=False, path_type=Path)
_positive = click.FloatRange(min=0, min_open=True)


@click.group("bench")
def command() -> None:
    """Measure speed beside other libraries.

    Needs `pip install "bpetok[bench]"`; libraries that are missing all the same are left out.
    """


@command.command("encode")
@_names_option(
    "encodings",
    "Vocabularies (default: cl100k_base,o200k_base), or files: a tokenizer.json, a SentencePiece .model.",
)
@_names_option("kinds", "Kinds of text (default: english,code,multilingual).")
@_names_option("workloads", "What to measure, such as list,numpy,short (default: all).")
@_names_option("engines", "Libraries (default: all that are installed), or module:Class of your own.")
@click.option(
    "--files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file or folder to measure on instead of the kinds of text; may be repeated.",
)
@click.option("--corpora", type=_folder, help="Where `bpetok bench corpora` put its text.")
@click.option("--megabytes", type=click.FloatRange(min=0.001), help="Size of a large document (default: 5).")
@click.option("--repeats", type=click.IntRange(min=1), help="Of each step, each on other text (default: 5).")
@click.option("--cpus", callback=_numbers, metavar="N,N", help="Processors to use (default: the last two).")
@click.option("--limit", type=_positive, help="Seconds that an answer may take (default: 60).")
@click.option(
    "--hard-limit", type=_positive, help="The same for an input that is hard for some (default: 10)."
)
@click.option(
    "--hard-scale", type=_positive, help="Size of these inputs, as a share of the usual (default: 1)."
)
@click.option("--quick", is_flag=True, help="A few workloads on English, in a minute or two.")
@click.option("--json", "record_file", type=_file, help="Write the record there.")
def encode(quick: bool, record_file: Path | None, **given: Any) -> None:
    """Measure encoding speed.

    Each library has a process of its own and they take turns; ids are compared before a time counts. Text
    comes from the folder of --corpora, or the one that `bpetok bench corpora` made, or else from files that
    the machine has.
    """
    if record_file is not None:
        common.check_output(str(record_file), force=True)
    runner, options, report, summary = map(_load, ("encode", "options", "report", "summary"))
    wanted = {name: value for name, value in given.items() if value not in (None, ())}
    try:
        record = runner.run(replace(options.QUICK if quick else options.Options(), **wanted), _say)
    except runner.DifferentIdsError as error:
        raise click.ClickException(f"no figures: {error}") from error  # a defect: code 1
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    summary.show(record)
    if record_file is not None:
        report.write(record_file, record)


@command.command("train")
@click.option("--sizes", callback=_sizes, metavar="N,N", help="Of the corpora, in MB (default: 6,60,600).")
@click.option("--vocab-sizes", callback=_numbers, metavar="N,N", help="Default: 32768,8192,131072.")
@click.option("--threads", callback=_numbers, metavar="N,N", help="How many (default: 1,2).")
@_names_option("engines", "Libraries (default: all that are installed), or module:Class of your own.")
@_names_option("kinds", "Kinds of text, in equal parts (default: english,code,multilingual).")
@click.option(
    "--files",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A file or folder to train on instead of the kinds of text; may be repeated.",
)
@click.option("--corpora", type=_folder, help="Where `bpetok bench corpora` put its text.")
@click.option("--repeats", type=click.IntRange(min=1), help="Of the main steps (default: 3).")
@click.option("--cpus", callback=_numbers, metavar="N,N", help="Processors to use (default: the last two).")
@click.option("--limit", type=_positive, help="Seconds that a step may take (default: 60).")
@click.option("--total", type=_positive, help="Seconds for the whole run (default: 720).")
@click.option("--quick", is_flag=True, help="6 MB and one vocabulary, in two minutes at most.")
@click.option("--json", "record_file", type=_file, help="Write the record there.")
def train(quick: bool, record_file: Path | None, **given: Any) -> None:
    """Measure training: time and memory.

    Each step has a process of its own and the libraries take turns. One that takes too long is ended, and is
    not asked for more text. Tokens are compared with bpetok's.
    """
    if record_file is not None:
        common.check_output(str(record_file), force=True)
    runner, report, drawing = map(_load, ("train", "report", "draw_train"))
    wanted = {name: value for name, value in given.items() if value not in (None, ())}
    try:
        record = runner.run(replace(runner.QUICK if quick else runner.Options(), **wanted), _say)
    except runner.DifferentTokensError as error:
        raise click.ClickException(f"no figures: {error}") from error  # a defect: code 1
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if record_file is not None:
        report.write(record_file, record)
    click.echo(drawing.tables(record), nl=False)
    click.echo(report.busyness(record["cpus_of_others"]))


@command.command("draw")
@click.argument("record", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--svg", type=_file, help="Where the plot goes (default: beside RECORD, with .svg).")
@click.option("--encoding", help="What the plot shows (default: the first of RECORD).")
@click.option(
    "--into",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Markdown page whose benchmark-table shall show RECORD and its plot; may be repeated.",
)
def draw(record: Path, svg: Path | None, encoding: str | None, into: tuple[Path, ...]) -> None:
    """Make tables and a plot of RECORD.

    The tables are Markdown, and go to standard output unless there are pages to put them into.
    """
    drawing = _load("draw")
    found = drawing.read(record)
    image = drawing.svg(drawing.plot(found, encoding))
    target = svg or record.with_suffix(".svg")
    with common.open_output(str(target)) as file:
        file.write(image.encode())
    for page in into:
        drawing.insert(page, record, target)
    if not into:
        click.echo(drawing.tables(found), nl=False)


@command.command("corpora")
@click.option("--to", "folder", type=_folder, help="Where to (default: a folder for caches).")
@click.option("--packages", type=_folder, help="Keep the packages there, and take from there what is there.")
@click.option("--check", is_flag=True, help="Only see whether the files are what their manifest says.")
def corpora(folder: Path | None, packages: Path | None, check: bool) -> None:
    """Make the text to measure on from Debian packages.

    Needs apt-get and dpkg-deb, but no root: 510 MB of documentation, translations and sources are fetched,
    nothing is installed, and 96 MB each of English, code and text in many scripts are kept.
    """
    corpus, builder = _load("corpus"), _load("corpora")
    target = folder or corpus.default_folder()
    if not check:
        builder.build(target, packages, say=_say)
    manifest = builder.check(target)
    click.echo(f"{target}:")
    for kind, about in manifest["corpora"].items():
        parts = ", ".join(
            f"{part} {100 * size / about['bytes']:.1f} %" for part, size in about["parts"].items()
        )
        click.echo(f"{kind}: {common.megabytes(about['bytes'])}, sha256 {about['sha256'][:16]}: {parts}")
