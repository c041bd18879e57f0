"""What is done to a text before it is cut into pieces and counted."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bpetok.errors import PreparationError
from bpetok.normalization import NFC, NFD, NFKC, NFKD, Normalizer, Prepend, Replace, Sequence, normalizer_from

__all__ = ["NOTHING", "PREFIX", "SPACES", "Treatment"]

SPACES = Replace("\u2581", " ")  # which SentencePiece takes for one
PREFIX = Prepend(" ")  # SentencePiece's dummy prefix


@dataclass(frozen=True)
class Treatment:
    """What a tokenizer does to a text before its pattern: as much as counting must do, too.

    Attributes:
        normalizer: what each stretch of a text goes through; None for nothing.
        symbols: texts that are tokens wherever they stand, the leftmost and then the longest first. They cut
            a text into stretches, and are in none.

    >>> Treatment(Prepend(" "), ("<sep>",)).stretches("one<sep>two")
    [' one', ' two']
    """

    normalizer: Normalizer | None = None
    symbols: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.normalizer is not None or bool(self.symbols)

    def stretches(self, text: str, *, first: bool = True) -> list[str]:
        """What a text is made into.

        Args:
            text: a text; or a part of one, cut before a space, if `local`.
            first: whether it is the first part.
        """
        normalizer = self.normalizer if first else _inside(self.normalizer)
        stretches = _between(self.symbols).split(text) if self.symbols else [text]
        return stretches if normalizer is None else [normalizer(stretch) for stretch in stretches]

    @property
    def local(self) -> bool:
        """Whether a text may be cut before each space, and its parts be prepared one by one."""
        return not self.symbols and all(
            isinstance(step, NFC | NFD | NFKC | NFKD) or step in (SPACES, PREFIX)
            for step in _steps(self.normalizer)
        )

    @property
    def prefix(self) -> bool:
        """Whether a space is put before a text."""
        return any(
            step == PREFIX or getattr(step, "add_dummy_prefix", False) for step in _steps(self.normalizer)
        )

    def spec(self) -> dict[str, Any]:
        """It as plain data: what it has."""
        return ({} if self.normalizer is None else {"normalizer": self.normalizer.spec()}) | (
            {"symbols": list(self.symbols)} if self.symbols else {}
        )

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Treatment:
        """The treatment of plain data.

        Raises:
            PreparationError: a part is wrong or not known.
        """
        symbols = spec.get("symbols", [])
        if spec.keys() - {"normalizer", "symbols"} or not (
            isinstance(symbols, list) and all(isinstance(symbol, str) and symbol for symbol in symbols)
        ):
            raise PreparationError("what was done to the texts is not known")
        normalizer = normalizer_from(spec["normalizer"]) if "normalizer" in spec else None
        return cls(normalizer, tuple(symbols))


NOTHING = Treatment()


def _steps(normalizer: Normalizer | None) -> tuple[Normalizer, ...]:
    if normalizer is None:
        return ()
    if isinstance(normalizer, Sequence):
        return tuple(step for part in normalizer.steps for step in _steps(part))
    return (normalizer,)


@functools.lru_cache(maxsize=16)
def _inside(normalizer: Normalizer | None) -> Normalizer | None:
    """A normalizer for what does not begin a text."""
    return Sequence(tuple(step for step in _steps(normalizer) if step != PREFIX))


@functools.lru_cache(maxsize=16)
def _between(symbols: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(symbols, key=len, reverse=True))))
