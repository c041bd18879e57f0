"""Tokens that are found in a text by their own spelling, before anything is merged.

Each vocabulary has its special tokens, which are found as they stand. An `AddedToken` says more of one: that
it takes the white space beside it, that it must be a word of its own, that it is looked for in the
normalized text, or that it is no special token and always found. The rules are those of `tokenizers`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bpetok._specials import Specials
from bpetok.charsets import named, spell
from bpetok.errors import PreparationError

__all__ = ["AddedToken", "Finder", "added_token_from"]


@dataclass(frozen=True)
class AddedToken:
    """How a token is found.

    Attributes:
        text: its spelling.
        id: its id.
        special: whether it obeys `allowed_special` and `disallowed_special`; others are always found.
        lstrip: whether it takes the white space before it.
        rstrip: whether it takes the white space behind it.
        single_word: whether it is no token where a letter, digit or underline is beside it.
        normalized: whether it is looked for in the normalized text, its own spelling normalized too; such
            tokens are looked for after all others.
    """

    text: str
    id: int
    special: bool = True
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is found as it stands in the text itself."""
        return not (self.lstrip or self.rstrip or self.single_word or self.normalized)

    def spec(self) -> dict[str, Any]:
        """The token as plain data."""
        return asdict(self)


def added_token_from(spec: Mapping[str, Any]) -> AddedToken:
    """The token of plain data.

    Raises:
        PreparationError: a part is missing, of another type, or not known.
    """
    if not isinstance(spec, Mapping):
        raise PreparationError(f"an added token is an object with a text and an id, not {spec!r:.60}")
    wanted = {"text": str, "id": int}
    for each in fields(AddedToken):
        if type(spec.get(each.name)) is not wanted.get(each.name, bool):
            raise PreparationError(f"{each.name!r} of an added token is missing or of another type")
    if unknown := spec.keys() - {each.name for each in fields(AddedToken)}:
        raise PreparationError(f"an added token has no part {str(min(unknown))[:60]!r}")
    return AddedToken(**spec)


class Finder:
    """The places of some added tokens in a text: the leftmost first, of those at one place the longest.

    Args:
        tokens: what to look for: for each spelling the token, and its place among all special tokens.
    """

    def __init__(self, tokens: Mapping[str, tuple[AddedToken, int]]) -> None:
        self._specials = Specials({text: token.id for text, (token, _) in tokens.items()})
        self._tokens = [token for token, _ in tokens.values()]
        self._places = [place for _, place in tokens.values()]
        #: Whether all are found just as they are spelled.
        self.plain = not any(token.lstrip or token.rstrip or token.single_word for token in self._tokens)

    def __len__(self) -> int:
        return len(self._tokens)

    def any(self, data: bytes, mask: bytes) -> bool:
        """Whether the spelling of a token that is looked for is in a text, in UTF-8."""
        return self._specials.next(data, 0, bytes([mask[place] for place in self._places])) is not None

    def parts(self, data: bytes, mask: bytes) -> Iterator[tuple[int, int, int]]:
        """Cut a text, in UTF-8, into tokens and what is between them.

        Args:
            data: the text.
            mask: a byte for each special token, nonzero where it is looked for.

        Yields:
            (id, start, end), with -1 for what is no token. Spans are never empty and follow one another;
            only where a token took white space in which another begins, that one begins before its end.
        """
        marks = bytes([mask[place] for place in self._places])
        at = done = 0
        while (found := self._specials.next(data, at, marks)) is not None:
            start, stop, which = found
            at = stop
            if not self.plain:
                token = self._tokens[which]
                if token.single_word and (_word_before(data, start) or _word_at(data, stop)):
                    continue
                if token.lstrip:
                    start = _spaces_before(data, start, done)
                if token.rstrip:
                    stop = _spaces_behind(data, stop)
            if done < start:
                yield -1, done, start
            yield self._tokens[which].id, start, stop
            done = stop
        if done != len(data):
            yield -1, done, len(data)


_BEHIND = re.compile(
    rb"(?:[\t-\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*"
)
_SPACES = frozenset(chr(cp).encode() for first, last in named("space") for cp in range(first, last + 1))
_WORD = re.compile(spell(named("rust_word")))


def _spaces_behind(data: bytes, at: int) -> int:
    match = _BEHIND.match(data, at)
    return match.end() if match else at


def _spaces_before(data: bytes, at: int, floor: int) -> int:
    """Where the white space before a place begins, not before another one."""
    while True:
        for size in (1, 2, 3):
            if at - size >= floor and data[at - size : at] in _SPACES:
                at -= size
                break
        else:
            # Where a token was found within white space that another had taken, the other ends behind it.
            return max(at, floor)


def _word_before(data: bytes, at: int) -> bool:
    start = at - 1
    while start > 0 and data[start] & 0xC0 == 0x80:
        start -= 1
    return at > 0 and _WORD.match(data[start:at].decode()) is not None


def _word_at(data: bytes, at: int) -> bool:
    return _WORD.match(data[at : at + 4].decode(errors="ignore")) is not None
