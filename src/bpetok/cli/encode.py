"""`bpetok encode`: text to token ids, in one file or in shards for training."""

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from bpetok.cli import common
from bpetok.corpus import Document

F = TypeVar("F", bound=Callable[..., Any])

_SHARDS = {  # parameter to the option that only shards have
    "separator": "--separator",
    "separator_at": "--separator-at",
    "sequence_length": "--sequence-length",
    "drop_tail": "--drop-tail",
    "shard_tokens": "--shard-tokens",
    "validation": "--validation",
    "sample": "--sample",
    "seed": "--seed",
    "unique": "--unique",
    "threads": "--threads",
}


def shard_options(function: F) -> F:
    """`--format` and what says how shards are cut."""
    for option in (
        click.option(
            "--threads", type=click.IntRange(min=1), metavar="N", help="Threads  [default: all processors]"
        ),
        click.option("--unique", is_flag=True, help="Pass over texts that have come before."),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**64 - 1),
            default=0,
            metavar="N",
            help="Which documents --validation and --sample take  [default: 0]",
        ),
        click.option(
            "--sample",
            type=click.FloatRange(min=0),
            default=1.0,
            metavar="SHARE",
            help="Take this share of the documents, such as 0.1  [default: all]",
        ),
        click.option(
            "--validation",
            type=click.FloatRange(0, 1, max_open=True),
            default=0.0,
            metavar="SHARE",
            help="Put this share of the documents into shards of their own, val-...  [default: none]",
        ),
        click.option(
            "--shard-tokens",
            type=click.IntRange(0, 2**31 - 1),
            default=100_000_000,
            metavar="N",
            help="Ids in a shard, 0 for all in one  [default: 100000000]",
        ),
        click.option("--drop-tail", is_flag=True, help="Leave out what is behind the last whole sequence."),
        click.option(
            "--sequence-length",
            type=click.IntRange(1, 2**31 - 1),
            metavar="N",
            help="Cut the documents, one behind another, into sequences of N ids.",
        ),
        click.option(
            "--separator-at",
            type=click.Choice(["before", "after"]),
            default="after",
            help="Where the separator stands  [default: after]",
        ),
        click.option(
            "--separator",
            default="auto",
            metavar="TOKEN|none",
            help="Special token at each document  [default: the end of text, if there is one]",
        ),
        click.option(
            "--format",
            "file_format",
            type=click.Choice(["bin", "llmc", "npy", "megatron", "parquet", "arrow"]),
            help="Write shards into the folder OUT.",
        ),
    ):
        function = option(function)
    return function


@click.command("encode")
@common.files_argument
@common.tokenizer_option()
@click.option(
    "-o", "--output", default="-", metavar="OUT", help="File to write; - is standard output (the default)."
)
@shard_options
@common.text_options(special="error")
@common.field_option
@common.force_option
@common.json_option
def command(
    files: tuple[str, ...],
    tokenizer_name: str,
    output: str,
    file_format: str | None,
    special: str,
    allow_special: tuple[str, ...],
    replace: bool,
    field: str,
    force: bool,
    as_json: bool,
    **shards: Any,
) -> None:
    """Encode FILES to token ids.

    FILES are text, .jsonl or .parquet files, compressed or not, folders of them, names with wildcards, URLs,
    or - for standard input, which is also read when no file is named. OUT's name says what is written: ids as
    text, a line for each document; .npy, one numpy array; .bin, bare little-endian integers. Arrays hold the
    documents one after another, in 16 bits where the vocabulary has no more than 65,536 ids, else in 32.

    With --format, OUT is a folder of shards for training, with a manifest. A run that was ended goes on when
    the same command is given again. FILE=2 takes each document of FILE twice, FILE=0.5 half of them.

    With --json, ids on standard output become an object for each document, and a file or a folder is
    followed by an object that says what was written.
    """
    from bpetok.cli.texts import TextEncoder

    tokenizer = common.load_tokenizer(tokenizer_name)
    encoder = TextEncoder(tokenizer, special, allow_special, replace)
    if file_format is None:
        _exclude_shard_options()
        _to_file(files, encoder, output, field, force=force, as_json=as_json)
    else:
        _to_shards(files, encoder, output, field, file_format, force=force, as_json=as_json, **shards)


def _exclude_shard_options() -> None:
    context = click.get_current_context()
    for name, option in _SHARDS.items():
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option} is for shards: add --format, such as --format bin")


def _to_file(
    files: tuple[str, ...], encoder: Any, output: str, field: str, *, force: bool, as_json: bool
) -> None:
    from bpetok import corpus
    from bpetok.cli import ids

    common.check_output(output, force=force)
    documents = corpus.read(files or "-", field=field)
    totals = {"documents": 0, "bytes": 0, "tokens": 0}

    def counted() -> Iterator[tuple[Document, Any]]:
        for document, tokens in encoder.encode(documents):
            totals["documents"] += 1
            totals["bytes"] += common.size(document.text)
            totals["tokens"] += len(tokens)
            yield document, tokens

    write = ids.writer_for(output, as_json=as_json)
    with common.open_output(output) as file:
        write(file, counted(), ids.id_type(encoder.tokenizer))
    if as_json and output != "-":
        common.echo_json({"output": output, "tokenizer": encoder.tokenizer.name, **totals})


def _to_shards(
    files: tuple[str, ...],
    encoder: Any,
    output: str,
    field: str,
    file_format: str,
    *,
    force: bool,
    as_json: bool,
    separator: str,
    separator_at: str,
    sequence_length: int | None,
    drop_tail: bool,
    shard_tokens: int,
    validation: float,
    sample: float,
    seed: int,
    unique: bool,
    threads: int | None,
) -> None:
    from bpetok.cli import progress, sources
    from bpetok.errors import DisallowedSpecialError

    if output == "-" or os.path.isfile(output):
        raise click.UsageError(f"OUT must be a folder for shards, not {output}: name one with -o")
    corpus = sources.find(files or ("-",), field=field, sample=sample, seed=seed, unique=unique)
    tokenizer = encoder.tokenizer
    began = time.perf_counter()
    try:
        with progress.bar() as callback:
            manifest = tokenizer.encode_to(
                corpus,
                output,
                format=file_format,
                separator=None if separator == "none" else separator,
                separator_at=separator_at,
                sequence_length=sequence_length,
                drop_tail=drop_tail,
                shard_tokens=shard_tokens or None,
                validation=validation,
                seed=seed,
                errors="replace" if encoder.replace else "strict",
                num_threads=threads,
                progress=callback,
                overwrite=force,
                **encoder.options,
            )
    except KeyboardInterrupt:
        click.echo(f"Interrupted: the same command goes on from the last checkpoint in {output}.", err=True)
        click.get_current_context().exit(130)
    except DisallowedSpecialError as error:
        raise DisallowedSpecialError(
            str(error).partition("\n")[0]
            + " Choose --special none to read it as ordinary text, or --special "
            "all or --allow-special for the token; other settings need another folder, or --force"
        ) from error
    seconds = time.perf_counter() - began
    totals = manifest.totals.values()
    dropped = sum(each["dropped_tokens"] for each in totals)
    click.echo(
        f"{sum(each['tokens'] for each in totals):,} ids of {sum(each['documents'] for each in totals):,} "
        f"documents, {common.megabytes(sum(each['bytes'] for each in totals))}, in {seconds:.1f} s"
        + (f"; {dropped:,} ids behind the last whole sequence were left out" if dropped else "")
        + f"\n{len(manifest.shards):,} shards in {click.format_filename(output)}",
        err=True,
    )
    if as_json:
        common.echo_json(
            {
                "output": output,
                "tokenizer": tokenizer.name,
                "format": file_format,
                "dtype": manifest.dtype,
                "splits": manifest.totals,
                "shards": len(manifest.shards),
                "seconds": round(seconds, 3),
            }
        )
