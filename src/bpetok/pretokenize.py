"""Text to pieces: the native scanner where the pattern is known, the `regex` package where not."""

import functools
import re
from collections.abc import Iterator
from typing import Any

from bpetok._text import as_utf8
from bpetok.errors import PatternError
from bpetok.patterns import Pattern, resolve

__all__ = ["compile_pattern", "match_spans", "split"]


@functools.lru_cache(maxsize=256)
def compile_pattern(source: str) -> Any:
    """Compile a split pattern with the `regex` package, the way the reference libraries read it.

    `$` means the end of the text (Python's also matches before a final newline), and character classes
    are those of the installed `regex`, which may know a later Unicode version than the native scanners.

    Raises:
        PatternError: the pattern does not compile, searches backwards, or matches the empty string.
    """
    import regex

    version = regex.V1 if "&&" in source or "--" in source else regex.V0
    try:
        compiled = regex.compile(_absolute_end(source), version)
    except regex.error as error:
        raise PatternError(f"the split pattern {source!r} does not compile: {error}") from error
    if compiled.flags & regex.REVERSE:
        raise PatternError(f"the split pattern {source!r} searches backwards: leave out the flag (?r)")
    if compiled.match(""):
        raise PatternError(
            f"the split pattern {source!r} matches the empty string, so it would never get past it: "
            "use + for * where a part may be empty"
        )
    return compiled


def match_spans(source: str, text: str) -> Iterator[tuple[int, int]]:
    """Character spans of the matches of a pattern, in order. Text between matches belongs to none.

    Raises:
        PatternError: the pattern does not compile, or matches the empty string somewhere.
    """
    for match in compile_pattern(source).finditer(text):
        start, end = match.span()
        if start == end:
            raise PatternError(
                f"the split pattern {source!r} matches the empty string at character {start} of the text: "
                "every alternative must take at least one character"
            )
        yield start, end


def split(text: str, pattern: str | Pattern) -> list[str]:
    """Cut a text into its pieces (pre-tokens).

    Args:
        text: any string; surrogates are repaired as tiktoken does.
        pattern: a name such as "cl100k", a regular expression, or a resolved `Pattern`.

    Returns:
        The pieces in order. For the named patterns they join to the whole text; with another expression,
        text that it does not match is in no piece (as in tiktoken).

    Raises:
        PatternError: the pattern does not compile, or matches the empty string.

    >>> split("I'm 12345 years", "cl100k")
    ['I', "'m", ' ', '123', '45', ' years']
    """
    if not isinstance(pattern, Pattern):
        pattern = resolve(pattern)
    if pattern.scanner is not None:
        return pattern.scanner.split(text)
    repaired = as_utf8(text).decode()
    return [repaired[start:end] for start, end in match_spans(pattern.source, repaired)]


def _absolute_end(source: str) -> str:
    r"""Spell each `$` as `\Z`, but for escaped ones, those in classes, and where `(?m)` is in force."""
    out, at, in_class = [], 0, False
    multiline = [False]  # of each open group
    while at < len(source):
        char = source[at]
        if char == "\\":
            char = source[at : at + 2]
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        elif char == ")":
            multiline = multiline[:-1] or [False]
        elif char == "(":
            flags = _FLAGS.match(source, at)
            if flags is not None:
                char = flags.group()
                on, off, colon = flags.groups()
                wanted = "m" in on or ("m" not in (off or "") and multiline[-1])
                if colon == ":":
                    multiline.append(wanted)
                else:
                    multiline[-1] = wanted
            else:
                multiline.append(multiline[-1])
        elif char == "$" and not multiline[-1]:
            out.append(r"\Z")
            at += 1
            continue
        out.append(char)
        at += len(char)
    return "".join(out)


_FLAGS = re.compile(r"\(\?([A-Za-z]*)(?:-([A-Za-z]+))?([:)])")
