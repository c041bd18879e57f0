"""Unstable text: what may become of the last piece when more text follows.

Reproduces tiktoken 0.14's `encode_with_unstable` and `_encode_bytes`, quirks included; the heuristics
and their limits are described in its `lib.rs` (`_encode_unstable_native`).
"""

from __future__ import annotations

import bisect
import functools
from typing import TYPE_CHECKING

from bpetok._scan import char_class
from bpetok._text import as_utf8
from bpetok.explain import merge_steps, start_of
from bpetok.pretokenize import split

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

_SPACE_CLASS = 16


def completions(
    tokenizer: Tokenizer, text: str, ids: list[int], mask: bytes | None
) -> tuple[list[int], list[list[int]]]:
    """The stable ids of an encoded text, and the possible completions of the rest.

    O(vocabulary entries that start with a suffix of the last piece), each encoded once.
    """
    last = _last_piece_length(tokenizer, as_utf8(text), mask)
    if last == 0:
        return ids, []
    last = _with_white_space_before(tokenizer, ids, last)
    stable, unstable = ids[:-last], tokenizer.decode_bytes(ids[-last:])
    if not unstable:
        return stable, []

    words = _sorted_tokens(tokenizer)
    found: set[tuple[int, ...]] = set()
    for data in _starting_with(words, unstable):
        found.add((tokenizer.encode_single_token(data),))
    for cut in range(1, len(unstable)):
        prefix, suffix = unstable[:cut], unstable[cut:]
        for data in _starting_with(words, suffix):
            possible = prefix + data
            try:
                encoded = tokenizer.encode_ordinary(possible.decode())
            except UnicodeDecodeError:
                encoded = _merge_only(tokenizer, possible)
            sequence, length = [], 0
            for token in encoded:
                sequence.append(token)
                length += len(tokenizer.decode_single_token_bytes(token))
                if length >= len(unstable):
                    break
            found.add(tuple(sequence))
    # A following character can split white space off the end of the last piece.
    width = _last_character_width(unstable)
    if width and len(unstable) > width:
        head, tail = unstable[:-width], unstable[-width:]
        if char_class(ord(tail.decode())) & _SPACE_CLASS:
            found.add((*_merge_only(tokenizer, head), *_merge_only(tokenizer, tail)))
    return stable, [list(sequence) for sequence in found]


def encode_truncated(tokenizer: Tokenizer, data: bytes) -> list[int]:
    """Ids of bytes that may end in, or hold, invalid UTF-8: from there on they are one piece, together
    with the last piece before."""
    try:
        return tokenizer.encode_ordinary(data.decode())
    except UnicodeDecodeError as error:
        text, rest = data[: error.start].decode(), data[error.start :]
    ids = tokenizer.encode_ordinary(text)
    last = _last_piece_length(tokenizer, text.encode(), None)
    if last:
        last = _with_white_space_before(tokenizer, ids, last)
        rest = tokenizer.decode_bytes(ids[-last:]) + rest
        del ids[-last:]
    return ids + tokenizer._encode_piece(rest)


def _last_piece_length(tokenizer: Tokenizer, data: bytes, mask: bytes | None) -> int:
    """How many ids the last piece of a text has; 0 after a special token or for an empty text."""
    start = 0
    while mask is not None and (special := tokenizer._special_at(data, start, mask)) is not None:
        start = special[1]
    pieces = split(data[start:].decode(), tokenizer.pattern)
    return len(tokenizer._encode_piece(pieces[-1].encode())) if pieces else 0


def _with_white_space_before(tokenizer: Tokenizer, ids: list[int], last: int) -> int:
    """Take the tokens of white space before a last piece of white space into it: a later newline can
    join them."""

    def all_space(token: int) -> bool:
        data = tokenizer.decode_single_token_bytes(token)
        return not tokenizer.is_special_token(token) and not data.strip(b" \n\t")

    if all_space(ids[-last]):
        while last < len(ids) and all_space(ids[-last - 1]):
            last += 1
    return last


def _last_character_width(data: bytes) -> int:
    """Bytes of the last character, 0 when the end is not valid UTF-8."""
    for width in range(1, min(4, len(data)) + 1):
        try:
            data[-width:].decode()
        except UnicodeDecodeError:
            continue
        return width
    return 0


def _merge_only(tokenizer: Tokenizer, data: bytes) -> list[int]:
    """Ids of bytes by merging alone, without looking them up whole (equal where a token reaches itself)."""
    tables = tokenizer.vocabulary.tables
    symbols, spelled = start_of(tables, data)
    for _, at, _ in merge_steps(tables, symbols):
        spelled[at : at + 2] = [spelled[at] + spelled[at + 1]]
    ids: list[int] = []
    for symbol, part in zip(symbols, spelled, strict=True):
        found = None if symbol is None else tables.expand(symbol)
        ids += tokenizer._encode_piece(part) if found is None else found
    return ids


@functools.lru_cache(maxsize=8)
def _sorted_tokens(tokenizer: Tokenizer) -> list[bytes]:
    return tokenizer.token_byte_values()


def _starting_with(words: list[bytes], prefix: bytes) -> list[bytes]:
    start = end = bisect.bisect_left(words, prefix)
    while end < len(words) and words[end].startswith(prefix):
        end += 1
    return words[start:end]
