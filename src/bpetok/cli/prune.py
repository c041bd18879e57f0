"""`bpetok prune`: a tokenizer to one with fewer tokens."""

import click

from bpetok.cli import common, edited, sources


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
@sources.options
@edited.options
def command(
    tokenizer_name: str,
    files: tuple[str, ...],
    vocab_size: int | None,
    ids: tuple[int, ...],
    given: sources.Given,
    target: edited.Target,
) -> None:
    """Remove tokens from TOKENIZER, and write the result to OUT.

    With FILES, which are as for `bpetok train`, the tokens go that these use least; with --counts, they were
    counted with the pattern of TOKENIZER. With --remove, the named tokens go, and those that can only be made
    from them. Single bytes and special tokens stay. The ids that are left are closed up.
    """
    from bpetok.cli import progress

    if bool(files) == bool(ids):
        raise click.UsageError("give either FILES, to see which tokens they need, or --remove")
    if ids and vocab_size is not None:
        raise click.UsageError("--vocab-size says how far to prune by FILES: leave it out with --remove")
    target.check()
    given.check()
    tokenizer = common.load_tokenizer(tokenizer_name)
    if ids:
        shorter = tokenizer.prune(ids=ids, name=target.name)
    else:
        corpus = given.sources(files, tokenizer.pattern.source)
        with given.counting() as options, progress.bar() as callback:
            shorter = tokenizer.prune(
                corpus, vocab_size=vocab_size, progress=callback, name=target.name, **options
            )
    removed = shorter.tokenizer.provenance["edits"][-1]["removed"]
    message = f"{tokenizer.name}: {removed:,} tokens removed, {shorter.tokenizer.n_vocab:,} ids left"
    target.save(shorter, message, removed=removed)
