"""minbpe's text format (`.model`, "minbpe v1"): a pattern, special tokens, and a line for each merge.

Ids are bytes, and from 256 on the merges in their order. An empty pattern is that of `BasicTokenizer`, which
merges the whole text as one piece.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING

from bpetok.errors import FormatError, VocabularyError
from bpetok.formats.checks import MAX_ID, MAX_JOINED, MAX_TOKEN, build, is_text, shorten
from bpetok.formats.file import File
from bpetok.formats.merging import merge_list, refuse
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "looks_like", "read"]

HEADER = "minbpe v1"
WHOLE = "(?s:.+)"


def looks_like(file: File) -> bool:
    """Whether a file's first line is "minbpe v1"."""
    return re.match(rb"minbpe v1\s*\n", file.head) is not None


def read(file: File) -> Tokenizer:
    """The tokenizer in a minbpe model.

    Raises:
        FormatError: a line is damaged, a merge uses what is not made before it, or two special tokens would
            be found in another order than bpetok's.
    """
    where = file.path
    try:
        lines = file.data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"{where} is not valid UTF-8 at byte {error.start}: copy it again") from None
    if len(lines) < 3 or not re.fullmatch(r"[0-9]{1,7}", lines[2].strip()):
        raise FormatError(f"{where} has no number of special tokens in line 3: copy it again")
    n_specials = int(lines[2])
    specials: dict[str, int] = {}
    for number, line in enumerate(lines[3 : 3 + n_specials], 4):
        parts = line.split()
        if len(parts) != 2 or not re.fullmatch(r"[0-9]{1,8}", parts[1]) or int(parts[1]) > MAX_ID:
            raise FormatError(f"{where}, line {number}: {shorten(line)} is not a special token and its id")
        if parts[0] in specials or not is_text(parts[0]):
            raise FormatError(f"{where}, line {number}: special token {shorten(parts[0])} is given twice")
        specials[parts[0]] = int(parts[1])
    if len(specials) != n_specials:
        raise FormatError(f"{where} is truncated: it has {len(specials)} of {n_specials} special tokens")
    _check_order(specials, where)
    tokens = [bytes([byte]) for byte in range(256)]
    merges: list[tuple[int, int]] = []
    joined = 0
    for number, line in enumerate(lines[3 + n_specials :], 4 + n_specials):
        if not line.strip():
            continue
        match = re.fullmatch(r"\s*([0-9]{1,8})\s+([0-9]{1,8})\s*", line)
        if match is None or max(int(match[1]), int(match[2])) >= len(tokens):
            raise FormatError(
                f"{where}, line {number}: {shorten(line)} is not a pair of two ids below {len(tokens)}"
            )
        data = tokens[int(match[1])] + tokens[int(match[2])]
        joined += len(data)
        if len(data) > MAX_TOKEN or joined > MAX_JOINED or len(tokens) > MAX_ID:
            raise FormatError(f"{where}, line {number}: the tokens are too many or too long")
        merges.append((int(match[1]), int(match[2])))
        tokens.append(data)
    for text, token in specials.items():
        if token < len(tokens):
            raise FormatError(f"{where}: special token {shorten(text)} has id {token}, which is a token's")
    make = functools.partial(_make, tokens, merges, specials)
    return build(where, Path(where).stem, lines[1].strip() or WHOLE, make)


def _check_order(specials: dict[str, int], where: str) -> None:
    """See that minbpe finds each special token: it takes the first in the file of those that match,
    bpetok the longest."""
    lines = {text: number for number, text in enumerate(specials, 4)}
    begin: list[tuple[str, int]] = []  # texts that the next one begins with, and the first of their lines
    for text in sorted(lines):
        while begin and not text.startswith(begin[-1][0]):
            begin.pop()
        first = begin[-1][1] if begin else lines[text]
        if first < lines[text]:
            raise FormatError(
                f"{where}, line {lines[text]}: {shorten(text)} is never found by minbpe, because it begins "
                "with another special token that stands before it: change their order"
            )
        begin.append((text, lines[text]))


def _make(tokens: list[bytes], merges: list[tuple[int, int]], specials: dict[str, int]) -> Vocabulary:
    if len(set(tokens)) != len(tokens):
        raise VocabularyError("two merges give the same bytes, and these would have two ids")
    return Vocabulary.from_merges(tokens, merges, specials)


def dump(tokenizer: Tokenizer, path: str) -> bytes:
    """A minbpe model with which its `RegexTokenizer` gives the same ids; `BasicTokenizer` for the pattern
    "whole".

    A template and a chat template are no part of the format, and are left out.

    Raises:
        FormatError: ids are not bytes first and then the results of the merges in their order; or the format
            has no room for a part.
    """
    where = f"cannot write {path}"
    merges = merge_list(tokenizer, where, "minbpe")
    tokens, specials = tokenizer.vocabulary.tokens(), tokenizer.vocabulary.special_tokens
    if any(tokens.get(byte) != bytes([byte]) for byte in range(256)):
        refuse(where, "ids 0 to 255 must be the single bytes in their order in this format")
    if [result for *_, result in merges] != sorted(tokens)[256:] or max(tokens) >= len(tokens):
        refuse(where, "from 256 on an id must be the place of its merge in this format, without a gap")
    source = tokenizer.pattern.source
    if source != WHOLE and (tokenizer.pattern.scanner is None or source != source.strip()):
        refuse(
            where,
            f"the split pattern {shorten(source)} begins or ends with white space, which minbpe takes off"
            if tokenizer.pattern.scanner
            else f"minbpe may read the split pattern {shorten(source)} differently: use a named pattern",
        )
    for text, token in specials.items():
        if text.split() != [text]:
            refuse(where, f"special token {shorten(text)} holds white space, which parts it from its id here")
        if token in tokens:
            refuse(where, f"special token {shorten(text)} has id {token}, which is another token's")
    # minbpe takes the first in the file of those that match at a place, bpetok the longest.
    rows = sorted(specials.items(), key=lambda item: -len(item[0]))
    lines = [
        HEADER,
        "" if source == WHOLE else source,
        str(len(rows)),
        *(f"{text} {token}" for text, token in rows),
        *(f"{left} {right}" for left, right, _ in merges),
    ]
    return ("\n".join(lines) + "\n").encode()
