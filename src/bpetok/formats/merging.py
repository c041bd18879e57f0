"""What is the same for libraries that merge the bytes of one pattern's pieces, and do nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from bpetok.errors import FormatError
from bpetok.formats.checks import check_texts, shorten
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["check_plain", "merge_list", "refuse"]


def refuse(where: str, why: str) -> NoReturn:
    """Raise the error that a file cannot be read or written."""
    raise FormatError(f"{where}: {why}")


def check_plain(tokenizer: Tokenizer, where: str, library: str, *, added: bool = False) -> None:
    """See that a tokenizer merges the bytes of the pieces of one pattern, and does nothing else.

    Args:
        tokenizer: the tokenizer.
        where: what is being written, for messages.
        library: what it is written for.
        added: whether that knows added tokens.

    Raises:
        FormatError: it does more.
    """
    if tokenizer.vocabulary.alphabet != "bytes":
        refuse(where, f"its merging starts from characters, and that of {library} from bytes")
    more = tokenizer.extras().keys() & {"normalizer", "decoder", *(() if added else ("added_tokens",))}
    if more:
        refuse(where, f"the tokenizer has a part {min(more)!r}, which {library} does not know")
    if tokenizer.splits is not None:
        refuse(where, f"several steps cut its texts, and {library} knows one pattern only")
    check_texts(tokenizer, where)


def merge_list(
    tokenizer: Tokenizer, where: str, library: str, *, added: bool = False
) -> list[tuple[int, int, int]]:
    """The merges with which such a library gives the same ids, in order of priority: left, right, joined id.

    Args:
        tokenizer: whose merges.
        where: what is being written, for messages.
        library: what it is written for.
        added: whether that knows added tokens.

    Raises:
        FormatError: texts are prepared or cut otherwise, or a token is taken whole that no merging makes.
    """
    check_plain(tokenizer, where, library, added=added)
    vocabulary = tokenizer.vocabulary
    if vocabulary.takes_whole:
        tokens = vocabulary.tokens()
        merged = Vocabulary.from_merges(tokens, vocabulary.merges(), {}).tables
        for token, data in tokens.items():
            if not merged.is_whole(token):
                refuse(
                    where,
                    f"token {token}, {shorten(data)}, is only ever taken as a whole piece, and {library} "
                    "makes tokens by merging alone",
                )
    return [(left, right, result) for _, left, right, result in vocabulary.tables.merges()]
