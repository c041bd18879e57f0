"""Vocabularies of characters, against `reference.merge_characters`: any vocabulary, any text, however cut."""

import contextlib
import itertools
import pickle
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bpetok import Tokenizer, Vocabulary, reference
from bpetok._encode import _set_window
from bpetok.errors import EncodeError

# Characters of every length in UTF-8, some of which share their first bytes.
ALPHABET = "ab .\u00e9\u00ea\u03b1\u4e2d\u4e2e\u672c\U0001f600\U0001f601\U0001f680"
SPACED = r" [^ ]*|[^ ]+"


@contextlib.contextmanager
def windows_of(units):
    before = _set_window(units)
    try:
        yield
    finally:
        _set_window(before)


class Made:
    """A made-up vocabulary: its tokenizer, and what it should say."""

    def __init__(self, draw: random.Random, scored: bool, fallback: str, pattern: str, fuse, ties: bool):
        letters = draw.sample(ALPHABET, draw.randint(2, 7))
        known = draw.sample(letters, draw.randint(1, len(letters)))
        words: list[str] = list(known)
        pairs: list[tuple[str, str]] = []
        start = letters if scored else known
        for _ in range(draw.randint(0, 30)):
            pool = words[-4:] if draw.random() < 0.5 else words + start
            pair = draw.choice(pool), draw.choice(pool)
            if pair not in pairs and len("".join(pair)) <= 40:
                pairs.append(pair)
                if "".join(pair) not in words:
                    words.append("".join(pair))
        if draw.random() < 0.5:
            draw.shuffle(pairs)
        for _ in range(draw.randint(0, 3)):  # that perhaps no merge reaches
            word = "".join(draw.choices(letters, k=draw.randint(2, 5)))
            if word not in words:
                words.append(word)
        if draw.random() < 0.5:
            draw.shuffle(words)
        first = draw.choice((0, 1, 259, 300))
        self.ids = {word: first + at for at, word in enumerate(words)}
        self.scored = scored
        self.letters = letters
        highest = 3 if ties else 10**6
        self.scores = {word: float(-draw.randint(0, highest)) for word in words}
        if not ties:
            self.scores = {word: score + at / 4096 for at, (word, score) in enumerate(self.scores.items())}
        self.merges = {pair: rank for rank, pair in enumerate(pairs)}
        last = first + len(words)
        self.byte_tokens = range(last, last + 256) if fallback == "bytes" else None
        self.unknown = last + 256 if fallback == "unknown" else None
        several = draw.randint(0, len(words) // 3) if scored and draw.random() < 0.4 else 0
        self.unused = set(draw.sample(words, several))
        self.fuse = fuse
        self.pattern = pattern
        self.vocabulary = Vocabulary.from_characters(
            {token: word.encode() for word, token in self.ids.items()},
            merges=None if scored else [(self.ids[left], self.ids[right]) for left, right in pairs],
            scores={self.ids[word]: score for word, score in self.scores.items()} if scored else None,
            special_tokens={"<unk>": last + 256, "<end>": last + 257},
            byte_tokens=self.byte_tokens,
            unknown=self.unknown,
            fuse_unknown=fuse,
            unused={self.ids[word] for word in self.unused},
        )
        self.tokenizer = Tokenizer.from_vocabulary("made-up", pattern, self.vocabulary)

    def merge(self, piece: str) -> list[int]:
        return reference.merge_characters(
            piece,
            self.ids,
            merges=None if self.scored else self.merges,
            scores=self.scores if self.scored else None,
            byte_tokens=self.byte_tokens,
            unknown=self.unknown,
            fuse=bool(self.fuse),
            unused=self.unused,
        )

    def expected(self, text: str) -> list[int]:
        text = reference.utf8(text).decode()
        ids = list(itertools.chain.from_iterable(map(self.merge, reference.split(text, self.pattern))))
        if self.fuse == "text" and self.unknown is not None:
            ids = [
                token
                for at, token in enumerate(ids)
                if not (at and token == self.unknown == ids[at - 1])
            ]
        return ids

    def text(self, draw: random.Random, length: int) -> str:
        letters = [*self.letters, *self.letters, *ALPHABET] if draw.random() < 0.5 else self.letters
        words = list(self.ids)
        kind = draw.randrange(4)
        if kind == 0:
            return "".join(draw.choices(letters, k=length))
        if kind == 1:
            return "".join(draw.choices(words + letters, k=length))[:length]
        if kind == 2:
            return ("".join(draw.choices(letters, k=draw.randint(1, 30))) * length)[:length]
        return "".join(draw.choice(letters) * draw.randint(1, 30) for _ in range(length))[:length]


def agrees(made: Made, text: str) -> None:
    try:
        expected = made.expected(text)
    except EncodeError:
        for _ in range(2):
            with pytest.raises(EncodeError, match="character"):
                made.tokenizer.encode_ordinary(text)
            with pytest.raises(EncodeError, match="character"):
                made.tokenizer.count(text)
        return
    for _ in range(2):  # the second time perhaps from the cache
        assert made.tokenizer.encode_ordinary(text) == expected
        assert made.tokenizer.count(text) == len(expected)
    if made.byte_tokens is not None:
        assert made.tokenizer.decode_bytes(expected) == reference.utf8(text)


KINDS = {
    "seed": st.integers(0, 2**32),
    "scored": st.booleans(),
    "fallback": st.sampled_from(["bytes", "unknown", "none"]),
    "pattern": st.sampled_from(["(?s:.+)", SPACED, r"\S+|\s+"]),
    "fuse": st.sampled_from([False, "piece", "text"]),
    "ties": st.booleans(),
}


@given(**KINDS, length=st.integers(0, 40) | st.sampled_from([63, 130, 500, 700]), units=st.integers(1, 80))
def test_any_text_of_any_vocabulary(seed, scored, fallback, pattern, fuse, ties, length, units):
    draw = random.Random(seed)
    made = Made(draw, scored, fallback, pattern, fuse, ties)
    texts = [made.text(draw, length) for _ in range(3)]
    for text in texts:
        agrees(made, text)
    with windows_of(units):
        for text in texts:
            agrees(made, text)
