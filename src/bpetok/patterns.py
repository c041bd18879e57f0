r"""Split patterns: the named ones, and how a pattern string is recognised as natively served.

A byte-pair tokenizer first cuts a text into pieces with a regular expression; merges never cross a
piece. Almost every published pattern is a variation on GPT-2's, so one parametric scanner
(`bpetok._scan.Scanner`) serves them all. It is chosen by what the pattern *says*, not by its name:
`recognise` takes the alternatives of the expression one by one and knows the spellings of each. A
pattern with any alternative it does not know is served by the `regex` package instead, with equal
results and less speed.

Notes on equivalence, used below: `\s*[\r\n]` and `\s*[\r\n]+` match the same text, because `\s*`
takes the whole run of white space and gives back up to its last newline; so do `\s` and `\s+` as the
last alternative, which is only reached by a run of one character. A possessive quantifier matches the same
text as a plain one only where the plain one never needs to give anything back, so it is accepted part
by part (`_plain`), not everywhere.
"""

import functools
import re
from typing import Any, NamedTuple

from bpetok._scan import Scanner
from bpetok.errors import PatternError

_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ATTACHED = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_PREFIX = r"[^\r\n\p{L}\p{N}]?"

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
# GPT-2's, where numbers are cut out first: those around them are cut as if each were a text.
GPT2_NUMBERS_APART = GPT2.replace(r" ?\p{N}++", r"\p{N}+").replace(r"|\s+(?!", r"|\s+(?=\p{N})|\s+(?!")
GPT2_DIGITS_APART = GPT2_NUMBERS_APART.replace(r"\p{N}+|", r"\p{N}|")
CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
O200K = "|".join(
    (
        _PREFIX + _UPPER + "*" + _LOWER + "+" + _ATTACHED,
        _PREFIX + _UPPER + "+" + _LOWER + "*" + _ATTACHED,
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
# With marks among the letters.
QWEN3_5 = QWEN2.replace(_PREFIX + r"\p{L}+", _PREFIX + r"[\p{L}\p{M}]+").replace(
    r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]"
)
TEKKEN = O200K.replace(_ATTACHED, "").replace(r"\p{N}{1,3}", r"\p{N}")
# DeepSeek's three steps as one expression: numbers are cut out, then Chinese and kana, then each part is cut
# as if it were a text. So a match holds only what is Chinese or only what is not, and white space before a
# cut ends as at the end of a text. `docs/architecture.md` has the proof.
_CHINESE = "\u4e00-\u9fa5\u3040-\u30ff"
_IN, _OUT = f"(?=[{_CHINESE}])", f"(?![{_CHINESE}])"
_LETTERS, _SIGNS, _LEADS = r"[\p{L}\p{M}]", r"[\p{P}\p{S}]", r"[^\r\n\p{L}\p{N}\p{P}\p{S}]"
_NOTHING = r"[^\s\p{L}\p{M}\p{N}\p{P}\p{S}]"
DEEPSEEK = "|".join(
    (
        r"\p{N}{1,3}",
        r"""[!"#$%&'()+*,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+""",
        f"(?:{_OUT}{_LEADS})?(?:{_OUT}{_LETTERS})+",
        f"(?:{_IN}{_LEADS})?(?:{_IN}{_LETTERS})+",
        f" ?(?:{_OUT}{_SIGNS})+[\\r\\n]*",
        f"(?:{_IN}{_SIGNS})+",
        r"\s*[\r\n]+",
        rf"\s+(?![^\s\p{{N}}{_CHINESE}])",
        r"\s+",
        f"(?:{_OUT}{_NOTHING}(?!{_OUT}{_LETTERS}))+",
        f"(?:{_IN}{_NOTHING}(?!{_IN}{_LETTERS}))+",
    )
)
# SentencePiece's: a text as one piece, or a piece from each space on.
WHOLE = r"(?s:.+)"
METASPACE = r" [^ ]*|[^ ]+"

NAMED: dict[str, str] = {
    "gpt2": GPT2,
    "r50k": GPT2,
    "p50k": GPT2,
    "cl100k": CL100K,
    "o200k": O200K,
    "llama3": LLAMA3,
    "qwen2": QWEN2,
    "tekken": TEKKEN,
    "deepseek": DEEPSEEK,
    "whole": WHOLE,
    "metaspace": METASPACE,
}
_WITH_WORDS = set(NAMED.values()) - {WHOLE, METASPACE, DEEPSEEK}
_ALIASES = {"r50k_base": "r50k", "p50k_base": "p50k", "cl100k_base": "cl100k", "o200k_base": "o200k"}

# Spellings of each part.
_CONTRACTIONS = {
    r"'(?:[sdmt]|ll|ve|re)": "exact",
    r"(?:'s|'t|'re|'ve|'m|'ll|'d)": "exact",
    r"'(?i:[sdmt]|ll|ve|re)": "any-case",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)": "any-case",
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])": "ascii-case",
}
_BARE_CONTRACTIONS = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}
_WORDS: dict[str, dict[str, Any]] = {
    r" ?\p{L}+": {"word": "plain"},
    r" ?[\p{L}]+": {"word": "plain"},
    _PREFIX + r"\p{L}+": {"word": "prefixed"},
    _PREFIX + r"[\p{L}]+": {"word": "prefixed"},
}
# Here a mark can be the prefix, which must be given back when nothing follows.
_MARKED_WORDS: dict[str, dict[str, Any]] = {
    _PREFIX + r"[\p{L}\p{M}]+": {"word": "prefixed", "word_marks": True},
}
_NUMBERS: dict[str, dict[str, Any]] = {
    r" ?\p{N}+": {"digits": 0, "number_space": True},
    r" ?[\p{N}]+": {"digits": 0, "number_space": True},
    r"\p{N}+": {"digits": 0, "number_space": False},
    r"\p{N}": {"digits": 1, "number_space": False},
    **{rf"\p{{N}}{{1,{n}}}": {"digits": n, "number_space": False} for n in range(1, 10)},
}
_PUNCTUATION: dict[str, dict[str, Any]] = {
    body + tail: {"punctuation_marks": marks, "tail": name}
    for body, marks in (
        (r" ?[^\s\p{L}\p{N}]+", True),
        (r" ?[^\s\p{L}\p{M}\p{N}]+", False),
        (r" ?[^\s\p{L}\p{N}\p{M}]+", False),
    )
    for tail, name in (("", "none"), (r"[\r\n]*", "newlines"), (r"[\r\n/]*", "newlines-slashes"))
}


class Pattern(NamedTuple):
    """A split pattern: its source, and the native scanner that serves it, if there is one.

    Attributes:
        source: the regular expression.
        name: a short name when the source is one of `NAMED`, else None.
        scanner: the native scanner, or None when the `regex` package must be used.
    """

    source: str
    name: str | None
    scanner: Scanner | None

    @property
    def cuttable(self) -> bool:
        """Whether a text may be cut in two where a word ends, by a reader that knows no pattern."""
        return self.scanner is not None and self.scanner.parameters["word"] not in ("whole", "spaced")


def resolve(pattern: str) -> Pattern:
    """The `Pattern` for a name ("gpt2", "cl100k", "o200k", ...) or a regular expression.

    Raises:
        PatternError: the string is empty, or looks like a name but is not one that is known.

    >>> resolve("cl100k").scanner is not None
    True
    >>> resolve(r"\\w+|\\W+").scanner is None
    True
    """
    word = isinstance(pattern, str) and re.fullmatch(r"[A-Za-z0-9_-]+", pattern)
    if word and pattern not in NAMED and pattern not in _ALIASES:
        raise PatternError(
            f"unknown pattern name {pattern!r}: use one of {', '.join(NAMED)}, or a regular expression"
        )
    return from_source(pattern)


def from_source(source: str) -> Pattern:
    """The `Pattern` for a regular expression or a known name; any other word is an expression too.

    Raises:
        PatternError: the string is empty.
    """
    if not isinstance(source, str) or not source:
        raise PatternError(f"a split pattern must be a non-empty string, got {source!r}")
    source = NAMED.get(_ALIASES.get(source, source), source)
    name = next((known for known, text in NAMED.items() if text == source), None)
    return Pattern(source, name, recognise(source))


@functools.lru_cache(maxsize=256)
def recognise(source: str) -> Scanner | None:
    """The native scanner whose pieces equal those of the regular expression, or None.

    >>> recognise(QWEN2).parameters["digits"]
    1
    >>> recognise("a+") is None
    True
    """
    if (found := words_of(source)) is not None:
        scanner = recognise(found[0])
        return scanner and Scanner(**scanner.parameters | {"words": found[1]})
    if source == WHOLE:
        return Scanner(word="whole")
    if source == METASPACE:
        return Scanner(word="spaced")
    if source == DEEPSEEK:
        return Scanner(word="apart", digits=3)
    parts = _alternatives(source)
    settings: dict[str, Any] = {"contractions": "none", "newlines": False, "end_space": False}

    if parts and parts[0] in _CONTRACTIONS:
        settings["contractions"] = _CONTRACTIONS[parts.pop(0)]
    elif set(parts[:7]) == _BARE_CONTRACTIONS:
        settings["contractions"] = "exact"
        del parts[:7]

    if not parts:
        return None
    if parts[0] in _MARKED_WORDS:
        settings |= _MARKED_WORDS[parts.pop(0)]
    elif _plain(parts[0]) in _WORDS:
        settings |= _WORDS[_plain(parts.pop(0))]
    else:
        first, second = _PREFIX + _UPPER + "*" + _LOWER + "+", _PREFIX + _UPPER + "+" + _LOWER + "*"
        if parts[:2] == [first + _ATTACHED, second + _ATTACHED] and settings["contractions"] == "none":
            settings["contractions"] = "attached"
        elif parts[:2] != [first, second]:
            return None
        settings["word"] = "cased"
        del parts[:2]

    for table in (_NUMBERS, _PUNCTUATION):
        if not parts or _plain(parts[0]) not in table:
            return None
        settings |= table[_plain(parts.pop(0))]
    if parts and parts[0] in (r"\s+$", r"\s++$"):
        settings["end_space"] = True
        del parts[0]
    if parts and parts[0] in (r"\s*[\r\n]", r"\s*[\r\n]+", r"\s*[\r\n]++"):
        settings["newlines"] = True
        del parts[0]
    if parts and parts[0] == r"\s+(?=\p{N})":
        if settings["number_space"]:
            return None
        settings["numbers_apart"] = True
        del parts[0]
    if len(parts) != 2 or parts[0] != r"\s+(?!\S)" or parts[1] not in (r"\s", r"\s+", r"\s++"):
        return None
    if settings["word"] == "cased":
        # Marks are letters of a cased word whatever happens; a run of punctuation must take them too.
        if not settings["punctuation_marks"]:
            return None
    elif not (settings.get("word_marks") or settings["punctuation_marks"]):
        return None
    return Scanner(**settings)


def superwords(pattern: str, words: int) -> str:
    r"""The expression whose pieces hold up to so many of a named pattern's words.

    A word takes with it the words that follow behind one space each, with a contraction behind a word.
    Everything else is as in the pattern: numbers, punctuation, newlines and other white space stand between
    pieces. So every piece is one or more pieces of the pattern.

    Raises:
        PatternError: the pattern has no name, or the number of words is below 2 or over a million.

    >>> import regex
    >>> regex.findall(superwords("gpt2", 3), "I don't know the way, 12 of them")
    ["I don't know", ' the way', ',', ' 12', ' of them']
    """
    source = resolve(pattern).source
    if source not in _WITH_WORDS:
        raise PatternError(
            f"superwords need one of the patterns {', '.join(n for n in NAMED if NAMED[n] in _WITH_WORDS)}: "
            f"what is a word in {source!r} "
            "cannot be told"
        )
    if not 2 <= words <= 1_000_000:
        raise PatternError(f"a superword of {words} words is none: it has from 2 to a million")
    parts = _alternatives(source)
    at, end = _words_at(parts)
    return "|".join([*parts[:at], _superword(parts, words), *parts[end:]])


def words_of(source: str) -> tuple[str, int] | None:
    """The pattern whose words an expression made by `superwords` strings together, and the most of them in
    a piece; None for other expressions.

    >>> words_of(superwords("o200k", 3)) == (O200K, 3)
    True
    """
    parts = _alternatives(source)
    at, _ = _words_at(parts)
    found = re.search(r"\{0,(\d{1,6})\}$", parts[at]) if at < len(parts) else None
    if found is None:
        return None
    words = int(found[1]) + 1
    for named in map(_alternatives, _WITH_WORDS):
        start, end = _words_at(named)
        ours = _superword(named, words)
        same = parts[at] == ours or (end - start == 1 and _plain(parts[at]) == _plain(ours))
        if same and words > 1 and parts[:at] == named[:start]:
            return "|".join([*named[:end], *parts[at + 1 :]]), words
    return None


def _words_at(parts: list[str]) -> tuple[int, int]:
    """Which alternatives of a named pattern match words."""
    at = int(parts[0] in _CONTRACTIONS)
    return at, at + 1 + (_UPPER + "+" in "".join(parts[at + 1 : at + 2]))


def _superword(parts: list[str], words: int) -> str:
    at, end = _words_at(parts)
    contraction = f"(?:{parts[0]})?" if at else ""
    cores = [re.sub(r"^(?: |\[\^.*?\])\?\+?", "", word) for word in parts[at:end]]
    return (
        f"(?:{'|'.join(parts[at:end])}){contraction}(?: (?:{'|'.join(cores)}){contraction}){{0,{words - 1}}}"
    )


def _alternatives(source: str) -> list[str]:
    """The top-level alternatives of an expression."""
    parts, depth, in_class, start, at = [], 0, False, 0, 0
    while at < len(source):
        char = source[at]
        if char == "\\":
            at += 1
        elif in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
        elif char == "|" and depth == 0:
            parts.append(source[start:at])
            start = at + 1
        at += 1
    parts.append(source[start:])
    return parts


def _plain(part: str) -> str:
    """A part with its possessive quantifiers made plain. Only for parts whose neighbouring classes have no
    character in common, so that nothing is ever given back."""
    return re.sub(r"(\{\d+,\d+\}|[+*?])\+", r"\1", part)
