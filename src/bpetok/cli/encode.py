"""`bpetok encode`: text to token ids."""

from collections.abc import Iterator
from typing import Any

import click

from bpetok.cli import common
from bpetok.corpus import Document


@click.command("encode")
@common.files_argument
@common.tokenizer_option()
@click.option(
    "-o", "--output", default="-", metavar="OUT", help="File to write; - is standard output (the default)."
)
@common.text_options(special="error")
@common.field_option
@common.force_option
@common.json_option
def command(
    files: tuple[str, ...],
    tokenizer_name: str,
    output: str,
    special: str,
    allow_special: tuple[str, ...],
    replace: bool,
    field: str,
    force: bool,
    as_json: bool,
) -> None:
    """Encode FILES to token ids.

    FILES are text, .jsonl or .parquet files, .gz or .zst of these, or - for standard input, which is
    also read when no file is named. OUT's name says what is written: ids as text, a line for each
    document; .npy, one numpy array; .bin, bare little-endian integers. Arrays hold the documents one
    after another, in 16 bits where the vocabulary has no more than 65,536 ids, else in 32.

    With --json, ids on standard output become an object for each document, and a file is followed by
    an object that says what was written.
    """
    from bpetok import corpus
    from bpetok.cli import ids
    from bpetok.cli.texts import TextEncoder

    common.check_output(output, force=force)
    documents = corpus.read(files or "-", field=field)
    encoder = TextEncoder(common.load_tokenizer(tokenizer_name), special, allow_special, replace)
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
