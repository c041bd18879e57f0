"""What `train` and `tally` share for vocabularies with byte fallback."""

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from bpetok.alphabet import Characters


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What the options say about the texts that are counted."""

    byte_fallback: bool
    normalizer: str
    dummy_prefix: bool
    split_by_whitespace: bool
    user_defined_symbols: tuple[str, ...]

    def characters(self, alphabet: "Alphabet | None" = None) -> "Characters | None":
        """What the options say about characters; None for a byte-level vocabulary.

        Raises:
            click.UsageError: an option is given in vain.
        """
        from bpetok.alphabet import Characters

        parts = {} if alphabet is None else dataclasses.asdict(alphabet)
        names = (*dataclasses.asdict(self), *parts)
        if not self.byte_fallback:
            common.exclude("byte-level vocabularies", names, "add --byte-fallback")
            return None
        said = dataclasses.asdict(self)
        del said["byte_fallback"]
        return Characters(**said, **parts)


@dataclass(frozen=True, kw_only=True)
class Alphabet:
    """What the options say about the alphabet, and about tokens made of it."""

    character_coverage: float
    required_characters: str
    split_digits: bool
    split_by_script: bool
    max_piece_length: int


TEXTS = tuple(field.name for field in dataclasses.fields(Texts) if field.name != "byte_fallback")

texts_options = common.bundle(
    "texts",
    Texts,
    click.option(
        "--byte-fallback",
        is_flag=True,
        help="Make tokens of characters, as SentencePiece does, and of bytes only what is no such.",
    ),
    click.option(
        "--normalizer",
        type=click.Choice(["identity", "nfc", "nfd", "nfkc", "nfkd"]),
        default="identity",
        show_default=True,
        help="With --byte-fallback: what is done to each text first.",
    ),
    click.option(
        "--dummy-prefix/--no-dummy-prefix",
        default=True,
        help="With --byte-fallback: put a space before each text  [default: do]",
    ),
    click.option(
        "--split-by-whitespace/--no-split-by-whitespace",
        default=True,
        help="With --byte-fallback: whether a token has a space at most at its beginning  [default: it has]",
    ),
    click.option(
        "--symbol",
        "user_defined_symbols",
        multiple=True,
        metavar="TEXT",
        help="With --byte-fallback: a token wherever it stands; may be repeated.",
    ),
)
alphabet_options = common.bundle(
    "alphabet",
    Alphabet,
    click.option(
        "--character-coverage",
        type=click.FloatRange(0, 1, min_open=True),
        default=0.9995,
        show_default=True,
        metavar="SHARE",
        help="With --byte-fallback: the share of all characters that the alphabet makes up.",
    ),
    click.option(
        "--required-characters",
        default="",
        metavar="TEXT",
        help="With --byte-fallback: characters of the alphabet, however rare.",
    ),
    click.option(
        "--split-digits/--no-split-digits",
        default=False,
        help="With --byte-fallback: whether each digit is a token by itself  [default: not]",
    ),
    click.option(
        "--split-by-script/--no-split-by-script",
        default=True,
        help="With --byte-fallback: whether a token has characters of one script only  [default: it has]",
    ),
    click.option(
        "--max-piece-length",
        type=click.IntRange(min=1),
        default=16,
        show_default=True,
        metavar="N",
        help="With --byte-fallback: the most characters of a token.",
    ),
)
