"""Pretokenizer: one scanner for the whole family of patterns."""

from typing import Any, overload

UNICODE_SOURCE: str
"""The library and version that the character classes were read off, such as "tiktoken 0.14.0"."""

class Scanner:
    """A native pretokenizer for one member of the GPT family of patterns, or for SentencePiece's; immutable.

    Args:
        word: "plain" (an optional space, then letters), "prefixed" (any one character but a newline, a
            letter or a number, then letters) or "cased" (the same, split where lower case ends). With
            "spaced" (a piece from each space on) and "whole" (one piece) nothing else matters.
        contractions: "none", "exact", "any-case", "ascii-case" (pieces of their own; the last without
            U+017F for an s) or "attached" (to a word).
        digits: the most numbers in one piece, 0 for any.
        number_space: whether a space may lead a number.
        numbers_apart: whether white space before a number is one piece, as if the text ended there.
        tail: what a run of punctuation takes with it: "none", "newlines" or "newlines-slashes".
        newlines: whether white space up to its last newline is one piece.
        end_space: whether white space at the end of a text is one piece, newlines or not.
        word_marks: whether combining marks count as letters of a word.
        punctuation_marks: whether combining marks continue a run of punctuation.
        words: the most words in a piece, with a space between two; see `bpetok.patterns.superwords`.

    Raises:
        ValueError: a parameter is not one of those above, marks would belong to no piece, or a space is to
            lead a number that is apart.
    """

    parameters: dict[str, Any]
    def __init__(
        self,
        *,
        word: str,
        contractions: str = "none",
        digits: int = 0,
        number_space: bool = False,
        tail: str = "none",
        newlines: bool = False,
        end_space: bool = False,
        word_marks: bool = False,
        punctuation_marks: bool = True,
        numbers_apart: bool = False,
        words: int = 1,
    ) -> None: ...
    @overload
    def split(self, text: str) -> list[str]: ...
    @overload
    def split(self, text: bytes) -> list[bytes]: ...
    def _split_ends(self, data: bytes, chosen: str) -> list[int]:
        """Where the pieces of `data` end, by the chosen tier: for tests, which compare them."""

def char_class(code_point: int) -> int:
    """Class bits of a code point: 1 letter, 2 upper-like, 4 lower-like, 8 number, 16 white space,
    32 newline, 64 mark."""

def _last_cut(text: bytes, spaces: bool = False) -> int:
    """The last position inside a text where pieces end whatever the pattern and whatever follows, or 0;
    with `spaces`, also where pieces may hold several words."""
