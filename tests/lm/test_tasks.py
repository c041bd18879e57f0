"""Tasks: answers are what the words say, no answer is given away, baselines are what they claim."""

from collections import Counter

import numpy as np
import pytest

from bpetok.errors import CorpusError
from bpetok.lm.data import draw_items
from bpetok.lm.tasks import TASKS
from bpetok.lm.words import Entry, load_words, rhyme_part, rhymes


def items_of(name, entries, count=600):
    return draw_items(TASKS[name].prepare(entries), count, 7)


def entries_for(name, entries):
    """Words that a task can be about: some are about numbers."""
    return load_words("numbers", most=400) if TASKS[name].words == "numbers" else entries


def given(item):
    return "".join(part.text for part in item.prompt if not part.is_word)


ANSWERS = {
    "spell": lambda word, _: word,
    "reverse": lambda word, _: "".join(reversed(word)),
    "nth": lambda word, n: word[int(n) - 1],
    "ends": lambda word, end: word[0] if end == "^" else word[-1],
    "insert": lambda word, what: "".join(
        char + (what[0] if at == int(what[1:]) else "") for at, char in enumerate(word, 1)
    ),
    "delete": lambda word, n: "".join(char for at, char in enumerate(word, 1) if at != int(n)),
    "swap": lambda word, n: word[: int(n) - 1] + word[int(n)] + word[int(n) - 1] + word[int(n) + 1 :],
    "count": lambda word, letter: str(min(2, word.count(letter))),
    "contains": lambda word, letter: "y" if letter in word else "n",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_right(entries, name):
    for item in items_of(name, entries):
        assert item.answer == ANSWERS[name](item.word, given(item))
        assert item.is_right(item.answer)
        assert not item.is_right(item.answer + "x")


@pytest.mark.parametrize("name", sorted(TASKS))
def test_items_are_about_the_words_given(split, name):
    known = entries_for(name, split.train)
    words = {entry.word for entry in known}
    for item in items_of(name, known, 300):
        assert {part.text for part in item.prompt if part.is_word} <= words


@pytest.mark.parametrize("name", sorted(TASKS))
def test_items_depend_on_the_seed_alone(entries, name):
    entries = entries_for(name, entries)
    draw = TASKS[name].prepare(entries)
    first = draw_items(draw, 20, 3, 4)
    assert draw_items(draw, 20, 3, 5) != first
    assert draw_items(TASKS[name].prepare(entries), 20, 3, 4) == first


def test_neither_letter_nor_length_tells_whether_it_is_there(entries):
    counts = Counter()
    for item in items_of("contains", entries, 6_000):
        counts[len(item.word), given(item), item.answer] += 1
    yes = sum(n for (_, _, answer), n in counts.items() if answer == "y")
    assert 0.47 < yes / 6_000 < 0.53
    cells = {(length, letter) for length, letter, _ in counts}
    best = sum(max(counts[length, letter, a] for a in "yn") for length, letter in cells)
    assert best / 6_000 < 0.56  # what chance leaves in as many cells


def test_rime_is_the_rhyming_part(entries):
    by_word = {entry.word: entry for entry in entries}
    for item in items_of("rime", entries, 300):
        parts = {" ".join(rhyme_part(one)) for one in by_word[item.word].pronunciations}
        assert {item.answer, *item.accepted} == parts


def test_one_of_four_rhymes(entries):
    by_word = {entry.word: entry for entry in entries}
    places = Counter()
    for item in items_of("rhyme-choice", entries, 400):
        first, *choices = (by_word[part.text] for part in item.prompt if part.is_word)
        assert len({choice.word for choice in choices} | {first.word}) == 5
        assert [at for at, choice in enumerate(choices, 1) if rhymes(first, choice)] == [int(item.answer)]
        places[item.answer] += 1
    assert set(places) == set("1234")
    assert min(places.values()) > 60


def test_baselines_are_what_brute_force_gives(split):
    train, test = items_of("nth", split.train, 800), items_of("nth", split.test, 200)
    answer = TASKS["nth"].baselines["by argument"](train)
    for item in test:
        same = Counter(one.answer for one in train if given(one) == given(item))
        same = same or Counter(one.answer for one in train)
        assert same[answer(item)] == max(same.values())
    answer = TASKS["rime"].baselines["longest suffix"](items_of("rime", split.train, 800))
    known = items_of("rime", split.train, 800)
    for item in items_of("rime", split.test, 100):
        for at in range(len(item.word) + 1):
            ends = Counter(one.answer for one in known if one.word.endswith(item.word[at:]))
            if ends:
                break
        assert ends[answer(item)] == max(ends.values())


def test_the_most_alike_word_is_the_one_with_the_longest_end(entries):
    answer = TASKS["rhyme-choice"].baselines["longest common end"]([])
    for item in items_of("rhyme-choice", entries, 100):
        first, *choices = (part.text for part in item.prompt if part.is_word)
        ends = [
            next(n for n in range(len(first) + 1) if n == len(first) or not word.endswith(first[-n - 1 :]))
            for word in choices
        ]
        assert ends[int(answer(item)) - 1] == max(ends)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_too_few_words_are_an_error(name):
    with pytest.raises(CorpusError):
        TASKS[name].prepare([])


@pytest.mark.parametrize("name", ["rime", "rhyme-choice"])
def test_words_without_sound_do_not_rhyme(name):
    with pytest.raises(CorpusError, match="pronunciations"):
        TASKS[name].prepare([Entry("word"), Entry("bird")])


def test_drawing_needs_no_global_state(entries):
    draw = TASKS["spell"].prepare(entries)
    np.random.seed(0)
    first = draw_items(draw, 5, 1)
    np.random.seed(1)
    assert draw_items(draw, 5, 1) == first
