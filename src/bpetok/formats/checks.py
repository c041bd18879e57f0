"""What every reader checks: limits on what a file may ask for, strict JSON, and the types of its parts."""

import json
import math
import os
import re
import stat
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from bpetok.errors import FormatError, PatternError, PreparationError, VocabularyError
from bpetok.patterns import from_source
from bpetok.splits import Splits
from bpetok.tokenizer import Tokenizer
from bpetok.vocabulary import Vocabulary

__all__ = [
    "MAX_ID",
    "MAX_JOINED",
    "MAX_TOKEN",
    "build",
    "check_pattern",
    "check_size",
    "check_texts",
    "field",
    "is_id",
    "is_text",
    "parse_json",
    "read_file",
    "shorten",
    "special_tokens_of",
]

MAX_FILE = 64 << 20  # the largest published vocabularies take 35 MB
MAX_TOKEN = 1 << 20  # bytes; linking a token takes some forty times its size
MAX_JOINED = 64 << 20  # bytes of all merged tokens together: each row can double a token
MAX_ID = (1 << 24) - 257  # the largest that the native tables take
MAX_PATTERN = 1 << 14
MAX_PATTERN_COST = 100_000  # the `regex` package unrolls counted repeats when it compiles

T = TypeVar("T")
_AGAIN = "copy or download it again, or save the tokenizer anew"


def read_file(path: str) -> bytes:
    """The bytes of a file that a tokenizer may be in.

    Raises:
        FormatError: it is no regular file, or larger than any tokenizer.
        OSError: it does not exist or cannot be read.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FormatError(f"{path} is not a regular file: name the file that the tokenizer was saved to")
    with open(path, "rb") as file:
        data = file.read(MAX_FILE + 1)
    check_size(data, path)
    return data


def check_size(data: bytes, where: str) -> None:
    """See that a file is not larger than a reader takes.

    Raises:
        FormatError: it is.
    """
    if len(data) > MAX_FILE:
        raise FormatError(f"{where} is larger than {MAX_FILE >> 20} MiB, which no tokenizer's file may be")


def shorten(value: object) -> str:
    """The repr of a value that may be of any length, for a message.

    >>> shorten("a" * 100)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    if isinstance(value, str | bytes):
        value = value[:200]
    elif isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else text[:38] + "..."


def parse_json(data: bytes, where: str) -> Any:
    """Read JSON strictly: UTF-8, no key twice, no NaN or infinity.

    Raises:
        FormatError: it is not such JSON, is truncated, or is nested too deeply.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_reject_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise FormatError(f"{where} is nested too deeply to be a tokenizer's file") from None
    except UnicodeDecodeError as error:
        raise FormatError(f"{where} is not valid UTF-8 at byte {error.start}: {_AGAIN}") from None
    except ValueError as error:
        raise FormatError(f"{where} is truncated or not valid JSON: {error}; {_AGAIN}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {shorten(key)} is given twice in one object")
            seen.add(key)
    return made


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {shorten(text)} is too large")
    return number


def field(document: dict[str, Any], key: str, kind: type[T], where: str) -> T:
    """A part of a JSON object, which must be there and of a type.

    Raises:
        FormatError: it is not.
    """
    if key not in document:
        raise FormatError(f"{where} has no {key!r}: {_AGAIN}")
    value = document[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise FormatError(f"{where}: {key!r} is {shorten(value)}; it must be a {kind.__name__}")
    return value


def is_id(value: object) -> bool:
    """Whether a JSON value can be a token's id."""
    return type(value) is int and 0 <= value <= MAX_ID


def is_text(value: object) -> bool:
    """Whether a value is a str that UTF-8 can hold.

    >>> is_text("é"), is_text("\\ud800"), is_text(None)
    (True, False, False)
    """
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def check_texts(tokenizer: Tokenizer, where: str) -> None:
    """See that a tokenizer's name, pattern and special tokens can be written, and read again.

    Raises:
        FormatError: they cannot.
    """
    for what, text in [
        ("name", tokenizer.name),
        *(("special token", text) for text in tokenizer.vocabulary.special_tokens),
    ]:
        if not is_text(text):
            raise FormatError(
                f"{where}: the {what} is {shorten(text)}; it must be a str without lone surrogates"
            )
    check_pattern(tokenizer.pattern.source, where)


def special_tokens_of(document: dict[str, Any], where: str) -> dict[str, int]:
    """The part "special_tokens" of a JSON object: text to id.

    Raises:
        FormatError: it is missing, or a text or an id cannot be one.
    """
    special_tokens = field(document, "special_tokens", dict, where)
    for text, token in special_tokens.items():
        if not text or not is_text(text):
            raise FormatError(
                f"{where}: special token {shorten(text)} is empty or holds a lone surrogate: no text can "
                "hold it"
            )
        if not is_id(token):
            raise FormatError(
                f"{where}: special token {shorten(text)} has id {shorten(token)}; ids are integers from 0 to "
                f"{MAX_ID}"
            )
    return special_tokens


def check_pattern(source: str, where: str) -> None:
    """See that a pattern is one that compiles in little time and memory.

    Raises:
        FormatError: it is not.
    """
    if not is_text(source):
        raise FormatError(f"{where}: the split pattern {shorten(source)} holds a lone surrogate")
    if not source or len(source) > MAX_PATTERN:
        raise FormatError(
            f"{where}: the split pattern has {len(source)} characters; it must have from 1 to {MAX_PATTERN}"
        )
    cost = len(source)
    for counts in re.findall(r"\{([\d,]+)\}", source):
        cost *= max(1, *(int(number[:9] or 1) for number in counts.split(",")))
        if cost > MAX_PATTERN_COST:
            raise FormatError(
                f"{where}: the repeat counts of the split pattern {shorten(source)} multiply to more than "
                "can be compiled safely: use smaller counts, or + and *"
            )


def build(
    where: str, name: str, pattern: str | Splits, make: Callable[[], Vocabulary], **more: Any
) -> Tokenizer:
    """A tokenizer from the parts of a file: what does not fit together is the file's fault.

    Args:
        where: the file.
        name: the tokenizer's name.
        pattern: its split pattern: a regular expression, not a name; or the steps that cut a text.
        make: makes the vocabulary.
        more: further arguments of `Tokenizer.from_vocabulary`.

    Raises:
        FormatError: the vocabulary contradicts itself, or the pattern does not compile or is too large.
    """
    if not is_text(name):
        raise FormatError(f"{where}: the name is {shorten(name)}; it must be a str without lone surrogates")
    if isinstance(pattern, str):
        check_pattern(pattern, where)
    try:
        if isinstance(pattern, str) and from_source(pattern).source != pattern:
            raise PatternError(f"the split pattern {pattern!r} is a name: write the regular expression")
        return Tokenizer.from_vocabulary(name, pattern, make(), **more)
    except RecursionError:
        raise FormatError(f"{where}: the split pattern {shorten(pattern)} is nested too deeply") from None
    except (PatternError, PreparationError, VocabularyError, OverflowError) as error:
        raise FormatError(f"{where}: {error}") from error
