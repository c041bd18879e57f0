"""bpetok's own format: versioned JSON that keeps everything, readable by people and by `diff`.

The keys, in the order they are written:

- `format`: "bpetok"; `version`: 1.
- `name`, `pattern` (the regular expression), `semantics` ("ranks" or "merges"), `ignore_merges`.
- `special_tokens`: text to id.
- `provenance`: any plain JSON.
- `tokens`: rows [id, bytes in hexadecimal], for the tokens that no merge makes: the single bytes, and
  with *ranks* those that are only found as a whole piece. (And the odd token that is used before the
  merge that makes it.)
- `merges`: rows [left id, right id, id of the joined bytes], in order of priority.
- `merge_counts`: how often each pair stood in the training corpus, or null.
- `sha256`: of all the other keys, as JSON without white space, in ASCII, with sorted keys.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import TYPE_CHECKING, Any

from bpetok.errors import FormatError, VocabularyError
from bpetok.formats.checks import (
    MAX_ID,
    MAX_TOKEN,
    build,
    check_texts,
    field,
    is_id,
    parse_json,
    shorten,
    special_tokens_of,
)
from bpetok.formats.file import File
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "looks_like", "read"]

FORMAT = "bpetok"
VERSION = 1
MAX_JOINED = 64 << 20  # bytes of all merged tokens together: a few short rows can ask for any amount
KEYS = (
    "format", "version", "name", "pattern", "semantics", "ignore_merges", "special_tokens", "provenance",
    "tokens", "merges", "merge_counts", "sha256",
)  # fmt: skip

Row = list[int]


def dump(tokenizer: Tokenizer, where: str) -> bytes:
    """The native form of a tokenizer.

    Raises:
        FormatError: it holds something that would not come back equal: a provenance that is no plain JSON,
            a name that is no text, or tokens of enormous length.
    """
    if tokenizer.extras() or tokenizer.splits is not None or tokenizer.vocabulary.alphabet != "bytes":
        raise FormatError(
            f"cannot write {where}: version {VERSION} of the format holds no normalizer, added tokens, "
            "template, "
            "decoder, steps that cut the text, or vocabulary of characters; save as 'huggingface'"
        )
    vocabulary = tokenizer.vocabulary
    tokens = vocabulary.tokens()
    merges = [[left, right, token] for _, left, right, token in vocabulary.tables.merges()]
    counts = vocabulary.merge_counts
    check_texts(tokenizer, f"cannot write {where}")
    _check_lengths(tokens, merges, f"cannot write {where}")
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "name": tokenizer.name,
        "pattern": tokenizer.pattern.source,
        "semantics": vocabulary.semantics,
        "ignore_merges": vocabulary.ignore_merges,
        "special_tokens": dict(vocabulary.special_tokens),
        "provenance": _plain(tokenizer.provenance, where),
        "tokens": [[token, tokens[token].hex()] for token in _unmade(tokens, merges)],
        "merges": merges,
        "merge_counts": None if counts is None else counts.tolist(),
    }
    document["sha256"] = _digest(document, where)
    parts = []
    for key, value in document.items():
        if key in ("tokens", "merges"):
            rows = json.dumps(value, separators=(",", ":"))[1:-1].replace("],[", "],\n[")
            text = f"[\n{rows}\n]"
        else:
            text = json.dumps(value)
        parts.append(f"{json.dumps(key)}: {text}")
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode("ascii")


def looks_like(file: File) -> bool:
    """Whether a file is JSON whose "format" is "bpetok"."""
    return file.document.get("format") == FORMAT


def read(file: File) -> Tokenizer:
    """The tokenizer in a native file.

    Raises:
        FormatError: it is of another version, damaged, or contradicts itself.
    """
    document, where = file.document, file.path
    version = field(document, "version", int, where)
    if version != VERSION:
        raise FormatError(
            f"{where} is of version {version} of bpetok's format, and this release reads version {VERSION}: "
            "install the release that wrote it, or a later one"
        )
    unknown = document.keys() - set(KEYS)
    if unknown:
        raise FormatError(
            f"{where}: {shorten(min(unknown))} is not a part of version {VERSION} of the format"
        )
    stated = field(document, "sha256", str, where)
    if stated != _digest({key: value for key, value in document.items() if key != "sha256"}, where):
        raise FormatError(
            f"{where} is damaged or was changed by hand: its SHA-256 differs; copy it again, or save the "
            "tokenizer anew"
        )
    semantics = field(document, "semantics", str, where)
    ignore_merges = field(document, "ignore_merges", bool, where)
    if semantics not in ("ranks", "merges") or (semantics == "ranks" and ignore_merges):
        raise FormatError(
            f"{where}: 'semantics' is {shorten(semantics)} with 'ignore_merges' {ignore_merges}; it must be "
            "'merges', or 'ranks' with false"
        )
    special_tokens = special_tokens_of(document, where)
    tokens, pairs = _join(_spelled(document, where), _rows(document, where), where)
    if semantics == "merges":
        make = functools.partial(
            Vocabulary.from_merges,
            tokens,
            pairs,
            special_tokens,
            ignore_merges=ignore_merges,
            merge_counts=_counts(document, where),
        )
    else:
        make = functools.partial(_from_ranks, tokens, pairs, special_tokens)
        if field(document, "merge_counts", object, where) is not None:
            raise FormatError(f"{where}: a vocabulary of ranks has no 'merge_counts': they must be null")
    return build(
        where,
        field(document, "name", str, where),
        field(document, "pattern", str, where),
        make,
        provenance=field(document, "provenance", dict, where),
    )


def _digest(document: dict[str, Any], where: str) -> str:
    try:
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise FormatError(f"{where}: 'provenance' is nested too deeply") from None
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _plain(provenance: Any, where: str) -> dict[str, Any]:
    """The provenance, if JSON gives it back equal."""
    remedy = "keep to dict with str keys, list, str, int, finite float, bool and None"
    try:
        back: dict[str, Any] = parse_json(json.dumps(provenance, allow_nan=False).encode(), "the provenance")
        equal = back == provenance
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(
            f"cannot write {where}: the provenance is not plain JSON ({error}); {remedy}"
        ) from error
    if not equal:
        raise FormatError(f"cannot write {where}: the provenance would not come back equal; {remedy}")
    return back


def _check_lengths(tokens: dict[int, bytes], merges: list[Row], where: str) -> None:
    longest = max(map(len, tokens.values()), default=0)
    joined = sum(len(tokens[token]) for _, _, token in merges)
    if longest > MAX_TOKEN or joined > MAX_JOINED:
        raise FormatError(
            f"{where}: the longest token has {longest} bytes and the merged tokens {joined} together; at "
            f"most {MAX_TOKEN} and {MAX_JOINED} can be stored: train with max_token_length"
        )


def _unmade(tokens: dict[int, bytes], merges: list[Row]) -> list[int]:
    """The tokens to spell: those that are in no earlier row's result when a row uses them, or in none."""
    made: set[int] = set()
    spelled: set[int] = set()
    for left, right, token in merges:
        if left not in made:
            spelled.add(left)
        if right not in made:
            spelled.add(right)
        made.add(token)
    return sorted(spelled | (tokens.keys() - made))


def _spelled(document: dict[str, Any], where: str) -> dict[int, bytes]:
    tokens: dict[int, bytes] = {}
    for row in field(document, "tokens", list, where):
        data = _bytes_of(row)
        if data is None:
            raise FormatError(
                f"{where}: row {len(tokens)} of 'tokens' must be [an id from 0 to {MAX_ID}, 1 to {MAX_TOKEN} "
                "bytes in lower-case hexadecimal]"
            )
        if row[0] in tokens:
            raise FormatError(f"{where}: token {row[0]} is spelled twice in 'tokens'")
        tokens[row[0]] = data
    return tokens


def _bytes_of(row: object) -> bytes | None:
    if not (isinstance(row, list) and len(row) == 2 and is_id(row[0]) and isinstance(row[1], str)):
        return None
    try:
        data = bytes.fromhex(row[1])
    except ValueError:
        return None
    return data if data.hex() == row[1] and 0 < len(data) <= MAX_TOKEN else None


def _rows(document: dict[str, Any], where: str) -> list[Row]:
    rows = field(document, "merges", list, where)
    for at, row in enumerate(rows):
        if not (isinstance(row, list) and len(row) == 3 and all(map(is_id, row))):
            raise FormatError(f"{where}: row {at} of 'merges' must be three ids from 0 to {MAX_ID}")
    return rows


def _join(
    tokens: dict[int, bytes], rows: list[Row], where: str
) -> tuple[dict[int, bytes], list[tuple[int, int]]]:
    """All tokens by id, and the pairs, from the spelled tokens and the rows of merges."""
    joined = 0
    pairs = []
    for at, (left, right, token) in enumerate(rows):
        if left not in tokens or right not in tokens:
            missing = right if left in tokens else left
            raise FormatError(
                f"{where}: row {at} of 'merges' uses id {missing}, which is neither spelled in 'tokens' nor "
                "made by an earlier row"
            )
        size = len(tokens[left]) + len(tokens[right])
        joined += size
        if size > MAX_TOKEN or joined > MAX_JOINED:
            raise FormatError(
                f"{where}: row {at} of 'merges' asks for a token of {size} bytes, {joined} with those "
                f"before; at most {MAX_TOKEN} and {MAX_JOINED} are allowed"
            )
        data = tokens[left] + tokens[right]
        if tokens.setdefault(token, data) != data:
            raise FormatError(
                f"{where}: row {at} of 'merges' joins {shorten(tokens[left])} and {shorten(tokens[right])} "
                f"to token {token}, which is {shorten(tokens[token])}"
            )
        pairs.append((left, right))
    return tokens, pairs


def _counts(document: dict[str, Any], where: str) -> npt.NDArray[np.int64] | None:
    import numpy as np

    counts = field(document, "merge_counts", object, where)
    if counts is None:
        return None
    if not (isinstance(counts, list) and all(type(n) is int and -(2**63) <= n < 2**63 for n in counts)):
        raise FormatError(f"{where}: 'merge_counts' must be null or a list of 64-bit integers")
    return np.array(counts, dtype=np.int64)


def _from_ranks(
    tokens: dict[int, bytes], pairs: list[tuple[int, int]], special_tokens: dict[str, int]
) -> Vocabulary:
    ranks = {data: token for token, data in tokens.items()}
    if len(ranks) != len(tokens):
        raise VocabularyError("two ids have the same bytes; a token's bytes must be unique")
    vocabulary = Vocabulary.from_ranks(ranks, special_tokens)
    if vocabulary.merges().tolist() != [list(pair) for pair in pairs]:
        raise VocabularyError("its merges are not those that its ranks give")
    return vocabulary
