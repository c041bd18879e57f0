"""Words: reading, families, rhymes."""

import random

import pytest

from bpetok.errors import CorpusError
from bpetok.lm.words import Entry, leakage, load_words, read_words, rhyme_part, rhymes, split_words


def test_words_have_all_their_pronunciations(entries):
    by_word = {entry.word: entry for entry in entries}
    assert by_word["ration"].pronunciations == (
        ("R", "AE1", "SH", "AH0", "N"),
        ("R", "EY1", "SH", "AH0", "N"),
    )
    assert len(by_word) == len(entries)


@pytest.mark.parametrize("text", ["", ";;; nothing\n", "\n\n"])
def test_a_list_without_words_is_an_error(tmp_path, text):
    path = tmp_path / "words.txt"
    path.write_text(text)
    with pytest.raises(CorpusError, match="no words"):
        read_words(path)


def test_words_of_other_letters_and_lengths_are_left_out(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("it's\nat\nword\nnaïve\nextraordinary\nWords\n")
    assert [entry.word for entry in load_words(str(path))] == ["word", "words"]


def test_no_family_is_on_two_sides():
    rng = random.Random(1)
    words = {"".join(rng.choice("abc") for _ in range(rng.randint(4, 8))) for _ in range(3_000)}
    entries = [Entry(word) for word in sorted(words)]
    split = split_words(entries)
    sides = [{entry.word[:4] for entry in side} for side in (split.train, split.validation, split.test)]
    assert all(sides)
    assert not (sides[0] & sides[1])
    assert not (sides[0] & sides[2])
    assert not (sides[1] & sides[2])
    assert sum(map(len, (split.train, split.validation, split.test))) == len(entries)
    assert leakage(split)["word"] == leakage(split)["family"] == 0
    # Which side a word is on does not depend on the others.
    half = split_words(entries[::2])
    assert set(half.test) == set(split.test) & set(entries[::2])


def test_leakage_is_what_counting_gives(split):
    train = [entry.word for entry in split.train]
    test = [entry.word for entry in split.test]
    found = leakage(split)
    assert found["suffix"] == sum(any(w[-4:] == t[-4:] for t in train) for w in test) / len(test)
    pieces = [
        any((len(t) >= 4 and t in w) or any(w[i : i + 4] and w in t for i in range(1)) for t in train)
        for w in test
    ]
    assert found["inside"] == sum(pieces) / len(test)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("night", "polite", True),
        ("night", "train", False),
        ("ration", "nation", True),
        ("motion", "lotion", True),
        ("again", "train", True),
        ("laughter", "daughter", False),
        ("laughter", "rafter", True),
        ("night", "night", False),
    ],
)
def test_rhymes(entries, one, other, expected):
    by_word = {entry.word: entry for entry in entries}
    assert rhymes(by_word[one], by_word[other]) is expected
    assert rhymes(by_word[other], by_word[one]) is expected


def test_a_word_without_stress_rhymes_by_all_of_it():
    assert rhyme_part(("DH", "AH0")) == ("DH", "AH")
