"""`bpetok verify`: whether two tokenizers give equal ids, or a small text that shows that they do not."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from bpetok.verification import Difference

DIFFERENT = 1  # the exit code
_LIBRARIES = ("tokenizers", "tiktoken", "sentencepiece", "mistral-common")


@click.command("verify")
@click.argument("one", metavar="A")
@click.argument("other", metavar="[B]", required=False)
@click.option(
    "--with",
    "library",
    type=click.Choice(_LIBRARIES),
    help="Read B (or A, if there is no B) with this library, which must be installed.",
)
@click.option(
    "--corpus", multiple=True, metavar="PATH", help="Try the texts of this file, too; may be repeated."
)
@click.option(
    "--strings",
    type=click.IntRange(min=0),
    default=20_000,
    show_default=True,
    metavar="N",
    help="Strings to generate, of all scripts.",
)
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Of code points and tokens try every Nth only, for a quick look.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Which strings.")
@common.replace_option
@common.field_option
@common.json_option
@click.pass_context
def command(
    context: click.Context,
    one: str,
    other: str | None,
    library: str | None,
    corpus: tuple[str, ...],
    strings: int,
    every: int,
    seed: int,
    replace: bool,
    field: str,
    as_json: bool,
) -> None:
    """See whether the tokenizers A and B give the same ids for every text.

    Each is an encoding, a model, or a file or folder of any format that can be read. If all that ids depend
    on is the same, that is a proof. Otherwise every code point is tried, every token alone and beside
    others, strings of every script, and the corpus. The first text that differs is made as small as it can
    be, and shown; the exit code is 1 then.
    """
    from bpetok import corpus as corpora
    from bpetok.cli.texts import as_text
    from bpetok.verification import reading, verify

    if other is None and library is None:
        raise click.UsageError("name two tokenizers, or a library to read the one with: --with tokenizers")
    paths = corpora.check(corpus, field=field) if corpus else []

    def texts() -> Iterator[str]:
        for document in corpora.read(paths, field=field) if paths else ():
            yield as_text(document, replace=replace)

    first = common.load_tokenizer(one)
    path = one if other is None else other
    second = common.load_tokenizer(path) if library is None else reading(path, library)
    verdict = verify(first, second, corpus=texts(), n_strings=strings, every=every, seed=seed)
    names = (one, path if library is None else f"{path} ({library})")
    if as_json:
        difference = verdict.difference
        common.echo_json(
            {
                "equal": verdict.equal,
                "proven": verdict.proven,
                "texts": verdict.n_texts,
                "parts": verdict.parts,
                "difference": difference and _plain(difference),
            }
        )
    elif verdict.proven:
        click.echo("equal: all that ids depend on is the same in both, which is a proof for every text")
    elif verdict.difference is not None:
        _show(verdict.difference, names)
    else:
        tried = ", ".join(f"{n:,} of {kind}" for kind, n in verdict.n_texts.items() if n)
        click.echo(f"equal ids for {sum(verdict.n_texts.values()):,} texts: {tried}")
    if verdict.parts and not as_json:
        click.echo(f"not the same in both: {', '.join(verdict.parts)}", err=True)
    if not verdict.equal:
        context.exit(DIFFERENT)


def _tokens(tokens: list[tuple[int, str | bytes]] | None) -> list[dict[str, Any]] | None:
    return None if tokens is None else [{"id": token, "bytes": _bytes(data).hex()} for token, data in tokens]


def _bytes(data: str | bytes) -> bytes:
    return data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data


def _plain(difference: "Difference") -> dict[str, Any]:
    return {
        "text": difference.text,
        "special": difference.mode,
        "found": difference.found,
        "one": _tokens(difference.one),
        "other": _tokens(difference.other),
    }


def _show(difference: "Difference", names: tuple[str, str]) -> None:
    from bpetok.cli import render

    codes = " ".join(f"U+{ord(char):04X}" for char in difference.text[:40])
    special = "" if difference.mode == "tokens" else ", special tokens as text"
    click.echo(f"different ids for {difference.text!a} ({codes}; from {difference.found}{special}):")
    for name, tokens in zip(names, (difference.one, difference.other), strict=True):
        if tokens is None:
            click.echo(f"  {name}: refused")
            continue
        shown = "│".join(render.visible(_bytes(data)) for _, data in tokens)
        click.echo(f"  {name}: {' '.join(str(token) for token, _ in tokens)}  {shown}")
