"""`bpetok tally`: files to a file of counts, which `bpetok train --counts` learns from."""

import os
import time
from pathlib import Path

import click

from bpetok.cli import common


@click.command("tally")
@click.argument("files", nargs=-1, metavar="FILES|-...", required=True)
@click.option("-o", "--output", required=True, metavar="OUT", help="File to write.")
@common.pattern_option
@common.counts_option
@common.count_options
@common.field_option
@common.force_option
@common.json_option
def command(
    files: tuple[str, ...],
    output: str,
    pattern: str | None,
    from_counts: bool,
    threads: int | None,
    memory: int | None,
    temp: str | None,
    field: str,
    force: bool,
    as_json: bool,
) -> None:
    """Count the pieces of FILES and write the counts to OUT.

    FILES are text, .jsonl or .parquet files, .gz or .zst of these, or - for standard input. With --counts
    they are files of counts, to be added up. OUT appears only when it is complete; interrupting leaves
    nothing.
    """
    from bpetok import counting
    from bpetok.cli import progress
    from bpetok.cli.counts import are_count_files, load

    if output == "-":
        raise click.UsageError("counts cannot be written to standard output: name a file")
    common.check_output(output, force=force)
    began = time.perf_counter()
    if not from_counts:
        with progress.bar() as callback:
            totals = counting.tally(
                [Path(path) for path in files],
                output,
                pattern=pattern or "cl100k",
                field=field,
                num_threads=threads,
                memory=memory,
                temp=temp,
                progress=callback,
            )
    elif are_count_files(files, pattern):
        totals = counting.merge_files(files, output, num_threads=threads)
    else:
        counts = load(files, pattern)
        counts.save(output)
        totals = counting.Totals(counts.pattern, counts.n_texts, counts.n_bytes, counts.n_pieces, len(counts))
    seconds = time.perf_counter() - began
    size = os.path.getsize(output)
    click.echo(
        f"{totals.n_distinct:,} distinct pieces, {totals.n_pieces:,} in all, from "
        f"{common.megabytes(totals.n_bytes)} in {seconds:.1f} s\n"
        f"written to {click.format_filename(output)} ({common.megabytes(size)})",
        err=True,
    )
    if as_json:
        common.echo_json(
            {
                "output": output,
                "pattern": totals.pattern,
                "corpus": {"documents": totals.n_texts, "bytes": totals.n_bytes},
                "pieces": totals.n_pieces,
                "distinct_pieces": totals.n_distinct,
                "size": size,
                "seconds": round(seconds, 3),
            }
        )
