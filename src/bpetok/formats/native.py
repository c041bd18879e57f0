"""bpetok's own format: versioned JSON that keeps everything, readable by people and by `diff`.

`docs/native-file.md` describes it key by key. Version 1 holds a vocabulary of bytes, its special tokens, a
pattern and the provenance; version 2 whatever a `Tokenizer` can have. A file is of the lowest version that
holds its tokenizer, so that older releases read what they can.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from bpetok.added_tokens import added_token_from
from bpetok.decoding import decoder_from
from bpetok.errors import FormatError, PatternError, PreparationError, VocabularyError
from bpetok.formats.checks import (
    MAX_ID,
    MAX_JOINED,
    MAX_TOKEN,
    build,
    check_texts,
    field,
    parse_json,
    shorten,
    special_tokens_of,
)
from bpetok.formats.file import File
from bpetok.normalization import normalizer_from
from bpetok.splits import splits_from
from bpetok.templates import template_from
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "looks_like", "read"]

FORMAT = "bpetok"
# All keys, in the order in which they are written, and those that version 1 does not have.
KEYS = (
    "format", "version", "name", "normalizer", "pattern", "splits", "semantics", "ignore_merges",
    "characters", "special_tokens", "added_tokens", "template", "decoder", "chat_template", "dropout",
    "provenance", "tokens", "merges", "merge_counts", "sha256",
)  # fmt: skip
SECOND = frozenset(
    ("normalizer", "splits", "characters", "added_tokens", "template", "decoder", "chat_template", "dropout")
)
VERSIONS = {1: frozenset(KEYS) - SECOND, 2: frozenset(KEYS)}
ROWS = ("added_tokens", "tokens", "merges")  # a line each


def looks_like(file: File) -> bool:
    """Whether a file is JSON whose "format" is "bpetok"."""
    return file.document.get("format") == FORMAT


# ---- the parts around the vocabulary -------------------------------------------------------------------


def _added_tokens_from(specs: list[Any]) -> tuple[Any, ...]:
    return tuple(map(added_token_from, specs))


def _share(number: float) -> float:
    if not 0 <= number <= 1:
        raise PreparationError(f"{number} is no share: it must be from 0 to 1")
    return number


# The JSON of each part, and what makes the part of it again.
_PARTS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "normalizer": (dict, normalizer_from),
    "splits": (dict, splits_from),
    "added_tokens": (list, _added_tokens_from),
    "template": (dict, template_from),
    "decoder": (dict, decoder_from),
    "chat_template": (str, str),
    "dropout": (float, _share),
}


def _part(document: dict[str, Any], key: str, where: str) -> Any:
    kind, make = _PARTS[key]
    spec: Any = field(document, key, kind, where)
    try:
        return make(spec)
    except (FormatError, PatternError, PreparationError) as error:
        raise FormatError(f"{where}: {key!r} is wrong: {error}") from error


def _specs(tokenizer: Tokenizer, where: str) -> dict[str, Any]:
    """The parts of a tokenizer as they are written, once it is seen that they come back equal."""
    specs: dict[str, Any] = {}
    parts: dict[str, Any] = {"splits": tokenizer.splits, **tokenizer.extras()}
    for key, part in parts.items():
        if part is None:
            continue
        kind = _PARTS[key][0]
        try:
            spec: Any = part.spec() if kind is dict else part
            if kind is list:
                spec = [each.spec() for each in part]
        except (AttributeError, TypeError) as error:
            raise FormatError(f"{where}: its {key} cannot be said as plain data: {error}") from error
        if kind is float and type(spec) is int:
            spec = float(spec)  # which is equal, and so written alike
        specs[key] = _plain(spec, key, where)
        if _part(specs, key, where) != part:
            raise FormatError(f"{where}: its {key} would not come back equal from {shorten(str(spec))}")
    return specs


def _plain(value: Any, key: str, where: str) -> Any:
    """A value, if JSON gives it back equal."""
    remedy = "keep to dict with str keys, list, str, int, finite float, bool and None"
    try:
        back = parse_json(json.dumps(value, allow_nan=False).encode(), f"the {key}")
        equal = back == value
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError(f"{where}: the {key} is not plain JSON ({error}); {remedy}") from error
    if not equal:
        raise FormatError(f"{where}: the {key} would not come back equal; {remedy}")
    return back


# ---- writing -------------------------------------------------------------------------------------------


def dump(tokenizer: Tokenizer, where: str) -> bytes:
    """The native form of a tokenizer.

    Raises:
        FormatError: it holds something that would not come back equal: a provenance that is no plain JSON,
            a step of a class of your own, a name that is no text, or tokens of enormous length.
    """
    where = f"cannot write {where}"
    check_texts(tokenizer, where)
    vocabulary = tokenizer.vocabulary
    document: dict[str, Any] = {
        "format": FORMAT,
        "name": tokenizer.name,
        "semantics": vocabulary.semantics,
        "ignore_merges": vocabulary.ignore_merges,
        "special_tokens": dict(vocabulary.special_tokens),
        "provenance": _plain(tokenizer.provenance, "provenance", where),
        **_specs(tokenizer, where),
        **_vocabulary_of(vocabulary, where),
    }
    if tokenizer.splits is None:
        document["pattern"] = tokenizer.pattern.source
    document["version"] = 2 if document.keys() & SECOND else 1
    document["sha256"] = _digest(document, where)
    lines = [f"{json.dumps(key)}: {_written(key, document[key])}" for key in KEYS if key in document]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("ascii")


def _written(key: str, value: Any) -> str:
    if key == "merges":  # of which there are many, and no text in them
        rows = json.dumps(value, separators=(",", ":"))[1:-1].replace("],[", "],\n[")
    elif key in ROWS:
        rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
    else:
        return json.dumps(value)
    return f"[\n{rows}\n]"


def _digest(document: dict[str, Any], where: str) -> str:
    try:
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise FormatError(f"{where}: 'provenance' is nested too deeply") from None
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _vocabulary_of(vocabulary: Vocabulary, where: str) -> dict[str, Any]:
    """The keys that hold tokens and what is merged."""
    tokens = vocabulary.tokens()
    scores = vocabulary.scores() if vocabulary.semantics == "scores" else None
    merges = [] if scores else [[left, right, token] for _, left, right, token in vocabulary.tables.merges()]
    longest = max(map(len, tokens.values()), default=0)
    joined = sum(len(tokens[token]) for _, _, token in merges)
    if longest > MAX_TOKEN or joined > MAX_JOINED:
        raise FormatError(
            f"{where}: the longest token has {longest} bytes and the merged tokens {joined} together; at "
            f"most {MAX_TOKEN} and {MAX_JOINED} can be stored: train with max_token_length"
        )
    made: dict[str, Any] = {}
    spell: Callable[[bytes], str] = bytes.hex
    if vocabulary.alphabet == "characters":
        spell = bytes.decode
        made["characters"] = {
            "byte_tokens": None if vocabulary.byte_tokens is None else list(vocabulary.byte_tokens),
            "unknown": vocabulary.unknown,
            "fuse_unknown": vocabulary.fuse_unknown,
            "unused": sorted(vocabulary.unused),
        }
    if scores is not None:
        # Zero is written without a sign: it is equal with one.
        return made | {
            "tokens": [[token, spell(data), scores[token] + 0.0] for token, data in tokens.items()]
        }
    counts = vocabulary.merge_counts
    return made | {
        "tokens": [[token, spell(tokens[token])] for token in _unmade(tokens, merges)],
        "merges": merges,
        "merge_counts": None if counts is None else counts.tolist(),
    }


def _unmade(tokens: dict[int, bytes], merges: list[list[int]]) -> list[int]:
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


# ---- reading -------------------------------------------------------------------------------------------


def read(file: File) -> Tokenizer:
    """The tokenizer in a native file.

    Raises:
        FormatError: it is of another version, damaged, or contradicts itself.
    """
    document, where = file.document, file.path
    version = field(document, "version", int, where)
    if version not in VERSIONS:
        raise FormatError(
            f"{where} is of version {version} of bpetok's format, and this release reads versions "
            f"{' and '.join(map(str, VERSIONS))}: install the release that wrote it, or a later one"
        )
    if unknown := document.keys() - VERSIONS[version]:
        raise FormatError(
            f"{where}: {shorten(min(unknown))} is not a part of version {version} of the format: install the "
            "release that wrote it, or save the tokenizer anew"
        )
    stated = field(document, "sha256", str, where)
    if stated != _digest({key: value for key, value in document.items() if key != "sha256"}, where):
        raise FormatError(
            f"{where} is damaged or was changed by hand: its SHA-256 differs; copy it again, or save the "
            "tokenizer anew"
        )
    parts = {key: _part(document, key, where) for key in _PARTS if key in document}
    pattern = parts.pop("splits", None)
    if pattern is None:
        pattern = field(document, "pattern", str, where)
    elif "pattern" in document:
        raise FormatError(f"{where} has both 'pattern' and 'splits': a text is cut by one of them")
    return build(
        where,
        field(document, "name", str, where),
        pattern,
        _vocabulary(document, where),
        provenance=field(document, "provenance", dict, where),
        **parts,
    )


def _vocabulary(document: dict[str, Any], where: str) -> Callable[[], Vocabulary]:
    """What makes the vocabulary of a file."""
    semantics = field(document, "semantics", str, where)
    ignore_merges = field(document, "ignore_merges", bool, where)
    characters = _characters(document, where) if "characters" in document else None
    other = "ranks" if characters is None else "scores"
    if semantics != "merges" and (semantics != other or ignore_merges):
        raise FormatError(
            f"{where}: 'semantics' is {shorten(semantics)} with 'ignore_merges' {ignore_merges}; it must be "
            f"'merges', or {other!r} with false"
        )
    special_tokens = special_tokens_of(document, where)
    if semantics == "scores":
        if given := document.keys() & {"merges", "merge_counts"}:
            raise FormatError(f"{where}: a vocabulary of scores has no {min(given)!r}")
        columns = _columns(document, "tokens", (_ID, _TEXT, _SCORE), where)
        return functools.partial(
            Vocabulary.from_characters,
            _by_id(columns, where),
            scores=dict(zip(columns[0], columns[2], strict=True)),
            special_tokens=special_tokens,
            **characters or {},
        )
    spelling = _HEXADECIMAL if characters is None else _TEXT
    tokens = _by_id(_columns(document, "tokens", (_ID, spelling), where), where)
    pairs = _join(tokens, _columns(document, "merges", (_ID, _ID, _ID), where), where)
    counts = _counts(document, where)
    if semantics == "merges" and characters is None:
        return functools.partial(
            Vocabulary.from_merges,
            tokens,
            pairs,
            special_tokens,
            ignore_merges=ignore_merges,
            merge_counts=counts,
        )
    if counts is not None:
        raise FormatError(
            f"{where}: a vocabulary of {'ranks' if characters is None else 'characters'} has no "
            "'merge_counts': they must be null"
        )
    if characters is None:
        return functools.partial(_from_ranks, tokens, pairs, special_tokens)
    return functools.partial(
        Vocabulary.from_characters,
        tokens,
        merges=pairs,
        special_tokens=special_tokens,
        ignore_merges=ignore_merges,
        **characters,
    )


def _characters(document: dict[str, Any], where: str) -> dict[str, Any]:
    """What only a vocabulary of characters has, as `Vocabulary.from_characters` takes it."""
    part = field(document, "characters", dict, where)
    where = f"{where}: 'characters'"
    if unknown := part.keys() - {"byte_tokens", "unknown", "fuse_unknown", "unused"}:
        raise FormatError(f"{where} has {shorten(min(unknown))}, which is not a part of it")
    byte_tokens, one, fuse, unused = (
        field(part, key, object, where) for key in ("byte_tokens", "unknown", "fuse_unknown", "unused")
    )
    if not (byte_tokens is None or (isinstance(byte_tokens, list) and _are_ids(byte_tokens))):
        raise FormatError(f"{where}: 'byte_tokens' must be null or a list of ids from 0 to {MAX_ID}")
    if not (one is None or _are_ids([one])):
        raise FormatError(f"{where}: 'unknown' is {shorten(one)}; it must be null or an id")
    if fuse not in (None, "piece", "text"):
        raise FormatError(f"{where}: 'fuse_unknown' is {shorten(fuse)}; it must be null, 'piece' or 'text'")
    if not (isinstance(unused, list) and _are_ids(unused) and unused == sorted(set(unused))):
        raise FormatError(f"{where}: 'unused' must be a list of ids that rise")
    return {"byte_tokens": byte_tokens, "unknown": one, "fuse_unknown": fuse or False, "unused": unused}


# ---- rows ----------------------------------------------------------------------------------------------


def _are_ids(values: list[Any]) -> bool:
    return (
        set(map(type, values)) <= {int} and min(values, default=0) >= 0 and max(values, default=0) <= MAX_ID
    )


def _ids(values: list[Any]) -> list[int] | None:
    return values if _are_ids(values) else None


def _bytes(values: list[Any]) -> list[bytes] | None:
    try:
        data = list(map(bytes.fromhex, values))
    except (TypeError, ValueError):
        return None
    return data if _fit(data) and list(map(bytes.hex, data)) == values else None


def _texts(values: list[Any]) -> list[bytes] | None:
    try:
        data = list(map(str.encode, values))
    except (TypeError, UnicodeEncodeError):
        return None
    return data if _fit(data) else None


def _fit(data: list[bytes]) -> bool:
    sizes = set(map(len, data))
    return min(sizes, default=1) > 0 and max(sizes, default=1) <= MAX_TOKEN


def _floats(values: list[Any]) -> list[float] | None:
    return values if set(map(type, values)) <= {float} else None


class _Column(NamedTuple):
    """What one place of all rows of a part holds."""

    what: str
    read: Callable[[list[Any]], list[Any] | None]  # None where a value is wrong


_ID = _Column(f"an id from 0 to {MAX_ID}", _ids)
_HEXADECIMAL = _Column(f"1 to {MAX_TOKEN} bytes in lower-case hexadecimal", _bytes)
_TEXT = _Column(f"a text of 1 to {MAX_TOKEN} bytes in UTF-8", _texts)
_SCORE = _Column("a score, a number with a point", _floats)


def _columns(document: dict[str, Any], key: str, columns: Sequence[_Column], where: str) -> list[list[Any]]:
    """The columns of a part that is a list of rows. All rows are read at once, and where that fails one by
    one, to name the first that is wrong."""
    rows = field(document, key, list, where)
    values = _values(rows, columns)
    if values is None:
        at = next(at for at, row in enumerate(rows) if _values([row], columns) is None)
        raise FormatError(
            f"{where}: row {at} of {key!r} must be [{', '.join(column.what for column in columns)}]"
        )
    return values


def _values(rows: list[Any], columns: Sequence[_Column]) -> list[list[Any]] | None:
    n = len(columns)
    if not set(map(type, rows)) <= {list} or not set(map(len, rows)) <= {n}:
        return None
    flat = list(chain.from_iterable(rows))
    values = [column.read(flat[at::n]) for at, column in enumerate(columns)]
    return None if None in values else values  # type: ignore[return-value]


def _by_id(columns: list[list[Any]], where: str) -> dict[int, bytes]:
    ids, data, *_ = columns
    tokens = dict(zip(ids, data, strict=True))
    if len(tokens) < len(ids):
        twice = next(token for token, times in Counter(ids).items() if times > 1)
        raise FormatError(f"{where}: token {twice} is spelled twice in 'tokens'")
    return tokens


def _join(tokens: dict[int, bytes], columns: list[list[int]], where: str) -> npt.NDArray[np.int64]:
    """The pairs of the rows of merges; what they make is added to the tokens."""
    import numpy as np

    joined = at = 0
    try:
        for at, (left, right, token) in enumerate(zip(*columns, strict=True)):  # noqa: B007 - used below
            data = tokens[left] + tokens[right]
            joined += len(data)
            if len(data) > MAX_TOKEN or joined > MAX_JOINED or tokens.setdefault(token, data) != data:
                break
        else:
            return np.array(columns[:2], np.int64).T
    except KeyError as error:
        raise FormatError(
            f"{where}: row {at} of 'merges' uses id {error}, which is neither spelled in 'tokens' nor "
            "made by an earlier row"
        ) from None
    if len(data) > MAX_TOKEN or joined > MAX_JOINED:
        raise FormatError(
            f"{where}: row {at} of 'merges' asks for a token of {len(data)} bytes, {joined} with those "
            f"before; at most {MAX_TOKEN} and {MAX_JOINED} are allowed"
        )
    raise FormatError(
        f"{where}: row {at} of 'merges' joins {shorten(tokens[left])} and {shorten(tokens[right])} to token "
        f"{token}, which is {shorten(tokens[token])}"
    )


def _counts(document: dict[str, Any], where: str) -> npt.NDArray[np.int64] | None:
    import numpy as np

    counts = field(document, "merge_counts", object, where)
    if counts is None:
        return None
    if not (isinstance(counts, list) and all(type(n) is int and -(2**63) <= n < 2**63 for n in counts)):
        raise FormatError(f"{where}: 'merge_counts' must be null or a list of 64-bit integers")
    return np.array(counts, dtype=np.int64)


def _from_ranks(
    tokens: dict[int, bytes], pairs: npt.NDArray[np.int64], special_tokens: dict[str, int]
) -> Vocabulary:
    import numpy as np

    ranks = dict(zip(tokens.values(), tokens, strict=True))
    if len(ranks) != len(tokens):
        raise VocabularyError("two ids have the same bytes; a token's bytes must be unique")
    vocabulary = Vocabulary.from_ranks(ranks, special_tokens)
    if not np.array_equal(vocabulary.merges(), pairs):
        raise VocabularyError("its merges are not those that its ranks give")
    return vocabulary
