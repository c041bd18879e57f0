r"""The expressions of `tokenizers`, which Oniguruma runs there, for Python's `re`.

Two engines read the same expression differently: in syntax (`{1,3}+`, `\h`, `^`), in what a class holds
(their Unicode differs with every version), and in what they do about case. So an expression is not handed
over. It is parsed, of the constructs only those are let through whose matches are known to be the same, and
every class is written out as ranges of code points, as Oniguruma has them (`unicode_data`). What is left for
`re` is plain: literals, sets, groups, alternatives, quantifiers, looking around.

Taken: literals; `.`; sets with ranges, negation, nested sets and `&&`; `\p{..}` of general categories and
some scripts; `\s \S \d \D \w \W`; `\n \r \t \f \v \a \e \xHH \x{H..} \uHHHH`; groups, `(?:..)`, `(?>..)`;
`(?i:..)` over ASCII; `(?=..) (?!..) (?<=..) (?<!..)`; `* + ? {n} {n,} {n,m} {,m}`, lazy and possessive as
Oniguruma has them; `^ $ \A \z`.

Refused, as a `PatternError` with the reason: references, names, conditions, absent groups, other flags,
`\b \B \G \K \R \X \h \Z`, POSIX brackets, properties that are not listed, letters without case in ASCII
under `(?i:..)`, loops over what can be empty, and expressions that can match the empty string.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from bpetok.charsets import LAST, Ranges, complement, named, overlap, spell, union
from bpetok.errors import PatternError, PreparationError
from bpetok.unicode_data import RUNS

__all__ = ["Expression", "check_match", "translate"]

_MOST_NESTED = 50
_MOST_REPEATS = 1000
_SHORTHANDS = {"s": "space", "d": "digit", "w": "word"}
_CONTROLS = {"n": 10, "r": 13, "t": 9, "f": 12, "v": 11, "a": 7, "e": 27}
_QUANTIFIER = re.compile(r"[*+?]|\{(\d*)(,?)(\d*)\}")
_PROPERTY = re.compile(r"\{(\^?)([A-Za-z]+)\}")
_HEX = {"x": re.compile(r"([0-7][0-9A-Fa-f])|\{([0-9A-Fa-f]{1,6})\}"), "u": re.compile(r"([0-9A-Fa-f]{4})")}
# Two letters that are one character in another case.
_LIGATURES = ("ss", "st", "ff", "fi", "fl")
_ALSO = {"s": 0x17F, "k": 0x212A}  # what folds to an ASCII letter from outside of ASCII
_LONG_NAMES = {"Letter", "Mark", "Number", "Punctuation", "Symbol", "Other"}  # all but Z begin alike


@dataclass(frozen=True)
class Expression:
    """A regular expression in the syntax of Oniguruma, as `tokenizers.Regex` takes it."""

    source: str


class _Node(NamedTuple):
    """A part of the expression for `re`, and the fewest characters that it matches."""

    source: str
    least: int


@functools.lru_cache(maxsize=256)
def translate(source: str) -> re.Pattern[str]:
    """The expression for `re` that has the matches which Oniguruma finds. It has no groups to be referred to.

    Raises:
        PatternError: it holds what is not known to match the same, or can match the empty string.

    >>> translate(r"\\p{N}{1,3}|[^\\s\\p{N}]+").findall("a12345 b")
    ['a', '123', '45', 'b']
    """
    node = _Parser(source).whole()
    try:
        return re.compile(node.source)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"the expression {source[:200]!r} cannot be run: {error}") from error


def check_match(pattern: str | Expression) -> None:
    """See that something can be looked for by a step that replaces it.

    Raises:
        PatternError: the expression is not one that can be run with equal matches.
        PreparationError: the string is empty.
    """
    if isinstance(pattern, Expression):
        translate(pattern.source)
    elif not pattern:
        raise PreparationError("Replace looks for an empty string: it must be of a character at least")


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.depth = 0
        self.any_case = False

    def refuse(self, why: str) -> NoReturn:
        raise PatternError(
            f"the expression {self.source[:200]!r} cannot be run with equal matches: {why} "
            f"(at character {self.at})"
        )

    def take(self, text: str) -> bool:
        """Whether this is next; then it is passed."""
        if self.source.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def next(self) -> str:
        if self.at == len(self.source):
            self.refuse("it ends too early")
        self.at += 1
        return self.source[self.at - 1]

    def whole(self) -> _Node:
        node = self.alternatives()
        if self.at < len(self.source):
            self.refuse("a bracket is closed that was never opened")
        if node.least == 0:
            self.refuse("it can match the empty string")
        return node

    def alternatives(self) -> _Node:
        self.depth += 1
        if self.depth > _MOST_NESTED:
            self.refuse(f"it is nested more than {_MOST_NESTED} deep")
        parts = [self.sequence()]
        while self.take("|"):
            parts.append(self.sequence())
        self.depth -= 1
        return _Node("|".join(part.source for part in parts), min(part.least for part in parts))

    def sequence(self) -> _Node:
        sources, least, before = [], 0, ""
        while self.at < len(self.source) and self.source[self.at] not in "|)":
            start = self.at
            node = self.atom()
            letter = self.source[start : self.at].lower()
            if self.any_case and before + letter in _LIGATURES:
                self.refuse(f"{before + letter!r} without regard to case is one character, too")
            before = letter
            node = self.quantified(node)
            sources.append(node.source)
            least += node.least
        return _Node("".join(sources), least)

    def quantified(self, node: _Node) -> _Node:
        while match := _QUANTIFIER.match(self.source, self.at):
            if node.source.startswith(("(?=", "(?!", "(?<")) or not node.source:
                self.refuse("a place without a character is repeated")
            sign = match.group()
            low, comma, high = match.groups()
            if sign.startswith("{") and not low and not high:
                self.refuse("a brace that is not escaped must enclose a number of repeats")
            self.at = match.end()
            least = int(low or 0) if sign.startswith("{") else int(sign == "+")
            most = int(high) if high else None if comma or sign in ("*", "+") else max(least, 1)
            if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
                self.refuse(f"{sign} is no number of repeats up to {_MOST_REPEATS}")
            if node.least == 0 and most != 1:
                self.refuse("what can be empty is repeated")
            suffix = ""
            if self.take("?"):
                if sign.startswith("{") and not comma:
                    self.refuse(f"{sign}? means another thing in other engines")
                suffix = "?"
            elif not sign.startswith("{") and self.take("+"):
                suffix = "+"
            node = _Node(
                f"(?:{node.source}){sign}{suffix}"
                if _is_compound(node.source)
                else f"{node.source}{sign}{suffix}",
                node.least * least,
            )
            if _QUANTIFIER.match(self.source, self.at):
                node = _Node(f"(?:{node.source})", node.least)
        return node

    def atom(self) -> _Node:
        char = self.next()
        if char == "(":
            return self.group()
        if char == "[":
            return self.one_of(self.set())
        if char == ".":
            return self.one_of(complement(((10, 10),)))
        if char == "^":
            return _Node(r"(?:\A|(?<=\n)(?!\Z))", 0)
        if char == "$":
            return _Node(r"(?=\n|\Z)", 0)
        if char in "*+?{}":
            self.refuse(f"{char!r} stands where nothing can be repeated; escape it")
        if char == "\\":
            if self.take("A"):
                return _Node(r"\A", 0)
            if self.take("z"):
                return _Node(r"\Z", 0)
            return self.one_of(self.escape())
        return self.one_of(((ord(char), ord(char)),))

    def one_of(self, ranges: Ranges) -> _Node:
        if self.any_case:
            ranges = self.in_any_case(ranges)
        if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
            return _Node(re.escape(chr(ranges[0][0])), 1)
        return _Node(spell(ranges), 1)

    def in_any_case(self, ranges: Ranges) -> Ranges:
        if ranges and ranges[-1][1] > 127:
            self.refuse("only characters of ASCII are matched without regard to case")
        chars = {chr(cp) for first, last in ranges for cp in range(first, last + 1)}
        lower = {char.lower() for char in chars}
        points = {ord(each) for char in chars for each in (char, char.lower(), char.upper())}
        points |= {also for char, also in _ALSO.items() if char in lower}
        return union([((cp, cp),) for cp in points])

    def group(self) -> _Node:
        opening = "(?:"
        before = self.any_case
        if self.take("?"):
            for kind in ("=", "!", "<=", "<!", ">", ":", "i:", "-i:"):
                if self.take(kind):
                    break
            else:
                self.refuse(f"the group (?{self.source[self.at : self.at + 1]} is not one that is known")
            if kind in ("i:", "-i:"):
                self.any_case = kind == "i:"
            else:
                opening = f"(?{kind}"
        node = self.alternatives()
        self.any_case = before
        if not self.take(")"):
            self.refuse("a group is not closed")
        around = opening[2] in "=!<"
        return _Node(f"{opening}{node.source})", 0 if around else node.least)

    def escape(self) -> Ranges:
        """What an escape stands for, in a set or not."""
        char = self.next()
        if char.lower() in _SHORTHANDS:
            ranges = named(_SHORTHANDS[char.lower()])
            return complement(ranges) if char.isupper() else ranges
        if char in "pP":
            match = _PROPERTY.match(self.source, self.at)
            if match is None:
                self.refuse("a property is written as \\p{..}")
            self.at = match.end()
            ranges = self.property(match[2])
            return complement(ranges) if (char == "P") is not bool(match[1]) else ranges
        if char in _CONTROLS:
            return ((_CONTROLS[char], _CONTROLS[char]),)
        if char in _HEX:
            match = _HEX[char].match(self.source, self.at)
            if match is None:
                self.refuse(f"\\{char} is followed by no number that is surely a character")
            self.at = match.end()
            point = int(match[match.lastindex or 1], 16)
            if point > LAST or 0xD800 <= point < 0xE000:
                self.refuse(f"{point:#x} is no character")
            return ((point, point),)
        if char.isalnum():
            self.refuse(f"\\{char} is not one of the escapes that are known")
        return ((ord(char), ord(char)),)

    def property(self, name: str) -> Ranges:
        name = name[0] if name in _LONG_NAMES else name
        parts = [key for key in RUNS if key == name or (len(name) == 1 and len(key) == 2 and key[0] == name)]
        if name.islower() or not parts:
            self.refuse(f"the property {name} is not one of those that are known")
        return union(map(named, parts))

    def set(self) -> Ranges:
        """A set, behind its opening bracket."""
        self.depth += 1
        if self.depth > _MOST_NESTED:
            self.refuse(f"it is nested more than {_MOST_NESTED} deep")
        negated = self.take("^")
        if self.source.startswith("]", self.at):
            self.refuse("a set begins with a bracket that is not escaped")
        parts: list[Ranges] = []
        both: Ranges | None = None
        while not self.take("]"):
            if self.take("&&"):
                both = union(parts) if both is None else overlap(both, union(parts))
                parts = []
            elif self.source.startswith("[:", self.at):
                self.refuse("a POSIX bracket is not known")
            elif self.take("["):
                parts.append(self.set())
            else:
                parts.append(self.members())
        found = union(parts) if both is None else overlap(both, union(parts))
        self.depth -= 1
        return complement(found) if negated else found

    def members(self) -> Ranges:
        """A character, a range, or a class in a set."""
        start = self.at
        char = self.next()
        first = self.escape() if char == "\\" else ((ord(char), ord(char)),)
        if char == "-" and self.source[start - 1] != "[" and not self.source.startswith("]", self.at):
            self.refuse("a hyphen in a set stands for itself at its ends only; escape it")
        if not self.source.startswith("-", self.at) or self.source.startswith("-]", self.at):
            return first
        self.at += 1
        char = self.next()
        if char == "[":
            self.refuse("a range ends with a set")
        last = self.escape() if char == "\\" else ((ord(char), ord(char)),)
        if not (len(first) == len(last) == 1 and first[0][0] == first[0][1] and last[0][0] == last[0][1]):
            self.refuse("a range goes from one character to another")
        if last[0][0] < first[0][0]:
            self.refuse("a range ends before it begins")
        return ((first[0][0], last[0][0]),)


def _is_compound(source: str) -> bool:
    """Whether a quantifier behind it would take a part of it only."""
    return not (source.startswith(("[", "(?:", "(?>")) or len(re.sub(r"^\\", "", source)) == 1)
