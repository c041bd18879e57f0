"""`bpetok inspect`: a text's tokens in colours, with their ids and bytes."""

from typing import Literal

import click

from bpetok.cli import common

_COLUMNS: tuple[tuple[str, Literal["left", "right"]], ...] = (
    ("#", "right"),
    ("id", "right"),
    ("token", "left"),
    ("bytes", "left"),
)


@click.command("inspect")
@click.argument("text", required=False)
@click.option("-f", "--file", metavar="FILE", help="Read the text from a file; - is standard input.")
@common.tokenizer_option(default="o200k_base")
@common.text_options(special="all")
@common.field_option
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=200,
    show_default=True,
    metavar="N",
    help="Show the first N tokens; 0 shows all.",
)
@common.json_option
def command(
    text: str | None,
    file: str | None,
    tokenizer_name: str,
    special: str,
    allow_special: tuple[str, ...],
    replace: bool,
    field: str,
    limit: int,
    as_json: bool,
) -> None:
    """Show how TEXT is cut into tokens.

    White space is shown as signs (a space as ·, a line end as ⏎, a tab as →), and the bytes of a
    character that is cut in two as <E2 80>. TEXT may be - for standard input.
    """
    from bpetok.cli.texts import TextEncoder, text_or_file

    documents = text_or_file(text, file, field)
    encoder = TextEncoder(common.load_tokenizer(tokenizer_name), special, allow_special, replace)
    ids = [token for _, tokens in encoder.encode(documents) for token in tokens.tolist()]
    shown = ids[: limit or None]
    tokens = [encoder.tokenizer.decode_single_token_bytes(token) for token in shown]
    if as_json:
        common.echo_json(
            {
                "tokenizer": encoder.tokenizer.name,
                "n_tokens": len(ids),
                "tokens": [
                    {"id": token, "bytes": data.hex(), "text": _text(data)}
                    for token, data in zip(shown, tokens, strict=True)
                ],
            }
        )
    else:
        _show(shown, tokens, len(ids), encoder.tokenizer.name)


def _text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _show(ids: list[int], tokens: list[bytes], n_tokens: int, name: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bpetok.cli import render

    console = Console(highlight=False)
    if tokens:
        console.print(render.coloured(tokens, console), "", sep="\n")
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading, justify in _COLUMNS:
            table.add_column(heading, justify=justify, overflow="fold")
        for position, (token, data) in enumerate(zip(ids, tokens, strict=True)):
            shown = Text(render.visible(data), render.style(position))
            table.add_row(str(position), str(token), shown, data.hex(" "))
        console.print(table, "", sep="\n")
    more = f", the first {len(ids)} are shown (--limit 0 shows all)" if len(ids) < n_tokens else ""
    console.print(f"{n_tokens:,} token{'s' * (n_tokens != 1)} of {name}{more}", soft_wrap=True)
