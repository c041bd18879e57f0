"""`bpetok extend`: a tokenizer and files to a tokenizer with more tokens."""

import click

from bpetok.cli import common, edited, sources


@click.command("extend")
@click.argument("tokenizer_name", metavar="TOKENIZER")
@click.argument("files", nargs=-1, metavar="FILES|-...", required=True)
@click.option("-n", "n", type=click.IntRange(min=0), required=True, metavar="N", help="Tokens to add.")
@common.learning_options
@sources.options
@edited.options
def command(
    tokenizer_name: str,
    files: tuple[str, ...],
    n: int,
    min_frequency: int,
    max_token_length: int | None,
    given: sources.Given,
    target: edited.Target,
) -> None:
    """Add N tokens, learned from FILES, to TOKENIZER, and write the result to OUT.

    FILES are as for `bpetok train`; with --counts, they were counted with the pattern of TOKENIZER. Learning
    goes on from the text as TOKENIZER encodes it. No id changes; the new ids are behind all others.
    """
    from bpetok.cli import progress

    target.check()
    given.check()
    tokenizer = common.load_tokenizer(tokenizer_name)
    corpus = given.sources(files, tokenizer.pattern.source)
    with given.counting() as options, progress.bar() as callback:
        longer = tokenizer.extend(
            corpus,
            n,
            min_frequency=min_frequency,
            max_token_length=max_token_length,
            progress=callback,
            name=target.name,
            **options,
        )
    added = longer.tokenizer.n_vocab - tokenizer.n_vocab
    message = f"{tokenizer.name}: {added:,} tokens added, {longer.tokenizer.n_vocab:,} ids now"
    if added < n:
        message += f"; no further pair occurs {min_frequency} times"
    target.save(longer, message, added=added)
