"""`bpetok decode`: token ids to text."""

import click

from bpetok.cli import common
from bpetok.errors import TokenError


@click.command("decode")
@click.argument("file", default="-", metavar="[FILE|-]")
@common.tokenizer_option()
@click.option(
    "-o", "--output", default="-", metavar="OUT", help="File to write; - is standard output (the default)."
)
@common.force_option
def command(file: str, tokenizer_name: str, output: str, force: bool) -> None:
    """Decode the token ids in FILE to the bytes they stand for.

    FILE holds what `bpetok encode` writes: ids as text, or .npy, or .bin; - is ids as text on standard
    input. The bytes are written as they are, with nothing between documents.
    """
    from bpetok.cli.ids import read_ids

    common.check_output(output, force=force)
    tokenizer = common.load_tokenizer(tokenizer_name)
    with click.open_file(file, "rb") as source, common.open_output(output) as target:
        for tokens in read_ids(file, source, tokenizer):
            try:
                target.write(tokenizer.decode_bytes(tokens))
            except TokenError as error:
                raise TokenError(
                    f"{file}: {error} ({tokenizer.name} has ids up to {tokenizer.max_token_value}): "
                    "decode with the tokenizer that the ids were made with"
                ) from error
