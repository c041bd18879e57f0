"""SentencePiece's normalization, as a step before a text is cut into pieces.

A model brings it along: a map of characters (most often Unicode's NFKC with changes), rules for spaces, and
symbols that are kept as they are. SentencePiece writes a space as U+2581 from then on; here it stays a space.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from bpetok._charsmap import CharsMap
from bpetok.errors import PreparationError
from bpetok.normalization import Normalizer, register

__all__ = ["SPACE", "SentencePiece"]

SPACE = "\u2581"


@register
@dataclass(frozen=True)
class SentencePiece(Normalizer):
    """What SentencePiece does to a text first; `NormalizerSpec` of its models has the same parts.

    Args:
        name: how the map of characters is called.
        charsmap: the map in its precompiled form; empty: characters stay as they are.
        add_dummy_prefix: whether a space is put before a text that is not empty.
        remove_extra_whitespaces: whether spaces at both ends go, and of several only one is kept.
        escape_whitespaces: whether U+2581 in a text is taken as a space. (Before that it is none.)
        treat_whitespace_as_suffix: whether the space is put behind the text instead of before it.
        symbols: texts that are kept from the map.

    Raises:
        FormatError: the map is damaged.
        PreparationError: a symbol is empty.

    >>> SentencePiece(remove_extra_whitespaces=False)("one  two")
    ' one  two'
    """

    name: str = "identity"
    charsmap: bytes = field(default=b"", repr=False)
    add_dummy_prefix: bool = True
    remove_extra_whitespaces: bool = True
    escape_whitespaces: bool = True
    treat_whitespace_as_suffix: bool = False
    symbols: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(self.symbols):
            raise PreparationError("a symbol of the normalizer SentencePiece is empty")
        native = CharsMap(
            self.charsmap,
            dict.fromkeys(self.symbols, 0),
            dummy_prefix=self.add_dummy_prefix,
            suffix=self.treat_whitespace_as_suffix,
            collapse=self.remove_extra_whitespaces,
            escape=self.escape_whitespaces,
        )
        object.__setattr__(self, "_native", native)

    @property
    def keeps_start(self) -> bool:
        """Whether nothing at the start can be removed."""
        return not self.charsmap and not self.remove_extra_whitespaces

    def __call__(self, text: str) -> str:
        """The text as the model sees it. Linear in the text and in what it becomes."""
        if self.charsmap or self.remove_extra_whitespaces:
            return self._native.normalize(text)  # type: ignore[attr-defined, no-any-return]
        if self.escape_whitespaces:
            text = text.replace(SPACE, " ")
        if not self.add_dummy_prefix or not text:
            return text
        return text + " " if self.treat_whitespace_as_suffix else " " + text

    def spelling(self, token: str) -> str:
        """A symbol as it stands in normalized text: SentencePiece keeps it from the map."""
        return token.replace(SPACE, " ") if self.escape_whitespaces else token

    def __reduce__(self) -> tuple[Any, ...]:
        return SentencePiece, tuple(getattr(self, each.name) for each in fields(self))
