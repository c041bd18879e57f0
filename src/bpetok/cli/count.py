"""`bpetok count`: how many tokens files hold."""

from collections.abc import Iterable
from typing import TypedDict

import click

from bpetok.cli import common


class Row(TypedDict):
    """The counts of one file, or of all together."""

    source: str
    documents: int
    bytes: int
    tokens: int
    bytes_per_token: float | None


@click.command("count")
@common.files_argument
@common.tokenizer_option(default="o200k_base")
@common.text_options(special="none")
@common.field_option
@common.json_option
def command(
    files: tuple[str, ...],
    tokenizer_name: str,
    special: str,
    allow_special: tuple[str, ...],
    replace: bool,
    field: str,
    as_json: bool,
) -> None:
    """Count the tokens and bytes of FILES.

    Also shown is how many bytes a token stands for on average. FILES are
    text, .jsonl or .parquet files, .gz or .zst of these, or - for standard input, which is
    also read when no file is named.
    """
    from bpetok import corpus
    from bpetok.cli.texts import TextEncoder

    paths = corpus.check(files or "-", field=field)
    encoder = TextEncoder(common.load_tokenizer(tokenizer_name), special, allow_special, replace)
    rows = []
    for path in paths:
        documents = n_bytes = tokens = 0
        for document, ids in encoder.encode(corpus.read(path, field=field)):
            documents += 1
            n_bytes += common.size(document.text)
            tokens += len(ids)
        rows.append(_row(path, documents, n_bytes, tokens))
    total = _row("total", *(sum(row[key] for row in rows) for key in ("documents", "bytes", "tokens")))
    if as_json:
        common.echo_json({"tokenizer": encoder.tokenizer.name, "files": rows, "total": total})
    else:
        _table(rows if len(rows) == 1 else [*rows, total])


def _row(source: str, documents: int, n_bytes: int, tokens: int) -> Row:
    return {
        "source": source,
        "documents": documents,
        "bytes": n_bytes,
        "tokens": tokens,
        "bytes_per_token": round(n_bytes / tokens, 4) if tokens else None,
    }


def _table(rows: Iterable[Row]) -> None:
    click.echo(f"{'tokens':>14} {'bytes':>16} {'bytes/token':>12}  file")
    for row in rows:
        ratio = "-" if row["bytes_per_token"] is None else f"{row['bytes_per_token']:.3f}"
        name = click.format_filename(row["source"])
        click.echo(f"{row['tokens']:>14,} {row['bytes']:>16,} {ratio:>12}  {name}")
