"""`bpetok prune`: a tokenizer to one with fewer tokens."""

from pathlib import Path

import click

from bpetok.cli import common


@click.command("prune")
@click.argument("tokenizer_name", metavar="TOKENIZER")
@common.files_argument
@click.option(
    "--vocab-size",
    type=int,
    metavar="N",
    help="Ids to leave, bytes and special tokens included  [default: remove only what FILES never use]",
)
@click.option(
    "--remove",
    "ids",
    type=int,
    multiple=True,
    metavar="ID",
    help="Remove this id; may be repeated, without FILES.",
)
@common.edited_options
@common.field_option
@common.force_option
@common.json_option
def command(
    tokenizer_name: str,
    files: tuple[str, ...],
    vocab_size: int | None,
    ids: tuple[int, ...],
    output: str,
    file_format: str,
    map_path: str | None,
    threads: int | None,
    field: str,
    force: bool,
    as_json: bool,
) -> None:
    """Remove tokens from TOKENIZER, and write the result to OUT.

    With FILES, the tokens go that these use least; with --remove, the named ones and those that can only be
    made from them. Single bytes and special tokens stay. The ids that are left are closed up.
    """
    from bpetok.cli import progress
    from bpetok.corpus import Corpus

    if bool(files) == bool(ids):
        raise click.UsageError("give either FILES, to see which tokens they need, or --remove")
    if ids and vocab_size is not None:
        raise click.UsageError("--vocab-size says how far to prune by FILES: leave it out with --remove")
    common.check_edited(output, file_format, map_path, force=force)
    tokenizer = common.load_tokenizer(tokenizer_name)
    name = Path(output).stem
    if ids:
        edited = tokenizer.prune(ids=ids, name=name)
    else:
        corpus = Corpus.find(files, field=field)
        with progress.bar() as callback:
            edited = tokenizer.prune(
                corpus, vocab_size=vocab_size, num_threads=threads, progress=callback, name=name
            )
    common.save_edited(edited, output, file_format, map_path)
    removed = edited.tokenizer.provenance["edits"][-1]["removed"]
    click.echo(
        f"{tokenizer.name}: {removed:,} tokens removed, {edited.tokenizer.n_vocab:,} ids left", err=True
    )
    if as_json:
        common.echo_json({"n_vocab": edited.tokenizer.n_vocab, "removed": removed, "output": output})
