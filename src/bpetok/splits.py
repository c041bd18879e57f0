"""Cutting a text into pieces by several steps, as the pre-tokenizers of `tokenizers` do.

Most tokenizers need no such steps: one split pattern says all (`bpetok.patterns`). Where it takes more, such
as three expressions after one another, or a space that is put before a text, a `Splits` stands in the place
of the pattern. Each step cuts every piece that the ones before it left. Pieces are strings, not spans: some
steps put characters in.

>>> splits = Splits((Digits(individual=True), Split(" ", "MergedWithNext")))
>>> splits.pieces("in 1984 or so")
['in', ' ', '1', '9', '8', '4', ' or', ' so']
>>> splits_from(splits.spec()) == splits
True
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, get_args

from bpetok.charsets import Ranges, complement, named, overlap, spell, union
from bpetok.errors import PreparationError
from bpetok.oniguruma import Expression, translate
from bpetok.patterns import DEEPSEEK, GPT2, GPT2_DIGITS_APART, GPT2_NUMBERS_APART, METASPACE, WHOLE
from bpetok.specs import Plain, from_spec

__all__ = [
    "ByteLevel",
    "CharDelimiterSplit",
    "Digits",
    "Metaspace",
    "Punctuation",
    "Split",
    "Splits",
    "Step",
    "Whitespace",
    "WhitespaceSplit",
    "splits_from",
]

Behavior = Literal["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
Span = tuple[int, int]

UNDERLINE = "▁"  # U+2581, which stands for a space in many vocabularies


class Step(Plain, ABC):
    """One step. Subclasses are frozen dataclasses."""

    @abstractmethod
    def cut(self, pieces: list[str], first: bool) -> tuple[list[str], bool]:
        """The pieces of some pieces.

        Args:
            pieces: none of them empty.
            first: whether the first of them begins where the whole text does.

        Returns:
            The pieces, and whether that is so of the first of these.
        """


class Native(NamedTuple):
    """Steps that come down to one pattern: what is done to a text before, and the pattern's source."""

    old: str  # in the text, replaced by `new`; both may be ""
    new: str
    prefix: str  # put before a text that does not begin with it
    only_first: bool  # where it begins where the whole text does
    pattern: str
    unlike: Ranges = ()  # characters that the steps know otherwise: texts that have one need the steps


@dataclass(frozen=True)
class Splits(Plain):
    """Steps one after the other; a sequence among them counts as its steps."""

    steps: tuple[Step, ...]

    kind = "Sequence"
    keys: ClassVar = {"steps": "pretokenizers"}

    def __post_init__(self) -> None:
        flat = [one for step in self.steps for one in (step.steps if isinstance(step, Splits) else (step,))]
        object.__setattr__(self, "steps", tuple(flat))
        for at, step in enumerate(self.steps):
            if isinstance(step, Metaspace) and step.prepend_scheme == "first" and at:
                raise PreparationError(
                    "Metaspace with the prepend scheme 'first' must be the first step: behind others, it "
                    "depends on where in the text each character came from"
                )
            if isinstance(step, ByteLevel) and at < len(self.steps) - 1:
                raise PreparationError("ByteLevel must be the last step: what follows would cut bytes")

    @property
    def knows_first(self) -> bool:
        """Whether it matters if a text is the beginning of a larger one."""
        return any(isinstance(step, Metaspace) and step.prepend_scheme == "first" for step in self.steps)

    def pieces(self, text: str, first: bool = True) -> list[str]:
        """The pieces of a text.

        Args:
            text: what is left between added tokens, after normalization.
            first: whether the whole text begins here.
        """
        pieces = [text] if text else []
        for step in self.steps:
            pieces, first = step.cut(pieces, first)
        return pieces

    def native(self) -> Native | None:
        """One pattern that says the same, with what is to be done before; None where there is none."""
        if self.steps in (_DEEPSEEK, (*_DEEPSEEK, ByteLevel(add_prefix_space=False, use_regex=False))):
            return Native("", "", "", False, DEEPSEEK)
        first = self.steps[0] if self.steps else None
        if isinstance(first, Digits) and self.steps[1:] == (ByteLevel(False, use_regex=True),):
            pattern = GPT2_DIGITS_APART if first.individual else GPT2_NUMBERS_APART
            return Native("", "", "", False, pattern, _unlike_numbers())
        if len(self.steps) != 1:
            return None
        step = self.steps[0]
        if isinstance(step, ByteLevel):
            return Native(
                "", "", " " if step.add_prefix_space else "", False, GPT2 if step.use_regex else WHOLE
            )
        if isinstance(step, Metaspace) and step.plain:
            never = step.prepend_scheme == "never"
            return Native(
                step.replacement, " ", "" if never else " ", step.prepend_scheme == "first",
                METASPACE if step.split else WHOLE,
            )  # fmt: skip
        return None


# ---- expressions and strings -------------------------------------------------------------------------


def _matches(find: re.Pattern[str], text: str, invert: bool) -> list[tuple[int, int, bool]]:
    """The matches and what is between them, as (start, end, whether it is a match)."""
    found = []
    at = 0
    for match in find.finditer(text):
        start, end = match.span()
        if start > at:
            found.append((at, start, invert))
        found.append((start, end, not invert))
        at = end
    if at < len(text):
        found.append((at, len(text), invert))
    return found


def _spans(found: list[tuple[int, int, bool]], behavior: Behavior) -> list[Span]:
    """What is left of matches and the text between them."""
    if behavior == "Isolated":
        return [(start, end) for start, end, _ in found]
    if behavior == "Removed":
        return [(start, end) for start, end, hit in found if not hit]
    spans: list[Span] = []
    before = False
    if behavior == "MergedWithNext":
        for start, end, hit in reversed(found):
            if hit and not before and spans:
                spans[-1] = (start, spans[-1][1])
            else:
                spans.append((start, end))
            before = hit
        return spans[::-1]
    for start, end, hit in found:
        joins = hit == before if behavior == "Contiguous" else hit and not before
        if joins and spans:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
        before = hit
    return spans


class _Cutting(Step):
    """A step that cuts at the matches of an expression for `re`."""

    behavior: Behavior
    invert: bool

    @property
    @abstractmethod
    def finder(self) -> re.Pattern[str]:
        """What is looked for."""

    def cut(self, pieces: list[str], first: bool) -> tuple[list[str], bool]:
        find = self.finder
        made: list[str] = []
        kept = first
        for at, piece in enumerate(pieces):
            if self.behavior == "Isolated":
                matches = find.findall(piece)
                if sum(map(len, matches)) == len(piece):
                    made += matches
                    continue
            spans = _spans(_matches(find, piece, self.invert), self.behavior)
            made += [piece[start:end] for start, end in spans]
            if at == 0 and not (spans and spans[0][0] == 0):
                kept = False
        return made, kept


@dataclass(frozen=True)
class Split(_Cutting):
    """Cuts at every match of a string or an `Expression`.

    Args:
        pattern: what to look for.
        behavior: what becomes of a match: "Removed", "Isolated" as a piece of its own, "MergedWithPrevious"
            or "MergedWithNext" piece, or "Contiguous": as isolated, and neighbouring matches are one piece.
        invert: whether what is between the matches is taken for the matches.

    Raises:
        PatternError: the expression is not one that can be run with equal matches; see `oniguruma`.
    """

    pattern: str | Expression
    behavior: Behavior
    invert: bool = False

    def __post_init__(self) -> None:
        _check_behavior(self)
        if not self.pattern:
            raise PreparationError("the pattern of Split is empty: it must match a character at least")
        _finder(self.pattern)

    @property
    def finder(self) -> re.Pattern[str]:
        return _finder(self.pattern)


def _check_behavior(step: Split | Punctuation) -> None:
    known = get_args(Behavior)
    if step.behavior not in known:
        raise PreparationError(
            f"the behavior of {type(step).__name__} is {step.behavior!r:.60}; it must be one of "
            f"{', '.join(known)}"
        )


@functools.lru_cache(maxsize=256)
def _finder(pattern: str | Expression) -> re.Pattern[str]:
    return translate(pattern.source) if isinstance(pattern, Expression) else re.compile(re.escape(pattern))


# ---- characters --------------------------------------------------------------------------------------


class _AtCharacters(_Cutting):
    """A step that cuts at each character of a class."""

    invert = False

    @classmethod
    @abstractmethod
    def source(cls) -> str:
        """The class."""

    @property
    def finder(self) -> re.Pattern[str]:
        return _compiled(self.source())


_compiled = functools.cache(re.compile)


@dataclass(frozen=True)
class Digits(_AtCharacters):
    """Cuts between numerals and the rest; with `individual`, each numeral is a piece."""

    individual: bool = False

    keys: ClassVar = {"individual": "individual_digits"}

    @property
    def behavior(self) -> Behavior:  # type: ignore[override]
        return "Isolated" if self.individual else "Contiguous"

    @classmethod
    def source(cls) -> str:
        return spell(named("rust_numeric"))


@functools.cache
def _unlike_numbers() -> Ranges:
    """What `Digits` takes for a numeral and an expression does not: it is of a later Unicode."""
    numbers = union(named(name) for name in ("Nd", "Nl", "No"))
    return overlap(named("rust_numeric"), complement(numbers))


@dataclass(frozen=True)
class Punctuation(_AtCharacters):
    """Cuts at each punctuation mark."""

    behavior: Behavior = "Isolated"

    def __post_init__(self) -> None:
        _check_behavior(self)

    @classmethod
    def source(cls) -> str:
        return spell(named("rust_punctuation"))


@dataclass(frozen=True)
class WhitespaceSplit(_AtCharacters):
    """The pieces are what stands between white space, which is left out."""

    behavior = "Removed"

    @classmethod
    def source(cls) -> str:
        return spell(named("space"))


@dataclass(frozen=True)
class Whitespace(_Cutting):
    r"""The pieces are the matches of `\w+|[^\w\s]+`; white space is left out."""

    behavior = "Removed"
    invert = True

    @property
    def finder(self) -> re.Pattern[str]:
        return _words()


@functools.cache
def _words() -> re.Pattern[str]:
    word = named("rust_word")
    apart = spell(union([word, named("space")])).replace("[", "[^", 1)
    return re.compile(f"{spell(word)}+|{apart}+")


@dataclass(frozen=True)
class CharDelimiterSplit(_Cutting):
    """The pieces are what stands between one character, which is left out."""

    delimiter: str

    behavior = "Removed"
    invert = False

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1:
            raise PreparationError(f"CharDelimiterSplit cuts at one character, not at {self.delimiter!r:.60}")

    @property
    def finder(self) -> re.Pattern[str]:
        return _finder(self.delimiter)


# ---- spaces ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Metaspace(Step):
    """Spaces replaced by a visible character, one put before the text, and a cut before each.

    Args:
        replacement: the character, one.
        prepend_scheme: "always", "never", or "first": only at the beginning of the whole text, not behind
            an added token. A text that begins with a space or the character gets none.
        split: whether to cut.
        plain: whether the vocabulary has spaces in the place of the character, as those have that
            `Vocabulary.from_characters` makes. Then it is the character that is replaced by a space.
    """

    replacement: str = UNDERLINE
    prepend_scheme: Literal["always", "first", "never"] = "always"
    split: bool = True
    plain: bool = True

    def __post_init__(self) -> None:
        if len(self.replacement) != 1 or self.prepend_scheme not in ("always", "first", "never"):
            raise PreparationError(
                f"Metaspace replaces a space by one character, not by {self.replacement!r}, and its prepend "
                f"scheme is 'always', 'first' or 'never', not {self.prepend_scheme!r}"
            )

    def cut(self, pieces: list[str], first: bool) -> tuple[list[str], bool]:
        old, new = (self.replacement, " ") if self.plain else (" ", self.replacement)
        made: list[str] = []
        for at, piece in enumerate(pieces):
            piece = piece.replace(old, new)
            wanted = self.prepend_scheme == "always" or (self.prepend_scheme == "first" and first and not at)
            if wanted and not piece.startswith(new):
                piece = new + piece
            made += _before_each(new).findall(piece) if self.split else [piece]
        return made, first


@functools.cache
def _before_each(char: str) -> re.Pattern[str]:
    char = re.escape(char)
    return re.compile(rf"{char}[^{char}]*|[^{char}]+")


@dataclass(frozen=True)
class ByteLevel(Step):
    """A space put before each piece that has none, and GPT-2's pattern. Bytes stay bytes."""

    add_prefix_space: bool = True
    use_regex: bool = True

    def cut(self, pieces: list[str], first: bool) -> tuple[list[str], bool]:
        if self.add_prefix_space:
            pieces = [piece if piece.startswith(" ") else " " + piece for piece in pieces]
        if self.use_regex:
            find = translate(_GPT2).findall
            pieces = [part for piece in pieces for part in find(piece)]
        return pieces, first


_DEEPSEEK = tuple(
    Split(Expression(source), "Isolated")
    for source in (
        r"\p{N}{1,3}",
        "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
        # With line ends that stand there themselves, as published.
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^RN\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
        r"| ?[\p{P}\p{S}]+[RN]*|\s*[RN]+|\s+(?!\S)|\s+".replace("RN", "\r\n"),
    )
)
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


# ---- plain data --------------------------------------------------------------------------------------

_KNOWN: dict[str, type[Plain]] = {
    cls.kind or cls.__name__: cls
    for cls in (
        Splits, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, CharDelimiterSplit, Metaspace,
        ByteLevel,
    )
}  # fmt: skip


def splits_from(spec: Mapping[str, Any]) -> Splits:
    """The steps of plain data; one that is no sequence is taken for a sequence of one.

    Raises:
        PreparationError: a step is of no known type, or a part of it is wrong.
        PatternError: an expression cannot be run with equal matches; see `oniguruma`.
    """
    made = from_spec(spec, _KNOWN, "pre-tokenizer")
    return made if isinstance(made, Splits) else Splits((made,))
