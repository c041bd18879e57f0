"""`bpetok extend`: a tokenizer and files to a tokenizer with more tokens."""

from pathlib import Path

import click

from bpetok.cli import common


@click.command("extend")
@click.argument("tokenizer_name", metavar="TOKENIZER")
@click.argument("files", nargs=-1, metavar="FILES|-...", required=True)
@click.option("-n", "n", type=click.IntRange(min=0), required=True, metavar="N", help="Tokens to add.")
@common.edited_options
@click.option(
    "--min-frequency",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    metavar="N",
    help="Merge no pair that occurs less often.",
)
@click.option(
    "--max-token-length", type=click.IntRange(min=1), metavar="N", help="Add no token of more bytes."
)
@common.field_option
@common.force_option
@common.json_option
def command(
    tokenizer_name: str,
    files: tuple[str, ...],
    n: int,
    output: str,
    file_format: str,
    map_path: str | None,
    threads: int | None,
    min_frequency: int,
    max_token_length: int | None,
    field: str,
    force: bool,
    as_json: bool,
) -> None:
    """Add N tokens, learned from FILES, to TOKENIZER, and write the result to OUT.

    Learning goes on from the text as TOKENIZER encodes it. No id changes; the new ids are behind all others.
    """
    from bpetok.cli import progress
    from bpetok.corpus import Corpus

    common.check_edited(output, file_format, map_path, force=force)
    tokenizer = common.load_tokenizer(tokenizer_name)
    corpus = Corpus.find(files, field=field)
    with progress.bar() as callback:
        edited = tokenizer.extend(
            corpus,
            n,
            min_frequency=min_frequency,
            max_token_length=max_token_length,
            num_threads=threads,
            progress=callback,
            name=Path(output).stem,
        )
    common.save_edited(edited, output, file_format, map_path)
    added = edited.tokenizer.n_vocab - tokenizer.n_vocab
    click.echo(
        f"{tokenizer.name}: {added:,} tokens added, {edited.tokenizer.n_vocab:,} ids now"
        + (f"; no further pair occurs {min_frequency} times" if added < n else ""),
        err=True,
    )
    if as_json:
        common.echo_json({"n_vocab": edited.tokenizer.n_vocab, "added": added, "output": output})
