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

from bpetok._forms import FormCheck, spliced
from bpetok.charsets import named, spell
from bpetok.errors import PreparationError
from bpetok.oniguruma import Expression, check_match, translate
from bpetok.specs import Plain, from_spec
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


class Normalizer(Plain, ABC):
    """One step. Subclasses are frozen dataclasses."""

    @property
    def keeps_start(self) -> bool:
        """Whether what is at the start of a text after the step was at the start before it, or is new."""
        return True

    @property
    def leaves_parts(self) -> bool:
        """Whether of a text that the step leaves as it is, it leaves every part as it is; and whether it
        gives that very object back."""
        return False

    @abstractmethod
    def __call__(self, text: str) -> str:
        """The text after the step."""

    def spelling(self, token: str) -> str:
        """An added token as it stands in text after the step."""
        return self(token)


_KNOWN: dict[str, type[Normalizer]] = {}
_LONGEST = 1 << 24  # characters of an added token that is normalized


def register(cls: type[Normalizer]) -> type[Normalizer]:
    """Make a class known to `normalizer_from`: a decorator."""
    _KNOWN[cls.kind or cls.__name__] = cls
    return cls


def normalizer_from(spec: Mapping[str, Any]) -> Normalizer:
    """The step, or the sequence of them, of plain data.

    Raises:
        PreparationError: it is of no known type, or a part of it is wrong.
        PatternError: an expression cannot be run with equal matches; see `oniguruma`.

    >>> normalizer_from({"type": "Prepend", "prepend": "▁"})("one")
    '▁one'
    """
    import bpetok.normalization_spm  # noqa: F401 - which registers its step

    step: Normalizer = from_spec(spec, _KNOWN, "normalizer")
    return step


# ---- normal forms ------------------------------------------------------------------------------------


@functools.cache
def _apart() -> Callable[[str], list[str]]:
    """Cuts a text around the characters that Python may know and the steps of `tokenizers` do not."""
    return re.compile(f"({spell(named('no_form'))}+)").split


@functools.cache
def _check(form: str) -> FormCheck:
    """Where a normal form may change a text: `_forms` says what the classes mean."""
    classes = bytearray(0x110000)
    for name, mark in (("joined", 0x80), ("joining", 0x40)) if form.endswith("C") else ():
        for first, last in named(name):
            classes[first : last + 1] = bytes(each | mark for each in classes[first : last + 1])
    marks = [cp for first, last in named("combining") for cp in range(first, last + 1)]
    ranks = sorted({unicodedata.combining(chr(cp)) for cp in marks})
    for cp in marks:
        classes[cp] = classes[cp] & 0x40 | (ranks.index(unicodedata.combining(chr(cp))) + 1)
    for first, last in (*named(form), (0xD800, 0xDFFF)):
        classes[first : last + 1] = b"\xff" * (last + 1 - first)
    return FormCheck(classes)


class _Form(Normalizer):
    """Surrogates are repaired on the way."""

    form: ClassVar[Literal["NFC", "NFD", "NFKC", "NFKD"]]

    @property
    def leaves_parts(self) -> bool:
        return True

    def __call__(self, text: str) -> str:
        if text.isascii():
            return text
        spans = _check(self.form).spans(text)
        if not spans:
            return text
        if 4 * sum(end - start for start, end in spans) > len(text):
            changed = self._exactly(text)
        else:
            changed = spliced(text, spans, [self._exactly(text[start:end]) for start, end in spans])
        return text if changed == text else changed

    def _exactly(self, text: str) -> str:
        parts = _apart()(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
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

    @property
    def keeps_start(self) -> bool:
        return False

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

    keys: ClassVar = {"left": "strip_left", "right": "strip_right"}

    @property
    def keeps_start(self) -> bool:
        return not self.left

    def __call__(self, text: str) -> str:
        if self.left:
            text = text.lstrip(_white_space())
        return text.rstrip(_white_space()) if self.right else text


_REMOVED = (*range(0x01, 0x09), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F)
_SPACES = (0x09, 0x0A, 0x0C, 0x0D, 0x1680, *range(0x200B, 0x2010), 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD)
_NMT = dict.fromkeys(_REMOVED, "") | dict.fromkeys(_SPACES, " ")


@register
@dataclass(frozen=True)
class Nmt(Normalizer):
    """Control characters removed, and what is white space in some way made a plain space."""

    @property
    def keeps_start(self) -> bool:
        return False

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
        check_match(self.pattern)

    @property
    def keeps_start(self) -> bool:
        return self.content != ""

    @property
    def leaves_parts(self) -> bool:
        # What is not in a text is in no part of it; below the surrogates, before their repair too.
        return isinstance(self.pattern, str) and all(char < "\ud800" for char in self.pattern)

    def __call__(self, text: str) -> str:
        if isinstance(self.pattern, Expression):
            return translate(self.pattern.source).sub(lambda _: self.content, text)
        return text.replace(self.pattern, self.content)

    def spelling(self, token: str) -> str:
        # Tokens are spelled when a file is read, and a small file must not ask for an enormous text.
        if (len(token) + 1) * len(self.content) > _LONGEST:
            raise PreparationError(
                f"an added token of {len(token)} characters could become one of over {_LONGEST:,} by Replace "
                f"with {len(self.content)} characters"
            )
        return self(token)


@register
@dataclass(frozen=True)
class Prepend(Normalizer):
    """A string put before every text that is not empty."""

    prepend: str

    def __call__(self, text: str) -> str:
        return self.prepend + text if text else text


@register
@dataclass(frozen=True)
class Sequence(Normalizer):
    """Steps one after the other."""

    steps: tuple[Normalizer, ...]

    keys: ClassVar = {"steps": "normalizers"}

    @property
    def keeps_start(self) -> bool:
        return all(step.keeps_start for step in self.steps)

    @property
    def leaves_parts(self) -> bool:
        return all(step.leaves_parts for step in self.steps)

    def __call__(self, text: str) -> str:
        for step in self.steps:
            text = step(text)
        return text

    def spelling(self, token: str) -> str:
        for step in self.steps:
            token = step.spelling(token)
        return token
