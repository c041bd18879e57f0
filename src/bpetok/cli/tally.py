"""`bpetok tally`: files to a file of counts, which `bpetok train --counts` learns from."""

import os
import time

import click

from bpetok.cli import characters, common, sources


@click.command("tally")
@click.argument("files", nargs=-1, metavar="FILES|-...", required=True)
@common.output_option
@common.pattern_option
@characters.texts_options
@sources.options
@common.force_option
@common.json_option
def command(
    files: tuple[str, ...],
    output: str,
    pattern: str | None,
    texts: characters.Texts,
    given: sources.Given,
    force: bool,
    as_json: bool,
) -> None:
    """Count the pieces of FILES and write the counts to OUT.

    FILES are text, .jsonl or .parquet files, compressed or not, folders of them, names with wildcards, URLs,
    or - for standard input; FILE=2 counts double, FILE=0.5 half of the documents. With --counts they are
    files of counts, to be added up. With --byte-fallback, the counts are for a vocabulary of characters. OUT
    appears only when it is complete; interrupting leaves nothing.
    """
    from bpetok import counting
    from bpetok.cli import progress
    from bpetok.cli.counts import are_count_files, load
    from bpetok.treatment import NOTHING

    if output == "-":
        raise click.UsageError("counts cannot be written to standard output: name a file")
    common.check_output(output, force=force)
    given.check()
    said = texts.characters()
    if given.from_counts:
        common.exclude("--counts", characters.TEXTS, "these FILES are counted already")
    began = time.perf_counter()
    if not given.from_counts:
        corpus = given.find(files)
        with given.counting() as options, progress.bar() as callback:
            totals = counting.tally(
                corpus,
                output,
                pattern=pattern or ("cl100k" if said is None else said.pattern()),
                treatment=NOTHING if said is None else said.treatment(),
                progress=callback,
                **options,
            )
    elif are_count_files(files, pattern):
        totals = counting.merge_files(files, output, num_threads=given.threads)
    else:
        totals = counting.save(
            load(files, pattern, words="cl100k" if said is None else said.pattern()), output
        )
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
