"""`bpetok explain`: how merges make the tokens of a text, step by step."""

from typing import TYPE_CHECKING, Any

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from rich.console import Console

    from bpetok.explain import Explanation


@click.command("explain")
@click.argument("text", required=False)
@click.option("-f", "--file", metavar="FILE", help="Read the text from a file; - is standard input.")
@common.tokenizer_option(default="o200k_base")
@common.replace_option
@common.field_option
@common.json_option
def command(
    text: str | None, file: str | None, tokenizer_name: str, replace: bool, field: str, as_json: bool
) -> None:
    """Show how merging makes the tokens of TEXT.

    The text is cut into pieces, and in each the pair with the lowest rank merges first. A
    tokenizer trained by bpetok also knows how often it
    saw each pair in training. Special tokens are read as ordinary text. TEXT may be - for standard
    input.
    """
    from bpetok.cli.texts import as_text, text_or_file

    texts = [as_text(document, replace=replace) for document in text_or_file(text, file, field)]
    tokenizer = common.load_tokenizer(tokenizer_name)
    pieces = [piece for text in texts for piece in tokenizer.explain(text)]
    if as_json:
        common.echo_json({"tokenizer": tokenizer.name, "pieces": list(map(_record, pieces))})
        return

    from rich.console import Console

    console = Console(highlight=False)
    for number, piece in enumerate(pieces, 1):
        _show(console, piece, f"piece {number} of {len(pieces)}")
    n_tokens = sum(len(piece.ids) for piece in pieces)
    console.print(f"{n_tokens:,} token{'s' * (n_tokens != 1)} of {tokenizer.name}", soft_wrap=True)


def _record(piece: "Explanation") -> dict[str, Any]:
    return {
        "piece": piece.piece.hex(),
        "whole": piece.whole,
        "steps": [
            {
                "left": step.left.hex(),
                "right": step.right.hex(),
                "rank": step.rank,
                "token": step.token,
                "count": step.count,
                "parts": [part.hex() for part in step.parts],
            }
            for step in piece.steps
        ],
        "start": [part.hex() for part in piece.start],
        "parts": [{"part": part.hex(), "ids": ids} for part, ids in piece.parts],
        "ids": piece.ids,
    }


def _show(console: "Console", piece: "Explanation", heading: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from bpetok.cli import render

    ids = " ".join(map(str, piece.ids))
    found = "found whole in the vocabulary" if piece.whole else f"{len(piece.steps)} merges"
    console.print(
        f"{heading}: {render.visible(piece.piece)}   {found} -> {ids}", markup=False, soft_wrap=True
    )
    if not piece.steps:
        _show_fallback(console, piece)
        console.print()
        return
    counted = any(step.count is not None for step in piece.steps)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("rank", "token", *(["seen"] if counted else [])):
        table.add_column(name, justify="right")
    table.add_column("merge", no_wrap=True)
    table.add_column("parts", overflow="fold")
    table.add_row(*[""] * (3 + counted), render.coloured(piece.start, console, break_lines=False))
    for step in piece.steps:
        count = [f"{step.count:,}" if step.count is not None else ""] if counted else []
        merge = Text(f"{render.visible(step.left)} + {render.visible(step.right)}")
        table.add_row(
            str(step.rank),
            str(step.token),
            *count,
            merge,
            render.coloured(step.parts, console, break_lines=False),
        )
    console.print(table)
    _show_fallback(console, piece)
    console.print()


def _show_fallback(console: "Console", piece: "Explanation") -> None:
    """The parts of a piece that are no token and become others."""
    from bpetok.cli import render

    for part, ids in piece.parts:
        if len(ids) > 1:
            console.print(f"{render.visible(part)} is no token -> {' '.join(map(str, ids))}", markup=False)
