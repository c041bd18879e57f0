"""Tasks on the letters of a word: spelling it, turning it round, finding, counting and changing letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bpetok.errors import CorpusError
from bpetok.lm.tasks.item import Baseline, Item, Part, Task, most_common
from bpetok.lm.words import Entry

__all__ = ["LETTER_TASKS", "most_common_by"]

Draw = Callable[[np.random.Generator], Item]


def most_common_by(key: Callable[[Item], object]) -> Baseline:
    """The most common answer among training items with the same key; among all, where none has it."""

    def learn(items: Sequence[Item]) -> Callable[[Item], str]:
        overall: Counter[str] = Counter(item.answer for item in items)
        by_key: dict[object, Counter[str]] = {}
        for item in items:
            by_key.setdefault(key(item), Counter())[item.answer] += 1

        def answer(item: Item) -> str:
            return most_common(by_key.get(key(item), overall))

        return answer

    return learn


def argument(item: Item) -> str:
    """What an item's prompt has beside its word."""
    return "".join(part.text for part in item.prompt if not part.is_word)


_COMMON: Mapping[str, Baseline] = {
    "most common answer": most_common_by(lambda item: None),
    "by argument": most_common_by(argument),
    "by argument and length": most_common_by(lambda item: (argument(item), len(item.word))),
}


@dataclass(frozen=True)
class LetterTask(Task):
    """A task whose items come from one word and a few drawn numbers."""

    name: str
    question: str
    # From a word and the alphabet: the argument, and the answer.
    ask: Callable[[str, str, np.random.Generator], tuple[str, str]]
    baselines: Mapping[str, Baseline]

    def prepare(self, entries: Sequence[Entry]) -> Draw:
        words = _words(entries)
        alphabet = _alphabet(words)

        def draw(rng: np.random.Generator) -> Item:
            word = words[int(rng.integers(len(words)))]
            given, answer = self.ask(word, alphabet, rng)
            return _item(word, given, answer)

        return draw


@dataclass(frozen=True)
class PresenceTask(Task):
    """Count a letter, or say whether there is one. The answer and the letter are drawn first, and then a
    word for them, of a length drawn before both: so neither the letter nor the length gives the answer
    away."""

    name: str
    question: str
    answers: Sequence[int]
    spelled: Mapping[int, str]
    baselines: Mapping[str, Baseline]

    def prepare(self, entries: Sequence[Entry]) -> Draw:
        words = _words(entries)
        alphabet = _alphabet(words)
        found: dict[tuple[int, str, int], list[str]] = {}
        for word in words:
            for letter in alphabet:
                count = min(word.count(letter), self.answers[-1])
                found.setdefault((len(word), letter, count), []).append(word)
        # A letter and a length serve only where every answer has a word.
        cells = sorted(
            {
                (length, letter)
                for length, letter, _ in found
                if all((length, letter, count) in found for count in self.answers)
            }
        )
        if not cells:
            raise CorpusError(f"the words are too few for the task {self.name!r}: give a longer list")

        def draw(rng: np.random.Generator) -> Item:
            length, letter = cells[int(rng.integers(len(cells)))]
            count = self.answers[int(rng.integers(len(self.answers)))]
            choice = found[length, letter, count]
            return _item(choice[int(rng.integers(len(choice)))], letter, self.spelled[count])

        return draw


def _words(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        raise CorpusError("there are no words to make items from: give a longer list")
    return [entry.word for entry in entries]


def _alphabet(words: Sequence[str]) -> str:
    return "".join(sorted(set().union(*words)))


def _item(word: str, given: str, answer: str) -> Item:
    parts = (Part(given, False), Part(word, True)) if given else (Part(word, True),)
    return Item(word, parts, answer)


def _place(word: str, rng: np.random.Generator) -> int:
    return int(rng.integers(min(9, len(word))))


def _nth(word: str, _: str, rng: np.random.Generator) -> tuple[str, str]:
    at = _place(word, rng)
    return str(at + 1), word[at]


def _ends(word: str, _: str, rng: np.random.Generator) -> tuple[str, str]:
    last = bool(rng.integers(2))
    return "$" if last else "^", word[-1] if last else word[0]


def _insert(word: str, alphabet: str, rng: np.random.Generator) -> tuple[str, str]:
    at, letter = _place(word, rng), alphabet[int(rng.integers(len(alphabet)))]
    return f"{letter}{at + 1}", word[: at + 1] + letter + word[at + 1 :]


def _delete(word: str, _: str, rng: np.random.Generator) -> tuple[str, str]:
    at = _place(word, rng)
    return str(at + 1), word[:at] + word[at + 1 :]


def _swap(word: str, _: str, rng: np.random.Generator) -> tuple[str, str]:
    first = _place(word[:-1], rng)
    letters = list(word)
    letters[first], letters[first + 1] = letters[first + 1], letters[first]
    return str(first + 1), "".join(letters)


_SPELLED: Mapping[str, Baseline] = {"most common answer": _COMMON["most common answer"]}

LETTER_TASKS = (
    LetterTask("spell", "Spell the word.", lambda word, *_: ("", word), _SPELLED),
    LetterTask("reverse", "Spell the word from its end.", lambda word, *_: ("", word[::-1]), _SPELLED),
    LetterTask("nth", "Which is the nth letter of the word?", _nth, _COMMON),
    LetterTask("ends", "Which is the first (^) or last ($) letter of the word?", _ends, _COMMON),
    LetterTask("insert", "Put a letter behind the nth letter of the word.", _insert, _SPELLED),
    LetterTask("delete", "Leave out the nth letter of the word.", _delete, _SPELLED),
    LetterTask("swap", "Swap the nth letter of the word with the next.", _swap, _SPELLED),
    PresenceTask(
        "count",
        "How often is the letter in the word: 0, 1, or 2 and more?",
        (0, 1, 2),
        {0: "0", 1: "1", 2: "2"},
        _COMMON,
    ),
    PresenceTask("contains", "Is the letter in the word?", (0, 1), {0: "n", 1: "y"}, _COMMON),
)
