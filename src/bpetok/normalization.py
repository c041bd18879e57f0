"""What is done to a text before it is cut into pieces: normal forms, case, white space, replacements.

A step is a function from str to str, immutable, and equal to another one that does the same. Its `spec` is
plain data, in the form that a `tokenizer.json` has, and `normalizer_from` makes the step from it again.
Every step gives what the step of that name in `tokenizers` gives, character by character, with whatever
Python: characters that the two know differently are in `unicode_data`.

>>> clean = Sequence((NFKC(), Lowercase(), Replace(" ", "_")))
>>> clean("Ⅷ Ångström")
'viii_ångström'
>>> normalizer_from(clean.spec()) == clean
True
"""

from __future__ import annotations

import functools
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from bpetok.charsets import named, spell
from bpetok.errors import PreparationError
from bpetok.oniguruma import Expression, translate
from bpetok.unicode_data import LOWER

__all__ = [
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Lowercase",
    "Nmt",
    "Normalizer",
    "Prepend",
    "Replace",
    "Sequence",
    "Strip",
    "StripAccents",
    "normalizer_from",
    "register",
]


class Normalizer(ABC):
    """One step. Subclasses are frozen dataclasses."""

    #: Whether the text starts with what came from its first character: then what is at the start after the
    #: step was at the start before it.
    keeps_start: bool = True
    #: Whether a text that the step leaves as it is may be cut anywhere, and all parts are left as they are.
    leaves_parts: bool = False

    @abstractmethod
    def __call__(self, text: str) -> str:
        """The text after the step."""

    def spec(self) -> dict[str, Any]:
        """The step as plain data."""
        return {"type": type(self).__name__}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Normalizer:
        """The step of a `spec`.

        Raises:
            PreparationError: a part is missing, of another type, or not known.
        """
        check_keys(spec, {})
        return cls()


_KNOWN: dict[str, type[Normalizer]] = {}
_MOST_NESTED = 32


def register(cls: type[Normalizer]) -> type[Normalizer]:
    """Make a class known to `normalizer_from` by its name: a decorator."""
    _KNOWN[cls.__name__] = cls
    return cls


def normalizer_from(spec: Mapping[str, Any]) -> Normalizer:
    """The step, or the sequence of them, of plain data.

    Raises:
        PreparationError: it is of no known type, or a part of it is wrong.

    >>> normalizer_from({"type": "Prepend", "prepend": "▁"})("one")
    '▁one'
    """
    kind = spec.get("type") if isinstance(spec, Mapping) else None
    if not isinstance(kind, str) or kind not in _KNOWN:
        raise PreparationError(
            f"a normalizer of type {str(kind)[:60]!r} is not known: {', '.join(_KNOWN)} are"
        )
    return _KNOWN[kind].from_spec(spec)


def check_keys(spec: Mapping[str, Any], parts: Mapping[str, type]) -> None:
    """See that a spec has these parts besides its type, of these types, and no others.

    Raises:
        PreparationError: it has not.
    """
    kind = spec.get("type")
    for key, wanted in parts.items():
        if type(spec.get(key)) is not wanted:
            raise PreparationError(f"{key!r} of the normalizer {kind} must be {wanted.__name__}")
    if unknown := spec.keys() - parts.keys() - {"type"}:
        raise PreparationError(f"the normalizer {kind} has no part {str(min(unknown))[:60]!r}")


# ---- normal forms ------------------------------------------------------------------------------------


@functools.cache
def _apart() -> Callable[[str], list[str]]:
    """Cuts a text around the characters that Python may know and the steps of `tokenizers` do not."""
    return re.compile(f"({spell(named('no_form'))}+)").split


class _Form(Normalizer):
    form: ClassVar[Literal["NFC", "NFD", "NFKC", "NFKD"]]
    leaves_parts = True

    def __call__(self, text: str) -> str:
        # A text that Python finds normalized is so for `tokenizers` too, which knows fewer characters.
        if text.isascii() or unicodedata.is_normalized(self.form, text):
            return text
        parts = _apart()(text)
        parts[::2] = [unicodedata.normalize(self.form, part) for part in parts[::2]]
        return "".join(parts)


@register
@dataclass(frozen=True)
class NFC(_Form):
    """Characters composed: canonical equivalents become one, of as few code points as there are."""

    form = "NFC"


@register
@dataclass(frozen=True)
class NFD(_Form):
    """Characters taken apart into base and marks."""

    form = "NFD"


@register
@dataclass(frozen=True)
class NFKC(_Form):
    """As NFC, and compatibility characters such as ligatures and full-width letters made plain."""

    form = "NFKC"


@register
@dataclass(frozen=True)
class NFKD(_Form):
    """As NFD, and compatibility characters made plain."""

    form = "NFKD"


# ---- characters --------------------------------------------------------------------------------------


@register
@dataclass(frozen=True)
class Lowercase(Normalizer):
    """Each character in lower case by itself: a capital sigma becomes σ also where a word ends."""

    def __call__(self, text: str) -> str:
        if text.isascii():
            return text.lower()
        parts = _apart()(text.replace("Σ", "σ"))
        parts[::2] = [part.lower() for part in parts[::2]]
        parts[1::2] = [part.translate(LOWER) for part in parts[1::2]]
        return "".join(parts)


@functools.cache
def _marks() -> re.Pattern[str]:
    return re.compile(f"{spell(named('mark'))}+")


@register
@dataclass(frozen=True)
class StripAccents(Normalizer):
    """Combining marks removed; what is composed keeps its marks, so NFD comes first as a rule."""

    keeps_start = False

    def __call__(self, text: str) -> str:
        return text if text.isascii() else _marks().sub("", text)


@functools.cache
def _white_space() -> str:
    return "".join(chr(cp) for first, last in named("space") for cp in range(first, last + 1))


@register
@dataclass(frozen=True)
class Strip(Normalizer):
    """White space at the ends removed."""

    left: bool = True
    right: bool = True

    @property
    def keeps_start(self) -> bool:  # type: ignore[override]
        return not self.left

    def __call__(self, text: str) -> str:
        if self.left:
            text = text.lstrip(_white_space())
        return text.rstrip(_white_space()) if self.right else text

    def spec(self) -> dict[str, Any]:
        return {"type": "Strip", "strip_left": self.left, "strip_right": self.right}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Strip:
        check_keys(spec, {"strip_left": bool, "strip_right": bool})
        return cls(spec["strip_left"], spec["strip_right"])


_NMT = {cp: None for cp in (*range(0x01, 0x09), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F)} | {
    cp: " "
    for cp in (0x09, 0x0A, 0x0C, 0x0D, 0x1680, *range(0x200B, 0x2010), 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD)
}


@register
@dataclass(frozen=True)
class Nmt(Normalizer):
    """Control characters removed, and what is white space in some way made a plain space."""

    keeps_start = False

    def __call__(self, text: str) -> str:
        return text.translate(_NMT)


# ---- strings -----------------------------------------------------------------------------------------


@register
@dataclass(frozen=True)
class Replace(Normalizer):
    """Every match of a string, or of an `Expression`, replaced by a text that is taken as it is.

    Raises:
        PatternError: the expression is not one that can be run with equal matches; see `oniguruma`.
    """

    pattern: str | Expression
    content: str

    def __post_init__(self) -> None:
        if isinstance(self.pattern, Expression):
            translate(self.pattern.source)

    @property
    def keeps_start(self) -> bool:  # type: ignore[override]
        return self.content != ""

    def __call__(self, text: str) -> str:
        if isinstance(self.pattern, Expression):
            return translate(self.pattern.source).sub(lambda _: self.content, text)
        return text.replace(self.pattern, self.content) if self.pattern else text

    def spec(self) -> dict[str, Any]:
        return {"type": "Replace", "pattern": pattern_spec(self.pattern), "content": self.content}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Replace:
        check_keys(spec, {"pattern": dict, "content": str})
        return cls(pattern_from(spec["pattern"]), spec["content"])


def pattern_spec(pattern: str | Expression) -> dict[str, str]:
    """A string or expression as plain data."""
    return {"Regex": pattern.source} if isinstance(pattern, Expression) else {"String": pattern}


def pattern_from(spec: Mapping[str, Any]) -> str | Expression:
    """The string or expression of plain data.

    Raises:
        PreparationError: it is neither.
    """
    ((kind, source),) = spec.items() if len(spec) == 1 else ((None, None),)
    if kind not in ("String", "Regex") or not isinstance(source, str):
        raise PreparationError("a pattern must be {'String': ...} or {'Regex': ...}")
    return source if kind == "String" else Expression(source)


@register
@dataclass(frozen=True)
class Prepend(Normalizer):
    """A string put before every text that is not empty."""

    prepend: str

    def __call__(self, text: str) -> str:
        return self.prepend + text if text else text

    def spec(self) -> dict[str, Any]:
        return {"type": "Prepend", "prepend": self.prepend}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Prepend:
        check_keys(spec, {"prepend": str})
        return cls(spec["prepend"])


@register
@dataclass(frozen=True)
class Sequence(Normalizer):
    """Steps one after the other."""

    steps: tuple[Normalizer, ...]

    @property
    def keeps_start(self) -> bool:  # type: ignore[override]
        return all(step.keeps_start for step in self.steps)

    @property
    def leaves_parts(self) -> bool:  # type: ignore[override]
        return all(step.leaves_parts for step in self.steps)

    def __call__(self, text: str) -> str:
        for step in self.steps:
            text = step(text)
        return text

    def spec(self) -> dict[str, Any]:
        return {"type": "Sequence", "normalizers": [step.spec() for step in self.steps]}

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Sequence:
        check_keys(spec, {"normalizers": list})
        return cls(tuple(normalizer_from(step) for step in spec["normalizers"]))
