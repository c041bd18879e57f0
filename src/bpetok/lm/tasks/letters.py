"""Tasks on the letters of a word: spelling it, turning it round, finding, counting and changing letters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bpetok.errors import CorpusError, TrainingError
from bpetok.lm.tasks.item import Baseline, Item, Part, Task, most_common_by
from bpetok.lm.words import Entry

__all__ = ["LETTER_TASKS"]

Draw = Callable[[np.random.Generator], Item]


def argument(item: Item) -> str:
    """What an item's prompt has beside its word."""
    return "".join(part.text for part in item.prompt if not part.is_word)


_COMMON: Mapping[str, Baseline] = {
    "most common answer": most_common_by(lambda item: None),
    "by argument": most_common_by(argument),
    "by argument and length": most_common_by(lambda item: (argument(item), len(item.word))),
}


@dataclass(frozen=True)
class WordTask(Task):
    """A task about one word, and perhaps an argument that tells what about it.

    Attributes:
        pattern: of the argument.
        solve: from a word and an argument, the answer.
    """

    name: str
    question: str
    form: str
    pattern: str
    solve: Callable[[str, str], str]
    baselines: Mapping[str, Baseline]

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        word, *parts = self.fields(line)
        given = "".join(parts)
        if not re.fullmatch(self.pattern, given):
            raise self.refused(line)
        return self.of(word, given)

    def of(self, word: str, given: str) -> Item:
        """The item about a word with an argument."""
        parts = (Part(given, False), Part(word, True)) if given else (Part(word, True),)
        return Item(word, parts, self.solve(word, given))


@dataclass(frozen=True)
class LetterTask(WordTask):
    """A task whose argument is drawn for a word."""

    # From a word, the alphabet and what draws: the argument.
    draw: Callable[[str, str, np.random.Generator], str]

    def prepare(self, entries: Sequence[Entry]) -> Draw:
        words = _words(entries)
        alphabet = _alphabet(words)

        def draw(rng: np.random.Generator) -> Item:
            word = words[int(rng.integers(len(words)))]
            return self.of(word, self.draw(word, alphabet, rng))

        return draw


@dataclass(frozen=True)
class PresenceTask(WordTask):
    """Count a letter, or say whether there is one. The answer and the letter are drawn first, and then a
    word for them, of a length drawn before both: so neither the letter nor the length gives the answer
    away."""

    most: int  # what is counted up to

    def prepare(self, entries: Sequence[Entry]) -> Draw:
        words = _words(entries)
        alphabet = _alphabet(words)
        counts = range(self.most + 1)
        found: dict[tuple[int, str, int], list[str]] = {}
        for word in words:
            for letter in alphabet:
                count = min(word.count(letter), self.most)
                found.setdefault((len(word), letter, count), []).append(word)
        # A letter and a length serve only where every answer has a word.
        cells = sorted(
            {
                (length, letter)
                for length, letter, _ in found
                if all((length, letter, count) in found for count in counts)
            }
        )
        if not cells:
            raise CorpusError(f"the words are too few for the task {self.name!r}: give a longer list")

        def draw(rng: np.random.Generator) -> Item:
            length, letter = cells[int(rng.integers(len(cells)))]
            choice = found[length, letter, int(rng.integers(len(counts)))]
            return self.of(choice[int(rng.integers(len(choice)))], letter)

        return draw


def _words(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        raise CorpusError("there are no words to make items from: give a longer list")
    return [entry.word for entry in entries]


def _alphabet(words: Sequence[str]) -> str:
    return "".join(sorted(set().union(*words)))


def _place(word: str, rng: np.random.Generator) -> int:
    return int(rng.integers(min(9, len(word))))


def _number(word: str, _: str, rng: np.random.Generator) -> str:
    return str(_place(word, rng) + 1)


def _nothing(word: str, alphabet: str, rng: np.random.Generator) -> str:
    return ""


def _end(word: str, _: str, rng: np.random.Generator) -> str:
    return "$" if rng.integers(2) else "^"


def _letter_and_number(word: str, alphabet: str, rng: np.random.Generator) -> str:
    number = _number(word, alphabet, rng)
    return alphabet[int(rng.integers(len(alphabet)))] + number


def _number_before_last(word: str, alphabet: str, rng: np.random.Generator) -> str:
    return _number(word[:-1], alphabet, rng)


def _at(word: str, number: str) -> int:
    """The place of a letter that is counted from 1."""
    if int(number) > len(word):
        raise TrainingError(f"{word!r} has no letter {number}: it has {len(word)}")
    return int(number) - 1


def _insert(word: str, given: str) -> str:
    at = _at(word, given[1:])
    return word[: at + 1] + given[0] + word[at + 1 :]


def _delete(word: str, number: str) -> str:
    at = _at(word, number)
    return word[:at] + word[at + 1 :]


def _swap(word: str, number: str) -> str:
    first = _at(word[:-1], number)
    letters = list(word)
    letters[first], letters[first + 1] = letters[first + 1], letters[first]
    return "".join(letters)


_SPELLED: Mapping[str, Baseline] = {"most common answer": _COMMON["most common answer"]}

LETTER_TASKS = (
    LetterTask("spell", "Spell the word.", "WORD", "", lambda word, _: word, _SPELLED, _nothing),
    LetterTask(
        "reverse", "Spell the word from its end.", "WORD", "", lambda word, _: word[::-1], _SPELLED, _nothing
    ),
    LetterTask(
        "nth",
        "Which is the nth letter of the word?",
        "WORD N",
        "[1-9]",
        lambda word, number: word[_at(word, number)],
        _COMMON,
        _number,
    ),
    LetterTask(
        "ends",
        "Which is the first (^) or last ($) letter of the word?",
        "WORD ^|$",
        "[$^]",
        lambda word, end: word[-1 if end == "$" else 0],
        _COMMON,
        _end,
    ),
    LetterTask(
        "insert",
        "Put a letter behind the nth letter of the word.",
        "WORD LETTER N",
        ".[1-9]",
        _insert,
        _SPELLED,
        _letter_and_number,
    ),
    LetterTask(
        "delete", "Leave out the nth letter of the word.", "WORD N", "[1-9]", _delete, _SPELLED, _number
    ),
    LetterTask(
        "swap",
        "Swap the nth letter of the word with the next.",
        "WORD N",
        "[1-9]",
        _swap,
        _SPELLED,
        _number_before_last,
    ),
    PresenceTask(
        "count",
        "How often is the letter in the word: 0, 1, or 2 and more?",
        "WORD LETTER",
        ".",
        lambda word, letter: str(min(word.count(letter), 2)),
        _COMMON,
        2,
    ),
    PresenceTask(
        "contains",
        "Is the letter in the word?",
        "WORD LETTER",
        ".",
        lambda word, letter: "y" if letter in word else "n",
        _COMMON,
        1,
    ),
)
