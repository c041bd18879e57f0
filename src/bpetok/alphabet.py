"""The alphabet of a character vocabulary: which characters it has, and which may stand in one token.

A vocabulary with byte fallback has tokens for the characters that cover nearly all of the corpus, and for all
256 bytes: a character that is none of the first falls back to the second. `docs/training.md` states the
rules, which are SentencePiece's but for white space.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypedDict

from bpetok import normalization
from bpetok._learn import ALONE, ANY, FIRST
from bpetok.errors import TrainingError
from bpetok.normalization import Normalizer, Sequence
from bpetok.treatment import PREFIX, SPACES, Treatment

__all__ = ["AlphabetOptions", "CharacterOptions", "Characters", "kinds_of", "scripts_of"]

FORMS = {
    "identity": (),
    "nfc": (normalization.NFC(),),
    "nfd": (normalization.NFD(),),
    "nfkc": (normalization.NFKC(),),
    "nfkd": (normalization.NFKD(),),
}


class AlphabetOptions(TypedDict, total=False):
    """What may be said of `Characters` when they have been counted."""

    character_coverage: float
    required_characters: str
    split_digits: bool
    split_by_script: bool
    max_piece_length: int | None


class CharacterOptions(AlphabetOptions, total=False):
    """What may be said of `Characters`."""

    normalizer: str | Normalizer
    dummy_prefix: bool
    split_by_whitespace: bool
    user_defined_symbols: Iterable[str]


@dataclass(frozen=True, kw_only=True)
class Characters:
    """How texts become characters, which of them are chosen, and which are kept apart.

    Attributes:
        character_coverage: the share of all characters of the corpus that those of the alphabet make up at
            least, above 0 and at most 1.
        required_characters: are in the alphabet, however rare.
        split_digits: each digit is a token by itself, never part of a longer one.
        split_by_script: no token has characters of two scripts.
        max_piece_length: the most characters of a token; None for any number.
        normalizer: what is done to texts first: "identity" for nothing, "nfc", "nfd", "nfkc", "nfkd"; or a
            normalizer, which is taken as it is, without a dummy prefix.
        dummy_prefix: a space is put before each text, so that its first word has the tokens of a later one.
        split_by_whitespace: a token has a space at most at its beginning.
        user_defined_symbols: texts that are tokens wherever they stand, and are merged with nothing. Each
            stretch of text between them is normalized, and gets a dummy prefix, by itself.
    """

    character_coverage: float = 0.9995
    required_characters: str = ""
    split_digits: bool = False
    split_by_script: bool = True
    max_piece_length: int | None = 16
    normalizer: str | Normalizer = "identity"
    dummy_prefix: bool = True
    split_by_whitespace: bool = True
    user_defined_symbols: Iterable[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.user_defined_symbols, str):
            raise TrainingError(
                f"user_defined_symbols is the str {self.user_defined_symbols!r}: give a list, even of one"
            )
        object.__setattr__(self, "user_defined_symbols", tuple(self.user_defined_symbols))

    def check(self) -> None:
        """See that the settings can be met.

        Raises:
            TrainingError: they cannot.
        """
        if not 0 < self.character_coverage <= 1:
            raise TrainingError(
                f"character_coverage is {self.character_coverage}: it is a share, above 0 and at most 1"
            )
        if self.max_piece_length is not None and self.max_piece_length < 1:
            raise TrainingError(
                f"max_piece_length is {self.max_piece_length}: it must be at least 1, or None for no limit"
            )
        if isinstance(self.normalizer, str) and self.normalizer not in FORMS:
            known = ", ".join(f'"{name}"' for name in FORMS)
            raise TrainingError(
                f"normalizer is {self.normalizer!r}: it must be one of {known}, or a normalizer"
            )
        if any(0xD800 <= ord(char) < 0xE000 for char in self.required_characters):
            raise TrainingError("required_characters hold a lone surrogate, which no text can hold")

    def treatment(self) -> Treatment:
        """What is done to the texts that are counted, and to those that are encoded."""
        normalizer: Normalizer
        if isinstance(self.normalizer, str):
            prefix = (PREFIX,) if self.dummy_prefix else ()
            normalizer = Sequence((*FORMS[self.normalizer], *prefix, SPACES))
        else:
            normalizer = self.normalizer
        return Treatment(normalizer, tuple(self.user_defined_symbols))

    def as_counted(self, treatment: Treatment) -> "Characters":
        """These, when texts were treated so before they were counted."""
        return dataclasses.replace(self, user_defined_symbols=treatment.symbols)

    def pattern(self) -> str:
        """The name of the split pattern."""
        return "metaspace" if self.split_by_whitespace else "whole"

    def choose(self, counts: Mapping[int, int]) -> list[str]:
        """The alphabet: the most frequent first, of equals the one of the lower code point.

        Args:
            counts: code points with how often each occurs.

        >>> characters = Characters(character_coverage=0.9, required_characters="z")
        >>> characters.choose({97: 50, 99: 40, 98: 40, 100: 9})
        ['a', 'b', 'c', 'z']
        """
        total, covered = sum(counts.values()), 0
        alphabet = []
        for point, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            if covered / total >= self.character_coverage:
                break
            covered += n
            alphabet.append(chr(point))
        missing = set(self.required_characters).difference(alphabet)
        return alphabet + sorted(missing, key=lambda char: (-counts.get(ord(char), 0), char))

    def kinds(self, alphabet: Iterable[str]) -> dict[str, int]:
        """The kind of each character, as `MergeLearner` has them: tokens of two kinds are not joined."""
        return kinds_of(alphabet, digits_alone=self.split_digits, scripts=self.split_by_script)


# ISO 15924, as of Unicode 15.1. Hira and Kana count as Hani. Zyyy (common) is a script as well, and Zinh
# (inherited) goes with any.
SCRIPTS = [
    "Adlm",
    "Aghb",
    "Ahom",
    "Arab",
    "Armi",
    "Armn",
    "Avst",
    "Bali",
    "Bamu",
    "Bass",
    "Batk",
    "Beng",
    "Bhks",
    "Bopo",
    "Brah",
    "Brai",
    "Bugi",
    "Buhd",
    "Cakm",
    "Cans",
    "Cari",
    "Cham",
    "Cher",
    "Chrs",
    "Copt",
    "Cpmn",
    "Cprt",
    "Cyrl",
    "Deva",
    "Diak",
    "Dogr",
    "Dsrt",
    "Dupl",
    "Egyp",
    "Elba",
    "Elym",
    "Ethi",
    "Geor",
    "Glag",
    "Gong",
    "Gonm",
    "Goth",
    "Gran",
    "Grek",
    "Gujr",
    "Guru",
    "Hang",
    "Hani",
    "Hano",
    "Hatr",
    "Hebr",
    "Hira",
    "Hluw",
    "Hmng",
    "Hmnp",
    "Hung",
    "Ital",
    "Java",
    "Kali",
    "Kana",
    "Kawi",
    "Khar",
    "Khmr",
    "Khoj",
    "Kits",
    "Knda",
    "Kthi",
    "Lana",
    "Laoo",
    "Latn",
    "Lepc",
    "Limb",
    "Lina",
    "Linb",
    "Lisu",
    "Lyci",
    "Lydi",
    "Mahj",
    "Maka",
    "Mand",
    "Mani",
    "Marc",
    "Medf",
    "Mend",
    "Merc",
    "Mero",
    "Mlym",
    "Modi",
    "Mong",
    "Mroo",
    "Mtei",
    "Mult",
    "Mymr",
    "Nagm",
    "Nand",
    "Narb",
    "Nbat",
    "Newa",
    "Nkoo",
    "Nshu",
    "Ogam",
    "Olck",
    "Orkh",
    "Orya",
    "Osge",
    "Osma",
    "Ougr",
    "Palm",
    "Pauc",
    "Perm",
    "Phag",
    "Phli",
    "Phlp",
    "Phnx",
    "Plrd",
    "Prti",
    "Rjng",
    "Rohg",
    "Runr",
    "Samr",
    "Sarb",
    "Saur",
    "Sgnw",
    "Shaw",
    "Shrd",
    "Sidd",
    "Sind",
    "Sinh",
    "Sogd",
    "Sogo",
    "Sora",
    "Soyo",
    "Sund",
    "Sylo",
    "Syrc",
    "Tagb",
    "Takr",
    "Tale",
    "Talu",
    "Taml",
    "Tang",
    "Tavt",
    "Telu",
    "Tfng",
    "Tglg",
    "Thaa",
    "Thai",
    "Tibt",
    "Tirh",
    "Tnsa",
    "Toto",
    "Ugar",
    "Vaii",
    "Vith",
    "Wara",
    "Wcho",
    "Xpeo",
    "Xsux",
    "Yezi",
    "Yiii",
    "Zanb",
    "Zyyy",
]
OTHER, WHITE_SPACE = len(SCRIPTS) + 1, len(SCRIPTS) + 2  # kinds beside those of the scripts


def kinds_of(characters: Iterable[str], *, digits_alone: bool, scripts: bool) -> dict[str, int]:
    """Characters with their kinds: 1 and more for a script, or what has a rule of its own.

    A space begins a token. Other white space is joined only to its like.

    >>> kinds_of(" a1", digits_alone=True, scripts=False) == {" ": FIRST, "a": OTHER, "1": ALONE}
    True
    """
    characters = list(characters)
    script = _scripts(characters) if scripts else {}
    kinds = {}
    for char in characters:
        if char == " ":
            kinds[char] = FIRST
        elif char.isspace():
            kinds[char] = WHITE_SPACE
        elif digits_alone and char in _DIGITS:
            kinds[char] = ALONE
        else:
            kinds[char] = script.get(char, OTHER)
    return kinds


_DIGITS = frozenset("0123456789\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")


def scripts_of(characters: Iterable[str]) -> dict[str, str]:
    """Characters with their scripts' codes (ISO 15924), where these are known.

    >>> scripts_of("aж!\u0301")
    {'a': 'Latn', 'ж': 'Cyrl', '!': 'Zyyy', '\u0301': 'Zinh'}
    """
    import regex

    text = "".join(characters)
    found = {
        char: name for name in (*SCRIPTS, "Zinh") for char in regex.findall(rf"\p{{Script={name}}}", text)
    }
    return {char: found[char] for char in text if char in found}


def _scripts(characters: Iterable[str]) -> dict[str, int]:
    """The kinds of characters by their scripts, where these are known."""
    kinds = {name: kind for kind, name in enumerate(SCRIPTS, 1)} | {"Zinh": ANY}
    kinds["Hira"] = kinds["Kana"] = kinds["Hani"]
    found = {char: kinds[name] for char, name in scripts_of(characters).items()}
    return found | {char: kinds["Hani"] for char in found if char == "\u30fc"}
