"""`bpetok convert`: a tokenizer file to one of another format."""

from typing import TYPE_CHECKING

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from bpetok.conversion import Conversion


@click.command("convert")
@click.argument("source", metavar="IN")
@click.argument("output", metavar="OUT")
@common.format_option("--to")
@click.option(
    "--pattern", metavar="NAME|REGEX", help="The split pattern, for a file of ranks that does not say it."
)
@click.option(
    "--special",
    "specials",
    multiple=True,
    metavar="TEXT=ID",
    help="With --pattern: a special token; may be repeated.",
)
@common.force_option
@common.json_option
def command(
    source: str,
    output: str,
    file_format: str,
    pattern: str | None,
    specials: tuple[str, ...],
    force: bool,
    as_json: bool,
) -> None:
    """Write the tokenizer IN to OUT in another format, and say what that format does not hold.

    IN is a file or folder of any format that can be read, an encoding, or a model. The result is read again
    before it takes its place, and its ids are compared. If ids could not be kept, nothing is written.
    """
    from bpetok import Tokenizer
    from bpetok.conversion import convert

    if specials and pattern is None:
        raise click.UsageError("--special is for a file of ranks: say its --pattern, too")
    special_tokens = dict(map(_special, specials))
    common.check_tokenizer_output(output, file_format, force=force)
    if pattern is None:
        tokenizer = common.load_tokenizer(source)
    else:
        tokenizer = Tokenizer.load(source, pattern=pattern, special_tokens=special_tokens)
    done = convert(tokenizer, output, file_format)
    _tell(done, output)
    if as_json:
        common.echo_json(
            {
                "output": output,
                "format": done.format,
                "files": done.paths,
                "parts": {part.name: part.state for part in done.parts},
                "lost": done.lost,
                "proven": done.verdict.proven,
                "texts": sum(done.verdict.n_texts.values()),
            }
        )


def _special(given: str) -> tuple[str, int]:
    text, sign, token = given.rpartition("=")
    if not (text and sign and token.isascii() and token.isdigit()):
        raise click.UsageError(f"--special {given}: write TEXT=ID, as in --special '<|endoftext|>=50256'")
    return text, int(token)


def _tell(done: "Conversion", output: str) -> None:
    rows = [f"{part.name:16} {part.state:10} {part.what}".rstrip() for part in done.parts]
    if done.verdict.proven:
        rows.append("ids: equal, because all that they depend on is the same")
    else:
        rows.append(f"ids: equal on {sum(done.verdict.n_texts.values()):,} texts")
    if done.lost:
        rows.append(f"{done.format} does not hold: {', '.join(done.lost)}")
    rows.append(f"written to {click.format_filename(output)} ({done.format})")
    click.echo("\n".join(rows), err=True)
